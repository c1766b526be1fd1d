package rendezvous

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// pmi is a conversation with what started this process, in the process management
// interface: version 2 where the other side has it, as Slurm and Hydra have, else
// version 1.1, as Flux has. Both are requests and answers of keys and values on a
// stream socket that the process inherits. What one rank puts, all get after all
// have been at the fence.
type pmi struct {
	conn    pmiConn
	answers *bufio.Reader
	version int
	space   string // whose keys and values these are
}

// pmiConn is the inherited socket.
type pmiConn interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// maxAnswer bounds one answer, and is what the buffer for it holds.
const maxAnswer = 8 << 10

// openPMI begins the conversation with the newest version that both have, but none
// newer than newest.
func openPMI(conn pmiConn, p *Place, newest int) (*pmi, error) {
	c := &pmi{conn: conn, answers: bufio.NewReaderSize(conn, maxAnswer), version: 1}
	var answer map[string]string
	err := errors.New("no version was tried")
	for v := newest; v >= 1 && err != nil; v-- {
		sub := 2 - v // 2.0 and 1.1
		answer, err = c.call("response_to_init", "cmd=init pmi_version=%d pmi_subversion=%d\n", v, sub)
	}
	if err != nil {
		return nil, err
	}
	if answer["pmi_version"] != "2" {
		answer, err = c.call("my_kvsname", "cmd=get_my_kvsname\n")
		c.space = answer["kvsname"]
		return c, err
	}
	c.version = 2
	if c.space = p.pmiJob; c.space == "" {
		c.space = "0"
	}
	answer, err = c.call("fullinit-response", "cmd=fullinit;pmijobid=%s;pmirank=%d;threaded=FALSE;", c.space, p.Rank)
	if err != nil {
		return nil, err
	}
	if rank, size := strconv.Itoa(p.Rank), strconv.Itoa(p.Size); answer["rank"] != rank || answer["size"] != size {
		return nil, fmt.Errorf("PMI says that this is rank %s of %s, the environment says rank %s of %s", answer["rank"], answer["size"], rank, size)
	}
	return c, nil
}

// call sends one request and returns the answer, which must be of the kind want and
// say that all went well.
func (c *pmi) call(want, format string, args ...any) (map[string]string, error) {
	request := fmt.Sprintf(format, args...)
	what, _, _ := strings.Cut(strings.TrimPrefix(request, "cmd="), " ")
	if c.version == 2 {
		what, _, _ = strings.Cut(what, ";")
		request = fmt.Sprintf("%-6d%s", len(request), request)
	}
	// In one piece: Slurm takes what one read gives for one request of version 1.
	_, err := io.WriteString(c.conn, request)
	var answer map[string]string
	if err == nil {
		answer, err = c.answer()
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
		return nil, fmt.Errorf("PMI %s: the connection is closed: a process takes part once, and a program that was started before it on the same connection may have done so", strings.TrimSpace(what))
	case err != nil:
		return nil, fmt.Errorf("PMI %s: %w", strings.TrimSpace(what), err)
	case answer["cmd"] != want:
		return nil, fmt.Errorf("PMI %s: the answer is %q, want %q", strings.TrimSpace(what), answer["cmd"], want)
	case answer["rc"] != "" && answer["rc"] != "0":
		return nil, fmt.Errorf("PMI %s: refused with code %s %s", strings.TrimSpace(what), answer["rc"], answer["errmsg"]+answer["msg"])
	}
	return answer, nil
}

// answer reads the next answer and takes it apart.
func (c *pmi) answer() (map[string]string, error) {
	var text, between string
	if c.version == 2 {
		head := make([]byte, 6)
		if _, err := io.ReadFull(c.answers, head); err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(head)))
		if err != nil || n < 0 || n > maxAnswer {
			return nil, fmt.Errorf("an answer of %q bytes, want at most %d", head, maxAnswer)
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(c.answers, body); err != nil {
			return nil, err
		}
		text, between = string(body), ";"
	} else {
		line, err := c.answers.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
		}
		if err != nil {
			return nil, err
		}
		text, between = strings.TrimSuffix(string(line), "\n"), " "
	}
	pairs := make(map[string]string)
	for pair := range strings.SplitSeq(text, between) {
		if key, value, ok := strings.Cut(pair, "="); ok {
			pairs[key] = value
		}
	}
	return pairs, nil
}

// put makes a value known to those that get it after the fence. Key and value must
// hold nothing that separates: no space, semicolon or end of line.
func (c *pmi) put(key, value string) error {
	var err error
	if c.version == 2 {
		_, err = c.call("kvs-put-response", "cmd=kvs-put;key=%s;value=%s;", key, value)
	} else {
		_, err = c.call("put_result", "cmd=put kvsname=%s key=%s value=%s\n", c.space, key, value)
	}
	return err
}

// fence returns when all ranks have called it.
func (c *pmi) fence() error {
	var err error
	if c.version == 2 {
		_, err = c.call("kvs-fence-response", "cmd=kvs-fence;")
	} else {
		_, err = c.call("barrier_out", "cmd=barrier_in\n")
	}
	return err
}

// get returns what was put under key.
func (c *pmi) get(key string) (string, error) {
	if c.version == 2 {
		answer, err := c.call("kvs-get-response", "cmd=kvs-get;jobid=%s;srcid=-1;key=%s;", c.space, key)
		if err == nil && !strings.EqualFold(answer["found"], "TRUE") {
			err = fmt.Errorf("PMI kvs-get: nobody has put %q", key)
		}
		return answer["value"], err
	}
	answer, err := c.call("get_result", "cmd=get kvsname=%s key=%s\n", c.space, key)
	return answer["value"], err
}

// finish ends the conversation; the process may end as it likes from then on.
func (c *pmi) finish() error {
	defer c.conn.Close()
	var err error
	if c.version == 2 {
		_, err = c.call("finalize-response", "cmd=finalize;")
	} else {
		_, err = c.call("finalize_ack", "cmd=finalize\n")
	}
	return err
}

// card is the key under which rank 0 puts how it is reached.
const card = "muster-rendezvous"

// exchange is the whole conversation: rank 0 puts own, the others get what it has put.
// It takes at most the place's patience, mostly to wait for the other ranks.
func exchange(ctx context.Context, conn pmiConn, p *Place, newest int, own string) (string, error) {
	conn.SetDeadline(time.Now().Add(p.patience))
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	text, err := func() (string, error) {
		c, err := openPMI(conn, p, newest)
		if err != nil {
			return "", err
		}
		if p.Rank == 0 {
			if err := c.put(card, own); err != nil {
				return "", err
			}
		}
		if err := c.fence(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				err = fmt.Errorf("not all of the %d processes of %s have come to join the job within %v (%s)", p.Size, p.starter, p.patience, EnvStartTimeout)
			}
			return "", err
		}
		if p.Rank != 0 {
			if own, err = c.get(card); err != nil {
				return "", err
			}
		}
		return own, c.finish()
	}()
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}
	return text, err
}

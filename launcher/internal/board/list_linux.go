package board

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrGone is that a board is not there any more: it was closed, or its process has
// ended.
var ErrGone = errors.New("the board is gone")

// ErrHidden is that the board's process may not be looked at now, as while it holds
// secrets (PR_SET_DUMPABLE).
var ErrHidden = errors.New("the board's process may not be looked at now")

// An Entry is what a process showed when it was looked at.
type Entry struct {
	PID  int // of the process, as this one sees it
	Name string
	Text []byte

	requests int    // descriptor of the pipe
	inode    uint64 // of the pipe
}

// List returns what processes of this user show under names that begin with prefix.
// Processes that come and go meanwhile may or may not be among them.
func List(prefix string) ([]Entry, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("looking at processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("looking at processes: %w", err)
	}
	var all []Entry
	seen := false
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		seen = seen || err == nil && pid == os.Getpid()
		if err != nil || !isOurs(pid) {
			continue
		}
		known := make(map[uint64]bool) // for a moment of each change there are two of a name
		memory, _ := descriptors(pid)  // none of one that hides
		for n, fd := range memory {
			if strings.HasPrefix(fd, prefix) {
				if e, ok := entry(pid, n, fd); ok && !known[e.inode] {
					known[e.inode] = true
					all = append(all, e)
				}
			}
		}
	}
	if !seen {
		return nil, errors.New("looking at processes: /proc does not show this one; is it that of another PID namespace?")
	}
	return all, nil
}

// isOurs reports whether pid is a process of this user.
func isOurs(pid int) bool {
	info, err := os.Stat(procDir(pid))
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func procDir(pid int) string { return "/proc/" + strconv.Itoa(pid) }

// descriptors returns the names of memory that pid has descriptors of, by number. The
// error is ErrGone or ErrHidden.
func descriptors(pid int) (map[int]string, error) {
	path := procDir(pid) + "/fd"
	dir, err := os.Open(path)
	if err != nil {
		return nil, hiddenOrGone(pid, err)
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what was read before an error is still true
	found := make(map[int]string)
	for _, number := range names {
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		link, err := os.Readlink(path + "/" + number)
		if errors.Is(err, os.ErrPermission) {
			return nil, hiddenOrGone(pid, err)
		}
		if err != nil {
			continue
		}
		if name, ok := memoryName(link); ok {
			found[n] = name
		}
	}
	return found, nil
}

// hiddenOrGone says what it means that process pid could not be looked at.
func hiddenOrGone(pid int, err error) error {
	if errors.Is(err, os.ErrPermission) && isOurs(pid) {
		return ErrHidden
	}
	return ErrGone // its number may be another user's by now
}

// memoryName is the name that memory was made with, by what a descriptor of it links to.
func memoryName(link string) (string, bool) {
	name, ok := strings.CutPrefix(link, "/memfd:")
	return strings.TrimSuffix(name, " (deleted)"), ok
}

// entry reads what pid shows by descriptor n; false if that is no board.
func entry(pid, n int, name string) (Entry, bool) {
	data, err := read(pid, n, name, maxShown)
	if err != nil {
		return Entry{}, false
	}
	header, text, ok := bytes.Cut(data, []byte("\n"))
	e := Entry{PID: pid, Name: name, Text: text}
	var self int
	if k, err := fmt.Sscanf(string(header), "%d %d %d", &self, &e.requests, &e.inode); !ok || err != nil || k != 3 {
		return Entry{}, false
	}
	// A process that was just forked holds the descriptors of its parent.
	return e, self == ownPID(pid)
}

// ownPID returns the number that process pid has for itself, which is another one if it is
// in another PID namespace; 0 if there is no such process.
func ownPID(pid int) int {
	status, err := os.ReadFile(procDir(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		if numbers, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			fields := bytes.Fields(numbers)
			own, _ := strconv.Atoi(string(fields[len(fields)-1]))
			return own
		}
	}
	return pid // a kernel without PID namespaces
}

// read returns what the sealed memory of that name holds.
func read(pid, n int, name string, limit int64) ([]byte, error) {
	f, err := open(pid, n, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var inner error
	err = raw.Control(func(fd uintptr) {
		var st unix.Stat_t
		link, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(fd)))
		now, _ := memoryName(link)
		have, err := unix.FcntlInt(fd, unix.F_GET_SEALS, 0)
		if err == nil {
			err = unix.Fstat(int(fd), &st)
		}
		switch {
		case err != nil:
			inner = err
		case now != name || have&seals != seals:
			inner = fmt.Errorf("descriptor %d of process %d is not sealed memory %s", n, pid, name)
		case int(st.Uid) != os.Geteuid():
			inner = fmt.Errorf("%s of process %d belongs to user %d, want %d", name, pid, st.Uid, os.Geteuid())
		case st.Size > limit:
			inner = fmt.Errorf("%s of process %d has %d bytes, want %d at most", name, pid, st.Size, limit)
		}
	})
	if err := errors.Join(err, inner); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// open opens what descriptor n of pid is of. It neither waits nor changes anything,
// whatever that has come to be.
func open(pid, n, how int) (*os.File, error) {
	path := procDir(pid) + "/fd/" + strconv.Itoa(n)
	fd, err := unix.Open(path, how|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Again looks at the same board once more. The error is ErrGone, or ErrHidden if that
// cannot be told.
func (e *Entry) Again() (Entry, error) {
	memory, err := descriptors(e.PID)
	if err != nil {
		return Entry{}, err
	}
	for n, name := range memory {
		if name == e.Name {
			if now, ok := entry(e.PID, n, name); ok && now.inode == e.inode {
				return now, nil
			}
		}
	}
	if _, err := descriptors(e.PID); err != nil {
		return Entry{}, err // it has begun to hide in between
	}
	return Entry{}, ErrGone
}

// Ask puts a request, a short line, to the process and returns its answer. It fails with
// ErrGone if the board goes before that, and with the context's error.
func (e *Entry) Ask(ctx context.Context, request string) ([]byte, error) {
	random := make([]byte, wordBytes/2)
	rand.Read(random)
	word := hex.EncodeToString(random)
	line := word + " " + request + "\n"
	if len(line) > maxLine || strings.Contains(request, "\n") || request == done {
		return nil, fmt.Errorf("request %q: expected one short line", request)
	}
	if err := e.send(line); err != nil {
		return nil, err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		memory, err := descriptors(e.PID)
		there := errors.Is(err, ErrHidden)
		for n, name := range memory {
			if name == answerPrefix+word {
				if answer, err := read(e.PID, n, name, maxAnswer); err == nil {
					e.send(word + " " + done + "\n") // if that fails it is let go of a little later
					return answer, nil
				}
			}
			there = there || name == e.Name
		}
		if !there {
			return nil, ErrGone
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// send writes line into the pipe of requests.
func (e *Entry) send(line string) error {
	f, err := open(e.PID, e.requests, unix.O_WRONLY)
	if err != nil {
		return hiddenOrGone(e.PID, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&os.ModeNamedPipe == 0 || st.Ino != e.inode {
		return ErrGone // the number means something else by now
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = raw.Write(func(fd uintptr) bool {
		_, inner = unix.Write(int(fd), []byte(line))
		return true // a full pipe is not waited for
	})
	if errors.Is(inner, unix.EAGAIN) {
		inner = fmt.Errorf("process %d has more requests than it answers", e.PID)
	}
	return errors.Join(err, inner)
}

// Signal sends sig to the process, and to no other, even if it has ended and its number
// was given to another. It fails with ErrGone if the board is gone, and ErrHidden if that
// cannot be told.
func (e *Entry) Signal(sig syscall.Signal) error {
	fd, err := unix.PidfdOpen(e.PID, 0)
	if err == nil {
		defer unix.Close(fd)
	} else if err != unix.ENOSYS && err != unix.EPERM {
		return ErrGone
	}
	// The descriptor holds on to whoever has the number now; that it is the process
	// shows what it shows.
	if _, err := e.Again(); err != nil {
		return err
	}
	if err == nil {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	} else {
		// A kernel or a filter without pidfd: the number could change hands between
		// the look and the signal, which takes a wrap of all numbers.
		err = unix.Kill(e.PID, sig)
	}
	if err == unix.ESRCH {
		return ErrGone
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

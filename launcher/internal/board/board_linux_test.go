package board

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary can be another process: one that lists boards, or shows one.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "list":
			all, err := List(os.Args[2])
			fmt.Println(len(all), err)
			os.Exit(0)
		case "show":
			b, err := Post(os.Args[2])
			if err == nil {
				err = b.Show([]byte("here"))
			}
			fmt.Println(err)
			hide := make(chan os.Signal, 1)
			signal.Notify(hide, unix.SIGUSR1, unix.SIGUSR2)
			go func() {
				for s := range hide {
					dumpable := uintptr(1)
					if s == unix.SIGUSR1 {
						dumpable = 0
					}
					fmt.Println(unix.Prctl(unix.PR_SET_DUMPABLE, dumpable, 0, 0, 0))
				}
			}()
			b.Serve(func(string) []byte { return []byte("answer") })
		case "watch":
			fmt.Println(watch(os.Args[2]))
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// watch looks at a board of another process before, while and after that hides.
func watch(name string) error {
	cmd := exec.Command(os.Args[0], "show", name)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	said := bufio.NewScanner(out)
	said.Scan()
	all, err := List(name)
	if err != nil || len(all) != 1 {
		return fmt.Errorf("%d boards, %w, want one", len(all), err)
	}
	e := all[0]
	cmd.Process.Signal(unix.SIGUSR1)
	said.Scan()
	_, again := e.Again()
	_, ask := e.Ask(context.Background(), "x")
	for _, err := range []error{again, ask, e.Signal(0)} {
		if !errors.Is(err, ErrHidden) {
			return fmt.Errorf("while it hides: %v, %v, want ErrHidden", again, ask)
		}
	}
	if all, err := List(name); err != nil || len(all) != 0 {
		return fmt.Errorf("while it hides: %d boards, %w, want none", len(all), err)
	}
	cmd.Process.Signal(unix.SIGUSR2)
	said.Scan()
	if text, err := e.Ask(context.Background(), "x"); err != nil || string(text) != "answer" {
		return fmt.Errorf("when it hides no more: %q, %w", text, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if _, err := e.Again(); !errors.Is(err, ErrGone) {
		return fmt.Errorf("after its end: %v, want ErrGone", err)
	}
	return nil
}

var number int

// post makes a board of the test's own and shows text.
func post(t *testing.T, text string) (*Board, Entry) {
	t.Helper()
	number++
	name := fmt.Sprintf("board-test-%d-%d", os.Getpid(), number)
	b, err := Post(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Show([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return b, only(t, name)
}

func only(t *testing.T, name string) Entry {
	t.Helper()
	all, err := List(name)
	if err != nil || len(all) != 1 {
		t.Fatalf("got %d boards, %v, want one", len(all), err)
	}
	return all[0]
}

func TestBoardIsSeenUntilItIsClosed(t *testing.T) {
	b, e := post(t, "one\ntwo")
	if string(e.Text) != "one\ntwo" || e.PID != os.Getpid() {
		t.Errorf("got %q of process %d, want what was shown", e.Text, e.PID)
	}
	if err := b.Show([]byte("three")); err != nil {
		t.Fatal(err)
	}
	now, err := e.Again()
	if err != nil || string(now.Text) != "three" {
		t.Errorf("got %q, %v, want what was shown last", now.Text, err)
	}
	b.Close()
	if _, err := e.Again(); !errors.Is(err, ErrGone) {
		t.Errorf("after Close: got %v, want ErrGone", err)
	}
	if _, err := e.Ask(t.Context(), "x"); !errors.Is(err, ErrGone) {
		t.Errorf("a request after Close: got %v, want ErrGone", err)
	}
	if err := e.Signal(0); !errors.Is(err, ErrGone) {
		t.Errorf("a signal after Close: got %v, want ErrGone", err)
	}
	if all, err := List(e.Name); len(all) != 0 || err != nil {
		t.Errorf("got %d boards, %v, want none", len(all), err)
	}
	if err := b.Show(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Show after Close: got %v, want ErrClosed", err)
	}
}

// A reader has all of what was shown at one moment, however often that changes.
func TestNobodySeesHalfOfAChange(t *testing.T) {
	b, e := post(t, strings.Repeat("0", 5000))
	stop := make(chan struct{})
	var w sync.WaitGroup
	w.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				b.Show(bytes.Repeat([]byte{'0' + byte(i%10)}, 5000+i%7*1000))
			}
		}
	})
	for i := range 300 {
		now, err := e.Again()
		if i%30 == 0 {
			now, err = only(t, e.Name), nil
		}
		if n := len(now.Text); err != nil || n < 5000 || strings.Trim(string(now.Text), string(now.Text[:1])) != "" {
			t.Fatalf("%d bytes are not all of one kind: %.40q", n, now.Text)
		}
	}
	close(stop)
	w.Wait()
}

func TestWhatIsShownCannotBeChanged(t *testing.T) {
	b, e := post(t, "text")
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", b.shown), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("writing: got %v, want EPERM", err)
	}
	if err := f.Truncate(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("truncating: got %v, want EPERM", err)
	}
	if now, err := e.Again(); err != nil || string(now.Text) != "text" {
		t.Errorf("got %q, %v", now.Text, err)
	}
}

// Memory of that name that is not sealed, or that a fork has, is no board.
func TestForeignMemoryIsNoBoard(t *testing.T) {
	name := fmt.Sprintf("board-test-foreign-%d", os.Getpid())
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	unix.Write(fd, fmt.Appendf(nil, "%d 0 0\ntext", os.Getpid()))
	if all, err := List(name); len(all) != 0 || err != nil {
		t.Errorf("not sealed: got %d, %v", len(all), err)
	}
	for _, text := range []string{"", "text", "1 2\nx", "-1 -1 -1\n", fmt.Sprintf("%d 0 0\nof the parent", os.Getppid())} {
		fd, err := sealed(name+"-sealed", text)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := List(name + "-sealed"); len(all) != 0 || err != nil {
			t.Errorf("%q: got %d, %v", text, len(all), err)
		}
		unix.Close(fd)
	}
}

func TestRequestIsAnswered(t *testing.T) {
	b, e := post(t, "")
	go b.Serve(func(request string) []byte { return []byte("answer to " + request) })
	for i := range 3 * keepAnswers {
		want := fmt.Sprintf("answer to request %d", i)
		if got, err := e.Ask(t.Context(), fmt.Sprintf("request %d", i)); err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for deadline := time.Now().Add(keepAnswer / 2); b.held() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d answers that were fetched are held", b.held())
		}
	}
	if _, err := e.Ask(t.Context(), strings.Repeat("x", maxLine)); err == nil {
		t.Error("a request that is too long was sent")
	}
	if _, err := e.Ask(t.Context(), "two\nlines"); err == nil {
		t.Error("a request of two lines was sent")
	}
}

func (b *Board) held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.answers)
}

// However many ask at once, each gets its answer; and of those that nobody fetches there
// are never many.
func TestManyAskAtOnce(t *testing.T) {
	b, e := post(t, "")
	go b.Serve(func(request string) []byte { return []byte(request) })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var asking sync.WaitGroup
	for i := range 3 * keepAnswers {
		asking.Go(func() {
			request := strconv.Itoa(i)
			if i%6 == 0 {
				e.Ask(gone, request)
			} else if got, err := e.Ask(t.Context(), request); err != nil || string(got) != request {
				t.Errorf("got %q, %v, want %q", got, err, request)
			}
			if n := b.held(); n > keepAnswers {
				t.Errorf("%d answers are held, want %d at most", n, keepAnswers)
			}
		})
	}
	asking.Wait()
}

func TestRequestWithoutAnAnswerEndsWithItsContext(t *testing.T) {
	b, e := post(t, "")
	asked := make(chan string, 1)
	go b.Serve(func(request string) []byte { asked <- request; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := e.Ask(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// What is no request harms nobody, and a process that fills the pipe only those that ask.
func TestJunkInThePipe(t *testing.T) {
	b, e := post(t, "")
	f, err := open(e.PID, e.requests, unix.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, junk := range []string{"\n", "\n\n \n", "word request\n", strings.Repeat("y", 3*maxLine) + "\n", strings.Repeat("f", wordBytes) + "\n", "\x00\xff\n"} {
		f.WriteString(junk)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Write(func(fd uintptr) bool {
		for _, junk := range []string{strings.Repeat("junk\n", 100), "\n"} { // to the last byte
			for err := error(nil); err == nil; {
				_, err = unix.Write(int(fd), []byte(junk))
			}
		}
		return true
	})
	if _, err := e.Ask(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "more requests than it answers") {
		t.Errorf("a request in a full pipe: got %v", err)
	}
	go b.Serve(func(request string) []byte { return []byte(request) })
	for {
		got, err := e.Ask(t.Context(), "good")
		if err != nil && strings.Contains(err.Error(), "more requests") {
			continue // it has not read all of it
		}
		if err != nil || string(got) != "good" {
			t.Errorf("got %q, %v after the junk", got, err)
		}
		return
	}
}

// other starts this binary as another process.
func other(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line := make([]byte, 200)
	n, _ := out.Read(line)
	return cmd, strings.TrimSpace(string(line[:n]))
}

func TestBoardOfAnotherProcess(t *testing.T) {
	name := fmt.Sprintf("board-test-other-%d", os.Getpid())
	cmd, said := other(t, "show", name)
	if said != "<nil>" {
		t.Fatal(said)
	}
	e := only(t, name)
	if got, err := e.Ask(t.Context(), "x"); err != nil || string(got) != "answer" || e.PID != cmd.Process.Pid {
		t.Errorf("process %d answers %q, %v", e.PID, got, err)
	}
	// While it is stopped it is seen, and does not answer.
	if err := e.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(e.PID, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatalf("process %d: %#x, %v, want it to be stopped", e.PID, ws, err)
	}
	if now, err := e.Again(); err != nil || string(now.Text) != "here" {
		t.Errorf("stopped: got %q, %v", now.Text, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := e.Ask(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped: a request got %v", err)
	}
	// The end of the process ends a request.
	failed := make(chan error)
	go func() {
		_, err := e.Ask(t.Context(), "x")
		failed <- err
	}()
	if err := e.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, ErrGone) {
		t.Errorf("killed: a request got %v, want ErrGone", err)
	}
	cmd.Wait()
	if err := e.Signal(0); !errors.Is(err, ErrGone) {
		t.Errorf("killed: a signal got %v, want ErrGone", err)
	}
}

// asNobody returns what runs a command as another user, who has this binary as exe.
func asNobody(t *testing.T) (run func(name string, args ...string) string, exe string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run a process as another user")
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // which that user may enter
	for d := dir; len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	exe = filepath.Join(dir, "exe")
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	return func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}, exe
}

// S4: another user sees no board and can open nothing of it.
func TestAnotherUserSeesNoBoard(t *testing.T) {
	run, exe := asNobody(t)
	b, e := post(t, "text")
	if got := run(exe, "list", e.Name); got != "0 <nil>\n" {
		t.Errorf("it lists %q, want no board", got)
	}
	for _, n := range []int{b.shown, e.requests} {
		path := "/proc/" + strconv.Itoa(os.Getpid()) + "/fd/" + strconv.Itoa(n)
		if got := run("cat", path); !strings.Contains(got, "Permission denied") {
			t.Errorf("it opens %s: %q", path, got)
		}
	}
}

// A process that holds secrets may hide for a while. That is not taken for its end.
func TestProcessThatHidesIsNotTakenToHaveEnded(t *testing.T) {
	run, exe := asNobody(t)
	if got := run(exe, "watch", fmt.Sprintf("board-test-hiding-%d", os.Getpid())); got != "<nil>\n" {
		t.Error(got)
	}
}

// What a board takes is given back, whatever was asked.
func TestBoardLeavesNoDescriptor(t *testing.T) {
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	first, _ := post(t, "") // whatever the runtime opens once
	first.Close()
	before := count()
	for range 20 {
		b, e := post(t, "a")
		served := make(chan struct{})
		go func() { defer close(served); b.Serve(func(string) []byte { return []byte("x") }) }()
		for range keepAnswers + 2 {
			if _, err := e.Ask(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			b.Show([]byte("b"))
		}
		b.Close()
		<-served
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

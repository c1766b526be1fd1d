package testbed

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keeperVariable in the environment makes a test binary a keeper.
const keeperVariable = "MUSTER_TESTBED_KEEPER"

func init() {
	for variable, main := range map[string]func(string) error{
		keeperVariable: func(string) error { return keeperMain() },
		delayVariable:  delayMain,
	} {
		value := os.Getenv(variable)
		if value == "" {
			continue
		}
		os.Unsetenv(variable)
		if err := main(value); err != nil {
			fmt.Fprintln(os.Stderr, "test bed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// A keeper is the process beneath which a bed's processes run. It adopts those whose
// parents die, and kills them all when the test's process closes its standard input,
// be it by dying.
type keeper struct {
	reply
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *json.Decoder
}

// keep starts a keeper for the time of the test. Without permission the test is skipped.
func keep(t testing.TB, s spec) *keeper {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	k := &keeper{cmd: exec.Command(self)}
	k.cmd.Env = append(os.Environ(), keeperVariable+"=1")
	k.cmd.Dir = "/"
	k.cmd.Stderr = os.Stderr
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := k.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := k.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	k.input, k.output = input, json.NewDecoder(output)
	t.Cleanup(func() {
		k.input.Close()
		late := time.AfterFunc(time.Minute, func() { k.cmd.Process.Kill() })
		defer late.Stop()
		if err := k.cmd.Wait(); err != nil {
			t.Errorf("test bed: %v", err)
		}
	})
	if err := json.NewEncoder(input).Encode(s); err != nil {
		t.Fatal(err)
	}
	if err := k.output.Decode(&k.reply); err != nil {
		t.Fatalf("test bed: no answer from its keeper: %v", err)
	}
	if k.Refused {
		t.Skipf("this test wants a machine where namespaces may be made: %s", k.Error)
	}
	if k.Error != "" {
		t.Fatalf("test bed: %s", k.Error)
	}
	return k
}

// start has the keeper start a daemon, so that what it leaves is the keeper's to reap.
func (k *keeper) start(t testing.TB, d daemon) {
	t.Helper()
	var r reply
	if err := json.NewEncoder(k.input).Encode(d); err != nil {
		t.Fatal(err)
	}
	if err := k.output.Decode(&r); err != nil {
		t.Fatalf("test bed: no answer from its keeper: %v", err)
	}
	if r.Error != "" {
		t.Fatalf("test bed: %s", r.Error)
	}
	k.Daemons = append(k.Daemons, r.Daemons...)
}

// processes returns the bed's processes but those that make it.
func (k *keeper) processes(t testing.TB) []Process {
	t.Helper()
	list, err := processes(k.cmd.Process.Pid, k.Spaces)
	if err != nil {
		t.Fatal(err)
	}
	return without(without(list, k.PIDs), k.Daemons)
}

// kill ends every process of a host but its shell, whatever they do meanwhile.
func (k *keeper) kill(host int) {
	for {
		list, err := processes(0, k.Spaces)
		list = slices.DeleteFunc(without(list, k.PIDs), func(p Process) bool { return p.Host != host })
		if err != nil || len(list) == 0 {
			return
		}
		for _, p := range list {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
}

func keeperMain() error {
	const prSetChildSubreaper = 36
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); e != 0 {
		return fmt.Errorf("become the reaper of orphans: %w", e)
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			reap()
		}
	}()
	input := json.NewDecoder(os.Stdin)
	var s spec
	if err := input.Decode(&s); err != nil {
		return err
	}
	var r reply
	err := listen(s.Listeners, &r)
	if err == nil {
		err = enterHosts(s.Hosts, &r)
	}
	if err != nil {
		r.Error, r.Refused = err.Error(), errors.Is(err, syscall.EPERM)
	}
	serve(input, json.NewEncoder(os.Stdout), r)
	defer os.RemoveAll(s.Dir)
	deadline := time.Now().Add(30 * time.Second)
	for {
		list, err := processes(os.Getpid(), r.Spaces)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("these processes do not die: %v", list)
		}
		for _, p := range list {
			syscall.Kill(p.PID, syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond)
		reap()
	}
}

// serve answers what the test asks for, first with r, until it asks no more.
func serve(input *json.Decoder, output *json.Encoder, r reply) {
	for output.Encode(r) == nil {
		var d daemon
		if input.Decode(&d) != nil {
			return
		}
		r = reply{}
		if pid, err := d.start(); err != nil {
			r.Error = err.Error()
		} else {
			r.Daemons = []int{pid}
		}
	}
}

func (d daemon) start() (pid int, err error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	log, err := os.OpenFile(d.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	p, err := os.StartProcess(d.Command[0], d.Command, &os.ProcAttr{
		Dir: d.Dir, Env: d.Env, Files: []*os.File{null, log, log}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, err
	}
	return p.Pid, nil
}

// reap takes note of the children that have ended, those of other parents too.
func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 && err != syscall.EINTR {
			return
		}
	}
}

func listen(list []listener, r *reply) error {
	for _, l := range list {
		log, err := os.OpenFile(l.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		s, err := net.Listen("tcp", l.Address)
		if err != nil {
			return err
		}
		r.Ports = append(r.Ports, s.Addr().(*net.TCPAddr).Port)
		go func() {
			for {
				c, err := s.Accept()
				if err != nil {
					fmt.Fprintln(log, err)
					return
				}
				f, err := c.(*net.TCPConn).File()
				c.Close()
				if err == nil {
					_, err = os.StartProcess(l.Command[0], l.Command, &os.ProcAttr{
						Files: []*os.File{f, f, log}, Env: os.Environ(), Sys: &syscall.SysProcAttr{Setsid: true},
					})
					f.Close()
				}
				if err != nil {
					fmt.Fprintln(log, err)
				}
			}
		}()
	}
	return nil
}

// namespaces are the hosts' networks, open: the kernel gives the number of one that has
// ended to the next, perhaps in another test's bed, whose processes this keeper would kill.
var namespaces []*os.File

// shells are the ends by which the hosts' shells are held; closing one ends its shell.
var shells []*os.File

func enterHosts(list []host, r *reply) error {
	answers := make([]*os.File, len(list))
	up := func(i int) error {
		defer answers[i].Close()
		line, _ := bufio.NewReader(answers[i]).ReadString('\n')
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "up" {
			said, _ := os.ReadFile(list[i].Log)
			err := fmt.Errorf("host %d does not come up: %s", i, said)
			if strings.Contains(string(said), syscall.EPERM.Error()) || strings.Contains(string(said), "permission denied") {
				err = fmt.Errorf("%w: %w", err, syscall.EPERM)
			}
			return err
		}
		if len(f) > 1 {
			daemon, err := strconv.Atoi(f[1])
			if err != nil {
				return fmt.Errorf("host %d answers %q", i, line)
			}
			r.Daemons = append(r.Daemons, daemon)
		}
		return nil
	}
	for i, h := range list {
		log, err := os.OpenFile(h.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		in, hold, err := os.Pipe()
		if err != nil {
			return err
		}
		shells = append(shells, hold)
		answer, out, err := os.Pipe()
		if err != nil {
			return err
		}
		env := os.Environ()
		if i > 0 {
			env = append(env, "HUB="+strconv.Itoa(r.PIDs[0]))
		}
		p, err := os.StartProcess("/bin/sh", []string{"sh", "-ec", h.Script + "\necho up $!\nexec >&-\nread _ || true"}, &os.ProcAttr{
			Files: []*os.File{in, out, log},
			Env:   env,
			Sys: &syscall.SysProcAttr{
				Setsid:     true,
				Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC,
			},
		})
		in.Close()
		out.Close()
		log.Close()
		if err != nil {
			return fmt.Errorf("make namespaces: %w", err)
		}
		name := fmt.Sprintf("/proc/%d/ns/net", p.Pid)
		space, err := os.Readlink(name)
		if err != nil {
			return err
		}
		open, err := os.Open(name)
		if err != nil {
			return err
		}
		namespaces = append(namespaces, open)
		answers[i] = answer
		r.PIDs, r.Spaces = append(r.PIDs, p.Pid), append(r.Spaces, space)
		if i == 0 {
			if err := up(i); err != nil {
				return err
			}
		}
	}
	for i := 1; i < len(list); i++ {
		if err := up(i); err != nil {
			return err
		}
	}
	return nil
}

// processes returns the live processes that descend from root or are in one of the
// network namespaces.
func processes(root int, spaces []string) ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return nil, err
	}
	children := make(map[int][]int)
	alive := make(map[int]bool)
	var pids []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// The name of the command is in parentheses and may itself contain some.
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parent, err := strconv.Atoi(f[1])
		if err != nil {
			return nil, fmt.Errorf("/proc/%d/stat reads %q", pid, stat)
		}
		children[parent] = append(children[parent], pid)
		alive[pid] = f[0] != "Z" && f[0] != "X"
		pids = append(pids, pid)
	}
	below := make(map[int]bool)
	var descend func(int)
	descend = func(pid int) {
		for _, c := range children[pid] {
			below[c] = true
			descend(c)
		}
	}
	if root != 0 {
		descend(root)
	}
	var list []Process
	for _, pid := range pids {
		if !alive[pid] {
			continue
		}
		host := -1
		if len(spaces) > 0 {
			space, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
			host = slices.Index(spaces, space)
		}
		if host < 0 && !below[pid] {
			continue
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		list = append(list, Process{PID: pid, Host: host, Args: strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")})
	}
	return list, nil
}

// without returns the processes that are not in pids.
func without(list []Process, pids []int) []Process {
	return slices.DeleteFunc(list, func(p Process) bool { return slices.Contains(pids, p.PID) })
}

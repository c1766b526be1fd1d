// Package cprogram runs C programs that benchmarks are compared with, one step
// at a time, so that the two take turns and meet the same load.
//
// Such a program reads numbers from standard input. For each it does its work
// once, at that size, and answers with a line that begins with the nanoseconds
// the work took.
package cprogram

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNoCompiler says that there is no C compiler: neither what CC names nor cc.
var ErrNoCompiler = errors.New("no C compiler (set CC, or install cc)")

// A Program is a C program that waits for a size.
type Program struct {
	dir   string
	cmd   *exec.Cmd
	sizes io.WriteCloser
	lines *bufio.Reader
}

// Start compiles source with flags and starts the program with env added to the
// environment. The error is ErrNoCompiler, or has what the compiler said.
func Start(source string, flags, env []string) (*Program, error) {
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	compiler, err := exec.LookPath(compiler)
	if err != nil {
		return nil, ErrNoCompiler
	}
	dir, err := os.MkdirTemp("", "cprogram-")
	if err != nil {
		return nil, err
	}
	p := &Program{dir: dir}
	if err := p.start(compiler, source, flags, env); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

func (p *Program) start(compiler, source string, flags, env []string) error {
	name := filepath.Join(p.dir, "program")
	// Libraries among the flags must follow what needs them.
	if out, err := exec.Command(compiler, append([]string{"-o", name, source}, flags...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("compiling %s with %q: %w\n%s", source, flags, err, out)
	}
	p.cmd = exec.Command(name)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.sizes, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.lines = bufio.NewReader(out)
	return p.cmd.Start()
}

// Run has the program do its work once at size n, and returns how long it took.
func (p *Program) Run(n int) (time.Duration, error) {
	if _, err := fmt.Fprintln(p.sizes, n); err != nil {
		return 0, err
	}
	line, err := p.lines.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("size %d: expected a line with a time: %w", n, err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("size %d: expected a line that begins with nanoseconds, found %q", n, line)
	}
	return time.Duration(ns), nil
}

// Close ends the program, which stops at the end of its input.
func (p *Program) Close() error {
	p.sizes.Close()
	return errors.Join(p.cmd.Wait(), os.RemoveAll(p.dir))
}

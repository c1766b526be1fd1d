package launcher

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestF51SlowReaderSlowsNobodyElse(t *testing.T) {
	// Rank 0 prints far more than fits; the reader takes nothing until rank 1,
	// which prints nothing, has come to its end.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tr := newTrial(t, 1, "flood", "all", "100000")
	tr.job.Apps = append(tr.job.Apps, App{Ranks: 1, Argv: []string{"sh", "-c", "echo free >&2"}, Env: []string{tr.mark}})
	tr.job.Stdout = w
	tr.start()
	tr.stderr.await(t, "free", 1)
	total := make(chan int)
	go func() {
		n, buf := 0, make([]byte, 1<<16)
		for {
			k, err := r.Read(buf)
			n += k
			if err != nil {
				total <- n
				return
			}
		}
	}()
	<-tr.done
	w.Close()
	if got := <-total; got != 100*100000 {
		t.Errorf("%d bytes came through, want %d", got, 100*100000)
	}
	tr.wait().expect(0)
}

func TestF52ReaderThatGoesEndsTheJob(t *testing.T) {
	mark := fmt.Sprintf("TEST_TRIAL=%s-%d", t.Name(), time.Now().UnixNano())
	cmd := exec.Command("bash", "-c", `"$0" launch 2 flood all 100000000 | head -n 1; echo ${PIPESTATUS[0]}`, os.Args[0])
	cmd.Env = append(os.Environ(), mark)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "\n141\n") {
		t.Errorf("got %v, %q, want exit code 141", err, out)
	}
	assertClean(t, mark)
}

func TestF53FloodIsWholeAndNothingIsLost(t *testing.T) {
	const lines = 20000
	tr := newTrial(t, 4, "flood", "all", fmt.Sprint(lines)).run().expect(0)
	want := strings.Repeat("x", 99)
	n := 0
	for line := range strings.Lines(tr.stdout.String()) {
		if strings.TrimSuffix(line, "\n") != want {
			t.Fatalf("line %d: got %q", n, line)
		}
		n++
	}
	if n != 4*lines {
		t.Errorf("got %d lines, want %d", n, 4*lines)
	}
}

func TestEveryByteBeforeADeathIsShown(t *testing.T) {
	// More than the pipe holds, then the end without a newline.
	tr := newTrial(t, 2)
	tr.job.Apps[0].Argv = []string{"sh", "-c", `if [ $MUSTER_RANK = 1 ]; then head -c 300000 /dev/zero | tr '\0' y; kill -9 $$; fi; sleep 60`}
	tr.run().expect(137)
	if got := strings.Count(tr.stdout.String(), "y"); got != 300000 {
		t.Errorf("%d bytes came through, want 300000", got)
	}
}

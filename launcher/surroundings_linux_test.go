package launcher

import (
	"os"
	"strings"
	"testing"
)

// F68: a call that a container forbids is done without.
func TestF68ForbiddenCallsAreDoneWithout(t *testing.T) {
	want := exchangeAlone(t, 3)
	path, _ := exchange()
	for _, names := range []string{
		"pidfd_open,pidfd_send_signal", "process_vm_readv,process_vm_writev", "membarrier", "memfd_create",
	} {
		out, code := limited(t, "export TEST_PROGRAM="+path+" TEST_FORBID="+names, "3")
		if got := resultLine.FindString(out); code != 0 || got != want {
			t.Errorf("without %s: code %d, got %q, want %q\n%s", names, code, got, want, out)
		}
	}
}

// F68: the launcher is process 1 and nobody reaps for it, there is no /dev/shm, and
// control groups cannot be written.
func TestF68BareContainer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this test makes namespaces: run it as root")
	}
	want := exchangeAlone(t, 3)
	path, _ := exchange()
	enter := `export TEST_PROGRAM=` + path + `; set -- "$0" "$@"; exec unshare -mpf --mount-proc sh -c '
mount --make-rprivate /
umount -l /dev/shm
for d in /sys/fs/cgroup/*; do mount -o remount,bind,ro "$d" 2>/dev/null; done
program=$1; shift; exec "$program" launch "$@"' sh "$@"`
	out, code := limited(t, enter, "3")
	if strings.Contains(out, "unshare failed") {
		t.Skip(out)
	}
	if got := resultLine.FindString(out); code != 0 || got != want {
		t.Errorf("code %d, got %q, want %q\n%s", code, got, want, out)
	}
	out, code = limited(t, strings.Replace(enter, "TEST_PROGRAM="+path, "TEST_PROGRAM=", 1), "3", "@strays", "1", "exit")
	if code != 3 || !strings.Contains(out, "rank 1 (host") {
		t.Errorf("with strays: code %d\n%s", code, out)
	}
}

// F50: the files that output and report go to are on a disk that is full. The job goes
// on, and its output is whole elsewhere.
func TestF50FullDiskIsToldAndTheJobGoesOn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this test mounts a file system: run it as root")
	}
	const lines = 3000
	out, code := limited(t, `d=`+t.TempDir()+`; export d; set -- "$0" "$@"; exec unshare -m sh -c '
mount --make-rprivate /
mount -t tmpfs -o size=64k full $d || exit 9
export TEST_OUTPUT_DIR=$d/out TEST_REPORT=$d/report.json
program=$1; shift; exec "$program" launch "$@"' sh "$@"`, "2", "flood", "all", "3000")
	if n := strings.Count(out, strings.Repeat("x", 99)+"\n"); code != 0 || n != 2*lines {
		t.Errorf("code %d, %d lines, want 0 and %d\n%s", code, n, 2*lines, tail(out))
	}
	if !strings.Contains(out, "no space left on device") {
		t.Errorf("nothing says that the disk is full: %s", tail(out))
	}
}

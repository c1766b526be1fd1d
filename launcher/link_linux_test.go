package launcher

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	pb "github.com/muster-mpi/muster/proto"
)

func TestEveryPairGetsOneLinkWhoeverAsks(t *testing.T) {
	for transport, want := range map[string]string{
		"": "all links are shm\n", "shm": "all links are shm\n", "unix": "all links are unix\n", "tcp": "all links are tcp\n",
	} {
		tr := newTrial(t, 6, "@links")
		tr.job.Transport = transport
		tr.run().expect(0)
		if got := strings.Count(tr.stdout.String(), want); got != 6 {
			t.Errorf("%s: %d of 6 ranks have their links\n%s", transport, got, tr.stdout)
		}
		if got := strings.Count(tr.stdout.String(), "and again\n"); got != 2 {
			t.Errorf("%s: %d of 2 ranks have a second link", transport, got)
		}
	}
}

// Copies from another rank's memory name its process. The agent vouches for those
// that are its own children, on both sides of a link or on neither.
func TestOnlyTheAgentsChildrenAreNamed(t *testing.T) {
	for _, c := range []struct {
		wrapped string // ranks whose program is the child of a script
		named   map[string]bool
	}{
		{"none", map[string]bool{"0-1": true, "0-2": true, "1-0": true, "1-2": true, "2-0": true, "2-1": true}},
		{"1", map[string]bool{"0-2": true, "2-0": true}},
	} {
		tr := newTrial(t, 3)
		tr.job.Apps[0].Argv = []string{"sh", "-c", `[ $MUSTER_RANK != $1 ] && exec "$0" rank @links; "$0" rank @links; exit $?`, os.Args[0], c.wrapped}
		tr.run().expect(0)
		pids := make(map[string]string)
		for line := range strings.Lines(tr.stdout.String()) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "process" {
				pids[f[1]] = f[2]
			}
		}
		found := 0
		for line := range strings.Lines(tr.stdout.String()) {
			f := strings.Fields(line)
			if len(f) != 3 || f[0] != "named" {
				continue
			}
			found++
			_, peer, _ := strings.Cut(f[1], "-")
			if want := map[bool]string{true: pids[peer], false: "0"}[c.named[f[1]]]; f[2] != want {
				t.Errorf("wrapped: %s: on link %s the peer is process %s, want %s", c.wrapped, f[1], f[2], want)
			}
		}
		if found != 6 || len(pids) != 3 {
			t.Errorf("wrapped: %s: %d ends of links, %d processes\n%s", c.wrapped, found, len(pids), tr.stdout)
		}
	}
}

// S3: one host opens no TCP port; S7: nothing secret is in the environment or on
// a command line.
func TestS3NoListenerAndS7NoSecretInSight(t *testing.T) {
	for _, transport := range []string{"shm", "unix", "tcp"} {
		tr := newTrial(t, 3, "@linked")
		tr.job.Transport = transport
		tr.start()
		tr.stdout.await(t, "ready", 3)
		pids := below(agentOf(t, tr))
		inodes := make(map[string]bool)
		for _, pid := range pids {
			fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			for _, fd := range fds {
				if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())); err == nil && strings.HasPrefix(to, "socket:[") {
					inodes[strings.Trim(to, "socket:[]")] = true
				}
			}
			for _, file := range []string{"environ", "cmdline"} {
				data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
				if err != nil || strings.Contains(string(data), "PRIVATE KEY") || strings.Contains(string(data), "BEGIN CERTIFICATE") {
					t.Errorf("%s of process %d: error %v, %q", file, pid, err, data)
				}
			}
		}
		if len(inodes) == 0 {
			t.Error("no sockets found at all")
		}
		for _, table := range []string{"tcp", "tcp6"} {
			data, _ := os.ReadFile("/proc/net/" + table)
			for line := range strings.Lines(string(data)) {
				const state, listen, inode = 3, "0A", 9
				if f := strings.Fields(line); len(f) > inode && f[state] == listen && inodes[f[inode]] {
					t.Errorf("transport %s: the job listens: %s", transport, line)
				}
			}
		}
		tr.cancel()
		tr.wait()
	}
}

// S4: nothing of the job has a name in the abstract namespace or on a path that
// another user could connect to. S5: nor does the memory that ranks share.
func TestS4SocketsAndS5MemoryHaveNoNames(t *testing.T) {
	for _, transport := range []string{"shm", "unix", "tcp"} {
		before := names(t, "/dev/shm")
		tr := newTrial(t, 3, "@linked")
		tr.job.Transport = transport
		tr.start()
		tr.stdout.await(t, "ready", 3)
		var inodes []string
		memory := 0
		for _, pid := range below(agentOf(t, tr)) {
			fds, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
			for _, fd := range fds {
				if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name())); err == nil && strings.HasPrefix(to, "socket:[") {
					inodes = append(inodes, strings.Trim(to, "socket:[]"))
				}
			}
			maps, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
			for line := range strings.Lines(string(maps)) {
				f := strings.Fields(line)
				if len(f) < 6 || !strings.HasPrefix(f[1], "rw-s") && !strings.HasPrefix(f[1], "r--s") {
					continue
				}
				memory++
				if !strings.HasPrefix(f[5], "/memfd:muster-") || f[len(f)-1] != "(deleted)" {
					t.Errorf("%s: process %d shares memory that has a name: %s", transport, pid, line)
				}
			}
		}
		data, err := os.ReadFile("/proc/net/unix")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			const inode, name = 6, 7
			if f := strings.Fields(line); len(f) > name && contains(inodes, f[inode]) {
				t.Errorf("%s: the job has a socket with a name: %s", transport, line)
			}
		}
		// The records of each rank twice, and each link twice.
		if want := map[string]int{"shm": 6 + 6}[transport]; memory < max(6, want) {
			t.Errorf("%s: %d shared mappings, want %d at least", transport, memory, max(6, want))
		}
		for name := range names(t, "/dev/shm") {
			if !before[name] && strings.Contains(name, "muster") {
				t.Errorf("%s: /dev/shm has %s", transport, name)
			}
		}
		tr.cancel()
		tr.wait()
	}
}

// names returns what a directory holds; nothing if it does not exist.
func names(t *testing.T, dir string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		found[e.Name()] = true
	}
	return found
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

func TestS8RanksChildrenInheritNoDescriptor(t *testing.T) {
	tr := newTrial(t, 2, "@fds", "all").run().expect(0)
	for line := range strings.Lines(tr.stdout.String()) {
		f := strings.Fields(line)
		if len(f) < 3 || f[len(f)-2] != "->" {
			continue
		}
		// What this process was given by its own parent is not the job's.
		if target, _ := os.Readlink("/proc/self/fd/" + f[len(f)-3]); target == f[len(f)-1] {
			continue
		}
		// 3 is the directory that ls reads.
		if n := f[len(f)-3]; n > "3" || len(n) > 1 || strings.Contains(line, "socket:") || strings.Contains(line, "memfd:") {
			t.Errorf("inherited: %s", line)
		}
	}
}

func TestCredentialsNameTheRankAndFitTogether(t *testing.T) {
	job := hex.EncodeToString(make([]byte, 16))
	made := func(ranks int32) []*pb.Credentials {
		p := &jobPlan{common: &pb.Start{Size: ranks}}
		if err := p.certify(job, 24*time.Hour); err != nil {
			t.Fatal(err)
		}
		return p.secrets
	}
	mine, others := made(3), made(1)
	for rank, c := range mine {
		pair, err := tls.X509KeyPair(c.GetCertificate(), c.GetKey())
		if err != nil {
			t.Fatalf("rank %d: %v", rank, err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("muster://%s/%d", job, rank); len(leaf.URIs) != 1 || leaf.URIs[0].String() != want {
			t.Errorf("rank %d: certificate for %v, want %s", rank, leaf.URIs, want)
		}
		if _, ok := pair.PrivateKey.(*ecdsa.PrivateKey); !ok {
			t.Errorf("rank %d: key is %T", rank, pair.PrivateKey)
		}
		for _, authority := range []*pb.Credentials{mine[0], others[0]} {
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(authority.GetAuthority())
			for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
				for when, valid := range map[time.Duration]bool{-10 * time.Minute: false, -4 * time.Minute: true, time.Hour: true, 25 * time.Hour: false} {
					_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{use}, CurrentTime: time.Now().Add(when)})
					if want := valid && authority == mine[0]; (err == nil) != want {
						t.Errorf("rank %d, use %v, in %v: %v, want valid %v", rank, use, when, err, want)
					}
				}
			}
		}
	}
}

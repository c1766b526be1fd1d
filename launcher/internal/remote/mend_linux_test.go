package remote

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-mpi/muster/internal/testbed"
)

// What a mend is found by has to be something that errors say.
func TestMendsAreOfSentencesThatAreSaid(t *testing.T) {
	var source strings.Builder
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if name == "mend.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, m := range mends {
		if !strings.Contains(source.String(), m.said) {
			t.Errorf("nothing says %q", m.said)
		}
	}
}

func TestMendNamesTheHost(t *testing.T) {
	for what, want := range map[string]string{
		sayings[0].means: "make sure that it is the host, then forget its old key: ssh-keygen -R h2",
		"the connection was refused: no ssh server listens at that port":                    "start sshd there, or say its port",
		refused("write", "/c", 14e6, []string{"No space left"}):                             "free some space there, or set XDG_CACHE_HOME there to a directory with room",
		(&death{shell: "ssh", stage: StageShell, timedOut: true}).What():                    "see that it is up, and that no firewall drops connections to its ssh server",
		"ssh may not log in: no key or ticket that it has without asking is accepted there": "",
	} {
		if got := (&Error{Host: "h2", What: what}).Mend(); got != want {
			t.Errorf("%q: got %q, want %q", what, got, want)
		}
	}
	for why, want := range map[string]string{
		"the disk there is full: /c has no room": "free some space", "/c is mounted noexec": "noexec", "HOME is not set": "home directory", "others may write to /c": "others cannot write",
	} {
		if got := MendUncached(why); !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", why, got, want)
		}
	}
}

func TestTargetOfAHostIsWhereSSHFindsIt(t *testing.T) {
	for text, want := range map[string]Target{
		"":                                      {Name: "h"},
		"user u\nhostname h.example\nport 22\n": {Name: "h.example"},
		"hostname 10.0.0.1\nproxyjump none\n":   {Name: "10.0.0.1"},
		"hostname h\nproxyjump gate\n":          {Name: "h", Through: "gate"},
		"hostname h\nproxycommand nc -X 5 gate 22\n": {Name: "h", Through: "nc -X 5 gate 22"},
	} {
		if got := parseTarget(text, "h"); got != want {
			t.Errorf("%q: got %+v, want %+v", text, got, want)
		}
	}
	f := testbed.SSH(t, 1)
	resolve := func(o Options) (Target, error) { return o.Resolve(context.Background()) }
	if got, err := resolve(Options{Host: "node1", Shell: SSH("-F", f.Config())}); err != nil || got != (Target{Name: "127.0.0.2"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := resolve(Options{Host: "n1", Shell: Srun()}); err != nil || got != (Target{Name: "n1", Through: "srun"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := resolve(Options{Host: "-oProxyCommand=x"}); err == nil {
		t.Error("a name that is an option is taken")
	}
	if _, err := resolve(Options{Host: "n1", Shell: SSH("-F", filepath.Join(t.TempDir(), "none"))}); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("without its configuration: %v", err)
	}
}

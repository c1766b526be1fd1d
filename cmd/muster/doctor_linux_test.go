package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-mpi/muster/launcher"
)

func TestDoctorExaminesTheHostsThatAreNamed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	shell := filepath.Join(dir, "shell")
	if err := os.WriteFile(shell, []byte("#!/bin/sh\n[ $1 = ill ] && ulimit -n 60\nexec sh -c \"$2\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	hosts := filepath.Join(dir, "hosts")
	if err := os.WriteFile(hosts, []byte("a slots=3\nb\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := muster(t, "doctor", "--rsh", shell, "--hostfile", hosts, "--json")
	var d launcher.Diagnosis
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if len(d.Hosts) != 2 || len(d.Pairs) != 2 || d.Hosts[0].Host != "a" || d.Hosts[0].Ranks != 3 || d.Verdict == launcher.Fail {
		t.Errorf("got %s", stdout)
	}

	t.Setenv("MUSTER_RSH", shell)
	stdout, stderr, code = muster(t, "doctor", "--host", "a:1,ill:4")
	if code != exitIll || stderr != "" {
		t.Errorf("exit code %d, want %d\n%s%s", code, exitIll, stdout, stderr)
	}
	for _, text := range []string{
		"\nill   FAIL     linux/", "a → ill", "\nill: 60 descriptors are allowed", "raise nofile in /etc/security/limits.conf",
		"\nA job on these 2 hosts would fail, because of ill.\n",
	} {
		if !strings.Contains(stdout, text) {
			t.Errorf("it does not say %q:\n%s", text, stdout)
		}
	}
	if strings.Contains(stdout, "store") || strings.Contains(stdout, "ok name") {
		t.Errorf("it says what is well:\n%s", stdout)
	}

	stdout, _, code = muster(t, "doctor", "--host", "localhost", "-v")
	if code != 0 || !strings.Contains(stdout, "\nok name: localhost: this machine\n") || !strings.Contains(stdout, "\nA job on this host can run") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestDoctorRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Setenv("MUSTER_RSH", "")
	for line, want := range map[string]string{
		"doctor a b":                       `muster: "a": expected flags only; hosts are named by --host LIST or --hostfile FILE`,
		"doctor --hosst a":                 `muster: no flag "--hosst"; did you mean --host?`,
		"doctor --host a,,b":               "muster: --host: ",
		"doctor --subnet 10":               "muster: --subnet: ",
		"doctor --hostfile /nowhere/there": "muster: --hostfile: ",
	} {
		stdout, stderr, code := muster(t, strings.Fields(line)...)
		if code != launcher.ExitUsage && code != launcher.ExitHosts || stdout != "" || !strings.HasPrefix(stderr, want) {
			t.Errorf("muster %s: exit code %d, want %d\n%s%s", line, code, launcher.ExitUsage, stdout, stderr)
		}
	}
	stdout, _, code := muster(t, "help", "doctor")
	if again, _, _ := muster(t, "doctor", "-h"); code != 0 || stdout != again || stdout != doctorHelp() {
		t.Errorf("exit code %d, %.100q, %.100q", code, stdout, again)
	}
	for _, check := range launcher.Checks {
		if !strings.Contains(doctorHelp(), "\n  "+check+" ") {
			t.Errorf("the help does not name the check %s", check)
		}
	}
	for line := range strings.Lines(doctorHelp()) {
		if len(line) > 81 {
			t.Errorf("a line of the help is too long: %q", line)
		}
	}
}

func TestDiagnosisIsShownShort(t *testing.T) {
	d := launcher.Diagnosis{Verdict: launcher.Warning, Chosen: "some ways", Hosts: []launcher.HostDiagnosis{
		{Host: "h1", Verdict: launcher.Fine, Platform: "linux/amd64", Kernel: "6.1", CPUs: 1.5, Load: 0.5, ClockOffset: -1234567, RoundTrip: time.Millisecond,
			Addresses: []string{"10.0.0.1", "fd00::1"}, Checks: []launcher.Check{{Name: "name", Verdict: launcher.Fine, Found: "this machine"}}},
		{Host: "h2", Verdict: launcher.Warning, Checks: []launcher.Check{
			{Name: "load", Verdict: launcher.Warning, Found: "is busy", Mend: "wait", Command: "top"}, {Name: "load", Verdict: launcher.Warning, Found: "is busier"}}},
	}}
	for n := range 21 {
		p := launcher.PairDiagnosis{From: "h1", To: "h2", Verdict: launcher.Fine, Address: "10.0.0.2:4000", Interface: "eth0",
			RoundTrip: time.Duration(n+1) * 10 * time.Microsecond, BytesPerSecond: float64(n+1) * 1e8, PathMTU: 1500}
		if n == 3 {
			p.Verdict = launcher.Warning
		}
		d.Pairs = append(d.Pairs, p)
	}
	const want = `host  verdict  platform     kernel  CPUs  load  clock    address   what is not well
h1    ok       linux/amd64  6.1     1.5   0.50  -1.23ms  10.0.0.1  
h2    warning  -            -       -     -     -        -         load

way      verdict  round trip  carries   MTU   to address     from
h1 → h2  warning  40µs        400 MB/s  1500  10.0.0.2:4000  eth0
Measured were some ways.
21 of 21 ways: round trip 10µs to 210µs, half below 110µs; 100 MB/s to 2.1 GB/s, half below 1.1 GB/s.

warning: h2: is busy: wait; see it with: top
warning: h2: is busier

A job on these 2 hosts can run; there are warnings about h2.
`
	if got := diagnosisText(d, false); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

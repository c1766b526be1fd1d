package launcher

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-mpi/muster/internal/testbed"
)

// survives runs exchange in the hub of b with the default time-out, does something to the
// network once all ranks have links, and wants the result that it has on one host.
func survives(t *testing.T, b *testbed.Net, netTimeout string, limit time.Duration, do func(), args ...string) {
	t.Helper()
	want := exchangeAlone(t, 4, args...)
	l := exchangeInHub(t, b, netTimeout, "4", nil, args...)
	l.stdout.await(t, "exchanging", 1)
	begin := time.Now()
	do()
	l.expect(l.wait(limit), 0)
	t.Logf("%v from the fault to the end", time.Since(begin).Round(time.Millisecond))
	if got := resultLine.FindString(l.stdout.String()); got != want {
		t.Errorf("got %q, want %q\n%s", got, want, l.stderr)
	}
}

func TestF10StopOfAllHostsIsNoDeath(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	survives(t, b, "1s", 20*time.Second, func() {
		all := b.Processes()
		for _, p := range all {
			syscall.Kill(p.PID, syscall.SIGSTOP)
		}
		time.Sleep(5 * time.Second) // the rule is about time
		for _, p := range all {
			syscall.Kill(p.PID, syscall.SIGCONT)
		}
	}, "-rounds=100", "-pause=10ms")
}

// F35: a partition may last as long as the user allows. The campaign of bench/chaos has
// one of 30 s.
func TestF35LongPartitionIsSurvivedWhereTheUserAllows(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	survives(t, b, "30s", 30*time.Second, func() {
		b.Partition(2)
		time.Sleep(6 * time.Second) // the rule is about time
		b.Heal(2)
	}, "-rounds=50", "-pause=10ms")
}

// dataPort returns the port that the agent of a host has opened.
func dataPort(t *testing.T, b *testbed.Net, host int) string {
	t.Helper()
	for _, a := range b.Listeners(host) {
		if a.Port() != 22 {
			return fmt.Sprint(a.Port())
		}
	}
	t.Fatalf("host %d has no port open", host)
	return ""
}

// onHost runs a command on a host that has to succeed.
func onHost(t *testing.T, b *testbed.Net, host int, argv ...string) {
	t.Helper()
	if out, err := b.Command(host, argv...).CombinedOutput(); err != nil {
		t.Fatalf("host %d: %q: %v\n%s", host, argv, err, out)
	}
}

func TestF36ResetsCostNothing(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	survives(t, b, "4s", 30*time.Second, func() {
		// Connections lead to the port of one of the two, whoever has dialled.
		for range 8 {
			for host := 1; host <= 2; host++ {
				for _, end := range []string{"--dport", "--sport"} {
					for other := 1; other <= 2; other++ {
						onHost(t, b, host, "iptables", "-w", "-A", "INPUT", "-p", "tcp", end, dataPort(t, b, other), "-j", "REJECT", "--reject-with", "tcp-reset")
					}
				}
			}
			time.Sleep(100 * time.Millisecond) // a storm lasts
			for host := 1; host <= 2; host++ {
				onHost(t, b, host, "iptables", "-w", "-F", "INPUT")
			}
			time.Sleep(100 * time.Millisecond)
		}
	}, "-rounds=300", "-pause=10ms")
}

func TestF37LostPacketsCostTimeOnly(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	for _, percent := range []float64{1, 5, 20} {
		t.Run(fmt.Sprintf("%v%%", percent), func(t *testing.T) {
			survives(t, b, "4s", 60*time.Second, func() { b.Drop(2, percent) }, "-rounds=30", "-pause=10ms")
			b.Heal(2)
		})
	}
}

func TestF38LateDuplicateAndOvertakingPackets(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	survives(t, b, "4s", 60*time.Second, func() { b.Delay(2, 100*time.Millisecond, 50*time.Millisecond, 5) }, "-rounds=20", "-pause=10ms")
}

// F39: over a line that is full for much longer than hosts may be silent. The ranks of a
// host print over it, too.
func TestF39SlowLineIsNoDeadLine(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	survives(t, b, "2s", 60*time.Second, func() { b.Rate(2, 1) }, "-rounds=2", "-n=20000")

	b.Heal(2)
	const lines = 10000 // 1 MB, of which half come over the line
	l := inHub(t, b, "2s", "2", "flood", "all", fmt.Sprint(lines))
	l.stdout.await(t, "xxx\n", 1)
	b.Rate(2, 1)
	l.expect(l.wait(30*time.Second), 0)
	if got := strings.Count(l.stdout.String(), "\n"); got != 2*lines {
		t.Errorf("%d lines came, want %d", got, 2*lines)
	}
}

func TestF29HostsMayHaveIPv6Only(t *testing.T) {
	want := exchangeAlone(t, 4)
	b := testbed.Namespaces(t, 2)
	for host := range 3 {
		device := "eth0"
		if host == 0 {
			device = "br0"
		}
		onHost(t, b, host, "ip", "-4", "addr", "flush", "dev", device)
	}
	onHost(t, b, 1, "ip", "link", "set", "lo", "down") // nor does one have a loopback interface
	l := exchangeInHub(t, b, "4s", "4", []string{"TEST_HOSTS=h1-v6,h2-v6"})
	l.expect(l.wait(20*time.Second), 0)
	if got := resultLine.FindString(l.stdout.String()); got != want {
		t.Errorf("got %q, want %q\n%s", got, want, l.stderr)
	}
}

// F30: one of the two addresses of a name leads nowhere; and hosts have addresses that
// look as if they led to each other and do not.
func TestF30DeadAddressesArePassedOver(t *testing.T) {
	want := exchangeAlone(t, 4)
	b := testbed.Namespaces(t, 2)
	for host := 1; host <= 2; host++ {
		onHost(t, b, host, "ip", "addr", "add", fmt.Sprintf("10.99.0.%d/24", host), "dev", "lo")
	}
	hosts := filepath.Join(b.Dir(), "hosts")
	f, err := os.OpenFile(hosts, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(f, "10.77.200.1 twofold\n%v twofold\n", b.Address(2))
	f.Close()
	known, err := os.OpenFile(filepath.Join(b.Dir(), "known_hosts"), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(known.Name())
	fields := strings.Fields(string(text))
	fmt.Fprintf(known, "twofold %s %s\n", fields[1], fields[2])
	known.Close()
	begin := time.Now()
	l := exchangeInHub(t, b, "4s", "4", []string{"TEST_HOSTS=h1,twofold"})
	l.expect(l.wait(30*time.Second), 0)
	t.Logf("the job took %v", time.Since(begin).Round(time.Millisecond))
	if got := resultLine.FindString(l.stdout.String()); got != want {
		t.Errorf("got %q, want %q\n%s", got, want, l.stderr)
	}
}

// F25: who does not know the job's secret gets nowhere at its port, and the job's result is
// none of its business. Package internal/knock tries recorded and altered knocks.
func TestF25StrangersAtThePortAreRefused(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	survives(t, b, "4s", 30*time.Second, func() {
		at := ""
		for _, a := range b.Listeners(1) {
			if a.Port() != 22 && a.Addr().Is4() {
				at = fmt.Sprintf("/dev/tcp/%v/%d", a.Addr(), a.Port())
			}
		}
		onHost(t, b, 2, "bash", "-c", fmt.Sprintf(`for i in $(seq 30); do
(printf 'GET / HTTP/1.0\r\n\r\n'; head -c 20000 /dev/urandom; printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') 2>/dev/null > %[1]s
done; true`, at))
	}, "-rounds=100", "-pause=10ms")
}

// F56: messages longer than any packet, frame or window of gRPC.
func TestF56LongMessagesBetweenHosts(t *testing.T) {
	b := testbed.Namespaces(t, 2)
	survives(t, b, "4s", 60*time.Second, func() {}, "-rounds=2", "-n=2000000")
}

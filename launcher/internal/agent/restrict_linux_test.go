package agent

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestNetworksRestrictEachOther(t *testing.T) {
	found := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	loopback := netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		networks []string
		want     []netip.Addr
		problem  string
	}{
		{nil, found, ""},
		{[]string{"subnet 127.0.0.0/8"}, []netip.Addr{loopback}, ""},
		{[]string{"iface lo", "subnet 127.0.0.0/8"}, []netip.Addr{loopback}, ""},
		{[]string{"iface lo", "subnet 192.0.2.0/24"}, nil, "--subnet 192.0.2.0/24: this host has no address there"},
		{[]string{"iface nothing0"}, nil, "--iface nothing0: this host has no such interface, but "},
	} {
		got, err := restrict(found, c.networks)
		if c.problem != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.problem) {
				t.Errorf("%v: got %v, %v, want an error that begins with %q", c.networks, got, err, c.problem)
			}
			continue
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: got %v, %v, want %v", c.networks, got, err, c.want)
		}
	}
}

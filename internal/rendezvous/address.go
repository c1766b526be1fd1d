package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// splitAddress takes host:port apart; the port must be a number.
func splitAddress(address string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("%q is no host:port", address)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if host == "" || err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q is no host:port", address)
	}
	return host, uint16(n), nil
}

func joinAddress(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// network is what addresses are chosen from; tests have others.
type network struct {
	own     func() ([]netip.Addr, error)                        // of this host's interfaces
	resolve func(context.Context, string) ([]netip.Addr, error) // of a name
	route   func(to string) (netip.Addr, error)                 // own address on the way there
}

var machine = network{
	own: func() ([]netip.Addr, error) {
		list, err := net.InterfaceAddrs()
		if err != nil {
			return nil, err
		}
		var own []netip.Addr
		for _, a := range list {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				own = append(own, p.Addr().Unmap())
			}
		}
		return own, nil
	},
	resolve: func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	},
	route: func(to string) (netip.Addr, error) {
		// Nothing is sent: the kernel only says which way it would take.
		conn, err := net.Dial("udp", net.JoinHostPort(to, "9"))
		if err != nil {
			return netip.Addr{}, err
		}
		defer conn.Close()
		return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
	},
}

// addresses returns the addresses of this host by which ranks of others reach it: the
// one it was told; else those that one of its names stands for, or the one on the way
// to a host that is known, or all it has. Where all ranks are on this host, or there
// is nothing else, it is loopback.
func (n network) addresses(ctx context.Context, p *Place) ([]netip.Addr, error) {
	own, err := n.own()
	if err != nil {
		return nil, fmt.Errorf("this host's addresses: %w", err)
	}
	var loopback, outside []netip.Addr
	for _, a := range own {
		switch {
		case a.IsLoopback():
			loopback = append(loopback, a)
		case a.IsGlobalUnicast():
			outside = append(outside, a)
		}
	}
	if p.oneHost && len(loopback) > 0 {
		return loopback[:1], nil
	}
	var errs []error
	for _, name := range p.names {
		if a, err := netip.ParseAddr(name); err == nil {
			if !slices.Contains(own, a) {
				return nil, fmt.Errorf("%v is no address of this host, %s", a, p.host)
			}
			return []netip.Addr{a}, nil
		}
		list, err := n.resolve(ctx, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		var found []netip.Addr
		for _, a := range list {
			if a = a.Unmap(); slices.Contains(outside, a) && !slices.Contains(found, a) {
				found = append(found, a)
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	for _, to := range p.towards {
		if a, err := n.route(to); err == nil && slices.Contains(outside, a) {
			return []netip.Addr{a}, nil
		}
	}
	switch {
	case len(outside) > 0:
		return outside[:min(len(outside), maxAddresses)], nil
	case len(loopback) > 0:
		return loopback[:1], nil
	}
	return nil, fmt.Errorf("this host has no address by which other ranks could reach it: %w",
		errors.Join(append(errs, errors.New("no interface is up"))...))
}

// maxAddresses is how many addresses a rank has at most.
const maxAddresses = 8

// listen opens a port on each of the addresses, the same if it can: port, or where that
// is taken or 0, any.
func listen(addresses []netip.Addr, port uint16) ([]net.Listener, error) {
	var all []net.Listener
	for _, a := range addresses {
		l, err := net.Listen("tcp", netip.AddrPortFrom(a, port).String())
		if err != nil && port != 0 {
			l, err = net.Listen("tcp", netip.AddrPortFrom(a, 0).String())
		}
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, fmt.Errorf("opening a port: %w", err)
		}
		port = uint16(l.Addr().(*net.TCPAddr).Port)
		all = append(all, l)
	}
	return all, nil
}

// listening returns where the listeners are reached.
func listening(all []net.Listener) []string {
	var list []string
	for _, l := range all {
		list = append(list, l.Addr().String())
	}
	return list
}

// validAddresses checks what another rank says of itself.
func validAddresses(list []string) error {
	if len(list) == 0 || len(list) > maxAddresses {
		return fmt.Errorf("%d addresses, want 1 to %d", len(list), maxAddresses)
	}
	for _, a := range list {
		if p, err := netip.ParseAddrPort(a); err != nil || p.Port() == 0 || p.Addr().IsUnspecified() {
			return fmt.Errorf("%q is no address and port", strings.ToValidUTF8(a, "?"))
		}
	}
	return nil
}

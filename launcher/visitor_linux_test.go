package launcher

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/muster-mpi/muster/internal/knock"
)

// testVisit is a stranger: a mode, addresses, and how many connections.
func testVisit(args []string) int {
	mode, addresses := args[0], strings.Split(args[1], ",")
	n, err := strconv.Atoi(args[2])
	if err != nil {
		die("%v", err)
	}
	switch mode {
	case "junk":
		visitJunk(addresses, n)
	case "idle":
		hold, err := time.ParseDuration(args[3])
		if err != nil {
			die("%v", err)
		}
		visitIdle(addresses, n, hold)
	default:
		die("no visitor %q", mode)
	}
	return 0
}

// strangersCertificate is one that another authority vouches for, or none that is valid
// any more.
func strangersCertificate(until time.Time) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		die("%v", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "rank 1"}, NotBefore: until.Add(-time.Hour), NotAfter: until,
		URIs: []*url.URL{{Scheme: "muster", Host: strings.Repeat("0", 32), Path: "/1"}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		die("%v", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// junk are the kinds of visits. Each returns the connection if it is to stay open.
func junk() (names []string, kinds []func(net.Conn) net.Conn) {
	add := func(name string, visit func(net.Conn) net.Conn) {
		names, kinds = append(names, name), append(kinds, visit)
	}
	say := func(text []byte) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn {
			c.SetDeadline(time.Now().Add(time.Second))
			c.Write(text)
			c.Read(make([]byte, 64))
			return nil
		}
	}
	handshake := func(config *tls.Config) func(net.Conn) net.Conn {
		return func(c net.Conn) net.Conn {
			c.SetDeadline(time.Now().Add(time.Second))
			if tls.Client(c, config).Handshake() == nil {
				die("a stranger's TLS handshake succeeds")
			}
			return nil
		}
	}
	random := make([]byte, 4096)
	rand.Read(random)
	ff := make([]byte, 64<<10)
	for i := range ff {
		ff[i] = 0xff
	}
	// A client's preface and settings, and then streams that are opened and reset.
	flood := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	for id := uint32(1); len(flood) < 32<<10; id += 2 {
		number := string([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
		flood = append(flood, "\x00\x00\x03\x01\x04"+number+"\x82\x86\x84"+"\x00\x00\x04\x03\x00"+number+"\x00\x00\x00\x08"...)
	}
	add("HTTP", say([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")))
	add("random bytes", say(random))
	add("64 KiB of 0xff", say(ff))
	add("HTTP/2 with a flood of resets", say(flood))
	add("TLS without a certificate", handshake(&tls.Config{InsecureSkipVerify: true}))
	add("TLS with another authority's certificate", handshake(&tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{strangersCertificate(time.Now().Add(time.Hour))}}))
	add("TLS with an expired certificate", handshake(&tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{strangersCertificate(time.Now().Add(-time.Hour))}}))
	add("silence", func(c net.Conn) net.Conn { return c })
	add("half a knock", func(c net.Conn) net.Conn { io.WriteString(c, "muster!1 and no more"); return c })
	add("a knock of another job", func(c net.Conn) net.Conn {
		if knock.Write(c, random[:32], knock.Knock{Job: [16]byte(random), From: 1}) == nil {
			die("a stranger's knock is accepted")
		}
		return nil
	})
	add("a reset", func(c net.Conn) net.Conn { return nil })
	return names, kinds
}

// reset closes c and leaves nothing of it in the kernel, whose ports would not suffice.
func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// visitJunk opens total connections of all kinds, some hundred at a time, and says how
// that went.
func visitJunk(addresses []string, total int) {
	names, kinds := junk()
	var next, opened atomic.Int64
	stay := make(chan net.Conn, 300)
	var visitors sync.WaitGroup
	for range 32 {
		visitors.Go(func() {
			for i := int(next.Add(1)) - 1; i < total; i = int(next.Add(1)) - 1 {
				c, err := net.DialTimeout("tcp", addresses[i%len(addresses)], 10*time.Second)
				if err != nil {
					if errors.Is(err, syscall.ECONNRESET) {
						opened.Add(1) // and closed at once
						continue
					}
					die("connection %d: %v", i, err)
				}
				opened.Add(1)
				// Each kind at each address.
				if kinds[i/len(addresses)%len(kinds)](c) == nil {
					reset(c)
					continue
				}
				for c != nil {
					select {
					case stay <- c:
						c = nil
					default:
						reset(<-stay)
					}
				}
			}
		})
	}
	visitors.Wait()
	fmt.Printf("%d connections of %d kinds to %d addresses\n", opened.Load(), len(names), len(addresses))
	if int(opened.Load()) != total {
		os.Exit(1)
	}
}

// visitIdle holds n connections that say nothing.
func visitIdle(addresses []string, n int, hold time.Duration) {
	var all []net.Conn
	for i := range n {
		c, err := net.DialTimeout("tcp", addresses[i%len(addresses)], 10*time.Second)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			die("connection %d: %v", i, err)
		}
		if err == nil {
			all = append(all, c)
		}
	}
	time.Sleep(hold)
	open := 0
	for _, c := range all {
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			open++
		}
	}
	fmt.Printf("%d idle connections, of which %d were open after %v\n", n, open, hold)
	if open > 0 && hold > 2*knock.Patience { // well beyond
		os.Exit(1)
	}
}

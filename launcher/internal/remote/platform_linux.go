package remote

import (
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// platform is what uname says of a host.
type platform struct{ system, machine string }

func platformHere() platform {
	p := platform{system: "Linux"}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		p.machine = unix.ByteSliceToString(u.Machine[:])
	}
	// A program of 32 bits under a kernel of 64 has no business with the host's
	// own; nor has the launcher's binary then.
	if p.goarch() != runtime.GOARCH {
		p.machine = "launcher-" + runtime.GOARCH
	}
	return p
}

// goarch is Go's name of the machine, or empty.
func (p platform) goarch() string {
	if arch, ok := strings.CutPrefix(p.machine, "launcher-"); ok {
		return arch
	}
	switch m := p.machine; {
	case m == "x86_64", m == "amd64":
		return "amd64"
	case m == "aarch64", m == "arm64":
		return "arm64"
	case len(m) == 4 && m[0] == 'i' && strings.HasSuffix(m, "86"):
		return "386"
	case strings.HasPrefix(m, "armv"):
		return "arm"
	case m == "loongarch64":
		return "loong64"
	case m == "riscv64", m == "ppc64le", m == "ppc64", m == "s390x":
		return m
	}
	return ""
}

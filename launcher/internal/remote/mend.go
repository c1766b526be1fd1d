package remote

import "strings"

// mends are what helps against what an Error says, the first found in it counts.
// A per cent sign is the host. What says already what is to be done is not among them.
var mends = []struct{ said, mend string }{
	{"somebody else may answer in its name", "make sure that it is the host, then forget its old key: ssh-keygen -R %"},
	{"name cannot be resolved", "correct the name, or add it to DNS, to /etc/hosts, or as HostName to ~/.ssh/config"},
	{"no ssh server listens", "start sshd there, or say its port"},
	{"no route to the host", "look at the network and the firewalls on the way"},
	{"cannot be reached from here", "look at this machine's network"},
	{"not let us in within", "see that it is up, and that no firewall drops connections to its ssh server"},
	{"does not answer", "see that it is up, and that no firewall drops connections to its ssh server"},
	{"hung up before it said who it is", "raise MaxStartups in its sshd_config"},
	{"the jump host", "see that the jump host is up and reaches it"},
	{"does not understand its configuration", "correct ~/.ssh/config"},
	{"refuses its configuration", "take the right to write from others: chmod go-w ~/.ssh/config"},
	{"quota there is used up", "remove files there, or set XDG_CACHE_HOME there to a directory with room"},
	{"disk there is full", "free some space there, or set XDG_CACHE_HOME there to a directory with room"},
	{"no directory there can hold", "make ~/.cache or TMPDIR there a directory that you may write to and run programs in"},
	{"mounted noexec", "set XDG_CACHE_HOME there to a directory that is not mounted noexec"},
	{"cannot be written to", "make ~/.cache/muster there yours, with chmod go-w"},
	{"the login shell there", "have its start-up files say and ask nothing where there is no terminal"},
	{"a command was not found there", "see that /bin/sh, head, wc, ls and mv are in the PATH of a login there"},
	{"agents need Linux", "leave it out"},
	{"agent for it cannot be made", "start muster from a directory of its source with go in PATH, so that it can be built for the host"},
	{"not for the host's machine", "build muster for it with the right GOOS and GOARCH"},
	{"there is no program", "install it, or say another command with --rsh"},
}

// Mend says what helps; empty if that is not known, or What says it.
func (e *Error) Mend() string {
	for _, m := range mends {
		if strings.Contains(e.What, m.said) {
			return strings.ReplaceAll(m.mend, "%", e.Host)
		}
	}
	return ""
}

// MendUncached says what helps where a host's cache cannot be used for this reason.
func MendUncached(why string) string {
	switch {
	case strings.Contains(why, "disk there is full"), strings.Contains(why, "quota there"):
		return "free some space there, or set XDG_CACHE_HOME there to a directory with room"
	case strings.Contains(why, "noexec"):
		return "set XDG_CACHE_HOME there to a directory that is not mounted noexec"
	case strings.Contains(why, "HOME is not set"):
		return "give the user a home directory there, or set XDG_CACHE_HOME"
	}
	return "make ~/.cache/muster/agent there a directory of yours that others cannot write to"
}

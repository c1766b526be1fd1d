package match

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// run plays a script, in which each line is a command and, after "->", what it must
// give. Records are named by numbers of the script's choice:
//
//	post 0 src=any tag=7   -> queued | message N
//	arrive 3 src=1 tag=7   -> queued | receive N
//	withdraw 0, retract 3  -> gone | absent
//	find src=1 tag=any     -> message N | none       (take likewise)
//	messages, receives     -> the numbers queued, in order
//
// It plays every script twice: as a short queue is searched, and with an index.
func run(t *testing.T, script string) {
	t.Helper()
	for _, indexed := range []bool{false, true} {
		var m Matcher
		messages, receives := map[string]*Message{}, map[string]*Recv{}
		for n, line := range strings.Split(strings.TrimSpace(script), "\n") {
			command, want, _ := strings.Cut(line, "->")
			f := append(strings.Fields(command), "", "", "")
			source, tag := envelope(f)
			var got string
			switch f[0] {
			case "post":
				receives[f[1]] = &Recv{Source: source, Tag: tag, Ref: f[1]}
				got = sayMessage(m.Post(receives[f[1]]), "queued")
			case "arrive":
				messages[f[1]] = &Message{Source: source, Tag: tag, Ref: f[1]}
				got = "queued"
				if r := m.Arrive(messages[f[1]]); r != nil {
					got = "receive " + r.Ref.(string)
				}
			case "withdraw":
				got = sayGone(m.Withdraw(receives[f[1]]))
			case "retract":
				got = sayGone(m.Retract(messages[f[1]]))
			case "find":
				got = sayMessage(m.Find(source, tag), "none")
			case "take":
				got = sayMessage(m.Take(source, tag), "none")
			case "messages":
				var all []string
				for msg := range m.Messages {
					all = append(all, msg.Ref.(string))
				}
				got = strings.Join(all, " ")
			case "receives":
				var all []string
				for r := range m.Receives {
					all = append(all, r.Ref.(string))
				}
				got = strings.Join(all, " ")
			default:
				t.Fatalf("line %d: unknown command %q", n+1, line)
			}
			if want = strings.TrimSpace(want); got != want {
				t.Fatalf("indexed %v, line %d: %s: got %q, want %q", indexed, n+1, strings.TrimSpace(command), got, want)
			}
			if indexed {
				m.forceIndex()
			}
		}
	}
}

func envelope(fields []string) (source int32, tag int64) {
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		v, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			v = -1 // any
		}
		switch name {
		case "src":
			source = int32(v)
		case "tag":
			tag = v
		}
	}
	return source, tag
}

func sayMessage(msg *Message, none string) string {
	if msg == nil {
		return none
	}
	return fmt.Sprint("message ", msg.Ref)
}

func sayGone(gone bool) string {
	if gone {
		return "gone"
	}
	return "absent"
}

// forceIndex makes a queue behave as a long one would.
func (m *Matcher) forceIndex() {
	if m.messages.n > 0 && !m.messages.indexed {
		m.messages.build(asMessages)
	}
	if m.receives.n > 0 && !m.receives.indexed {
		m.receives.build(asReceives)
	}
}

package agent

import "time"

// awakeStep is how often the clock of a waiting agent is read.
const awakeStep = 100 * time.Millisecond

// awake counts the time during which the agent could run. While the whole job
// is stopped, or the machine sleeps, no time passes for timeouts: the ranks had
// none either.
type awake struct {
	total time.Duration
	last  time.Time
}

// restart continues the count after a time in which nobody looked at it.
func (a *awake) restart() { a.last = time.Now() }

// advance counts the time since the last look, but never much more than the
// step it was due after.
func (a *awake) advance() {
	now := time.Now()
	a.total += min(now.Sub(a.last), 3*awakeStep)
	a.last = now
}

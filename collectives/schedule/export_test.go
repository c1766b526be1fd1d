package schedule

// Shuffle is Check without the proofs, but for what executions need.
func Shuffle(all []*Schedule, rule Bracketing, seeds []uint64) error {
	k := new(check)
	k.rule = rule
	for _, f := range []func() error{
		func() error { return k.define(all) }, k.wellFormed, k.match,
	} {
		if err := f(); err != nil {
			return err
		}
	}
	k.values.reset(len(all))
	for _, seed := range seeds {
		if err := k.shuffle(seed); err != nil {
			return err
		}
	}
	return nil
}

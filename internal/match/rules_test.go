package match

import "testing"

// The numbers are those of the project's list of MPI's point-to-point rules.

func TestRule1EnvelopeDecides(t *testing.T) {
	run(t, `
		post 0 src=1 tag=7   -> queued
		arrive 0 src=1 tag=8 -> queued
		arrive 1 src=2 tag=7 -> queued
		arrive 2 src=1 tag=7 -> receive 0
		post 1 src=2 tag=8   -> queued
		post 2 src=2 tag=7   -> message 1
		post 3 src=1 tag=8   -> message 0
		arrive 3 src=1 tag=7 -> queued
		messages             -> 3
		receives             -> 1`)
}

func TestRule1TagsUseAllBits(t *testing.T) {
	run(t, `
		post 0 src=1 tag=4294967296          -> queued
		arrive 0 src=1 tag=0                 -> queued
		arrive 1 src=1 tag=9223372036854775807 -> queued
		arrive 2 src=1 tag=4294967296        -> receive 0
		post 1 src=any tag=9223372036854775807 -> message 1`)
}

func TestRule2MessagesDoNotOvertake(t *testing.T) {
	run(t, `
		arrive 0 src=1 tag=7 -> queued
		arrive 1 src=1 tag=7 -> queued
		arrive 2 src=1 tag=7 -> queued
		post 0 src=1 tag=7   -> message 0
		post 1 src=any tag=7 -> message 1
		post 2 src=1 tag=any -> message 2`)
}

func TestRule2ReceivesDoNotOvertake(t *testing.T) {
	run(t, `
		post 0 src=1 tag=7   -> queued
		post 1 src=1 tag=7   -> queued
		post 2 src=1 tag=7   -> queued
		arrive 0 src=1 tag=7 -> receive 0
		arrive 1 src=1 tag=7 -> receive 1
		arrive 2 src=1 tag=7 -> receive 2`)
}

func TestRule2SpecificTagSkipsOtherTags(t *testing.T) {
	run(t, `
		arrive 0 src=1 tag=5 -> queued
		arrive 1 src=1 tag=6 -> queued
		arrive 2 src=1 tag=7 -> queued
		post 0 src=1 tag=7   -> message 2
		messages             -> 0 1`)
}

func TestRule2AnyTagTakesTheEarliest(t *testing.T) {
	run(t, `
		arrive 0 src=2 tag=5 -> queued
		arrive 1 src=1 tag=6 -> queued
		arrive 2 src=1 tag=5 -> queued
		post 0 src=1 tag=any -> message 1
		post 1 src=1 tag=any -> message 2
		post 2 src=1 tag=any -> queued`)
}

func TestRule3OrderIsThatOfInitiation(t *testing.T) {
	// A withdrawn receive that is posted again has lost its place.
	run(t, `
		post 0 src=1 tag=7   -> queued
		post 1 src=1 tag=7   -> queued
		withdraw 0           -> gone
		post 0 src=1 tag=7   -> queued
		receives             -> 1 0
		arrive 0 src=1 tag=7 -> receive 1
		arrive 1 src=1 tag=7 -> receive 0`)
}

func TestRule4SourcesAreIndependent(t *testing.T) {
	// Between two sources there is no order; each keeps its own.
	run(t, `
		arrive 0 src=2 tag=7 -> queued
		arrive 1 src=1 tag=7 -> queued
		arrive 2 src=2 tag=7 -> queued
		post 0 src=1 tag=7   -> message 1
		post 1 src=2 tag=7   -> message 0
		post 2 src=2 tag=7   -> message 2`)
}

func TestRule5EarlierWildcardWins(t *testing.T) {
	run(t, `
		post 0 src=any tag=any -> queued
		post 1 src=any tag=7   -> queued
		post 2 src=1 tag=any   -> queued
		post 3 src=1 tag=7     -> queued
		arrive 0 src=1 tag=7   -> receive 0
		arrive 1 src=1 tag=7   -> receive 1
		arrive 2 src=1 tag=7   -> receive 2
		arrive 3 src=1 tag=7   -> receive 3`)
}

func TestRule5EarlierSpecificWins(t *testing.T) {
	run(t, `
		post 0 src=1 tag=7     -> queued
		post 1 src=1 tag=any   -> queued
		post 2 src=any tag=7   -> queued
		post 3 src=any tag=any -> queued
		arrive 0 src=1 tag=7   -> receive 0
		arrive 1 src=2 tag=7   -> receive 2
		arrive 2 src=2 tag=7   -> receive 3
		arrive 3 src=1 tag=7   -> receive 1`)
}

func TestRule5AnySourceKeepsOrderPerSource(t *testing.T) {
	run(t, `
		arrive 0 src=2 tag=7 -> queued
		arrive 1 src=1 tag=7 -> queued
		arrive 2 src=2 tag=7 -> queued
		arrive 3 src=1 tag=7 -> queued
		post 0 src=any tag=7 -> message 0
		post 1 src=any tag=7 -> message 1
		post 2 src=any tag=7 -> message 2
		post 3 src=any tag=7 -> message 3`)
}

func TestRule6AMatchConsumesTheMessage(t *testing.T) {
	// Whether the buffer was long enough is not asked: the pair is gone either way.
	run(t, `
		post 0 src=1 tag=7   -> queued
		arrive 0 src=1 tag=7 -> receive 0
		arrive 1 src=1 tag=7 -> queued
		post 1 src=1 tag=7   -> message 1
		messages             ->
		receives             ->`)
}

func TestRule11CancelledOrMatchedNeverBoth(t *testing.T) {
	run(t, `
		post 0 src=1 tag=7   -> queued
		post 1 src=1 tag=7   -> queued
		withdraw 0           -> gone
		withdraw 0           -> absent
		arrive 0 src=1 tag=7 -> receive 1
		withdraw 1           -> absent
		arrive 1 src=1 tag=7 -> queued
		post 2 src=1 tag=7   -> message 1
		withdraw 2           -> absent`)
}

func TestRule11WithdrawnOfferKeepsLaterOrder(t *testing.T) {
	run(t, `
		arrive 0 src=1 tag=7 -> queued
		arrive 1 src=1 tag=7 -> queued
		arrive 2 src=1 tag=7 -> queued
		retract 1            -> gone
		retract 1            -> absent
		post 0 src=1 tag=7   -> message 0
		retract 0            -> absent
		post 1 src=1 tag=7   -> message 2
		post 2 src=1 tag=7   -> queued`)
}

func TestRule12OffersAndEagerMessagesShareOneOrder(t *testing.T) {
	// Mode, protocol and size are not in the envelope: 0 may be an offer, 1 a message of
	// zero bytes, 2 a synchronous send.
	run(t, `
		arrive 0 src=1 tag=7   -> queued
		arrive 1 src=1 tag=7   -> queued
		post 0 src=1 tag=any   -> message 0
		post 1 src=any tag=any -> message 1
		post 2 src=any tag=any -> queued
		arrive 2 src=1 tag=0   -> receive 2`)
}

func TestRule15ProbeLeavesTheMessage(t *testing.T) {
	run(t, `
		find src=any tag=any -> none
		arrive 0 src=1 tag=7 -> queued
		arrive 1 src=2 tag=7 -> queued
		find src=any tag=7   -> message 0
		find src=2 tag=any   -> message 1
		find src=2 tag=8     -> none
		find src=any tag=any -> message 0
		post 0 src=any tag=7 -> message 0
		find src=any tag=7   -> message 1`)
}

func TestRule15MatchedProbeRemovesTheMessage(t *testing.T) {
	run(t, `
		arrive 0 src=1 tag=7 -> queued
		arrive 1 src=1 tag=7 -> queued
		take src=1 tag=8     -> none
		take src=any tag=7   -> message 0
		find src=1 tag=7     -> message 1
		post 0 src=1 tag=7   -> message 1
		take src=1 tag=7     -> none
		retract 0            -> absent`)
}

func TestRule15ProbeSeesNoMatchedMessage(t *testing.T) {
	run(t, `
		post 0 src=1 tag=7     -> queued
		arrive 0 src=1 tag=7   -> receive 0
		find src=any tag=any   -> none`)
}

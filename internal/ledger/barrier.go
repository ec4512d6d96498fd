package ledger

import "time"

// The end of a log is not proof that all of it was read: a broker that stood still
// while another was elected, and wakes, answers as the leader that it was, without
// what its successor has. It can neither take nor show a record that all in-sync
// replicas are to have. So whoever must know all that was written up to now writes a
// record of its own, and reads up to that.

// Barrier returns the record that an owner writes to be read up to. number, from 1 on,
// tells it from the owner's others. It is a checkpoint that closes nothing, so that it
// means nothing to anybody else, nor to builds that know of no barriers.
func Barrier(owner string, number int) Record {
	return Record{Step: Checkpoint, Owner: owner, Published: &time.Time{}, Barrier: number}
}

// BarrierOf returns the number of the barrier that a record's value is, 0 if it is
// another record.
func BarrierOf(value []byte) int {
	if stepOf(value) != Checkpoint {
		return 0
	}
	r, err := Decode(value)
	if err != nil {
		return 0
	}
	return r.Barrier
}

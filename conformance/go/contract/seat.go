package contract

import (
	"maps"
	"slices"
	"sync"
)

// Seat is a member of a group: the client tells it what happens, the scenarios look.
type Seat struct {
	// Commit what was read, and wait for it. Close leaves the group. Both are the client's to set.
	Commit func() error
	Close  func() error

	mutex   sync.Mutex
	changed chan<- struct{}
	owned   map[int]bool
	revoked [][]int
	read    []Read
	closed  bool
}

func (seat *Seat) tell(change func()) {
	seat.mutex.Lock()
	change()
	seat.mutex.Unlock()
	select {
	case seat.changed <- struct{}{}:
	default: // somebody is about to look anyway
	}
}

// Gained partitions in a rebalance.
func (seat *Seat) Gained(partitions []int) {
	seat.tell(func() {
		for _, partition := range partitions {
			seat.owned[partition] = true
		}
	})
}

// Lost partitions in a rebalance.
func (seat *Seat) Lost(partitions []int) {
	if len(partitions) == 0 {
		return
	}
	seat.tell(func() {
		for _, partition := range partitions {
			delete(seat.owned, partition)
		}
		seat.revoked = append(seat.revoked, slices.Sorted(slices.Values(partitions)))
	})
}

// Got a record.
func (seat *Seat) Got(read Read) {
	seat.tell(func() { seat.read = append(seat.read, read) })
}

func (seat *Seat) partitions() []int {
	seat.mutex.Lock()
	defer seat.mutex.Unlock()
	return slices.Sorted(maps.Keys(seat.owned))
}

func (seat *Seat) whatWasRevoked() [][]int {
	seat.mutex.Lock()
	defer seat.mutex.Unlock()
	return slices.Clone(seat.revoked)
}

func (seat *Seat) count() int {
	seat.mutex.Lock()
	defer seat.mutex.Unlock()
	return len(seat.read)
}

// take what was read so far.
func (seat *Seat) take() []Read {
	seat.mutex.Lock()
	defer seat.mutex.Unlock()
	read := seat.read
	seat.read = nil
	return read
}

package contract

import (
	"fmt"
	"sync"
)

// Verdict on a delivery.
type Verdict int

// What can be said to a delivery.
const (
	Accept Verdict = iota
	Release
	Reject
	Renew
)

// Delivery of a record to a worker of a share group.
type Delivery struct {
	Read
	Count   int
	Renewed bool // this delivery has been renewed
}

// Desk is where the workers of a share group ask what to say to a record, and where the scenario looks.
type Desk struct {
	mutex    sync.Mutex
	changed  chan<- struct{}
	settled  map[int][]Read
	released int
	renewed  int
	wrong    error
}

// Judge a delivery, as conformance/contract.py has it.
func (desk *Desk) Judge(delivery Delivery) Verdict {
	desk.mutex.Lock()
	defer desk.mutex.Unlock()
	defer desk.tell()
	digit := delivery.Offset % 10
	if digit == 1 && delivery.Count == 1 {
		desk.released++
		return Release
	}
	if digit == 3 && !delivery.Renewed {
		desk.renewed++
		return Renew
	}
	wanted := 1
	if digit == 1 {
		wanted = 2
	}
	if delivery.Count != wanted {
		desk.wrong = fmt.Errorf("delivery %d of %d at %d instead of %d", delivery.Count, delivery.Partition, delivery.Offset, wanted)
	}
	desk.settled[delivery.Partition] = append(desk.settled[delivery.Partition], delivery.Read)
	if digit == 2 {
		return Reject
	}
	return Accept
}

// Refused by the broker: what was said to a record.
func (desk *Desk) Refused(err error) {
	desk.mutex.Lock()
	defer desk.mutex.Unlock()
	desk.wrong = err
	desk.tell()
}

func (desk *Desk) tell() {
	select {
	case desk.changed <- struct{}{}:
	default: // somebody is about to look anyway
	}
}

func (desk *Desk) count() (count int) {
	desk.mutex.Lock()
	defer desk.mutex.Unlock()
	must(desk.wrong)
	for _, its := range desk.settled {
		count += len(its)
	}
	return
}

func (desk *Desk) result() (settled map[int][]Read, released, renewed int) {
	desk.mutex.Lock()
	defer desk.mutex.Unlock()
	must(desk.wrong)
	return desk.settled, desk.released, desk.renewed
}

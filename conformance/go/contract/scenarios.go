package contract

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Kafka's error codes that scenarios expect.
const (
	topicAlreadyExists = 36
	invalidPartitions  = 37
	invalidConfig      = 40
	nonEmptyGroup      = 68
)

var all = []int{0, 1, 2}

type scenarios struct {
	client Client
	name   string
}

func (s *scenarios) table() map[string]func() string {
	write := func(scenario string, large bool, how How) func() string {
		return func() string {
			s.writeAndRead(scenario, large, how)
			if scenario == "records" && !s.client.Nulls() {
				return "its reader gives null for what is empty"
			}
			return ""
		}
	}
	silent := func(scenario func()) func() string { return func() string { scenario(); return "" } }
	table := map[string]func() string{
		"topics":         silent(s.topics),
		"records":        write("records", true, How{}),
		"acks":           silent(s.acks),
		"idempotent":     write("idempotent", false, How{Idempotent: true}),
		"time":           silent(s.time),
		"group":          silent(s.group),
		"rebalance":      silent(func() { s.rebalance("rebalance", Joining{}) }),
		"cooperative":    silent(s.cooperative),
		"static":         silent(s.static),
		"new-groups":     silent(s.newGroups),
		"share-groups":   silent(s.shareGroups),
		"groups":         silent(s.groups),
		"offsets":        s.offsets,
		"partitions":     silent(s.partitions),
		"configs":        silent(s.configs),
		"delete-records": silent(s.deleteRecords),
		"log-dirs":       silent(s.logDirs),
	}
	for _, codec := range []string{"gzip", "snappy", "lz4", "zstd"} {
		table[codec] = write(codec, false, How{Codec: codec})
	}
	return table
}

// What scenarios are made of.

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func get[T any](value T, err error) T {
	must(err)
	return value
}

func same(got, wanted any, what string) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Errorf("%s: %v instead of %v", what, got, wanted))
	}
}

// eventually asks until it holds; each question takes its own time.
func eventually(holds func() bool, what string) {
	for deadline := time.Now().Add(Deadline); !holds(); {
		same(time.Now().Before(deadline), true, what+" in time")
	}
}

func (s *scenarios) refused(code int, err error) {
	if err == nil {
		panic(fmt.Errorf("it was not refused with %d", code))
	}
	var lacks Lacks
	if errors.As(err, &lacks) {
		panic(err)
	}
	same(s.client.Code(err), code, fmt.Sprintf("the refusal (%v)", err))
}

func (s *scenarios) create(scenario string) string {
	topic := s.name + "-" + scenario
	must(s.client.Create(topic, partitions, map[string]string{"retention.ms": "-1"}))
	return topic
}

func (s *scenarios) fill(topic string, start, end int) {
	for _, partition := range all {
		must(s.client.Produce(topic, partition, run(topic, partition, start, end, false), How{}))
	}
}

// check that the partition has exactly these records, and ends there.
func (s *scenarios) check(topic string, partition, start, end int, large bool) {
	got := get(s.client.Consume(topic, partition, int64(start), end-start))
	s.compare(topic, partition, got, start, end, large)
	_, last, err := s.client.Ends(topic, partition)
	must(err)
	same(last, int64(end), fmt.Sprintf("the end of %s-%d", topic, partition))
}

func (s *scenarios) compare(topic string, partition int, got []Read, start, end int, large bool) {
	same(len(got), end-start, fmt.Sprintf("the number of records in %s-%d", topic, partition))
	for index, wanted := range run(topic, partition, start, end, large) {
		what := fmt.Sprintf("record %d of %s-%d", start+index, topic, partition)
		same(got[index].Offset, int64(start+index), "the offset of "+what)
		if err := wanted.check(got[index].Record, s.client.Nulls()); err != nil {
			panic(fmt.Errorf("%s: %w", what, err))
		}
	}
}

// room is where the members of one scenario sit; they are closed at the end, whatever happens.
type room struct {
	*scenarios
	changed chan struct{}
	seats   []*Seat
}

func (s *scenarios) open() *room { return &room{scenarios: s, changed: make(chan struct{}, 1)} }

func (r *room) join(topic string, how Joining) *Seat {
	seat := &Seat{changed: r.changed, owned: map[int]bool{}}
	must(r.client.Join(seat, topic, how))
	r.seats = append(r.seats, seat)
	return seat
}

func (r *room) leave(seat *Seat) {
	if !seat.closed {
		seat.closed = true
		must(seat.Close())
	}
}

func (r *room) close() {
	for _, seat := range r.seats {
		r.leave(seat)
	}
}

func (r *room) until(holds func() bool, what string) {
	deadline := time.After(Deadline)
	for !holds() {
		select {
		case <-r.changed:
		case <-deadline:
			panic(fmt.Errorf("%s: not within %v", what, Deadline))
		}
	}
}

func (r *room) untilAll(seat *Seat) {
	r.until(func() bool { return len(seat.partitions()) == partitions }, "one has all partitions")
}

func (r *room) untilShared(first, second *Seat) {
	r.until(func() bool {
		a, b := first.partitions(), second.partitions()
		return len(a) > 0 && len(b) > 0 && slices.Equal(slices.Sorted(slices.Values(append(a, b...))), all)
	}, "two share")
}

// read exactly these records of every partition, in order, each by its owner.
func (r *room) read(topic string, start, end int, seats ...*Seat) {
	count := func() (count int) {
		for _, seat := range seats {
			count += seat.count()
		}
		return
	}
	wanted := (end - start) * partitions
	r.until(func() bool { return count() >= wanted }, fmt.Sprintf("%d records are read", wanted))
	read := map[int][]Read{}
	for _, seat := range seats {
		owned := seat.partitions()
		for _, each := range seat.take() {
			same(slices.Contains(owned, each.Partition), true, "a member reads its own partitions")
			read[each.Partition] = append(read[each.Partition], each)
		}
	}
	for _, partition := range all {
		r.compare(topic, partition, read[partition], start, end, false)
	}
}

// Topics and records.

func (s *scenarios) topics() {
	topic := s.create("topics")
	eventually(func() bool { return get(s.client.Topics())[topic] == partitions }, "the new topic is listed")
	leaders := get(s.client.Leaders(topic))
	for _, partition := range all {
		leader, known := leaders[partition]
		same(known && leader >= 0, true, fmt.Sprintf("partition %d has a leader", partition))
	}
	s.refused(topicAlreadyExists, s.client.Create(topic, partitions, nil))
	must(s.client.Delete(topic))
	eventually(func() bool { _, there := get(s.client.Topics())[topic]; return !there }, "the topic is gone")
}

func (s *scenarios) writeAndRead(scenario string, large bool, how How) {
	topic := s.create(scenario)
	for _, partition := range all {
		must(s.client.Produce(topic, partition, run(topic, partition, 0, records, large), how))
		s.check(topic, partition, 0, records, large)
	}
}

func (s *scenarios) acks() {
	topic := s.create("acks")
	// Backwards: where nobody answers, the topic has to be there for sure.
	for _, partition := range []int{2, 1, 0} {
		how := How{Acks: []string{"0", "1", "all"}[partition]}
		must(s.client.Produce(topic, partition, run(topic, partition, 0, records, false), how))
		s.check(topic, partition, 0, records, false)
	}
}

func (s *scenarios) time() {
	topic := s.create("time")
	s.fill(topic, 0, records)
	for _, partition := range all {
		for _, each := range []struct{ timestamp, offset int64 }{
			{firstTimestamp + half*stepMs, half},
			{firstTimestamp + half*stepMs + 1, half + 1},
			{firstTimestamp + records*stepMs, -1},
		} {
			found := get(s.client.OffsetFor(topic, partition, each.timestamp))
			same(found, each.offset, fmt.Sprintf("the offset of time %d", each.timestamp))
		}
		s.check(topic, partition, half, records, false)
	}
}

// Groups.

func (s *scenarios) group() {
	topic := s.create("group")
	s.fill(topic, 0, half)
	room := s.open()
	defer room.close()
	first := room.join(topic, Joining{})
	room.read(topic, 0, half, first)
	must(first.Commit())
	room.leave(first)
	s.fill(topic, half, records)
	room.read(topic, half, records, room.join(topic, Joining{}))
}

func (s *scenarios) rebalance(scenario string, how Joining) {
	topic := s.create(scenario)
	room := s.open()
	defer room.close()
	first := room.join(topic, how)
	room.untilAll(first)
	second := room.join(topic, how)
	room.untilShared(first, second)
	s.fill(topic, 0, half)
	room.read(topic, 0, half, first, second)
	must(first.Commit())
	must(second.Commit())
	room.leave(first)
	room.untilAll(second)
	s.fill(topic, half, records)
	room.read(topic, half, records, second)
}

func (s *scenarios) cooperative() {
	topic := s.create("cooperative")
	room := s.open()
	defer room.close()
	first := room.join(topic, Joining{Cooperative: true})
	room.untilAll(first)
	second := room.join(topic, Joining{Cooperative: true})
	room.untilShared(first, second)
	same(first.whatWasRevoked(), [][]int{second.partitions()}, "what the first had to give up")
	s.fill(topic, 0, records)
	room.read(topic, 0, records, first, second)
}

func (s *scenarios) static() {
	topic := s.create("static")
	room := s.open()
	defer room.close()
	first, second := room.join(topic, Joining{Instance: "a"}), room.join(topic, Joining{Instance: "b"})
	room.untilShared(first, second)
	before, revoked := second.partitions(), first.whatWasRevoked()
	room.leave(second)
	again := room.join(topic, Joining{Instance: "b"})
	room.until(func() bool { return len(again.partitions()) > 0 }, "it is back")
	same(again.partitions(), before, "the partitions of who is back")
	same(first.whatWasRevoked(), revoked, "what the other had to give up")
	s.fill(topic, 0, records)
	room.read(topic, 0, records, first, again)
}

func (s *scenarios) newGroups() {
	s.rebalance("new-groups", Joining{ServerSide: true})
	same(slices.Contains(get(s.client.NewGroups()), s.name+"-new-groups"), true, "it is listed as a group of the new protocol")
}

func (s *scenarios) shareGroups() {
	topic := s.create("share-groups")
	s.fill(topic, 0, half)
	s.settle(topic, 0, half, 2)
	s.fill(topic, half, records)
	s.settle(topic, half, records, 1)
}

// settle exactly these records of every partition with so many workers, each record once.
func (s *scenarios) settle(topic string, start, end, workers int) {
	room := s.open()
	desk := &Desk{changed: room.changed, settled: map[int][]Read{}}
	for range workers {
		leave := get(s.client.Work(desk, topic))
		defer func() { must(leave()) }()
	}
	wanted := (end - start) * partitions
	room.until(func() bool { return desk.count() >= wanted }, fmt.Sprintf("%d records are settled", wanted))
	settled, released, renewed := desk.result()
	same([]int{released, renewed}, []int{wanted / 10, wanted / 10}, "how many were released and renewed")
	for _, partition := range all {
		its := slices.SortedFunc(slices.Values(settled[partition]), func(a, b Read) int { return int(a.Offset - b.Offset) })
		s.compare(topic, partition, its, start, end, false)
	}
}

func (s *scenarios) groups() {
	topic := s.create("groups")
	room := s.open()
	defer room.close()
	member := room.join(topic, Joining{})
	room.untilAll(member)
	same(slices.Contains(get(s.client.Groups()), topic), true, "the group is listed")
	same(get(s.client.DescribeGroup(topic)), Group{"Stable", [][]int{all}}, "the group with its member")
	s.refused(nonEmptyGroup, s.client.DeleteGroup(topic))
	s.fill(topic, 0, records)
	room.read(topic, 0, records, member)
	must(member.Commit())
	room.leave(member)
	same(get(s.client.DescribeGroup(topic)), Group{"Empty", nil}, "the group without its member")
	must(s.client.DeleteGroup(topic))
	same(slices.Contains(get(s.client.Groups()), topic), false, "the group is listed")
}

func (s *scenarios) offsets() string {
	topic := s.create("offsets")
	s.fill(topic, 0, records)
	to := map[int]int64{0: 10, 1: 20, 2: 30}
	must(s.client.SetOffsets(topic, topic, to))
	same(get(s.client.Offsets(topic, topic)), to, "the offsets of the group")
	err := s.client.DeleteOffset(topic, topic, 2)
	var lacks Lacks
	lacking := ""
	if errors.As(err, &lacks) {
		lacking = "not deleted: " + err.Error()
	} else {
		must(err)
		delete(to, 2)
		same(get(s.client.Offsets(topic, topic)), to, "the offsets after one was deleted")
	}
	room := s.open()
	defer room.close()
	member := room.join(topic, Joining{})
	wanted := 0
	for _, partition := range all {
		wanted += records - int(to[partition])
	}
	room.until(func() bool { return member.count() >= wanted }, fmt.Sprintf("%d records are read", wanted))
	read := map[int][]Read{}
	for _, each := range member.take() {
		read[each.Partition] = append(read[each.Partition], each)
	}
	for _, partition := range all {
		s.compare(topic, partition, read[partition], int(to[partition]), records, false)
	}
	return lacking
}

// Administration.

func (s *scenarios) partitions() {
	topic := s.create("partitions")
	must(s.client.Grow(topic, partitions+2))
	eventually(func() bool { return len(get(s.client.Leaders(topic))) == partitions+2 }, "the topic has grown")
	s.refused(invalidPartitions, s.client.Grow(topic, partitions))
	for partition := range partitions + 2 {
		must(s.client.Produce(topic, partition, run(topic, partition, 0, records, false), How{}))
		s.check(topic, partition, 0, records, false)
	}
}

func (s *scenarios) configs() {
	topic := s.create("configs")
	described := get(s.client.Configs(topic))
	same(described["retention.ms"], "-1", "retention.ms as the topic was created")
	same(described["max.message.bytes"], "1048588", "the default of max.message.bytes")
	must(s.client.SetConfig(topic, "retention.ms", "7200000"))
	retention := func() string { return get(s.client.Configs(topic))["retention.ms"] }
	eventually(func() bool { return retention() == "7200000" }, "retention.ms is changed")
	s.refused(invalidConfig, s.client.SetConfig(topic, "retention.ms", "soon"))
	same(retention(), "7200000", "retention.ms after a refusal")
	must(s.client.ResetConfig(topic, "retention.ms"))
	eventually(func() bool { return retention() == "604800000" }, "retention.ms is the default")
}

func (s *scenarios) deleteRecords() {
	topic := s.create("delete-records")
	s.fill(topic, 0, records)
	must(s.client.DeleteBefore(topic, map[int]int64{0: cut, 1: cut, 2: cut}))
	for _, partition := range all {
		start, _, err := s.client.Ends(topic, partition)
		must(err)
		same(start, int64(cut), fmt.Sprintf("the start of %s-%d", topic, partition))
		s.check(topic, partition, cut, records, false)
	}
}

func (s *scenarios) logDirs() {
	topic := s.create("log-dirs")
	s.fill(topic, 0, records)
	sizes := get(s.client.LogSizes(topic))
	same(len(sizes), partitions, "the partitions that have a size")
	for partition, size := range sizes {
		least := 0
		for _, each := range run(topic, partition, 0, records, false) {
			least += len(each.Value)
		}
		same(size > int64(least), true, fmt.Sprintf("%s-%d has more bytes than its values (%d)", topic, partition, size))
	}
}

package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

// Deadline is how long anything may take before it counts as not happening.
const Deadline = 40 * time.Second

// What members of groups are told: to hear of a rebalance soon, and the shortest session that brokers allow.
const (
	Heartbeat = 200 * time.Millisecond
	Session   = 6 * time.Second
)

// Lacks says that the client has no way to do it.
type Lacks string

func (lacks Lacks) Error() string { return string(lacks) }

// How to produce.
type How struct {
	Codec      string // none, gzip, snappy, lz4, zstd
	Acks       string // 0, 1, all
	Idempotent bool
}

// Joining is how to join a group.
type Joining struct {
	Instance    string
	Cooperative bool
	ServerSide  bool // the new protocol, in which the broker assigns (KIP-848)
}

// Group as an administrator sees it.
type Group struct {
	State   string
	Members [][]int // the partitions of each
}

// Client is what the scenarios ask of each library. What it cannot do is answered with Lacks.
type Client interface {
	// Nulls tells whether its consumer tells null from empty.
	Nulls() bool
	// Code is Kafka's error code within an error, or 0.
	Code(err error) int

	Create(topic string, partitions int, configs map[string]string) error
	Delete(topic string) error
	Topics() (map[string]int, error)
	Leaders(topic string) (map[int]int, error)

	Produce(topic string, partition int, records []Record, how How) error
	Consume(topic string, partition int, start int64, count int) ([]Read, error)
	Ends(topic string, partition int) (start, end int64, err error)
	// OffsetFor answers -1 where there is no record at or after the time.
	OffsetFor(topic string, partition int, timestampMs int64) (int64, error)

	// Join a group that has the topic's name, and tell the seat whatever happens.
	Join(seat *Seat, topic string, how Joining) error
	// Work in the share group that has the topic's name, which begins at the earliest record. The desk is asked what to
	// say to each delivery, and again to what it renewed.
	Work(desk *Desk, topic string) (leave func() error, err error)

	Groups() ([]string, error)
	// NewGroups are those of the new protocol.
	NewGroups() ([]string, error)
	DescribeGroup(group string) (Group, error)
	DeleteGroup(group string) error
	Offsets(group, topic string) (map[int]int64, error)
	SetOffsets(group, topic string, offsets map[int]int64) error
	DeleteOffset(group, topic string, partition int) error

	Grow(topic string, partitions int) error
	Configs(topic string) (map[string]string, error)
	SetConfig(topic, name, value string) error
	ResetConfig(topic, name string) error
	DeleteBefore(topic string, offsets map[int]int64) error
	LogSizes(topic string) (map[int]int64, error)
}

type outcome struct {
	Scenario string `json:"scenario"`
	OK       *bool  `json:"ok"`
	Detail   string `json:"detail"`
}

// Main is a driver: BOOTSTRAP NAME SCENARIO…
func Main(module string, open func(bootstrap string) (Client, error)) {
	out := json.NewEncoder(os.Stdout)
	built, _ := debug.ReadBuildInfo()
	for _, dependency := range built.Deps {
		if dependency.Path == module {
			_ = out.Encode(map[string]string{"version": dependency.Version[1:]})
		}
	}
	client, err := open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	table := (&scenarios{client, os.Args[2]}).table()
	for _, name := range os.Args[3:] {
		_ = out.Encode(attempt(name, table[name]))
	}
}

// attempt runs one scenario. Scenarios panic with what went wrong: each of their lines may, and none goes on.
func attempt(name string, scenario func() string) (result outcome) {
	yes, no := true, false
	defer func() {
		if went := recover(); went != nil {
			err, ok := went.(error)
			if !ok {
				panic(went)
			}
			var lacks Lacks
			result = outcome{name, &no, err.Error()}
			if errors.As(err, &lacks) {
				result.OK = nil
			}
		}
	}()
	return outcome{name, &yes, scenario()}
}

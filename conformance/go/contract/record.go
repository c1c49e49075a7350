// Package contract holds the conformance scenarios once for every client in Go: what is written (this file), what a
// client has to offer (client.go), a member of a group as the scenarios see it (seat.go), and the scenarios themselves.
package contract

import (
	"bytes"
	"fmt"
	"strings"
)

// The numbers of conformance/contract.py, which says what they mean.
const (
	partitions     = 3
	records        = 100
	half           = 50
	cut            = 40
	firstTimestamp = 1_700_000_000_000
	stepMs         = 1_000
	largeBytes     = 900_000
)

// Header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record of the contract. A nil key or value is null, an empty one is not.
type Record struct {
	Key, Value  []byte
	Headers     []Header
	TimestampMs int64
}

// Read is a record as a consumer got it.
type Read struct {
	Record
	Partition int
	Offset    int64
}

func recordOf(topic string, partition, number int, large bool) Record {
	record := Record{
		Value:       []byte(fmt.Sprintf("%s/%d/%d", topic, partition, number)),
		TimestampMs: firstTimestamp + int64(number)*stepMs,
	}
	if number%5 != 0 {
		record.Key = []byte(fmt.Sprintf("k%d", number%7))
	}
	if number%3 == 0 {
		record.Headers = []Header{{"number", []byte(fmt.Sprint(number))}, {"empty", []byte{}}}
	}
	dots := number * 37 % 400
	if large && number == records-1 {
		dots = largeBytes
	}
	record.Value = append(record.Value, strings.Repeat(".", dots)...)
	switch number % 10 {
	case 7:
		record.Value = nil
	case 4:
		record.Value = []byte{}
	}
	return record
}

func run(topic string, partition, start, end int, large bool) []Record {
	var wanted []Record
	for number := start; number < end; number++ {
		wanted = append(wanted, recordOf(topic, partition, number, large))
	}
	return wanted
}

// sameBytes tells null from empty, unless the client cannot.
func sameBytes(got, wanted []byte, nulls bool) bool {
	return bytes.Equal(got, wanted) && (!nulls || (got == nil) == (wanted == nil))
}

func (wanted Record) check(got Record, nulls bool) error {
	headers := len(got.Headers) == len(wanted.Headers)
	for index := 0; headers && index < len(wanted.Headers); index++ {
		its, should := got.Headers[index], wanted.Headers[index]
		headers = its.Key == should.Key && bytes.Equal(its.Value, should.Value)
	}
	switch {
	case !sameBytes(got.Key, wanted.Key, nulls):
		return fmt.Errorf("key %.60q instead of %.60q", got.Key, wanted.Key)
	case !sameBytes(got.Value, wanted.Value, nulls):
		return fmt.Errorf("value %.60q instead of %.60q", got.Value, wanted.Value)
	case !headers:
		return fmt.Errorf("headers %q instead of %q", got.Headers, wanted.Headers)
	case got.TimestampMs != wanted.TimestampMs:
		return fmt.Errorf("timestamp %d instead of %d", got.TimestampMs, wanted.TimestampMs)
	}
	return nil
}

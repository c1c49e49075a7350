package main

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"drave.invalid/conformance/contract"
)

func headers(wanted []contract.Header) (headers []kgo.RecordHeader) {
	for _, header := range wanted {
		headers = append(headers, kgo.RecordHeader{Key: header.Key, Value: header.Value})
	}
	return headers
}

func readOf(record *kgo.Record) contract.Read {
	read := contract.Read{
		Record:    contract.Record{Key: record.Key, Value: record.Value, TimestampMs: record.Timestamp.UnixMilli()},
		Partition: int(record.Partition),
		Offset:    record.Offset,
	}
	for _, header := range record.Headers {
		read.Headers = append(read.Headers, contract.Header{Key: header.Key, Value: header.Value})
	}
	return read
}

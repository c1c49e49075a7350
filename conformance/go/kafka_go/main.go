// The driver of segmentio/kafka-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"drave.invalid/conformance/contract"
)

type client struct {
	bootstrap string
	plain     *kafka.Client
}

func main() {
	contract.Main("github.com/segmentio/kafka-go", func(bootstrap string) (contract.Client, error) {
		// A transport of its own would remember topics for six seconds.
		transport := &kafka.Transport{MetadataTTL: 50 * time.Millisecond}
		plain := &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: contract.Deadline, Transport: transport}
		return &client{bootstrap, plain}, nil
	})
}

// Nulls: its reader gives nil for what is empty too.
func (c *client) Nulls() bool { return false }

func (c *client) Code(err error) int {
	var code kafka.Error
	if errors.As(err, &code) {
		return int(code)
	}
	return 0
}

func timed() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), contract.Deadline)
}

// Topics and records.

func (c *client) Create(topic string, partitions int, configs map[string]string) error {
	ctx, cancel := timed()
	defer cancel()
	wanted := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	for name, value := range configs {
		wanted.ConfigEntries = append(wanted.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	answer, err := c.plain.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{wanted}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (c *client) Delete(topic string) error {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.plain.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (c *client) Topics() (map[string]int, error) {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.plain.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	topics := map[string]int{}
	for _, topic := range answer.Topics {
		topics[topic.Name] = len(topic.Partitions)
	}
	return topics, nil
}

func (c *client) Leaders(topic string) (map[int]int, error) {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.plain.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	leaders := map[int]int{}
	for _, partition := range answer.Topics[0].Partitions {
		leaders[partition.ID] = partition.Leader.ID
	}
	return leaders, answer.Topics[0].Error
}

var codecs = map[string]kafka.Compression{
	"gzip":   kafka.Gzip,
	"snappy": kafka.Snappy,
	"lz4":    kafka.Lz4,
	"zstd":   kafka.Zstd,
}

func (c *client) Produce(topic string, partition int, records []contract.Record, how contract.How) error {
	if how.Idempotent {
		return contract.Lacks("kafka-go has no idempotent producer")
	}
	ctx, cancel := timed()
	defer cancel()
	writer := &kafka.Writer{
		Addr:         kafka.TCP(c.bootstrap),
		Topic:        topic,
		Balancer:     kafka.BalancerFunc(func(kafka.Message, ...int) int { return partition }),
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond,
		Compression:  codecs[how.Codec],
		Transport:    c.plain.Transport,
	}
	switch how.Acks {
	case "0":
		writer.RequiredAcks = kafka.RequireNone
	case "1":
		writer.RequiredAcks = kafka.RequireOne
	}
	var sent []kafka.Message
	for _, record := range records {
		message := kafka.Message{Key: record.Key, Value: record.Value, Time: time.UnixMilli(record.TimestampMs)}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: header.Key, Value: header.Value})
		}
		sent = append(sent, message)
	}
	return errors.Join(writer.WriteMessages(ctx, sent...), writer.Close())
}

func (c *client) reader(topic string, partition int, start int64) *kafka.Reader {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:   []string{c.bootstrap},
		Topic:     topic,
		Partition: partition,
		MaxWait:   100 * time.Millisecond,
	})
	_ = reader.SetOffset(start) // fails only for a reader that is closed or has a group
	return reader
}

func (c *client) Consume(topic string, partition int, start int64, count int) ([]contract.Read, error) {
	ctx, cancel := timed()
	defer cancel()
	reader := c.reader(topic, partition, start)
	defer reader.Close()
	var read []contract.Read
	for len(read) < count {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return read, err
		}
		read = append(read, readOf(message))
	}
	return read, nil
}

func readOf(message kafka.Message) contract.Read {
	read := contract.Read{
		Record:    contract.Record{Key: message.Key, Value: message.Value, TimestampMs: message.Time.UnixMilli()},
		Partition: message.Partition,
		Offset:    message.Offset,
	}
	for _, header := range message.Headers {
		read.Headers = append(read.Headers, contract.Header{Key: header.Key, Value: header.Value})
	}
	return read
}

func (c *client) listed(topic string, asked kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
	ctx, cancel := timed()
	defer cancel()
	topics := map[string][]kafka.OffsetRequest{topic: {asked}}
	answer, err := c.plain.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: topics})
	if err != nil {
		return kafka.PartitionOffsets{}, err
	}
	if len(answer.Topics[topic]) != 1 {
		return kafka.PartitionOffsets{}, fmt.Errorf("no offsets in %v", answer.Topics)
	}
	return answer.Topics[topic][0], answer.Topics[topic][0].Error
}

func (c *client) Ends(topic string, partition int) (start, end int64, err error) {
	first, err := c.listed(topic, kafka.FirstOffsetOf(partition))
	if err != nil {
		return 0, 0, err
	}
	last, err := c.listed(topic, kafka.LastOffsetOf(partition))
	return first.FirstOffset, last.LastOffset, err
}

func (c *client) OffsetFor(topic string, partition int, timestampMs int64) (int64, error) {
	found, err := c.listed(topic, kafka.TimeOffsetOf(partition, time.UnixMilli(timestampMs)))
	for offset := range found.Offsets {
		return offset, err
	}
	return -1, err
}

// Groups.

// member reads the partitions of each generation, from where the group stands.
type member struct {
	*client
	seat       *contract.Seat
	topic      string
	mutex      sync.Mutex
	generation *kafka.Generation
	next       map[int]int64
}

func (m *member) live(ctx context.Context, group *kafka.ConsumerGroup) {
	for ctx.Err() == nil {
		generation, err := group.Next(ctx)
		if err != nil {
			continue
		}
		m.mutex.Lock()
		m.generation, m.next = generation, map[int]int64{}
		m.mutex.Unlock()
		var owned []int
		for _, partition := range generation.Assignments[m.topic] {
			owned = append(owned, partition.ID)
			generation.Start(func(ctx context.Context) { m.read(ctx, partition.ID, partition.Offset) })
		}
		m.seat.Gained(owned)
		generation.Start(func(ctx context.Context) {
			<-ctx.Done()
			m.seat.Lost(owned)
		})
	}
}

func (m *member) read(ctx context.Context, partition int, start int64) {
	reader := m.reader(m.topic, partition, start)
	defer reader.Close()
	for {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return
		}
		m.mutex.Lock()
		m.next[partition] = message.Offset + 1
		m.mutex.Unlock()
		m.seat.Got(readOf(message))
	}
}

func (m *member) commit() error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.generation.CommitOffsets(map[string]map[int]int64{m.topic: maps.Clone(m.next)})
}

func (c *client) Join(seat *contract.Seat, topic string, how contract.Joining) error {
	switch {
	case how.Cooperative:
		return contract.Lacks("kafka-go has no cooperative rebalance")
	case how.Instance != "":
		return contract.Lacks("kafka-go has no static members")
	case how.ServerSide:
		return contract.Lacks("kafka-go has no groups of the new protocol")
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                topic,
		Brokers:           []string{c.bootstrap},
		Topics:            []string{topic},
		StartOffset:       kafka.FirstOffset,
		HeartbeatInterval: contract.Heartbeat,
		SessionTimeout:    contract.Session,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	one := &member{client: c, seat: seat, topic: topic}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		one.live(ctx, group)
	}()
	seat.Commit = one.commit
	seat.Close = func() error {
		cancel()
		<-ended
		return group.Close()
	}
	return nil
}

func (c *client) Work(*contract.Desk, string) (func() error, error) {
	return nil, contract.Lacks("kafka-go has no share groups")
}

func (c *client) NewGroups() ([]string, error) {
	return nil, contract.Lacks("kafka-go has no groups of the new protocol")
}

func (c *client) Groups() ([]string, error) {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.plain.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, group := range answer.Groups {
		groups = append(groups, group.GroupID)
	}
	return groups, answer.Error
}

func (c *client) DescribeGroup(group string) (contract.Group, error) {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.plain.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return contract.Group{}, err
	}
	described := answer.Groups[0]
	seen := contract.Group{State: described.GroupState}
	for _, one := range described.Members {
		for _, topic := range one.MemberAssignments.Topics {
			seen.Members = append(seen.Members, slices.Sorted(slices.Values(topic.Partitions)))
		}
	}
	return seen, described.Error
}

func (c *client) DeleteGroup(group string) error {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.plain.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return answer.Errors[group]
}

func (c *client) Offsets(group, topic string) (map[int]int64, error) {
	ctx, cancel := timed()
	defer cancel()
	asked := map[string][]int{topic: {0, 1, 2}}
	answer, err := c.plain.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: asked})
	if err != nil {
		return nil, err
	}
	offsets := map[int]int64{}
	for _, partition := range answer.Topics[topic] {
		if partition.CommittedOffset >= 0 {
			offsets[partition.Partition] = partition.CommittedOffset
		}
	}
	return offsets, answer.Error
}

func (c *client) SetOffsets(group, topic string, offsets map[int]int64) error {
	ctx, cancel := timed()
	defer cancel()
	var to []kafka.OffsetCommit
	for partition, offset := range offsets {
		to = append(to, kafka.OffsetCommit{Partition: partition, Offset: offset})
	}
	answer, err := c.plain.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID:      group,
		GenerationID: -1,
		Topics:       map[string][]kafka.OffsetCommit{topic: to},
	})
	if err != nil {
		return err
	}
	for _, partition := range answer.Topics[topic] {
		err = errors.Join(err, partition.Error)
	}
	return err
}

func (c *client) DeleteOffset(group, topic string, partition int) error {
	ctx, cancel := timed()
	defer cancel()
	asked := map[string][]int{topic: {partition}}
	answer, err := c.plain.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: group, Topics: asked})
	if err != nil {
		return err
	}
	return errors.Join(answer.Error, answer.Topics[topic][0].Error)
}

// Administration.

func (c *client) Grow(topic string, partitions int) error {
	ctx, cancel := timed()
	defer cancel()
	wanted := []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(partitions)}}
	answer, err := c.plain.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: wanted})
	if err != nil {
		return err
	}
	return answer.Errors[topic]
}

func (c *client) Configs(topic string) (map[string]string, error) {
	ctx, cancel := timed()
	defer cancel()
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
	asked := &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}}
	answer, err := c.plain.DescribeConfigs(ctx, asked)
	if err != nil {
		return nil, err
	}
	configs := map[string]string{}
	for _, entry := range answer.Resources[0].ConfigEntries {
		configs[entry.ConfigName] = entry.ConfigValue
	}
	return configs, answer.Resources[0].Error
}

func (c *client) alter(topic string, change kafka.IncrementalAlterConfigsRequestConfig) error {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.plain.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic,
			ResourceName: topic,
			Configs:      []kafka.IncrementalAlterConfigsRequestConfig{change},
		}},
	})
	if err != nil {
		return err
	}
	return answer.Resources[0].Error
}

func (c *client) SetConfig(topic, name, value string) error {
	set := kafka.IncrementalAlterConfigsRequestConfig{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}
	return c.alter(topic, set)
}

func (c *client) ResetConfig(topic, name string) error {
	reset := kafka.IncrementalAlterConfigsRequestConfig{Name: name, ConfigOperation: kafka.ConfigOperationDelete}
	return c.alter(topic, reset)
}

func (c *client) DeleteBefore(string, map[int]int64) error {
	return contract.Lacks("kafka-go does not delete records")
}

func (c *client) LogSizes(string) (map[int]int64, error) {
	return nil, contract.Lacks("kafka-go does not ask for log dirs")
}

// The driver of sarama.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"drave.invalid/conformance/contract"
)

type client struct {
	bootstrap []string
	plain     sarama.Client
	admin     sarama.ClusterAdmin
}

func main() {
	contract.Main("github.com/IBM/sarama", func(bootstrap string) (contract.Client, error) {
		plain, err := sarama.NewClient([]string{bootstrap}, config())
		if err != nil {
			return nil, err
		}
		admin, err := sarama.NewClusterAdminFromClient(plain)
		return &client{[]string{bootstrap}, plain, admin}, err
	})
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Flush.Frequency = time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = contract.Heartbeat
	config.Consumer.Group.Session.Timeout = contract.Session
	return config
}

// Nulls: its consumer gives nil for null, and an empty slice for what is empty.
func (c *client) Nulls() bool { return true }

func (c *client) Code(err error) int {
	var code sarama.KError
	if errors.As(err, &code) {
		return int(code)
	}
	return 0
}

// Topics and records.

func (c *client) Create(topic string, partitions int, configs map[string]string) error {
	detail := &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for name, value := range configs {
		detail.ConfigEntries[name] = &value
	}
	return c.admin.CreateTopic(topic, detail, false)
}

func (c *client) Delete(topic string) error { return c.admin.DeleteTopic(topic) }

func (c *client) Topics() (map[string]int, error) {
	listed, err := c.admin.ListTopics()
	topics := map[string]int{}
	for name, detail := range listed {
		topics[name] = int(detail.NumPartitions)
	}
	return topics, err
}

func (c *client) Leaders(topic string) (map[int]int, error) {
	described, err := c.admin.DescribeTopics([]string{topic})
	if err != nil {
		return nil, err
	}
	leaders := map[int]int{}
	for _, partition := range described[0].Partitions {
		leaders[int(partition.ID)] = int(partition.Leader)
	}
	return leaders, nil
}

var codecs = map[string]sarama.CompressionCodec{
	"":       sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func (c *client) Produce(topic string, partition int, records []contract.Record, how contract.How) error {
	own := config()
	own.Producer.Compression = codecs[how.Codec]
	own.Producer.RequiredAcks = sarama.WaitForAll
	own.Net.MaxOpenRequests = 1
	own.Producer.Idempotent = how.Idempotent
	switch how.Acks {
	case "0":
		own.Producer.RequiredAcks = sarama.NoResponse
	case "1":
		own.Producer.RequiredAcks = sarama.WaitForLocal
	}
	producer, err := sarama.NewSyncProducer(c.bootstrap, own)
	if err != nil {
		return err
	}
	var sent []*sarama.ProducerMessage
	for _, record := range records {
		message := &sarama.ProducerMessage{
			Topic:     topic,
			Partition: int32(partition),
			Timestamp: time.UnixMilli(record.TimestampMs),
		}
		if record.Key != nil {
			message.Key = sarama.ByteEncoder(record.Key)
		}
		if record.Value != nil {
			message.Value = sarama.ByteEncoder(record.Value)
		}
		for _, header := range record.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Key), Value: header.Value})
		}
		sent = append(sent, message)
	}
	return errors.Join(producer.SendMessages(sent), producer.Close())
}

func (c *client) Consume(topic string, partition int, start int64, count int) ([]contract.Read, error) {
	consumer, err := sarama.NewConsumer(c.bootstrap, config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	one, err := consumer.ConsumePartition(topic, int32(partition), start)
	if err != nil {
		return nil, err
	}
	defer one.Close()
	deadline := time.After(contract.Deadline)
	var read []contract.Read
	for len(read) < count {
		select {
		case message := <-one.Messages():
			read = append(read, readOf(message))
		case <-deadline:
			return read, fmt.Errorf("%d of %d records within %v", len(read), count, contract.Deadline)
		}
	}
	return read, nil
}

func readOf(message *sarama.ConsumerMessage) contract.Read {
	read := contract.Read{
		Record:    contract.Record{Key: message.Key, Value: message.Value, TimestampMs: message.Timestamp.UnixMilli()},
		Partition: int(message.Partition),
		Offset:    message.Offset,
	}
	for _, header := range message.Headers {
		read.Headers = append(read.Headers, contract.Header{Key: string(header.Key), Value: header.Value})
	}
	return read
}

func (c *client) Ends(topic string, partition int) (start, end int64, err error) {
	if start, err = c.plain.GetOffset(topic, int32(partition), sarama.OffsetOldest); err != nil {
		return
	}
	end, err = c.plain.GetOffset(topic, int32(partition), sarama.OffsetNewest)
	return
}

func (c *client) OffsetFor(topic string, partition int, timestampMs int64) (int64, error) {
	return c.plain.GetOffset(topic, int32(partition), timestampMs)
}

// Groups.

// member hands what it reads to the seat. A claim lasts as long as the partition is its own.
type member struct {
	seat    *contract.Seat
	session chan sarama.ConsumerGroupSession
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	select {
	case <-m.session:
	default:
	}
	m.session <- session
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	its := []int{int(claim.Partition())}
	m.seat.Gained(its)
	defer m.seat.Lost(its)
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			session.MarkMessage(message, "")
			m.seat.Got(readOf(message))
		case <-session.Context().Done():
			return nil
		}
	}
}

func (c *client) Join(seat *contract.Seat, topic string, how contract.Joining) error {
	if how.ServerSide {
		return contract.Lacks("sarama has no groups of the new protocol")
	}
	own := config()
	own.Consumer.Group.InstanceId = how.Instance
	strategy := sarama.NewBalanceStrategyRange()
	if how.Cooperative {
		strategy = sarama.NewBalanceStrategyCooperativeSticky()
	}
	own.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	group, err := sarama.NewConsumerGroup(c.bootstrap, topic, own)
	if err != nil {
		return err
	}
	handler := &member{seat, make(chan sarama.ConsumerGroupSession, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{topic}, handler); err != nil {
				log.Print(err)
			}
		}
	}()
	seat.Commit = func() error {
		session := <-handler.session
		session.Commit()
		handler.session <- session
		return nil
	}
	seat.Close = func() error {
		cancel()
		<-ended
		return group.Close()
	}
	return nil
}

func (c *client) Work(*contract.Desk, string) (func() error, error) {
	return nil, contract.Lacks("sarama has no share groups")
}

func (c *client) NewGroups() ([]string, error) {
	return nil, contract.Lacks("sarama has no groups of the new protocol")
}

func (c *client) Groups() ([]string, error) {
	listed, err := c.admin.ListConsumerGroups()
	var groups []string
	for group := range listed {
		groups = append(groups, group)
	}
	return groups, err
}

func (c *client) DescribeGroup(group string) (contract.Group, error) {
	listed, err := c.admin.DescribeConsumerGroups([]string{group})
	if err != nil {
		return contract.Group{}, err
	}
	seen := contract.Group{State: listed[0].State}
	for _, one := range listed[0].Members {
		assignment, err := one.GetMemberAssignment()
		if err != nil {
			return seen, err
		}
		for _, partitions := range assignment.Topics {
			var owned []int
			for _, partition := range partitions {
				owned = append(owned, int(partition))
			}
			slices.Sort(owned)
			seen.Members = append(seen.Members, owned)
		}
	}
	if listed[0].Err != sarama.ErrNoError {
		return seen, listed[0].Err
	}
	return seen, nil
}

func (c *client) DeleteGroup(group string) error { return c.admin.DeleteConsumerGroup(group) }

func (c *client) Offsets(group, topic string) (map[int]int64, error) {
	answer, err := c.admin.ListConsumerGroupOffsets(group, nil)
	if err != nil {
		return nil, err
	}
	offsets := map[int]int64{}
	for partition, block := range answer.Blocks[topic] {
		offsets[int(partition)] = block.Offset
	}
	return offsets, nil
}

func (c *client) SetOffsets(group, topic string, offsets map[int]int64) error {
	to := map[int32]sarama.OffsetAndMetadata{}
	for partition, offset := range offsets {
		to[int32(partition)] = sarama.OffsetAndMetadata{Offset: offset, LeaderEpoch: -1}
	}
	answer, err := c.admin.AlterConsumerGroupOffsets(group, map[string]map[int32]sarama.OffsetAndMetadata{topic: to}, nil)
	if err != nil {
		return err
	}
	for _, code := range answer.Errors[topic] {
		if code != sarama.ErrNoError {
			return code
		}
	}
	return nil
}

func (c *client) DeleteOffset(group, topic string, partition int) error {
	return c.admin.DeleteConsumerGroupOffset(group, topic, int32(partition))
}

// Administration.

func (c *client) Grow(topic string, partitions int) error {
	err := c.admin.CreatePartitions(topic, int32(partitions), nil, false)
	return errors.Join(err, c.plain.RefreshMetadata(topic))
}

func (c *client) Configs(topic string) (map[string]string, error) {
	entries, err := c.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	configs := map[string]string{}
	for _, entry := range entries {
		configs[entry.Name] = entry.Value
	}
	return configs, err
}

func (c *client) alter(topic, name string, how sarama.IncrementalAlterConfigsOperation, value *string) error {
	entry := map[string]sarama.IncrementalAlterConfigsEntry{name: {Operation: how, Value: value}}
	return c.admin.IncrementalAlterConfig(sarama.TopicResource, topic, entry, false)
}

func (c *client) SetConfig(topic, name, value string) error {
	return c.alter(topic, name, sarama.IncrementalAlterConfigsOperationSet, &value)
}

func (c *client) ResetConfig(topic, name string) error {
	return c.alter(topic, name, sarama.IncrementalAlterConfigsOperationDelete, nil)
}

func (c *client) DeleteBefore(topic string, offsets map[int]int64) error {
	wanted := map[int32]int64{}
	for partition, offset := range offsets {
		wanted[int32(partition)] = offset
	}
	return c.admin.DeleteRecords(topic, wanted)
}

func (c *client) LogSizes(topic string) (map[int]int64, error) {
	nodes, _, err := c.admin.DescribeCluster()
	if err != nil {
		return nil, err
	}
	var ids []int32
	for _, node := range nodes {
		ids = append(ids, node.ID())
	}
	brokers, err := c.admin.DescribeLogDirs(ids)
	sizes := map[int]int64{}
	for _, folders := range brokers {
		for _, folder := range folders {
			for _, found := range folder.Topics {
				for _, partition := range found.Partitions {
					if found.Topic == topic {
						sizes[int(partition.PartitionID)] = partition.Size
					}
				}
			}
		}
	}
	return sizes, err
}

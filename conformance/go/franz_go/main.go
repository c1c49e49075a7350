// The driver of franz-go.
package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"drave.invalid/conformance/contract"
)

type client struct {
	bootstrap string
	admin     *kadm.Client
}

func main() {
	contract.Main("github.com/twmb/franz-go", func(bootstrap string) (contract.Client, error) {
		plain, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
		return &client{bootstrap, kadm.NewClient(plain)}, err
	})
}

func (c *client) Nulls() bool { return true }

func (c *client) Code(err error) int {
	var refusal *kerr.Error
	if errors.As(err, &refusal) {
		return int(refusal.Code)
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
	wanted := map[string]*string{}
	for name, value := range configs {
		wanted[name] = &value
	}
	answer, err := c.admin.CreateTopic(ctx, int32(partitions), 1, wanted, topic)
	return errors.Join(err, answer.Err)
}

func (c *client) Delete(topic string) error {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.admin.DeleteTopic(ctx, topic)
	return errors.Join(err, answer.Err)
}

func (c *client) Topics() (map[string]int, error) {
	ctx, cancel := timed()
	defer cancel()
	listed, err := c.admin.ListTopics(ctx)
	topics := map[string]int{}
	for name, topic := range listed {
		topics[name] = len(topic.Partitions)
	}
	return topics, err
}

func (c *client) Leaders(topic string) (map[int]int, error) {
	ctx, cancel := timed()
	defer cancel()
	listed, err := c.admin.ListTopics(ctx, topic)
	leaders := map[int]int{}
	for _, partition := range listed[topic].Partitions {
		leaders[int(partition.Partition)] = int(partition.Leader)
	}
	return leaders, err
}

var codecs = map[string]kgo.CompressionCodec{
	"":       kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func (c *client) Produce(topic string, partition int, records []contract.Record, how contract.How) error {
	ctx, cancel := timed()
	defer cancel()
	options := []kgo.Opt{
		kgo.SeedBrokers(c.bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[how.Codec]),
	}
	if !how.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	switch how.Acks {
	case "0":
		options = append(options, kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	producer, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer producer.Close()
	var sent []*kgo.Record
	for _, record := range records {
		sent = append(sent, &kgo.Record{
			Topic:     topic,
			Partition: int32(partition),
			Key:       record.Key,
			Value:     record.Value,
			Timestamp: time.UnixMilli(record.TimestampMs),
			Headers:   headers(record.Headers),
		})
	}
	return producer.ProduceSync(ctx, sent...).FirstErr()
}

func (c *client) Consume(topic string, partition int, start int64, count int) ([]contract.Read, error) {
	ctx, cancel := timed()
	defer cancel()
	where := map[string]map[int32]kgo.Offset{topic: {int32(partition): kgo.NewOffset().At(start)}}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap), kgo.ConsumePartitions(where))
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	var read []contract.Read
	for len(read) < count {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return read, err
		}
		fetches.EachRecord(func(record *kgo.Record) { read = append(read, readOf(record)) })
	}
	return read, nil
}

func (c *client) Ends(topic string, partition int) (start, end int64, err error) {
	ctx, cancel := timed()
	defer cancel()
	first, err := c.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	last, err := c.admin.ListEndOffsets(ctx, topic)
	return first[topic][int32(partition)].Offset, last[topic][int32(partition)].Offset, err
}

func (c *client) OffsetFor(topic string, partition int, timestampMs int64) (int64, error) {
	ctx, cancel := timed()
	defer cancel()
	listed, err := c.admin.ListOffsetsAfterMilli(ctx, timestampMs, topic)
	found := listed[topic][int32(partition)]
	if found.Timestamp < 0 { // it answers the end then
		return -1, errors.Join(err, found.Err)
	}
	return found.Offset, errors.Join(err, found.Err)
}

// Groups.

func (c *client) Join(seat *contract.Seat, topic string, how contract.Joining) error {
	gained := func(_ context.Context, _ *kgo.Client, added map[string][]int32) { seat.Gained(ints(added[topic])) }
	lost := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { seat.Lost(ints(gone[topic])) }
	balancer := kgo.RangeBalancer()
	if how.Cooperative {
		balancer = kgo.CooperativeStickyBalancer()
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.bootstrap),
		kgo.ConsumerGroup(topic),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(balancer),
		kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(contract.Heartbeat),
		kgo.SessionTimeout(contract.Session),
		kgo.OnPartitionsAssigned(gained),
		kgo.OnPartitionsRevoked(lost),
		kgo.OnPartitionsLost(lost),
	}
	if how.Instance != "" {
		options = append(options, kgo.InstanceID(how.Instance))
	}
	if how.ServerSide {
		options = append(options, kgo.ServerSideBalancer())
	}
	member, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			fetches := member.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			fetches.EachRecord(func(record *kgo.Record) { seat.Got(readOf(record)) })
		}
	}()
	seat.Commit = func() error {
		ctx, cancel := timed()
		defer cancel()
		return member.CommitUncommittedOffsets(ctx)
	}
	seat.Close = func() error {
		member.Close()
		<-ended
		return nil
	}
	return nil
}

func (c *client) Groups() ([]string, error) {
	ctx, cancel := timed()
	defer cancel()
	listed, err := c.admin.ListGroups(ctx)
	return listed.Groups(), err
}

func (c *client) NewGroups() ([]string, error) {
	ctx, cancel := timed()
	defer cancel()
	listed, err := c.admin.ListGroupsByType(ctx, []string{"consumer"})
	return listed.Groups(), err
}

func (c *client) DescribeGroup(group string) (contract.Group, error) {
	ctx, cancel := timed()
	defer cancel()
	listed, err := c.admin.DescribeGroups(ctx, group)
	described := listed[group]
	seen := contract.Group{State: described.State}
	for _, member := range described.Members {
		if assigned, ok := member.Assigned.AsConsumer(); ok {
			for _, topic := range assigned.Topics {
				seen.Members = append(seen.Members, ints(topic.Partitions))
			}
		}
	}
	return seen, errors.Join(err, described.Err)
}

func (c *client) DeleteGroup(group string) error {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.admin.DeleteGroup(ctx, group)
	return errors.Join(err, answer.Err)
}

func (c *client) Offsets(group, topic string) (map[int]int64, error) {
	ctx, cancel := timed()
	defer cancel()
	fetched, err := c.admin.FetchOffsets(ctx, group)
	offsets := map[int]int64{}
	for partition, answer := range fetched[topic] {
		offsets[int(partition)] = answer.At
		err = errors.Join(err, answer.Err)
	}
	return offsets, err
}

func (c *client) SetOffsets(group, topic string, offsets map[int]int64) error {
	ctx, cancel := timed()
	defer cancel()
	return c.admin.CommitAllOffsets(ctx, group, atEach(topic, offsets))
}

func (c *client) DeleteOffset(group, topic string, partition int) error {
	ctx, cancel := timed()
	defer cancel()
	var which kadm.TopicsSet
	which.Add(topic, int32(partition))
	answer, err := c.admin.DeleteOffsets(ctx, group, which)
	return errors.Join(err, answer.Error())
}

// Administration.

func (c *client) Grow(topic string, partitions int) error {
	ctx, cancel := timed()
	defer cancel()
	answer, err := c.admin.UpdatePartitions(ctx, partitions, topic)
	return errors.Join(err, answer.Error())
}

func (c *client) Configs(topic string) (map[string]string, error) {
	ctx, cancel := timed()
	defer cancel()
	described, err := c.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, err
	}
	resource, err := described.On(topic, nil)
	configs := map[string]string{}
	for _, config := range resource.Configs {
		configs[config.Key] = config.MaybeValue()
	}
	return configs, errors.Join(err, resource.Err)
}

func (c *client) alter(topic string, change kadm.AlterConfig) error {
	ctx, cancel := timed()
	defer cancel()
	answers, err := c.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, topic)
	for _, answer := range answers {
		err = errors.Join(err, answer.Err)
	}
	return err
}

func (c *client) SetConfig(topic, name, value string) error {
	return c.alter(topic, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
}

func (c *client) ResetConfig(topic, name string) error {
	return c.alter(topic, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: name})
}

func (c *client) DeleteBefore(topic string, offsets map[int]int64) error {
	ctx, cancel := timed()
	defer cancel()
	answers, err := c.admin.DeleteRecords(ctx, atEach(topic, offsets))
	return errors.Join(err, answers.Error())
}

func (c *client) LogSizes(topic string) (map[int]int64, error) {
	ctx, cancel := timed()
	defer cancel()
	var which kadm.TopicsSet
	which.Add(topic, 0, 1, 2)
	brokers, err := c.admin.DescribeAllLogDirs(ctx, which)
	sizes := map[int]int64{}
	brokers.Each(func(folder kadm.DescribedLogDir) {
		err = errors.Join(err, folder.Err)
		for _, partition := range folder.Topics[topic] {
			sizes[int(partition.Partition)] = partition.Size
		}
	})
	return sizes, err
}

// Between its types and the contract's.

func atEach(topic string, offsets map[int]int64) kadm.Offsets {
	var wanted kadm.Offsets
	for partition, offset := range offsets {
		wanted.AddOffset(topic, int32(partition), offset, -1)
	}
	return wanted
}

func ints(partitions []int32) []int {
	var plain []int
	for _, partition := range partitions {
		plain = append(plain, int(partition))
	}
	slices.Sort(plain)
	return plain
}

package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"drave.invalid/conformance/contract"
)

var said = map[contract.Verdict]kgo.AckStatus{
	contract.Accept:  kgo.AckAccept,
	contract.Release: kgo.AckRelease,
	contract.Reject:  kgo.AckReject,
	contract.Renew:   kgo.AckRenew,
}

func (c *client) Work(desk *contract.Desk, topic string) (func() error, error) {
	if err := c.beginAtEarliest(topic); err != nil {
		return nil, err
	}
	heard := func(_ *kgo.Client, results kgo.ShareAckResults) {
		if err := results.Error(); err != nil {
			desk.Refused(err)
		}
	}
	worker, err := kgo.NewClient(
		kgo.SeedBrokers(c.bootstrap),
		kgo.ShareGroup(topic),
		kgo.ConsumeTopics(topic),
		kgo.ShareMaxRecords(20),
		kgo.ShareAckCallback(heard),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := work(ctx, worker, desk); err != nil && ctx.Err() == nil {
				desk.Refused(err)
				return
			}
		}
	}()
	return func() error {
		cancel()
		<-ended
		worker.Close()
		return nil
	}, nil
}

// work on what one poll gives.
func work(ctx context.Context, worker *kgo.Client, desk *contract.Desk) error {
	fetches := worker.PollRecords(ctx, 20)
	if err := fetches.Err(); err != nil {
		return err
	}
	for _, record := range fetches.Records() {
		delivery := contract.Delivery{Read: readOf(record), Count: int(record.DeliveryCount())}
		verdict := desk.Judge(delivery)
		record.Ack(said[verdict])
		if verdict == contract.Renew {
			// It is heard of a renewal once the broker has answered.
			if err := worker.FlushAcks(ctx); err != nil {
				return err
			}
			delivery.Renewed = true
			record.Ack(said[desk.Judge(delivery)])
		}
	}
	return worker.FlushAcks(context.WithoutCancel(ctx))
}

// beginAtEarliest, where a share group begins at the latest record. kadm alters no configs of groups.
func (c *client) beginAtEarliest(group string) error {
	ctx, cancel := timed()
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	earliest := "earliest"
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = "share.auto.offset.reset", &earliest
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	resource.Configs = append(resource.Configs, config)
	request := kmsg.NewIncrementalAlterConfigsRequest()
	request.Resources = append(request.Resources, resource)
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.Resources[0].ErrorCode)
}

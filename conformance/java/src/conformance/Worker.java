package conformance;

import static conformance.Contract.PARTITIONS;
import static conformance.Contract.same;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of the share group that has its topic's name. It says to each record what the contract says. */
final class Worker implements AutoCloseable {
    private static final Duration MOMENT = Duration.ofMillis(50);

    private final KafkaShareConsumer<byte[], byte[]> consumer;
    private final List<ConsumerRecord<byte[], byte[]>> settled = new ArrayList<>();
    private final Set<String> renewed = new HashSet<>();
    private int released;

    Worker(String bootstrap, String topic) {
        Map<String, Object> configs = Map.of(
                "bootstrap.servers", bootstrap,
                "group.id", topic,
                "share.acknowledgement.mode", "explicit",
                "max.poll.records", 20,
                "fetch.max.wait.ms", 100);
        consumer = new KafkaShareConsumer<>(configs, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(topic));
    }

    private void work() {
        for (ConsumerRecord<byte[], byte[]> each : consumer.poll(MOMENT)) {
            AcknowledgeType verdict = verdict(each);
            consumer.acknowledge(each, verdict);
            switch (verdict) {
                case ACCEPT, REJECT -> settled.add(each);
                case RELEASE -> released++;
                case RENEW -> renewed.add(where(each));
            }
        }
        for (Optional<KafkaException> refusal : consumer.commitSync().values()) {
            refusal.ifPresent(each -> {
                throw each;
            });
        }
    }

    private AcknowledgeType verdict(ConsumerRecord<byte[], byte[]> record) {
        int digit = (int) (record.offset() % 10);
        int delivery = record.deliveryCount().orElseThrow();
        if (digit == 1 && delivery == 1) {
            return AcknowledgeType.RELEASE;
        }
        same(delivery, digit == 1 ? 2 : 1, "the delivery count of " + where(record));
        return switch (digit) {
            case 2 -> AcknowledgeType.REJECT;
            case 3 -> renewed.contains(where(record)) ? AcknowledgeType.ACCEPT : AcknowledgeType.RENEW;
            default -> AcknowledgeType.ACCEPT;
        };
    }

    private static String where(ConsumerRecord<?, ?> record) {
        return record.topic() + "-" + record.partition() + " at " + record.offset();
    }

    /** That together they are given exactly these records, and settle each one once. */
    static void settle(String topic, int start, int end, List<Worker> workers) throws Exception {
        int wanted = PARTITIONS * (end - start);
        Contract.until(
                () -> {
                    workers.forEach(Worker::work);
                    return workers.stream().mapToInt(each -> each.settled.size()).sum() >= wanted;
                },
                wanted + " records are settled");
        int digits = PARTITIONS * (end - start) / 10;
        same(workers.stream().mapToInt(each -> each.released).sum(), digits, "the records that came again");
        same(workers.stream().mapToInt(each -> each.renewed.size()).sum(), digits, "the records that were renewed");
        for (int partition : Room.ALL) {
            List<ConsumerRecord<byte[], byte[]>> its = workers.stream()
                    .flatMap(each -> each.settled.stream())
                    .filter(each -> each.partition() == partition)
                    .sorted(Comparator.comparingLong(ConsumerRecord::offset))
                    .toList();
            Contract.check(topic, partition, its, start, end, false);
        }
    }

    @Override
    public void close() {
        consumer.close();
    }
}

package conformance;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of the group that has its topic's name; it lives while it is polled. */
final class Member implements AutoCloseable, ConsumerRebalanceListener {
    private static final Duration MOMENT = Duration.ofMillis(20);

    final List<Set<Integer>> revoked = new ArrayList<>();
    final List<ConsumerRecord<byte[], byte[]>> read = new ArrayList<>();
    private final KafkaConsumer<byte[], byte[]> consumer;
    private boolean closed;

    Member(String bootstrap, String topic, Map<String, Object> own) {
        consumer = consumer(bootstrap, topic, own);
        consumer.subscribe(List.of(topic), this);
    }

    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String group, Map<String, Object> own) {
        Map<String, Object> configs = new HashMap<>();
        configs.put("bootstrap.servers", bootstrap);
        configs.put("group.id", group);
        configs.put("enable.auto.commit", false);
        configs.put("auto.offset.reset", "earliest");
        configs.put("fetch.max.wait.ms", 100);
        if (!own.containsKey("group.protocol")) { // in the new one these are the broker's
            configs.put("heartbeat.interval.ms", 200);
            configs.put("session.timeout.ms", 6_000);
            configs.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
        }
        configs.putAll(own);
        return new KafkaConsumer<>(configs, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    void poll() {
        consumer.poll(MOMENT).forEach(read::add);
    }

    Set<Integer> partitions() {
        return numbers(consumer.assignment());
    }

    void commit() {
        consumer.commitSync();
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> gone) {
        if (!gone.isEmpty()) {
            revoked.add(numbers(gone));
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> gained) {}

    private static Set<Integer> numbers(Collection<TopicPartition> partitions) {
        return partitions.stream().map(TopicPartition::partition).collect(Collectors.toCollection(TreeSet::new));
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            consumer.close();
        }
    }
}

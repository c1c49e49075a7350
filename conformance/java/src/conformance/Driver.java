package conformance;

import static conformance.Contract.CUT;
import static conformance.Contract.FIRST_TIMESTAMP;
import static conformance.Contract.HALF;
import static conformance.Contract.PARTITIONS;
import static conformance.Contract.RECORDS;
import static conformance.Contract.STEP_MS;
import static conformance.Contract.same;
import static conformance.Contract.until;

import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The driver of the Java client: BOOTSTRAP NAME SCENARIO… */
public final class Driver {
    /** One request at a time: without idempotence, one that is sent again would be overtaken. */
    private static final Map<String, Object> PLAIN =
            Map.of("enable.idempotence", false, "max.in.flight.requests.per.connection", 1);

    private interface Scenario {
        void run() throws Exception;
    }

    private final String bootstrap;
    private final String name;
    private final Admin admin;

    private Driver(String bootstrap, String name, Admin admin) {
        this.bootstrap = bootstrap;
        this.name = name;
        this.admin = admin;
    }

    private static String version() throws IOException {
        Properties said = new Properties();
        try (InputStream in = Driver.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            said.load(in);
        }
        return said.getProperty("version");
    }

    public static void main(String[] arguments) throws IOException {
        System.out.println("{\"version\": " + quoted(version()) + "}");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments[0]))) {
            Map<String, Scenario> table = new Driver(arguments[0], arguments[1], admin).table();
            for (int index = 2; index < arguments.length; index++) {
                String scenario = arguments[index];
                String detail = "";
                try {
                    table.get(scenario).run();
                } catch (Throwable went) {
                    went.printStackTrace();
                    detail = String.valueOf(went instanceof ExecutionException ? went.getCause() : went);
                }
                boolean ok = detail.isEmpty();
                String line = "{\"scenario\": %s, \"ok\": %b, \"detail\": %s}";
                System.out.println(String.format(line, quoted(scenario), ok, quoted(detail)));
            }
        }
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        text.chars().forEach(each -> {
            if (each < ' ' || each == '"' || each == '\\') {
                out.append(String.format("\\u%04x", each));
            } else {
                out.append((char) each);
            }
        });
        return out.append('"').toString();
    }

    private Map<String, Scenario> table() {
        Map<String, Scenario> table = new HashMap<>();
        table.put("topics", this::topics);
        table.put("records", () -> writeAndRead("records", true, PLAIN));
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
            table.put(codec, () -> writeAndRead(codec, false, with("compression.type", codec)));
        }
        table.put("acks", this::acks);
        table.put("idempotent", () -> writeAndRead("idempotent", false, Map.of("enable.idempotence", true)));
        table.put("time", this::time);
        table.put("group", this::group);
        table.put("rebalance", () -> rebalance("rebalance", Map.of()));
        table.put("cooperative", this::cooperative);
        table.put("static", this::staticMembers);
        table.put("new-groups", this::newGroups);
        table.put("share-groups", this::shareGroups);
        table.put("groups", this::groups);
        table.put("offsets", this::offsets);
        table.put("partitions", this::partitions);
        table.put("configs", this::configs);
        table.put("delete-records", this::deleteRecords);
        table.put("log-dirs", this::logDirs);
        return table;
    }

    // What scenarios are made of.

    private static Map<String, Object> with(String config, Object value) {
        Map<String, Object> configs = new HashMap<>(PLAIN);
        configs.put(config, value);
        return configs;
    }

    private String create(String scenario) throws Exception {
        String topic = name + "-" + scenario;
        NewTopic wanted = new NewTopic(topic, PARTITIONS, (short) 1).configs(Map.of("retention.ms", "-1"));
        admin.createTopics(List.of(wanted)).all().get();
        return topic;
    }

    private void fill(String topic, int partition, int start, int end, boolean large, Map<String, Object> own)
            throws Exception {
        Map<String, Object> configs = new HashMap<>(own);
        configs.put("bootstrap.servers", bootstrap);
        ByteArraySerializer bytes = new ByteArraySerializer();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(configs, bytes, bytes)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int number = start; number < end; number++) {
                sent.add(producer.send(Contract.record(topic, partition, number, large)));
            }
            for (Future<RecordMetadata> each : sent) {
                each.get();
            }
        }
    }

    private void fill(String topic, int start, int end) throws Exception {
        for (int partition : Room.ALL) {
            fill(topic, partition, start, end, false, PLAIN);
        }
    }

    /** That the partition has exactly the records from start on, and ends there. */
    private void check(String topic, int partition, int start, boolean large) throws Exception {
        TopicPartition where = new TopicPartition(topic, partition);
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = Member.consumer(bootstrap, topic + "-reader", Map.of())) {
            consumer.assign(List.of(where));
            consumer.seek(where, start);
            until(
                    () -> {
                        consumer.poll(Duration.ofMillis(50)).forEach(got::add);
                        return got.size() >= RECORDS - start;
                    },
                    (RECORDS - start) + " records are read");
        }
        Contract.check(topic, partition, got, start, RECORDS, large);
        same(end(where, OffsetSpec.latest()), (long) RECORDS, "the end of " + where);
    }

    private long end(TopicPartition where, OffsetSpec which) throws Exception {
        return admin.listOffsets(Map.of(where, which)).partitionResult(where).get().offset();
    }

    private static void refused(Class<? extends Exception> wanted, Callable<?> work) throws Exception {
        try {
            work.call();
        } catch (ExecutionException refusal) {
            same(refusal.getCause().getClass(), wanted, "the refusal (" + refusal.getCause().getMessage() + ")");
            return;
        }
        throw new Contract.Wrong("it was not refused with " + wanted.getSimpleName());
    }

    // Topics and records.

    private TopicDescription described(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private void topics() throws Exception {
        String topic = create("topics");
        until(() -> admin.listTopics().names().get().contains(topic), "the new topic is listed");
        Set<Integer> led = described(topic).partitions().stream()
                .filter(each -> each.leader() != null)
                .map(each -> each.partition())
                .collect(Collectors.toSet());
        same(led, Room.ALL, "the partitions that have a leader");
        refused(TopicExistsException.class, () -> create("topics"));
        admin.deleteTopics(List.of(topic)).all().get();
        until(() -> !admin.listTopics().names().get().contains(topic), "the topic is gone");
    }

    private void writeAndRead(String scenario, boolean large, Map<String, Object> own) throws Exception {
        String topic = create(scenario);
        for (int partition : Room.ALL) {
            fill(topic, partition, 0, RECORDS, large, own);
            check(topic, partition, 0, large);
        }
    }

    private void acks() throws Exception {
        String topic = create("acks");
        // Backwards: where nobody answers, the topic has to be there for sure.
        for (int partition = 2; partition >= 0; partition--) {
            fill(topic, partition, 0, RECORDS, false, with("acks", List.of("0", "1", "all").get(partition)));
            check(topic, partition, 0, false);
        }
    }

    private void time() throws Exception {
        String topic = create("time");
        fill(topic, 0, RECORDS);
        try (KafkaConsumer<byte[], byte[]> consumer = Member.consumer(bootstrap, topic, Map.of())) {
            for (int partition : Room.ALL) {
                TopicPartition where = new TopicPartition(topic, partition);
                long own = FIRST_TIMESTAMP + HALF * STEP_MS;
                Map<Long, Integer> wanted = new HashMap<>();
                wanted.put(own, HALF);
                wanted.put(own + 1, HALF + 1);
                for (Map.Entry<Long, Integer> each : wanted.entrySet()) {
                    OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(where, each.getKey())).get(where);
                    same(found.offset(), (long) each.getValue(), "the offset of time " + each.getKey());
                }
                Object past = consumer.offsetsForTimes(Map.of(where, FIRST_TIMESTAMP + RECORDS * STEP_MS)).get(where);
                same(past == null, true, "no offset for a time past the end");
                check(topic, partition, HALF, false);
            }
        }
    }

    // Groups.

    private void group() throws Exception {
        String topic = create("group");
        fill(topic, 0, HALF);
        try (Room room = new Room(bootstrap, topic)) {
            Member first = room.join(Map.of());
            room.reads(0, HALF);
            first.commit();
            room.leave(first);
            fill(topic, HALF, RECORDS);
            room.join(Map.of());
            room.reads(HALF, RECORDS);
        }
    }

    private void rebalance(String scenario, Map<String, Object> own) throws Exception {
        String topic = create(scenario);
        try (Room room = new Room(bootstrap, topic)) {
            Member first = room.join(own);
            room.untilAll(first);
            Member second = room.join(own);
            room.untilShared(first, second);
            fill(topic, 0, HALF);
            room.reads(0, HALF);
            first.commit();
            second.commit();
            room.leave(first);
            room.untilAll(second);
            fill(topic, HALF, RECORDS);
            room.reads(HALF, RECORDS);
        }
    }

    private void cooperative() throws Exception {
        String topic = create("cooperative");
        String assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
        Map<String, Object> own = Map.of("partition.assignment.strategy", assignor);
        try (Room room = new Room(bootstrap, topic)) {
            Member first = room.join(own);
            room.untilAll(first);
            Member second = room.join(own);
            room.untilShared(first, second);
            same(first.revoked, List.of(second.partitions()), "what the first had to give up");
            fill(topic, 0, RECORDS);
            room.reads(0, RECORDS);
        }
    }

    private void staticMembers() throws Exception {
        String topic = create("static");
        try (Room room = new Room(bootstrap, topic)) {
            Member first = room.join(Map.of("group.instance.id", "a"));
            Member second = room.join(Map.of("group.instance.id", "b"));
            room.untilShared(first, second);
            Set<Integer> before = second.partitions();
            List<Set<Integer>> revoked = List.copyOf(first.revoked);
            room.leave(second);
            Member again = room.join(Map.of("group.instance.id", "b"));
            room.until(() -> !again.partitions().isEmpty(), "it is back");
            same(again.partitions(), before, "the partitions of who is back");
            same(first.revoked, revoked, "what the other had to give up");
            fill(topic, 0, RECORDS);
            room.reads(0, RECORDS);
        }
    }

    private void newGroups() throws Exception {
        rebalance("new-groups", Map.of("group.protocol", "consumer"));
        GroupListing its = admin.listGroups().all().get().stream()
                .filter(each -> each.groupId().equals(name + "-new-groups"))
                .findFirst()
                .orElseThrow();
        same(its.type().orElseThrow(), GroupType.CONSUMER, "the type of the group");
    }

    private void shareGroups() throws Exception {
        String topic = create("share-groups");
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, topic);
        AlterConfigOp earliest = new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), OpType.SET);
        admin.incrementalAlterConfigs(Map.of(group, List.of(earliest))).all().get();
        fill(topic, 0, HALF);
        try (Worker first = new Worker(bootstrap, topic);
                Worker second = new Worker(bootstrap, topic)) {
            Worker.settle(topic, 0, HALF, List.of(first, second));
        }
        fill(topic, HALF, RECORDS);
        try (Worker third = new Worker(bootstrap, topic)) {
            Worker.settle(topic, HALF, RECORDS, List.of(third));
        }
    }

    private boolean listed(String group) throws Exception {
        return admin.listGroups().all().get().stream().anyMatch(each -> each.groupId().equals(group));
    }

    private void groups() throws Exception {
        String topic = create("groups");
        try (Room room = new Room(bootstrap, topic)) {
            Member member = room.join(Map.of());
            room.untilAll(member);
            same(listed(topic), true, "the group is listed");
            ConsumerGroupDescription seen = describedGroup(topic);
            same(seen.groupState(), GroupState.STABLE, "the state of the group with its member");
            List<Set<Integer>> owned = seen.members().stream()
                    .map(each -> each.assignment().topicPartitions().stream()
                            .map(TopicPartition::partition)
                            .collect(Collectors.toSet()))
                    .toList();
            same(owned, List.of(Room.ALL), "the partitions of its members");
            refused(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(topic)).all().get());
            fill(topic, 0, RECORDS);
            room.reads(0, RECORDS);
            member.commit();
        }
        same(describedGroup(topic).groupState(), GroupState.EMPTY, "the state of the group without its member");
        admin.deleteConsumerGroups(List.of(topic)).all().get();
        same(listed(topic), false, "the group is listed");
    }

    private ConsumerGroupDescription describedGroup(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    private void offsets() throws Exception {
        String topic = create("offsets");
        fill(topic, 0, RECORDS);
        Map<Integer, Long> to = new HashMap<>(Map.of(0, 10L, 1, 20L, 2, 30L));
        Map<TopicPartition, OffsetAndMetadata> wanted = new HashMap<>();
        to.forEach((partition, offset) -> wanted.put(new TopicPartition(topic, partition), new OffsetAndMetadata(offset)));
        admin.alterConsumerGroupOffsets(topic, wanted).all().get();
        same(committed(topic), to, "the offsets of the group");
        admin.deleteConsumerGroupOffsets(topic, Set.of(new TopicPartition(topic, 2))).all().get();
        to.remove(2);
        same(committed(topic), to, "the offsets after one was deleted");
        try (Room room = new Room(bootstrap, topic)) {
            room.join(Map.of());
            room.reads(List.of(10, 20, 0), RECORDS);
        }
    }

    private Map<Integer, Long> committed(String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
                .collect(Collectors.toMap(each -> each.getKey().partition(), each -> each.getValue().offset()));
    }

    // Administration.

    private void partitions() throws Exception {
        String topic = create("partitions");
        int grown = PARTITIONS + 2;
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(grown))).all().get();
        until(() -> described(topic).partitions().size() == grown, "the topic has grown");
        NewPartitions fewer = NewPartitions.increaseTo(PARTITIONS);
        refused(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of(topic, fewer)).all().get());
        for (int partition = 0; partition < grown; partition++) {
            fill(topic, partition, 0, RECORDS, false, PLAIN);
            check(topic, partition, 0, false);
        }
    }

    private void configs() throws Exception {
        String topic = create("configs");
        ConfigEntry retention = config(topic, "retention.ms");
        same(retention.value(), "-1", "retention.ms as the topic was created");
        same(retention.source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "where it comes from");
        same(config(topic, "max.message.bytes").value(), "1048588", "the default of max.message.bytes");
        alter(topic, "7200000", OpType.SET);
        until(() -> config(topic, "retention.ms").value().equals("7200000"), "retention.ms is changed");
        refused(InvalidConfigurationException.class, () -> alter(topic, "soon", OpType.SET));
        same(config(topic, "retention.ms").value(), "7200000", "retention.ms after a refusal");
        alter(topic, null, OpType.DELETE);
        until(() -> config(topic, "retention.ms").value().equals("604800000"), "retention.ms is the default");
    }

    private ConfigEntry config(String topic, String config) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(config);
    }

    private Void alter(String topic, String value, OpType how) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry("retention.ms", value), how);
        return admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    private void deleteRecords() throws Exception {
        String topic = create("delete-records");
        fill(topic, 0, RECORDS);
        Map<TopicPartition, RecordsToDelete> wanted = Room.ALL.stream()
                .collect(Collectors.toMap(
                        each -> new TopicPartition(topic, each), each -> RecordsToDelete.beforeOffset(CUT)));
        admin.deleteRecords(wanted).all().get();
        for (TopicPartition where : wanted.keySet()) {
            same(end(where, OffsetSpec.earliest()), (long) CUT, "the start of " + where);
            check(topic, where.partition(), CUT, false);
        }
    }

    private void logDirs() throws Exception {
        String topic = create("log-dirs");
        fill(topic, 0, RECORDS);
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        Map<Integer, Long> sizes = new HashMap<>();
        for (LogDirDescription folder : admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node).values()) {
            folder.replicaInfos().forEach((where, replica) -> {
                if (where.topic().equals(topic)) {
                    sizes.put(where.partition(), replica.size());
                }
            });
        }
        same(sizes.keySet(), Room.ALL, "the partitions that have a size");
        for (int partition : Room.ALL) {
            long values = IntStream.range(0, RECORDS)
                    .mapToObj(number -> Contract.value(topic, partition, number, false))
                    .mapToLong(value -> value == null ? 0 : value.length)
                    .sum();
            same(sizes.get(partition) > values, true, topic + "-" + partition + " has more bytes than its values");
        }
    }
}

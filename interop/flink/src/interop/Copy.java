package interop;

import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.CheckpointingMode;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Copies NAME-in to NAME-out with Flink, exactly once: BOOTSTRAP NAME CHECKPOINTS [CHECKPOINT-TO-GO-ON-FROM].
 *
 * <pre>
 * NAME-in ──KafkaSource──> NumbersOf ──KafkaSink, exactly once──> NAME-out, each in the partition of its original
 *                    each checkpoint: offsets, and one transaction per writer
 * </pre>
 *
 * A whole Flink cluster in one process, which fails as a whole: what died goes on from its last checkpoint, whose
 * transactions it then commits in the dead one's name.
 */
public final class Copy {
    private Copy() {}

    private static final class WithItsPartition implements KafkaRecordDeserializationSchema<String> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<String> out) {
            out.collect(record.partition() + " " + new String(record.value()));
        }

        @Override
        public org.apache.flink.api.common.typeinfo.TypeInformation<String> getProducedType() {
            return org.apache.flink.api.common.typeinfo.Types.STRING;
        }
    }

    private record ToItsPartition(String topic) implements KafkaRecordSerializationSchema<String> {
        @Override
        public ProducerRecord<byte[], byte[]> serialize(String element, KafkaSinkContext context, Long timestamp) {
            int space = element.indexOf(' ');
            int partition = Integer.parseInt(element.substring(0, space));
            return new ProducerRecord<>(topic, partition, null, element.substring(space + 1).getBytes());
        }
    }

    private static Configuration configuration(String checkpoints) {
        return new Configuration()
                .set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, checkpoints)
                .set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem")
                .set(
                        CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                        ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION)
                .set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay")
                .set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, Integer.MAX_VALUE)
                .set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, java.time.Duration.ofMillis(200));
    }

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        String name = arguments[1];
        Configuration configuration = configuration(arguments[2]);
        if (arguments.length > 3) {
            configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, arguments[3]);
        }
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(2, configuration);
        flink.enableCheckpointing(500, CheckpointingMode.EXACTLY_ONCE);
        KafkaSource<String> source = KafkaSource.<String>builder()
                .setBootstrapServers(bootstrap)
                .setTopics(name + "-in")
                .setGroupId(name)
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new WithItsPartition())
                .setProperty("reconnect.backoff.max.ms", "200")
                .build();
        Properties producer = new Properties();
        producer.setProperty("transaction.timeout.ms", "600000");
        producer.setProperty("reconnect.backoff.max.ms", "200");
        KafkaSink<String> sink = KafkaSink.<String>builder()
                .setBootstrapServers(bootstrap)
                .setKafkaProducerConfig(producer)
                .setRecordSerializer(new ToItsPartition(name + "-out"))
                .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
                .setTransactionalIdPrefix(name)
                .build();
        flink.fromSource(source, WatermarkStrategy.noWatermarks(), "in")
                .uid("in")
                .sinkTo(sink)
                .uid("out");
        flink.execute(name);
    }
}

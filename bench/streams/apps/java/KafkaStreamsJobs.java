import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.TimestampExtractor;

/** The four jobs with Kafka Streams. Usage: KafkaStreamsJobs BOOTSTRAP JOB GUARANTEE STATE */
public final class KafkaStreamsJobs {
    public record Ride(long id, String zone, long time, long fare, String note) {}

    public record Zone(long base) {}

    private static final ObjectMapper JSON = new ObjectMapper();

    public static final class RideTime implements TimestampExtractor {
        @Override
        public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
            return record.value() instanceof Ride ride ? ride.time() : record.timestamp();
        }
    }

    private static <T> Serde<T> json(Class<T> type) {
        Serializer<T> write = (topic, value) -> {
            try {
                return value == null ? null : JSON.writeValueAsBytes(value);
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        };
        Deserializer<T> read = (topic, data) -> {
            try {
                return data == null ? null : JSON.readValue(data, type);
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        };
        return Serdes.serdeFrom(write, read);
    }

    private static ObjectNode row(Object... pairs) {
        ObjectNode node = JSON.createObjectNode();
        for (int index = 0; index < pairs.length; index += 2) {
            node.putPOJO((String) pairs[index], pairs[index + 1]);
        }
        return node;
    }

    public static void main(String[] arguments) {
        String job = arguments[1];
        Properties settings = new Properties();
        settings.putAll(Map.of(
                StreamsConfig.APPLICATION_ID_CONFIG, "bench-" + job,
                StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0],
                StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
                arguments[2].equals("exactly_once") ? "exactly_once_v2" : "at_least_once",
                StreamsConfig.STATE_DIR_CONFIG, arguments[3],
                "auto.offset.reset", "earliest"));
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, Ride> rides = builder.stream(
                "rides", Consumed.with(Serdes.String(), json(Ride.class)).withTimestampExtractor(new RideTime()));
        Produced<String, ObjectNode> rows = Produced.with(Serdes.String(), json(ObjectNode.class));
        switch (job) {
            case "pass" -> rides.to("out", Produced.with(Serdes.String(), json(Ride.class)));
            case "map" -> rides.filter((zone, ride) -> ride.fare() > 1_000)
                    .mapValues(ride -> row("id", ride.id(), "total", ride.fare() * 2))
                    .to("out", rows);
            case "count" -> rides.groupByKey(Grouped.with(Serdes.String(), json(Ride.class)))
                    .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(1)))
                    .emitStrategy(EmitStrategy.onWindowClose())
                    .count(Materialized.with(Serdes.String(), Serdes.Long()))
                    .toStream()
                    .map((window, count) -> KeyValue.pair(
                            window.key(), row("zone", window.key(), "start", window.window().start(), "count", count)))
                    .to("out", rows);
            case "join" -> rides.join(
                            builder.table("zones", Consumed.with(Serdes.String(), json(Zone.class))),
                            (ride, zone) -> row("id", ride.id(), "price", ride.fare() * zone.base()),
                            Joined.with(Serdes.String(), json(Ride.class), json(Zone.class)))
                    .to("out", rows);
            default -> throw new IllegalArgumentException(job);
        }
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}

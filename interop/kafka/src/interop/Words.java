package interop;

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Counts words, exactly once: BOOTSTRAP NAME STATE-FOLDER classic|streams.
 *
 * <pre>
 * lines ──split──> by word (repartitioned) ──┬─count───────────> NAME-counts     word        → 1, 2, 3, …
 *                                            └─count per minute> NAME-minutes    word@minute → 1, 2, 3, …
 * </pre>
 *
 * The last argument says who assigns the tasks: the application itself, or the broker (KIP-1071).
 *
 * Nothing is cached, so every single count is written, and a count that is left out or repeated can be seen.
 */
public final class Words {
    private static final Duration MINUTE = Duration.ofMinutes(1);

    /** What `interop/words.py` counts in the log. */
    private static final String REPLACED = "A thread is replaced: ";

    private Words() {}

    private static Topology topology(String name) {
        StreamsBuilder builder = new StreamsBuilder();
        KGroupedStream<String, String> words = builder.<String, String>stream(name + "-lines")
                .flatMapValues(line -> List.of(line.split(" ")))
                .groupBy((key, word) -> word, Grouped.as("by-word"));
        words.count(Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts"))
                .toStream()
                .to(name + "-counts", Produced.with(Serdes.String(), Serdes.Long()));
        words.windowedBy(TimeWindows.ofSizeAndGrace(MINUTE, Duration.ofDays(1)))
                .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("minutes"))
                .toStream((window, count) -> window.key() + "@" + window.window().start())
                .to(name + "-minutes", Produced.with(Serdes.String(), Serdes.Long()));
        return builder.build();
    }

    private static Properties settings(String bootstrap, String name, String folder, String protocol) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.String().getClass());
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        // What was read of the repartition topic is deleted this often, so that it happens within a short run.
        settings.put(StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 2_000);
        // Changelogs are compacted within a short run too, and what is restored from them is what compaction left.
        settings.put(StreamsConfig.topicPrefix("segment.ms"), MINUTE.toMillis());
        settings.put(StreamsConfig.topicPrefix("min.cleanable.dirty.ratio"), 0.01);
        // A process that is killed holds up the others for as long as its group and its transaction live on.
        settings.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, protocol);
        if (protocol.equals("classic")) { // else the broker says it
            settings.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6_000);
            settings.put(StreamsConfig.consumerPrefix("heartbeat.interval.ms"), 1_000);
        }
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        settings.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), 6_000);
        settings.put("reconnect.backoff.max.ms", 200);
        return settings;
    }

    public static void main(String[] arguments) throws InterruptedException {
        KafkaStreams streams = new KafkaStreams(
                topology(arguments[1]), settings(arguments[0], arguments[1], arguments[2], arguments[3]));
        streams.setUncaughtExceptionHandler(error -> {
            System.err.println(REPLACED + error);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        CountDownLatch over = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(Duration.ofSeconds(20));
            over.countDown();
        }));
        streams.start();
        over.await();
    }
}

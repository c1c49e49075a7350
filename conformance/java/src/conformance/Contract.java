package conformance;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The records of conformance/contract.py, and how scenarios ask and compare. */
final class Contract {
    static final int PARTITIONS = 3;
    static final int RECORDS = 100;
    static final int HALF = 50;
    static final int CUT = 40;
    static final long FIRST_TIMESTAMP = 1_700_000_000_000L;
    static final long STEP_MS = 1_000;
    static final int LARGE_BYTES = 900_000;
    static final long DEADLINE_MS = 40_000;

    private Contract() {}

    static final class Wrong extends RuntimeException {
        Wrong(String message) {
            super(message);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static byte[] value(String topic, int partition, int number, boolean large) {
        switch (number % 10) {
            case 7:
                return null;
            case 4:
                return new byte[0];
            default:
                int dots = large && number == RECORDS - 1 ? LARGE_BYTES : number * 37 % 400;
                return bytes(topic + "/" + partition + "/" + number + ".".repeat(dots));
        }
    }

    static ProducerRecord<byte[], byte[]> record(String topic, int partition, int number, boolean large) {
        byte[] key = number % 5 == 0 ? null : bytes("k" + number % 7);
        List<Header> headers = new ArrayList<>();
        if (number % 3 == 0) {
            headers.add(new RecordHeader("number", bytes("" + number)));
            headers.add(new RecordHeader("empty", new byte[0]));
        }
        long timestamp = FIRST_TIMESTAMP + number * STEP_MS;
        return new ProducerRecord<>(topic, partition, timestamp, key, value(topic, partition, number, large), headers);
    }

    /** That these are exactly the records from start to end of a partition, in their order. */
    static void check(
            String topic, int partition, List<ConsumerRecord<byte[], byte[]>> got, int start, int end, boolean large) {
        same(got.size(), end - start, "the number of records in " + topic + "-" + partition);
        for (int number = start; number < end; number++) {
            ConsumerRecord<byte[], byte[]> its = got.get(number - start);
            ProducerRecord<byte[], byte[]> wanted = record(topic, partition, number, large);
            String what = " of record " + number + " of " + topic + "-" + partition;
            same(its.offset(), (long) number, "the offset" + what);
            same(Arrays.equals(its.key(), wanted.key()), true, "the key" + what + " is right");
            same(Arrays.equals(its.value(), wanted.value()), true, "the value" + what + " is right");
            same(its.headers(), wanted.headers(), "the headers" + what);
            same(its.timestamp(), wanted.timestamp(), "the timestamp" + what);
        }
    }

    static void same(Object got, Object wanted, String what) {
        if (!got.equals(wanted)) {
            throw new Wrong(what + ": " + got + " instead of " + wanted);
        }
    }

    /** Ask until it holds; each question takes its own time. */
    static void until(Callable<Boolean> holds, String what) throws Exception {
        long deadline = System.currentTimeMillis() + DEADLINE_MS;
        while (!holds.call()) {
            if (System.currentTimeMillis() > deadline) {
                throw new Wrong(what + ": not within " + DEADLINE_MS + " ms");
            }
        }
    }
}

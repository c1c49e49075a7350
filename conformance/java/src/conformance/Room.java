package conformance;

import static conformance.Contract.PARTITIONS;
import static conformance.Contract.same;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Where the members of one scenario sit: all are polled in turn while one waits, and all leave at its end. */
final class Room implements AutoCloseable {
    static final Set<Integer> ALL = Set.of(0, 1, 2);

    private final String bootstrap;
    private final String topic;
    private final List<Member> members = new ArrayList<>();

    Room(String bootstrap, String topic) {
        this.bootstrap = bootstrap;
        this.topic = topic;
    }

    Member join(Map<String, Object> own) {
        Member member = new Member(bootstrap, topic, own);
        members.add(member);
        return member;
    }

    void leave(Member member) {
        members.remove(member);
        member.close();
    }

    void until(Callable<Boolean> holds, String what) throws Exception {
        Contract.until(
                () -> {
                    members.forEach(Member::poll);
                    return holds.call();
                },
                what);
    }

    void untilAll(Member member) throws Exception {
        until(() -> member.partitions().equals(ALL), "one has all partitions");
    }

    void untilShared(Member first, Member second) throws Exception {
        until(
                () -> {
                    Set<Integer> both = new TreeSet<>(first.partitions());
                    both.addAll(second.partitions());
                    int count = first.partitions().size() + second.partitions().size();
                    boolean each = !first.partitions().isEmpty() && !second.partitions().isEmpty();
                    return each && count == PARTITIONS && both.equals(ALL);
                },
                "two share");
    }

    /** That the members read exactly these records of every partition, each of its own partitions. */
    void reads(int start, int end) throws Exception {
        reads(List.of(start, start, start), end);
    }

    void reads(List<Integer> starts, int end) throws Exception {
        int wanted = PARTITIONS * end - starts.stream().mapToInt(Integer::intValue).sum();
        until(() -> members.stream().mapToInt(member -> member.read.size()).sum() >= wanted, wanted + " records are read");
        List<ConsumerRecord<byte[], byte[]>> together = new ArrayList<>();
        for (Member member : members) {
            for (ConsumerRecord<byte[], byte[]> each : member.read) {
                same(member.partitions().contains(each.partition()), true, "a member reads its own partitions");
            }
            together.addAll(member.read);
            member.read.clear();
        }
        for (int partition : ALL) {
            List<ConsumerRecord<byte[], byte[]>> its =
                    together.stream().filter(each -> each.partition() == partition).toList();
            Contract.check(topic, partition, its, starts.get(partition), end, false);
        }
    }

    @Override
    public void close() {
        members.forEach(Member::close);
    }
}

"""Faults that are planted, one at a time, to see whether the simulator finds them.

    Fault: a module of the product, a piece of its source, and what stands there instead
    plant("…")  ─▶  the import of that module compiles the changed source

So it is the real code that is wrong, in a process that has loaded none of it before. Every piece of source must occur
exactly once in its module, which a test looks at: code that moves on takes its faults along.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final, NamedTuple


class Fault(NamedTuple):
    """One mistake that somebody could make."""

    module: str
    right: str
    wrong: str
    note: str = ""
    """What the page says of it besides."""


FAULTS: Final[dict[str, Fault]] = {
    # -- durable
    "the journal is not synced": Fault(
        "drave.store.journal",
        "            file.write_durably(data, place.at)\n",
        "            write_all(file, data, place.at)\n",
    ),
    "segments are not synced when they skip the journal": Fault(
        "drave.log.files",
        "        for segment, file, _, _ in self._segments:\n            self._sync(disk, segment.path, file)\n",
        "        for segment, file, _, _ in self._segments if self._indexes else ():\n"
        "            self._sync(disk, segment.path, file)\n",
    ),
    "a checkpoint does not wait for its segments": Fault(
        "drave.log.files",
        "        for segment, file, _, _ in self._segments:\n            self._sync(disk, segment.path, file)\n",
        "        for segment, file, _, _ in () if self._indexes else self._segments:\n"
        "            self._sync(disk, segment.path, file)\n",
    ),
    "a new segment's name is not synced": Fault(
        "drave.log.files",
        "if self._replacements or (self._folder_too and not self.new_folder):",
        "if self._replacements:",
    ),
    "the high watermark moves before the sync": Fault(
        "drave.log.partition",
        "                self.join()\n        else:\n            self._flusher.written",
        "                self.join()\n            self._advance(end, active, active.size)\n"
        "        else:\n            self._flusher.written",
    ),
    "an acknowledgement does not wait to be durable": Fault(
        "drave.broker.api.k00_produce",
        "        waits.append((log, appended.end))\n    return _taken(data.index, appended)",
        "        pass\n    return _taken(data.index, appended)",
    ),
    "the catalog answers before it has committed": Fault(
        "drave.catalog.sqlite",
        "                await asyncio.get_running_loop().run_in_executor(",
        "                asyncio.get_running_loop().run_in_executor(",
    ),
    "DeleteRecords is answered before it is durable": Fault(
        "drave.log.partition",
        "            self._waiting.for_start(before, moved)\n",
        "            moved.set_result(before)\n",
    ),
    # -- recovery
    "a restart skips no generation of the journal": Fault(
        "drave.log.opening",
        "generation = max(generation, highest) + GENERATIONS_APART",
        "generation = max(generation, highest)",
    ),
    "recovery believes a torn batch": Fault(
        "drave.store.segment",
        "            records.check_intact(header, batch)\n        except",
        "        except",
    ),
    "recovery believes a segment that follows on nothing": Fault(
        "drave.log.recovery",
        "                if not self._end < segment.base <= self._gaps_until:\n",
        "                if segment.base < self._end:\n",
    ),
    "DeleteRecords is forgotten by a crash": Fault(
        "drave.log.recovery",
        "return max([known, *(entry.offset for entry in self._entries if entry.kind == LOG_START)])",
        "return known",
    ),
    "the snapshot of producers is not read": Fault(
        "drave.log.derived",
        "            self.producers = read_producers(self._disk, self._folder, known.snapshot)\n",
        "            self.producers = Producers()\n",
    ),
    "recovery forgets what was aborted": Fault(
        "drave.log.derived",
        "                segment.aborted.add(AbortedTransaction(header.producer_id, start, last, stable))\n",
        "                pass\n",
    ),
    # -- idempotence
    "a gap in the sequences is taken": Fault(
        "drave.log.producers",
        "            if sequence == last + 1 or (",
        "            if sequence > last or (",
    ),
    "duplicates are known of four batches": Fault(
        "drave.log.producers",
        "            for batch in batches:\n                if batch.base_sequence",
        "            for batch in list(batches)[-4:]:\n                if batch.base_sequence",
    ),
    # -- waking
    "whoever wrote during a commit is forgotten": Fault(
        "drave.log.driver",
        "        work.finish()\n        self._scheduler.call_soon(self._kick)",
        "        work.finish()\n        self._flusher.window or self._scheduler.call_soon(self._kick)",
    ),
    "a waiting fetch is not woken": Fault(
        "drave.broker.fetching",
        "            self.waiting.wake()\n",
        "            pass\n",
    ),
    "a fetch session keeps the offset that it was given first": Fault(
        "drave.broker.api.k01_fetch",
        "                watch = watches[key] = Watch(session, key)\n            watch.offset",
        "                watch = watches[key] = Watch(session, key)\n                watch.offset",
    ),
    # -- transactions
    "the last stable offset is one too far": Fault(
        "drave.log.partition",
        "else max(unstable, self.start)\n        waiting",
        "else max(unstable + 1, self.start)\n        waiting",
    ),
    "a transaction is stable before its marker is durable": Fault(
        "drave.log.producers",
        "        starts = [start for start, _ in ended]\n",
        "        starts: list[int] = []\n",
        "It shows when another batch of the partition becomes durable between the marker and its sync, somebody asks "
        "for the last stable offset then, the power goes, and somebody asks again before the marker is written anew.",
    ),
    "markers are written before the decision is durable": Fault(
        "drave.broker.coordinator.partition",
        "            self._when_durable(partial(self._perform, duty))\n",
        "            self._perform(duty)\n",
        "It shows when a power cut keeps a commit's marker in one partition and loses it in another one together with "
        "the decision, and the producer does not ask again.",
    ),
    "markers are written twice": Fault(
        "drave.broker.coordinator.markers",
        "            del self._open[transactional_id]\n",
        "            del self._open[transactional_id]\n"
        "            again = Ending(ending.decided, ending.coordinator_epoch)\n"
        "            self._broker.scheduler.call_later(RETRY_S, self._write, again, sorted(again.left))\n",
    ),
    "a transaction ends before all its markers are durable": Fault(
        "drave.broker.coordinator.markers",
        "        if not ending.left and self._open.get(transactional_id) is ending:\n",
        "        if self._open.get(transactional_id) is ending:\n",
    ),
    "nobody asks whether a transaction has the partition": Fault(
        "drave.broker.admission",
        "        if not producers.in_transaction(header.producer_id, header.producer_epoch):\n",
        "        if self._version >= ADDS_SINCE and not producers.in_transaction("
        "header.producer_id, header.producer_epoch):\n",
    ),
    "what is half decided is not gone on with": Fault(
        "drave.broker.coordinator.transaction_shard",
        "            if each.state in PREPARED:\n                out.duties.append(each)\n",
        "            if each.state in PREPARED:\n                pass\n",
    ),
    "a transaction has no time-out": Fault(
        "drave.broker.coordinator.transaction_shard",
        "            out.timer(_timeout(made), made.timeout_ms)\n",
        "            pass\n",
    ),
    "a new producer does not fence the old one": Fault(
        "drave.broker.coordinator.transaction_shard",
        "was.producer_id, was.producer_epoch + (not repeats)",
        "was.producer_id, was.producer_epoch",
    ),
    "offsets of an aborted transaction count": Fault(
        "drave.broker.coordinator.undecided",
        "            if commit:\n",
        "            if commit or len(values) == 1:\n",
    ),
    "offsets of a transaction are forgotten by a restart": Fault(
        "drave.broker.coordinator.partition",
        "        for each in latest.undecided():\n            self.undecided.add(*each)\n",
        "",
    ),
    # -- delays
    "what is not due yet is taken for due": Fault(
        "drave.log.delivery",
        "self._after_ms = now_ms - log.config.delivery_delay_ms",
        "self._after_ms = now_ms",
    ),
    "a restart forgets what was not due": Fault(
        "drave.log.partition",
        "readable=point.start if self._is_delayed else point.offset",
        "readable=point.offset",
    ),
    # -- groups
    "a commit's generation is not looked at": Fault(
        "drave.broker.coordinator.classic.group",
        "        if generation != self.generation:\n            return ErrorCode.ILLEGAL_GENERATION\n"
        "        if self.state is GroupState.COMPLETING_REBALANCE and",
        "        if self.state is GroupState.COMPLETING_REBALANCE and",
    ),
    "a commit is answered before it is durable": Fault(
        "drave.broker.coordinator.partition",
        "        if log is None or log.durable >= log.end:\n            return response\n",
        "        if True:\n            return response\n",
    ),
    "a static member is not fenced": Fault(
        "drave.broker.coordinator.classic.roster",
        "                return ErrorCode.FENCED_INSTANCE_ID\n",
        "                return self._members[owner]\n",
    ),
    "a session never times out": Fault(
        "drave.broker.coordinator.classic.rounds",
        "        if member is not None and (member.is_new or not member.is_waiting):\n",
        "        if member is not None and member.is_new:\n",
    ),
    "a rebalance does not raise the generation": Fault(
        "drave.broker.coordinator.classic.rounds",
        "        self.generation += 1\n        self.protocol = self.members.choose_protocol()\n",
        "        self.protocol = self.members.choose_protocol()\n",
    ),
    # -- consumer groups
    "a partition is given away while a member has it": Fault(
        "drave.broker.coordinator.consumer.changing",
        "        return owner is None or owner in (",
        "        return True or owner in (",
    ),
    "whoever is asked for a partition is believed to have given it back": Fault(
        "drave.broker.coordinator.consumer.reconciling",
        "    if reported is None:\n        return True\n    return any(",
        "    return bool(revoking) and False and any(",
    ),
    "a commit of an older epoch counts everywhere": Fault(
        "drave.broker.coordinator.consumer.holdings",
        "        return member.given_at(topic_id, partition)\n",
        "        return 0\n",
    ),
    "a silent member of a consumer group is never missed": Fault(
        "drave.broker.coordinator.consumer.group",
        "        if member is not None and self.is_overdue(kind, member_id):\n",
        "        if False:\n",
    ),
    # -- streams groups
    "a task is given to a member while another one has it": Fault(
        "drave.broker.coordinator.streams.member",
        "        return task not in self._active and process_id not in self._others.get(task, ())\n",
        "        return process_id not in self._others.get(task, ())\n",
    ),
    "whoever is asked for a task is believed to have given it up": Fault(
        "drave.broker.coordinator.streams.member",
        "            if owned is None or member.revoking.are_among(owned):\n",
        "            if owned is None:\n",
    ),
    "which tasks are to be given up is not written down": Fault(
        "drave.broker.coordinator.streams.member",
        "            active_tasks_pending_revocation=active_task_ids(self.revoking.active),\n",
        "            active_tasks_pending_revocation=[],\n",
    ),
    "a copy of a task's state is kept beside the task": Fault(
        "drave.broker.coordinator.streams.member",
        "        return self._active.get(task) != process_id and process_id not in self._others.get(task, ())\n",
        "        return process_id not in self._others.get(task, ())\n",
    ),
    "a task is given to a process that has a copy of its state": Fault(
        "drave.broker.coordinator.streams.member",
        "        return task not in self._active and process_id not in self._others.get(task, ())\n",
        "        return task not in self._active\n",
    ),
    "a commit of an older epoch of a streams group counts everywhere": Fault(
        "drave.broker.coordinator.streams.group",
        "        return None if subtopology_id is None else member.active_epoch(TaskId(subtopology_id, partition))\n",
        "        return 0\n",
    ),
    "a silent member of a streams group is never missed": Fault(
        "drave.broker.coordinator.streams.group",
        "        elif kind == SESSION or (kind == REBALANCE and member.must_give_back):\n",
        "        elif kind == REBALANCE and member.must_give_back:\n",
    ),
    "who leaves a streams group does not raise its epoch": Fault(
        "drave.broker.coordinator.streams.group",
        "            out, self.epoch + 1, self.metadata_hash, self.validated_topology_epoch, self.assignment_configs\n",
        "            out, self.epoch, self.metadata_hash, self.validated_topology_epoch, self.assignment_configs\n",
    ),
    "other configs of a streams group do not raise its epoch": Fault(
        "drave.broker.coordinator.streams.heartbeats",
        "            or configs != group.assignment_configs\n",
        "",
    ),
    "a log that is written anew lacks the epoch of its streams groups": Fault(
        "drave.broker.coordinator.streams.group",
        "            if value is not None:\n                yield key, value\n",
        "            if value is not None and key != record_key(GroupRecord.STREAMS, self.group_id):\n"
        "                yield key, value\n",
    ),
    "an older topology is not told apart": Fault(
        "drave.broker.coordinator.streams.heartbeats",
        "        if said.topology_epoch < topology.epoch:\n",
        "        if said.topology_epoch > topology.epoch:\n",
    ),
    # -- compaction
    "compaction drops the last record of a key": Fault(
        "drave.log.compaction",
        "newest(each.key) > offset",
        "newest(each.key) >= offset",
    ),
    "tombstones go at once": Fault(
        "drave.log.compaction",
        "is_past_horizon = horizon is not None and horizon <= task.now_ms",
        "is_past_horizon = True",
    ),
    "compaction takes aborted records for the newest": Fault(
        "drave.log.compaction",
        "        if header.count and not header.is_control and not self._aborted.has(header):\n",
        "        if header.count and not header.is_control:\n",
    ),
    "compaction reaches past an open transaction": Fault(
        "drave.log.compaction",
        "stable = min(log.last_stable, log.points.settled)",
        "stable = log.points.offset",
    ),
    # -- share groups
    "what a member holds is given to others": Fault(
        "drave.broker.coordinator.share.acquiring",
        "            if run.state is RecordState.AVAILABLE and run.until <= self._now_ms:\n",
        "            if run.state in (RecordState.AVAILABLE, RecordState.ACQUIRED):\n",
    ),
    "a delivery is not counted": Fault(
        "drave.broker.coordinator.share.acquiring",
        "self._hold(run.first, run.first + size - 1, run.count + 1, unit)",
        "self._hold(run.first, run.first + size - 1, run.count, unit)",
    ),
    "a member's word is answered before it is durable": Fault(
        "drave.broker.sharing.sharing",
        "            answers.append(\n                self._broker",
        "            str(\n                self._broker",
    ),
    "of a share-partition's records only the last of each kind is read": Fault(
        "drave.broker.coordinator.share.states",
        "    reading: ClassVar[type[OrderedRecords]] = OrderedRecords\n",
        "",
    ),
    "a rejected record is released": Fault(
        "drave.broker.coordinator.share.in_flight",
        "            self._give_up(run, GivenUp.REJECTED, changes, limits)\n",
        "            self._free(run, changes, limits, now_ms)\n",
    ),
    "a record is delivered once too often": Fault(
        "drave.broker.coordinator.share.in_flight",
        "        if run.count >= limits.deliveries_max:\n",
        "        if run.count > limits.deliveries_max:\n",
    ),
    "a release is not written down": Fault(
        "drave.broker.coordinator.share.in_flight",
        "        self._may_be_available = True\n        changes.freed = True\n        changes.note(run)\n",
        "        self._may_be_available = True\n        changes.freed = True\n",
    ),
    "what is released comes again at once": Fault(
        "drave.broker.coordinator.share.in_flight",
        "        run.until = now_ms + limits.redelivery_delay_ms if limits.redelivery_delay_ms else ANY_TIME\n",
        "        run.until = ANY_TIME\n",
    ),
    "a record goes before its dead letter is written": Fault(
        "drave.broker.sharing.sharing",
        "        taken.attach(partial(self._buried, partition, leaving, whole))\n",
        "        taken.attach(str)\n        self._buried(partition, leaving, whole, ErrorCode.NONE)\n",
    ),
    "what is delivered too often has no dead letter": Fault(
        "drave.broker.coordinator.share.in_flight",
        "        if limits.dead_letters:\n",
        "        if limits.dead_letters and why is GivenUp.REJECTED:\n",
    ),
    "dead letters are of the whole batch": Fault(
        "drave.broker.sharing.dead_letters",
        "        return [each for each in until_last if each.offset >= first]\n",
        "        return list(read_records(batch, header))\n",
    ),
    "a dead letter names the first record of those that are given up together": Fault(
        "drave.broker.sharing.dead_letters",
        "        offset=str(record.offset),\n",
        "        offset=str(leaving.first),\n",
    ),
    "of what is given up together only the first batch has dead letters": Fault(
        "drave.broker.sharing.dead_letters",
        "                    yield found[begin : begin + LETTERS_MAX]\n",
        "                    yield found[begin : begin + LETTERS_MAX]\n"
        "                if found:\n"
        "                    return\n",
    ),
    "a share group does not miss a member that is silent": Fault(
        "drave.broker.coordinator.share.group",
        "        if kind == SESSION and member_id in self.members:\n",
        "        if kind == SESSION and member_id not in self.members:\n",
    ),
}


def plant(name: str) -> None:
    """Make the fault part of the product, as far as this process is concerned."""
    fault = FAULTS[name]
    if any(isinstance(finder, _Planter) for finder in sys.meta_path):
        return
    assert fault.module not in sys.modules, f"{fault.module} was loaded before its fault was planted"
    sys.meta_path.insert(0, _Planter(fault))


def source_of(module: str) -> str:
    """The product's source, as it is."""
    spec = importlib.util.find_spec(module)
    assert spec is not None, f"there is a module {module}"
    assert spec.origin is not None, f"{module} has a source"
    return Path(spec.origin).read_text(encoding="utf-8")


class _Planter(MetaPathFinder):
    """Finds one module, and loads it with its fault."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._fault.module:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                assert spec.origin is not None, f"{fullname} has a source"
                spec.loader = _FaultyLoader(fullname, spec.origin, self._fault)
                return spec
        return None


class _FaultyLoader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, fault: Fault) -> None:
        super().__init__(fullname, path)
        self._fault = fault

    def get_code(self, fullname: str) -> CodeType:
        """Never from a cache."""
        source = self.get_source(fullname)
        assert source is not None, f"{fullname} has a source"
        assert source.count(self._fault.right) == 1, f"{self._fault.right!r} stands once in {fullname}"
        wrong = source.replace(self._fault.right, self._fault.wrong)
        code: CodeType = compile(wrong, self.path, "exec", dont_inherit=True)
        return code

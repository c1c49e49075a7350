"""Transactional producers that each begin, write, commit, and begin again: one process, one epoll, version 2 (KIP-890).

    client 0   Produce ─▶ offset ─▶ EndTxn ─▶ next epoch ─▶ Produce ─▶ …           each on a partition of its own:
    client 1   Produce ─▶ 51, a moment, again ─▶ offset ─▶ EndTxn ─▶ …              transaction n begins at offset
                          CONCURRENT_TRANSACTIONS                                    n × (its records + its marker)

A batch adds its partition itself, and waits for the end of the transaction before: in Drave at the broker, in Kafka by
being told to ask again. The Java client sleeps 20 to 100 ms then; here it is one, so that Kafka's sleep is not all that
is measured of it.
"""

from __future__ import annotations

import gc
import os
import select
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from bench import frames
from bench.brokers import receive
from bench.wire import TIMEOUT_S, Wrong, connect

LOADING, UNAVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS = 14, 15, 16, 51
NOT_YET: Final = (LOADING, UNAVAILABLE, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS)
AGAIN_S: Final = 0.001
SETUP_AGAIN_S: Final = 0.02
VALUE_BYTES: Final = 100


@dataclass(frozen=True, slots=True)
class Committed:
    """What one run came to."""

    transactions: int
    seconds: float
    refusals: int
    """How often somebody was told to ask again."""

    @property
    def rate(self) -> float:
        return self.transactions / self.seconds


class Client:
    """One connection, one transactional producer, one request under way or none for a moment."""

    def __init__(self, port: int, topic: str, partition: int, transactional_id: str, records: int) -> None:
        self.socket = connect(port)
        self.committed = 0
        self.refusals = 0
        self._topic = topic
        self._id = transactional_id
        self._stride = records + 1
        self._ends = False
        self._producer = self._begin()
        values = [bytes(VALUE_BYTES)] * records
        batch = frames.batch(
            *values, timestamp_ms=time.time_ns() // 1_000_000, producer_id=0, producer_epoch=0, transactional=True
        )
        self._frame = frames.ProduceFrame.of(topic, partition, bytes(batch), transactional_id=transactional_id)

    def _begin(self) -> tuple[int, int]:
        """Until there is a coordinator and a producer id: the first one makes the broker create a topic."""
        deadline = time.monotonic() + TIMEOUT_S
        for question in (
            frames.find_coordinator(self._id, transactional=True),
            frames.begin_transactions(self._id),
        ):
            while True:
                self.socket.sendall(question)
                reply = receive(self.socket)
                is_first = question[5] == frames.FIND_COORDINATOR
                error, *producer = (frames.parse_error(reply),) if is_first else frames.parse_identity(reply)
                if not error:
                    break
                if error not in NOT_YET or time.monotonic() > deadline:
                    raise Wrong(f"{self._id} could not begin: error {error}")
                time.sleep(SETUP_AGAIN_S)
        return producer[0], producer[1]

    def send(self) -> None:
        """Ask for what is next, or once more for what was refused."""
        if self._ends:
            self.socket.sendall(frames.end_transaction(self._id, *self._producer))
        else:
            self._frame.producer(*self._producer)
            self.socket.sendall(self._frame.frame)

    def hear(self) -> bool:
        """Take the reply; whether the broker wants to be asked the same again in a moment. Raises Wrong."""
        reply = receive(self.socket)
        if len(reply) < 8:
            raise Wrong("the broker closed a producer's connection")
        error = self._ended(reply) if self._ends else self._written(reply)
        if error in NOT_YET:
            self.refusals += 1
            return True
        if error:
            raise Wrong(f"transaction {self.committed} of {self._id} was answered with error {error}")
        self._ends = not self._ends
        return False

    def _written(self, reply: bytes) -> int:
        error, offset = frames.parse_transactional_produce(reply, self._topic)
        expected = self.committed * self._stride
        if not error and offset != expected:
            raise Wrong(f"transaction {self.committed} of {self._id} begins at {offset}, {expected} was expected")
        return error

    def _ended(self, reply: bytes) -> int:
        error, *producer = frames.parse_identity(reply)
        if not error:
            self._producer = producer[0], producer[1]
            self.committed += 1
        return error

    @property
    def is_between(self) -> bool:
        """Whether no transaction of it is open."""
        return not self._ends


def run(port: int, topic: str, *, clients: int, records: int, seconds: float) -> Committed:
    """Let so many producers commit transactions of so many records, each in its own partition, for so long."""
    name = f"bench-{os.urandom(4).hex()}"
    crowd = [Client(port, topic, number, f"{name}-{number}", records) for number in range(clients)]
    gc.collect()
    gc.disable()
    try:
        elapsed = _drive(crowd, seconds)
    finally:
        gc.enable()
        for client in crowd:
            client.socket.close()
    return Committed(sum(client.committed for client in crowd), elapsed, sum(client.refusals for client in crowd))


def _drive(crowd: list[Client], seconds: float) -> float:
    """Until the time is up and every transaction has ended; how long that took."""
    poll = select.epoll()
    by_descriptor = {client.socket.fileno(): client for client in crowd}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    later: deque[tuple[float, Client]] = deque()
    began = time.perf_counter()
    deadline = began + seconds
    for client in crowd:
        client.send()
    waiting = len(crowd)
    try:
        while waiting:
            now = time.perf_counter()
            while later and later[0][0] <= now:
                later.popleft()[1].send()
            ready = poll.poll(max(later[0][0] - now, 0) if later else TIMEOUT_S)
            if not ready and not later:
                raise Wrong(f"no reply for {TIMEOUT_S:.0f} seconds")
            for descriptor, _ in ready:
                client = by_descriptor[descriptor]
                if client.hear():
                    later.append((time.perf_counter() + AGAIN_S, client))
                elif client.is_between and time.perf_counter() > deadline:
                    waiting -= 1
                else:
                    client.send()
    finally:
        poll.close()
    return time.perf_counter() - began

"""What a seed decides before anything happens: how the broker is set up, and how unkind the world is.

calm       nothing happens but work
network    connections break, half of them unheard; the network is slow, or away for a while
crashes    the broker is killed, loses its power, or is stopped, also in the middle of a start, and just when it matters
disk       syncs are slow or fail, the disk is full for a while, reads are cold
all        all of it together
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drave.model.setting import Address
from drave.model.settings import BrokerSettings
from drave.model.storage_settings import StorageSettings
from drave.wire.api import ApiKey
from simulation.network import FAIR, Weather

ROOT: Final = Path("/data")
ADDRESS: Final = ("192.0.2.9", 9092)
KINDS: Final = ("calm", "network", "crashes", "disk", "all")
KiB: Final = 1024


@dataclass(frozen=True, kw_only=True)
class Rewriting:
    """When and how coordinators write their logs anew. With the product's own bounds none would in so short a time."""

    bytes_min: int
    ratio: int
    """How many times its live state a log has to be."""
    chunk_records: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One seed's world."""

    kind: str
    theme: str
    """Which clients are there; the others seldom are."""
    steps: int
    """About how much each client is going to do."""
    settings: BrokerSettings
    rewriting: Rewriting
    weather: Weather
    troubles: tuple[str, ...]
    """What may happen, each as often as it stands here."""
    pause_ms: tuple[int, int]
    """How long it is between two troubles."""
    tide_ms: int
    """Clients work together for a moment, and then rest until the next multiple of this; 0: they never rest."""
    aim_ms: tuple[int, int] | None
    """How long it is from one aimed crash to when the next one is aimed, where there are any."""
    cold: float
    """How often a read finds nothing in memory."""

    @property
    def crashes(self) -> bool:
        """Whether a life of the broker may end by something else than a clean stop."""
        return self.kind in ("crashes", "disk", "all")


TROUBLES: Final[dict[str, tuple[str, ...]]] = {
    "calm": (),
    "network": ("break", "break", "break", "cut off", "storm"),
    "crashes": ("kill", "power", "kill inside", "power inside", "power inside", "stop", "break", "slow"),
    "disk": ("slow", "slow", "full", "power", "power inside", "failing sync", "failing write", "stop", "break"),
}
TROUBLES["all"] = sum(TROUBLES.values(), ())


AIMED: Final = ("crashes", "disk", "all")
AIM_MS: Final = ((50, 500), (50, 500), (300, 1500))
THEMES: Final[dict[str, tuple[ApiKey, ...]]] = {
    "transactions": (ApiKey.END_TXN, ApiKey.END_TXN, ApiKey.END_TXN, ApiKey.PRODUCE),
    "records": (ApiKey.PRODUCE,),
    "queues": (ApiKey.SHARE_ACKNOWLEDGE, ApiKey.SHARE_FETCH),
    "keys": (ApiKey.PRODUCE, ApiKey.END_TXN),
    "copies": (ApiKey.END_TXN, ApiKey.TXN_OFFSET_COMMIT),
    "everything": (),
    "groups": (ApiKey.OFFSET_COMMIT, ApiKey.SYNC_GROUP),
    "consumers": (ApiKey.OFFSET_COMMIT, ApiKey.CONSUMER_GROUP_HEARTBEAT),
    "streams": (ApiKey.OFFSET_COMMIT, ApiKey.STREAMS_GROUP_HEARTBEAT),
}
"""What most clients of a seed are about, and the questions that many of its crashes are aimed at."""
_KINDS_IN_TURN: Final = (
    *("crashes", "disk", "all", "network", "crashes", "all"),
    *("disk", "crashes", "calm", "all", "disk", "crashes"),
    *("network", "all", "crashes", "disk", "calm"),
)
"""Seeds take them in turn, as they do themes. There are seventeen of these, a prime: in the long run every theme meets
every kind, and a few seeds have some of each."""


def draw(chance: random.Random, seed: int, steps: int, kind: str | None = None) -> Plan:
    """The plan of a seed; of one kind, if that is wanted."""
    kind = kind or _KINDS_IN_TURN[seed % len(_KINDS_IN_TURN)]
    return Plan(
        kind=kind,
        theme=list(THEMES)[seed % len(THEMES)],
        steps=steps,
        settings=_settings(chance),
        rewriting=Rewriting(
            bytes_min=chance.choice((1, 4, 32, 1024)) * KiB,
            ratio=chance.choice((1, 3, 10)),
            chunk_records=chance.choice((1, 5, 512)),
        ),
        weather=_weather(chance, kind),
        troubles=TROUBLES[kind],
        pause_ms=chance.choice(((50, 600), (200, 2000), (1000, 6000))),
        tide_ms=chance.choice((0, 400, 700, 1000)),
        aim_ms=chance.choice(AIM_MS) if kind in AIMED else None,
        cold=chance.choice((0.0, 0.05, 0.5)),
    )


def _weather(chance: random.Random, kind: str) -> Weather:
    if kind not in ("network", "all"):
        return chance.choice((FAIR, Weather(delay_ms=(0.01, 20.0), pieces=0.5)))
    return Weather(
        delay_ms=(0.05, chance.choice((1.0, 20.0, 80.0))),
        pieces=chance.choice((0.05, 0.3, 0.9)),
        hiccup=chance.choice((0.0, 0.01, 0.05)),
        deaf=chance.choice((0.0, 0.3, 0.8)),
    )


def _settings(chance: random.Random) -> BrokerSettings:
    return BrokerSettings(
        data_folder=ROOT,
        listen=(Address(*ADDRESS),),
        num_partitions=chance.choice((1, 2, 3)),
        offsets_topic_partitions=chance.choice((1, 1, 2, 4)),
        transaction_topic_partitions=chance.choice((1, 1, 2, 4)),
        share_state_topic_partitions=chance.choice((1, 2)),
        share_state_updates_per_snapshot=chance.choice((0, 3, 500)),
        group_share_record_lock_duration_ms=chance.choice((1_000, 3_000)),
        group_share_record_lock_duration_ms_min=1_000,
        group_share_delivery_count_limit=chance.choice((2, 5, 10)),
        group_share_session_timeout_ms=4_000,
        group_share_session_timeout_ms_min=1_000,
        group_share_heartbeat_interval_ms=1_000,
        group_share_heartbeat_interval_ms_min=1_000,
        group_share_assignment_interval_ms=chance.choice((0, 1_000)),
        group_session_timeout_ms_min=500,
        group_consumer_session_timeout_ms=6_000,
        group_consumer_session_timeout_ms_min=6_000,
        group_consumer_heartbeat_interval_ms=1_500,
        group_consumer_heartbeat_interval_ms_min=1_500,
        group_consumer_assignment_interval_ms=chance.choice((0, 0, 1_000)),
        group_streams_session_timeout_ms=6_000,
        group_streams_session_timeout_ms_min=6_000,
        group_streams_heartbeat_interval_ms=1_500,
        group_streams_heartbeat_interval_ms_min=1_500,
        group_streams_assignment_interval_ms=chance.choice((0, 0, 1_000)),
        group_streams_initial_rebalance_delay_ms=chance.choice((0, 0, 300)),
        group_streams_standby_replicas=chance.choice((0, 1, 2)),
        group_initial_rebalance_delay_ms=chance.choice((0, 0, 300)),
        fetch_sessions_max=chance.choice((0, 2, 1000)),
        connections_idle_ms_max=chance.choice((20_000, 600_000)),
        frame_ms_max=chance.choice((5_000, 60_000)),
        reply_backlog_bytes_max=64 * KiB,
        shutdown_ms_max=chance.choice((0, 1000, 5000)),
        quota_windows=2,
        mutation_quota_windows=2,
        topic_defaults={
            "internal.segment.bytes": str(chance.choice((1500, 1500, 6000, 60_000, 1 << 30))),
            "index.interval.bytes": str(chance.choice((60, 400, 4096))),
            "file.delete.delay.ms": str(chance.choice((0, 1000))),
        },
        storage=_storage(chance),
    )


def _storage(chance: random.Random) -> StorageSettings:
    return StorageSettings(
        journal_bytes_max=chance.choice((16, 24, 64, 1024)) * KiB,
        journal_fill_bytes=chance.choice((0, 2048, 16384)),
        journal_entry_bytes_max=chance.choice((1024, 4096, 1 << 20)),
        direct_bytes_per_file=chance.choice((200, 2000, 1 << 20)),
        checkpoint_bytes=chance.choice((4096, 16384, 1 << 20)),
        checkpoint_batches=chance.choice((10, 60, 1000)),
        inline_sync_us_max=chance.choice((0, 300)),
        open_segments_max=chance.choice((2, 6, 1000)),
        retention_check_interval_ms=chance.choice((200, 1000)),
        initial_task_delay_ms=chance.choice((0, 500)),
        cleaner_backoff_ms=chance.choice((50, 500)),
        cleaner_map_bytes=chance.choice((64, 1000, 1 << 16)),
        cleaner_slice_bytes=chance.choice((100, 2000, 1 << 16)),
    )

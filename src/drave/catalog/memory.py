"""The catalog without a disk: for simulations, and for tests that are about something else.

What was carried out is what a restart finds: `reopened()` is this catalog as a broker meets it when it comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drave.catalog.base import CatalogBase, Plan, T
from drave.model.clock import Entropy
from drave.model.ids import topic_id_text


class MemoryCatalog(CatalogBase):
    """A `Catalog` that lives as long as this object. Its coroutines never wait."""

    def __init__(self, entropy: Entropy, *, topic_defaults: Mapping[str, str] | None = None) -> None:
        super().__init__(topic_defaults)
        self._cluster_id = topic_id_text(entropy.topic_id())

    def reopened(self) -> MemoryCatalog:
        """A catalog with everything in this one but those who listened to it. This one is not to be used again."""
        twin = object.__new__(MemoryCatalog)
        twin.__dict__.update(self.__dict__)
        twin._listeners, twin._broker_listeners = [], []
        twin._group_listeners, twin._quota_listeners = [], []
        return twin

    async def _carry_out(self, plan: Callable[[], Plan[T]]) -> T:
        return plan().apply()

    def close(self) -> None:
        """Nothing to let go of."""

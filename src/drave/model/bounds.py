"""How much one request may ask about: what no client does by mistake, and a hostile one would hold the broker with.

    8 MiB are room for four million names of one letter, or two million partitions of one topic

Bounds of what is asked together, not of what there is: who has more asks in parts.
"""

from __future__ import annotations

from typing import Final

NAMES_ASKED_MAX: Final = 10_000
"""Groups, transactional ids, resources with configs, entities with quotas, and topics that come or go."""
PLACES_ASKED_MAX: Final = 100_000
"""Topics and their partitions."""
TOPICS_SUBSCRIBED_MAX: Final = 10_000
"""Names that a member subscribes to. It keeps them for as long as it lives, and so does the log."""
SHARE_SESSION_PLACES_MAX: Final = 10_000
"""Partitions that a member of a share group fetches: each fetch looks at all of them."""
SUBTOPOLOGIES_MAX: Final = 200
"""Of one topology. How wide its repartition topics are is told by going round them."""
INTERNAL_TOPICS_MAX: Final = 1_000
"""Of one topology: they are made one by one while its member waits."""
TOPOLOGY_SIZE_MAX: Final = 10_000
"""All that a topology lists: topics, their configs, and topics that are joined."""
TASKS_MAX: Final = 20_000
"""Of one streams group: its subtopologies times their partitions."""

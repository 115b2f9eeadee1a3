"""The indexes of shards: found where they are kept and still fit, else made, in one pass over a shard.

Decisions:
- An index belongs to one shard and to what is wanted of its samples; a shard that is added or changed costs its own pass alone.
- It fits as long as the shard has the size and the time of change (elsewhere: the tag) that it had before it was read.
- Shards are asked for side by side, as most of it is waiting; processes that come meanwhile wait, and find what was made.
- Before a long pass a line says so, for it may take minutes, and over a network as long as fetching all.
"""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from iwm_core.process.shown import tell
from iwm_data.kept import Found, Kept, user_cache
from iwm_data.places import Place, Stamp, first_line, is_url
from iwm_data.tar_index import BadShard, Wanted, index_of

AT_ONCE = 16
LONG = 1_000_000_000
"""Bytes of shards from which on a line tells that they are indexed."""

A, B = TypeVar("A"), TypeVar("B")


def indexes_of(places: Sequence[Place], wanted: Wanted, folder: str | None) -> tuple[list[Stamp], list[Found], tuple[str, ...]]:
    """The shards' stamps and indexes, and what is to be told of keeping them.

    Args:
        places: the shards.
        wanted: what of a sample counts.
        folder: where indexes are kept; None: in the user's cache.

    Raises:
        ValueError: a shard cannot be read or is no whole tar; the text names it.
    """
    kept = Kept(Path(folder).expanduser() if folder else user_cache() / "shards")
    stamps = side_by_side(lambda place: place.stamp(), places)

    def found(which: int) -> Found | None:
        index = kept.find(about(which))
        return index if index and index.record["stamp"] == stamps[which] else None

    def about(which: int) -> dict[str, object]:
        return {"kind": "shard", "shard": places[which].name, "wanted": asdict(wanted)}

    def made(which: int) -> Found:
        place = places[which]
        try:
            with place.open() as file:
                index = index_of(file, place.name, wanted)
        except BadShard:
            raise
        except Exception as error:  # as in `iwm_data.places.reached`
            fix = "check data.path, and the network" if is_url(place.name) else "check data.path, and the disk"
            raise ValueError(f"{place.name} cannot be read ({first_line(error)}): {fix}") from error
        index.record["stamp"] = stamps[which]
        kept.keep(about(which), index)
        return index

    indexes = side_by_side(found, range(len(places)))
    if missing := [which for which, index in enumerate(indexes) if index is None]:
        with kept.alone():
            again = dict(zip(missing, side_by_side(found, missing), strict=True)) if len(missing) > 1 else {}
            missing = [which for which in missing if again.get(which) is None]
            size = sum(stamps[which][0] for which in missing)
            if size >= LONG:
                tell(f"indexing {len(missing):,} tar shards, {size / 1e9:,.1f} GB, once", sys.stderr)
            again |= dict(zip(missing, side_by_side(made, missing), strict=True))
        indexes = [index or again[which] for which, index in enumerate(indexes)]
    return stamps, [index for index in indexes if index], tuple(dict.fromkeys(kept.notes))


def side_by_side(work: Callable[[A], B], items: Sequence[A]) -> list[B]:
    """What work makes of each; where one fails, or the user interrupts, those that have not begun are left."""
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)

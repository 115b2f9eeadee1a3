"""What differs between runs, key by key, and what they share.

The directory and what else a config tells of its own file differ between any two runs and are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from iwm_evals.measuring.settings import flatten

ABSENT = "–"
MOST = 60
FILES = ("run", "checksum", "format")
"""What a config tells of its file."""


class Difference(NamedTuple):
    """A key with its value in each run, as text."""

    key: str
    values: list[str]

    @property
    def same(self) -> bool:
        """Whether all runs have the same."""
        return len(set(self.values)) == 1

    @property
    def chosen(self) -> bool:
        """Whether it is a component, or an option that all have: what one lacks may be an option of another version."""
        return self.key.endswith(".name") or ABSENT not in self.values

    @property
    def measuring(self) -> bool:
        """Whether it is of how a run is measured, not of what it is."""
        return self.key.partition(".")[0] in ("evaluators", "tasks")


def differences_between(contents: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Every key of some mappings, in the order in which they come."""
    flat = [flatten(content) for content in contents]
    keys = dict.fromkeys(key for one in flat for key in one)
    return [Difference(key, [one.get(key, ABSENT) for one in flat]) for key in keys]


def config_differences(configs: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """The keys in which recipes differ, those of how they are measured last."""
    found = [d for d in differences_between(configs) if not d.same and d.key not in FILES]
    return sorted(found, key=lambda d: d.measuring)


def in_short(differences: list[Difference], run: int) -> str:
    """What sets a run apart, in `MOST` letters or so: components' own options are left out where another component is chosen."""
    chosen = {d.key.removesuffix(".name") for d in differences if d.key.endswith(".name")}
    told = [d for d in differences if d.key.endswith(".name") or not any(d.key.startswith(f"{group}.") for group in chosen)]
    told = [d for d in told if d.key != "recipe"]  # which is always told
    told = [d for d in told if not d.measuring and d.chosen] or told
    words = [f"{d.key.removesuffix('.name')}={d.values[run]}" for d in told if d.values[run] != ABSENT]
    count = next((n for n in range(len(words), 1, -1) if len(", ".join(words[:n])) <= MOST), 1)
    return ", ".join(words[:count]) + (f" and {len(words) - count} more" if len(words) > count else "")

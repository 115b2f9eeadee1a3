"""What a value was measured with, as plain data: one canonical form, its digest, and what differs between two of them, in words.

Decisions:
- Settings are ``{"evaluator": {"name", options}, "data": {"name", options}, "image_size", "view"}``: all that could change a value of one
  checkpoint, and all that must be alike in two runs before their values are ranked. What says how and when to compute (``launch``,
  ``every``, ``data.cache``) is none of it; nor are the seed, the number of images and the step, which are told beside a value. Where
  an older checkpoint than the newest is asked for, ``"checkpoint": "step_N"`` stands beside them.
- The digest is of JSON with sorted keys: it depends neither on the order of keys nor on the process. Of 64 bits: a run would need millions
  of measurements before two were likely to share a file.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from iwm_core.interfaces.component import Component
from iwm_core.plugins.kinds import kind_of, kind_with
from iwm_core.recipe.config import Section

Settings = dict[str, Any]

NO_SETTINGS = {"evaluator": ("every",), "data": ("cache", "max_corrupt")}
"""Options of every evaluator and data source that change when and how values are computed, not which."""

UNKNOWN = "an earlier version, which did not keep its settings, measured some of them, and `iwm eval RUN` measures them again"


def settings_of(config: Mapping[str, Any], name: str) -> Settings:
    """What a config of plain values measures with, by the name of what measures: an evaluator, or a task where it tunes.

    Raises:
        UserError: no installed plugin knows this kind of run.
    """
    whole = kind_of(config).settings(config, name)
    for group, keys in NO_SETTINGS.items():
        whole[group] = {key: value for key, value in whole[group].items() if key not in keys}
    return canonical(whole)


def plain(recipe: Any) -> dict[str, Any]:
    """A typed recipe as plain values, as far as values are measured with them."""

    def simple(value: Any) -> Any:
        if isinstance(value, Component):
            return {"name": value.name, **dataclasses.asdict(value)}
        if isinstance(value, Section):
            return dataclasses.asdict(value)
        return {key: simple(one) for key, one in value.items()} if isinstance(value, Mapping) else value

    return {"kind": kind_with(recipe).name, **{key: simple(value) for key, value in vars(recipe).items()}}


def canonical(content: Any) -> Any:
    """Settings as JSON gives them back: lists for tuples, texts for paths and for numbers that are not finite."""
    if isinstance(content, Mapping):
        return {str(key): canonical(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [canonical(value) for value in content]
    if isinstance(content, bool | int | str) or content is None:
        return content
    if isinstance(content, float) and math.isfinite(content):
        return content
    return str(content)


def digest(settings: Settings) -> str:
    """Sixteen letters that stand for some settings in the name of a file."""
    text = json.dumps(canonical(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def leaves(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
    return flat


def flatten(content: Mapping[str, Any]) -> dict[str, str]:
    """Nested values by dotted keys, as texts."""
    return {key: text_of(value) for key, value in leaves(content).items()}


def text_of(value: Any) -> str:
    """A value as a recipe writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(text_of(v) for v in value)}]"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else str(value)
    return "{}" if value == {} else str(value)


def alike(kept: Settings, wanted: Settings) -> bool:
    """Whether a value that was kept was measured with these settings; an option that only one of two versions has does not count."""

    def same(one: Any, other: Any) -> bool:
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            return all(one[key] == other[key] for key in one.keys() & other.keys())
        return one == other

    return all(same(kept[key], wanted[key]) for key in kept.keys() & wanted.keys())


def otherwise(settings: Settings, usual: Settings) -> dict[str, str]:
    """What of some settings is not as usual: by key (an evaluator's options without its name) the value, where both have one.

    Usual is the newest checkpoint, which no settings name.
    """
    own, other = leaves(settings), {"checkpoint": "newest", **leaves(usual)}
    return {key.removeprefix("evaluator."): text_of(value) for key, value in own.items() if key in other and other[key] != value}


def in_words(differing: Mapping[str, str], most: int = 4) -> str:
    """``bank=16, pooling=mean and 2 more``."""
    words = [f"{key}={value}" for key, value in list(differing.items())[:most]]
    return ", ".join(words) + (f" and {len(differing) - most} more" if len(differing) > most else "")


def against(every: Sequence[Settings]) -> str:
    """Why values that were measured with these settings cannot be ranked, in words; nothing where they can."""
    flat = [flatten(one) for one in every]
    told = []
    for key in dict.fromkeys(key for one in flat for key in one):
        values = list(dict.fromkeys(one.get(key, "not there") for one in flat))
        told += [f"{key.removeprefix('evaluator.')} {' against '.join(values)}"] if len(values) > 1 else []
    return "; ".join(told[:4]) + (f"; and {len(told) - 4} more settings" if len(told) > 4 else "")

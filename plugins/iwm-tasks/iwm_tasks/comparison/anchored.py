"""The words of a comparison with their paths made absolute: its tunings read the same files from whichever folder it goes on."""

import dataclasses

from iwm_core.plugins.kinds import groups
from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.overrides import parse, quoted
from iwm_core.run.anchor import absolute, found


def anchor_words(words: list[str]) -> list[str]:
    """Overrides of ``key=value`` with components' paths made absolute, as `iwm_core.run.anchor.anchor` does in a config."""
    anchored = []
    for word, override in zip(words, parse(words), strict=True):
        group, _, name = override.key_or_group.rpartition(".")
        kind, value = groups().get(group.partition(".")[0]), override.value()
        if kind and isinstance(value, str) and (there := found(value)):
            options = [option for entry in load_plugins().entries(kind).values() for option in dataclasses.fields(entry.component)]
            if any(option.name == name and option.metadata.get("path") for option in options):
                word = f"{word.partition('=')[0]}={quoted(absolute(there))}"
        anchored.append(word)
    return anchored

"""``iwm zoo``: the models that this project has trained."""

import json

from iwm_core.cli.listing import Listing, show_rows
from iwm_core.process.shown import tell
from iwm_interop.zoo.entry import FOLDER, entries, named
from iwm_interop.zoo.shown import COLUMNS, row, section


def run_zoo(words: list[str], given: Listing) -> int:
    if not words and not given.json:
        show_rows([row(entry) for entry in entries().values()], False, COLUMNS)
        return 0
    found = [named(words[0])] if words else list(entries().values())
    if given.json:
        files = [FOLDER / "entries" / f"{entry['name']}.json" for entry in found]
        tell(json.dumps([json.loads(file.read_text(encoding="utf-8")) for file in files], indent=1, ensure_ascii=False), keep="\n")
        return 0
    tell("\n".join(section(found[0])).rstrip(), keep="\n")
    return 0

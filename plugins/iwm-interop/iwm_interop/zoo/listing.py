"""``iwm zoo``: the models that this project has trained."""

import json

from iwm_core.cli.listing import listing_options, show_rows
from iwm_core.process.shown import tell
from iwm_interop.zoo.entry import FOLDER, entries, named
from iwm_interop.zoo.shown import COLUMNS, row, section


def run_zoo(arguments: list[str]) -> int:
    options = listing_options(arguments, "zoo", 1)
    if not options.words and not options.json:
        show_rows([row(entry) for entry in entries().values()], False, COLUMNS)
        return 0
    found = [named(options.words[0])] if options.words else list(entries().values())
    if options.json:
        files = [FOLDER / "entries" / f"{entry['name']}.json" for entry in found]
        tell(json.dumps([json.loads(file.read_text(encoding="utf-8")) for file in files], indent=1, ensure_ascii=False), keep="\n")
        return 0
    tell("\n".join(section(found[0])).rstrip(), keep="\n")
    return 0

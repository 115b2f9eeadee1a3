"""The zoo as a table in a terminal and as a page in Markdown, both from its entries."""

from iwm_core.interfaces.results import Metric
from iwm_interop.exporting.card import cells, number
from iwm_interop.zoo.entry import SCHEME, Entry

LOGGED = {"step": "step", "loss": "loss", "target_std": "std", "effective_rank": "rank", "gain": "gain"}
"""What of a log is shown, and under which heading."""
COLUMNS = ("name", "recipe", "data", "steps", "hours", "parameters", "mrr", "chance", "load")

TOP = """# Zoo

Every model that we have trained and publish figures of, from the files that its run wrote: the recipe and its digest, seed, data, hours,
the scorecard with intervals, and the log. `iwm zoo` prints the table, `iwm zoo NAME` what is told of one, `iwm zoo --json` all of it.

```bash
iwm zoo
iwm zoo quickstart
iwm report zoo://quickstart out=quickstart.html
iwm tune zoo://quickstart recipe=tune/probe_linear budget=cpu
```

```python
import iwm_core

model = iwm_core.load("zoo://quickstart")
```

A model of less than 3 MB comes with `iwm-interop`, its weights rounded to 16 bits; what that changes stands beside it. It is
copied into your cache when it is first asked for, and read without a network. The digest is of all settings that make weights: the same
digest and seed, on the same versions and device, are the same training.

*This page is generated: `python docs/make_zoo.py`. A model is added, once its run has ended, by*
`python docs/make_zoo.py RUN NAME "WHAT IT IS" "WHERE IT WAS TRAINED"`.
"""


def row(entry: Entry) -> dict[str, str]:
    """One line about a model."""
    metric = mrr(entry)
    return {
        "name": entry["name"],
        "recipe": entry["recipe"],
        "digest": entry["digest"],
        "seed": str(entry["seed"]),
        "data": f"{entry['data']}, {entry['image_size']} px",
        "steps": str(entry["steps"]),
        "hours": f"{entry['hours']:.2f}, {entry['on']}",
        "parameters": " + ".join(f"{count:,}" for count in entry["parameters"].values()),
        "mrr": f"{number(metric.value)} ({number(metric.low)} to {number(metric.high)})" if metric else "not measured",
        "chance": number(metric.controls["chance"].value) if metric and "chance" in metric.controls else "",
        "load": f"{SCHEME}{entry['name']}" if entry.get("weights") else "train it",
    }


def mrr(entry: Entry) -> Metric | None:
    """The measure by which models are compared first."""
    return next((one["metrics"]["mrr"] for one in entry["scorecard"] if "mrr" in one["metrics"]), None)


def page(entries: list[Entry]) -> str:
    """The text of ``docs/zoo.md``."""
    rows = [row(entry) for entry in entries]
    table = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|", *(f"| {' | '.join(one[key] for key in COLUMNS)} |" for one in rows)]
    return "\n".join([TOP, *table, "", *("\n".join(section(entry)) for entry in entries)])


def section(entry: Entry) -> list[str]:
    """What is told of one model, in Markdown."""
    weights = entry.get("weights")
    shipped = (
        f"`zoo://{entry['name']}`: {weights['bytes']:,} bytes, SHA-256 of the weights `{weights['sha256']}`; rounding to 16 bits moves the "
        f"teacher's tokens by {weights['rounding']:.1g} of the largest"
        if weights
        else "not brought; train it"
    )
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    facts = {
        "trained by": f"`{entry['command']}`",
        "recipe": f"`{entry['recipe']}`, digest `{entry['digest']}`, seed {entry['seed']}",
        "data": f"{entry['data']}, {entry['image_size']} pixels",
        "length": f"{entry['steps']} steps, {entry['hours']:.2f} hours on {entry['on']}, without measuring",
        "parameters": ", ".join(f"{part} {count:,}" for part, count in entry["parameters"].items()),
        "versions": versions,
        "licence": entry["licence"],
        "weights": shipped,
    }
    metrics = [(one["evaluator"], name, metric) for one in entry["scorecard"] for name, metric in one["metrics"].items()]
    return [
        f"## {entry['name']}",
        "",
        entry["about"],
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in facts.items()),
        "",
        "| evaluator | metric | value | 95 % interval | controls | images |",
        "|---|---|---|---|---|---|",
        *(f"| {evaluator} | {name} | {cells(metric)} |" for evaluator, name, metric in metrics),
        "",
        f"| {' | '.join(LOGGED.values())} |",
        "|---" * len(LOGGED) + "|",
        *(f"| {' | '.join(number(line[key]) for key in LOGGED)} |" for line in entry["log"]),
        "",
    ]

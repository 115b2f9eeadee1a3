"""Runs for reports: their directories as training and evaluation leave them, without weights."""

import json
from pathlib import Path

import yaml
from PIL import Image

HOSTILE = "<b onclick=\"alert('1')\">&amp; $x$ {{ 7*7 }}</b>"
"""A name that means something to HTML, JavaScript, matplotlib and Jinja."""


def config(**changes):
    return {
        "recipe": "quickstart",
        "predictor": {"name": "feature", "depth": 3},
        "evaluators": {"rank": {}},
        "train": {"seed": 0},
    } | changes


def metric(value, low=None, high=None, n=64):
    return {"value": value, "low": value if low is None else low, "high": value if high is None else high, "n": n}


def png(folder, name, size=8, colour=(200, 30, 60)):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), colour).save(folder / name)
    return name


def evaluation(folder, name="rank", best=0.7, words="it ranks well"):
    """All that an evaluator can give, written as `iwm_evals.measuring.evaluate` writes it."""

    def series(label, x, y):
        return {"label": label, "x": x, "y": y, "low": [v - 0.1 for v in y], "high": [v + 0.1 for v in y]}

    def chart(key, kind, curves, **more):
        about = {"title": f"Chart of {key}", "x": "dose", "y": "answer", "kind": kind, "about": "it rises", "levels": {}}
        return {"name": key, "series": curves} | about | more

    content = {
        "evaluator": name,
        "step": 6,
        "checkpoint": "step_6",
        "metrics": {
            "hit": metric(best, best - 0.05, best + 0.05),
            "hit_chance": metric(0.016),
            "hit_shuffled": metric(0.02, 0.01, 0.03),
            "hit.gain.log2": metric(0.5, 0.4, 0.6),
            "lost": metric(None, None, None),
        },
        "settings": {"bank": 64, "pooling": {"kind": "none"}},
        "summary": words,
        "about": {"hit": "1 is always, chance is 1/64"},
        "charts": [
            chart("curve", "lines", [series("dose", [0, 1, 2], [0.1, 0.4, best])], levels={"chance": 0.016}),
            chart("many", "lines", [series("told", [0, 1], [0.1, best]), series("not told", [0, 1], [0.1, 0.1])]),
            chart("parts", "bars", [series("all", ["brightness", "hue"], [best, 0.3])], levels={"chance": 0.016}),
            chart(
                "place",
                "points",
                [series("features", [0.2], [0.8]), {"label": "pixels", "x": [0.7], "y": [0.3], "low": None, "high": None}],
            ),
        ],
        "galleries": [
            {
                "name": "grid",
                "title": "Retrieval",
                "subtitle": "of 64",
                "headings": ["source", "nearest"],
                "rows": [
                    {
                        "images": [png(folder, "grid/00_0.png"), png(folder, "grid/00_1.png", 400)],
                        "numbers": {"gain.log2": -0.25, "blur.undo": 0.0},
                        "verdict": "found: rank 1",
                        "right": True,
                    },
                    {
                        "images": [png(folder, "grid/01_0.png"), png(folder, "grid/01_1.png")],
                        "numbers": {"gain.log2": 0.5, "blur.undo": 0.0},
                        "verdict": "missed: rank 2",
                        "right": False,
                    },
                ],
                "about": "read it row by row",
            }
        ],
        "pictures": [{"file": png(folder, f"{name}_own.png"), "about": "drawn by the evaluator"}],
    }
    png(folder, f"{name}.png")  # the whole gallery for the eye, which a report does not show again
    (folder / f"{name}.json").write_text(json.dumps(content))
    return content


def make_run(
    path, best=0.7, seed=0, settings=None, measured=True, words="it ranks well", charts=("curve", "many", "parts", "place"), logs=True
):
    """A run's directory without its weights, which no report reads, with the ``charts`` that a test looks at."""
    path = Path(path)
    (path / "checkpoints" / "step_6").mkdir(parents=True)
    (path / "checkpoints" / "step_6" / "state.json").write_text('{"step": 6, "steps": 8}')
    (path / "config.yaml").write_text(yaml.safe_dump(settings or config(train={"seed": seed}, run=str(path)), sort_keys=False))
    command = ["/somewhere/bin/iwm", "train", "recipe=quickstart", f"train.seed={seed}", f"run={path}"]
    (path / "env.json").write_text(json.dumps({"versions": {"torch": "2.9"}, "python": "3.12", "command": command}))
    (path / "eval").mkdir()
    if measured:
        evaluation(path / "eval", best=best, words=words)
        file = path / "eval" / "rank.json"
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"charts": [chart for chart in content["charts"] if chart["name"] in charts]}))
    if logs:
        write_logs(path)
    return path


def write_logs(path):
    """What a run of six steps logs, and measures at two of them."""
    numbers = {"target_std": 0.5, "effective_rank": 9.0, "gain": 0.3, "images_per_s": 100.0, "lr": 1e-3, "skipped": 1, "corrupt": 0}
    lines = [{"step": 2, "loss": 0.9} | numbers, {"step": 4, "loss": None} | numbers, {"step": 6, "loss": 0.4} | numbers]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = [{"step": s, "evaluator": "rank", "metrics": {"hit": metric(0.1 * s, 0, 1), "hit_chance": metric(0.016)}} for s in (2, 4)]
    (path / "evaluations.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))

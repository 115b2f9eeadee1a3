"""What happens outside of `iwm compare`, as a test plans it: tunings, recipes and what is checked of them."""

from pathlib import Path
from types import SimpleNamespace

import comparison_runs
from comparison_runs import write_tuned, write_world_model
from iwm_cluster.jobs import Ended
from iwm_tasks.comparison.compare import compare

from iwm_core.cli.main import guarded
from iwm_core.plugins.loader import Plugin

USUAL = ["probe_linear", "probe_attentive", "encoder", "predictor", "predictor_random", "end_to_end"]
TWO = ["protocols=[predictor,encoder]", "seeds=2"]


class Outside(SimpleNamespace):
    """What happens outside of this process, as the test plans it.

    Attributes:
        commands: of the jobs, each without what begins ``iwm``, in order.
        checked: recipes that were checked, with their overrides.
        endings: what becomes of a run instead of finishing, by its directory's name, once.
    """


def stand_in(tiny, monkeypatch):
    """Everything outside, stood in for; and a world model, ``runs/pets``."""
    tiny.plugins.append(Plugin("compared", "compared", "0", comparison_runs))
    tiny.manager.register(comparison_runs)
    recipes = {f"tune/{name}": SimpleNamespace(header=[f"about {name}"]) for name in [*USUAL, "multitask"]} | {"quickstart": None}
    monkeypatch.setattr("iwm_tasks.comparison.arguments.find_recipes", lambda: recipes)
    outside = Outside(commands=[], checked=[], endings={})

    def run(words):
        outside.commands.append(words)
        path = Path(words[1] if words[0] == "resume" else words[4].removeprefix("run='").removesuffix("'").replace("\\'", "'"))
        if path.name in outside.endings:
            return outside.endings.pop(path.name)(path)
        finish(path)
        return Ended(0, 0)

    def run_jobs(jobs, places):
        for job in jobs:
            yield job, (ended := run(job.words))
            if ended.received:
                return

    monkeypatch.setattr("iwm_tasks.comparison.compare.run_jobs", run_jobs)
    monkeypatch.setattr("iwm_tasks.tuning.start.check", lambda path, name, overrides, *_: outside.checked.append((path, name, overrides)))
    monkeypatch.setattr("iwm_report.plugin_page.render_own", lambda page: f"page of {page.sections}")  # drawn in test_comparison.py
    monkeypatch.setattr("iwm_report.plugin_page.picture", lambda plots, kind: b"picture")
    write_world_model("runs/pets")
    return outside


def finish(path):
    """A tuning ends well; one that was there goes on."""
    for file in sorted(path.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    name, _, seed = path.name.partition("-seed")
    write_tuned(path, {"shape": 0.9 - 0.01 * len(name) + 0.01 * int(seed)}, int(seed))


def asked(*words, status=0, run="runs/pets"):
    assert guarded(lambda: compare(run, list(words))) == status


def refused(capsys, *words, run="runs/pets"):
    """The one line that is told."""
    asked(*words, status=2, run=run)
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("iwm: ")

"""A claim that is brought, and run with copies of two tiny runs in place of trainings."""

from pathlib import Path

import pytest
from claimed import MODELS, Bringing, claim, copy_run
from iwm_cluster.jobs import Ended, elsewhere
from iwm_repro.registered import all_claims

from iwm_core.cli.main import dispatch, guarded
from iwm_core.plugins.loader import Plugin


@pytest.fixture
def bring(kept, tiny, tmp_path):
    """Bring a claim, and others, in the place of those before; what is trained for it is a copy of one of two runs."""
    for name in MODELS:
        kept("train", "recipe=tiny", f"predictor={name}", "evaluators=[error]", f"run=trained/{name}")

    def brought(*others, **changes):
        for plugin in [one for one in tiny.manager.get_plugins() if isinstance(one, Bringing)]:
            tiny.manager.unregister(plugin)
        plugin = Bringing(claim(tmp_path / "results", **changes), *others)
        tiny.plugins.append(Plugin("mine", "mine", "0", plugin))
        tiny.manager.register(plugin)
        all_claims.cache_clear()

    yield brought
    all_claims.cache_clear()


@pytest.fixture
def reproduce(tmp_path, capsys):
    """`iwm reproduce alike`, with what it began, its status, and what it printed; ``ending`` may say how a job ends in place of well."""

    def asked(*words, ending=lambda words: None, name="alike"):
        begun = []

        def run(jobs):
            for job in jobs:
                begun.append(job.words)
                ended = ending(job.words)
                if not ended:
                    model = "none" if "predictor-none" in place_of(job.words) else "shift"
                    copy_run(tmp_path / "trained" / model, Path(place_of(job.words)), seed_of(job.words))
                yield job, ended or Ended(0, 0)
                if ended and ended.received:
                    return

        with elsewhere(run):
            status = guarded(lambda: dispatch(["reproduce", name, *words]))
        return begun, status, "".join(capsys.readouterr())

    return asked


def seed_of(words):
    """The seed that a job's words ask for, or a run's place has."""
    asked = next((word for word in words if word.startswith("train.seed=")), None)
    return int(asked.partition("=")[2] if asked else place_of(words).rpartition("-s")[2])


def place_of(words):
    """Where a job's words have it write."""
    return words[1] if words[0] == "resume" else next(word for word in words if word.startswith("run=")).removeprefix("run=").strip("'")

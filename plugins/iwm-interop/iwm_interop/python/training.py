"""A training that is asked for in Python: settings become the words of a command line, and the rest is what that does.

Decisions:
- What images are given from Python is up to the installed data sources (`DataSource.take`): the first that takes them is chosen, as
  ``data=NAME`` on a command line, with the options that it gives. So the frozen config says what the run was trained on.
- Such images live as long as the call: nothing is kept of them, and a run that goes on is given them again.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.model.loading import load_run
from iwm_core.plugins.kinds import kind_of
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import make_display
from iwm_core.process.launch import choose_device
from iwm_core.recipe.overrides import quoted
from iwm_core.recipe.thaw import thaw
from iwm_core.training.starting import begin, composed, resume


def train_from_python(recipe: Any, data: Any, overrides: Any, run: Any, device: str) -> Any:
    """Train, and load what came of it; see `iwm_core.train`."""
    if [isinstance(one, str | Path) for one in (recipe, run) if one is not None] != [True]:
        raise UserError('say what to train, a recipe or a run: iwm_core.train("quickstart"), or iwm_core.train(resume="runs/quickstart")')
    words = words_of(overrides)
    choose_device(device)
    path = str(run or "")
    try:
        with taken(data) as chosen:
            if recipe is None:
                status = resume(path, [*chosen, *words])
            else:
                config, notes = composed(str(recipe), [*chosen, *words])
                kind_of(config).check(thaw(config))
                try:
                    status = begin(config, "train", notes, make_display())
                finally:
                    path = str(config.run or "")
    except Stopped as stopped:
        if stopped.status != 130 or not path:
            raise
        again = f"resume={path!r}" + (", data=…" if data is not None else "")
        raise KeyboardInterrupt(f"{str(stopped).partition(';')[0]}; go on with iwm_core.train({again})") from stopped
    if status:
        raise UserError(f"the training of {path} ended with status {status}; what went wrong is told above")
    return load_run(path, device)


@contextmanager
def taken(data: Any) -> Iterator[list[str]]:
    """Have a data source take images from Python, or raise a `UserError`; gives the overrides that choose it, none where there are none."""
    if data is None:
        yield []
        return
    sources = load_plugins().entries("data_source")
    try:
        held = {name: one for name, entry in sources.items() if (one := entry.component.take(data)) is not None}
    except ValueError as error:
        raise UserError(str(error)) from error
    if not held:
        raise UserError(
            f"no installed data source takes data= of the type {type(data).__name__}; give a map-style dataset of images, "
            f'{{"train": …, "validation": …}}, or a folder; installed: {", ".join(sources)}'
        )
    name, one = next(iter(held.items()))
    with one as options:
        yield [f"data={name}", *(f"data.{key}={written(key, value)}" for key, value in options.items())]


def words_of(overrides: Any) -> list[str]:
    """Settings as the words of a command line."""
    if isinstance(overrides, Mapping):
        return [f"{key}={written(str(key), value)}" for key, value in overrides.items()]
    words = [overrides] if isinstance(overrides, str) or not isinstance(overrides, Iterable) else list(overrides)
    if wrong := [word for word in words if not isinstance(word, str)]:
        raise UserError(f'overrides are {{"train.steps": 200}} or ["train.steps=200"], and hold a {type(wrong[0]).__name__}')
    return words


def written(key: str, value: Any) -> str:
    """A value as an override has it; texts are quoted, so that whatever is in them, they stay texts."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{written(key, one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(written(key, one) for one in value) + "]"
    if isinstance(value, str | Path):
        return quoted(str(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, Number):
        raise UserError(f"overrides: {key} is a {type(value).__name__}; give numbers, texts, lists of them, or None")
    return str(value)

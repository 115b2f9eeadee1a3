"""The verb ``bench``: what its help says, what it takes, and where it is carried out."""

from dataclasses import dataclass
from pathlib import Path

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option

ARMS = {
    "model": "forward, backward and step on fixed tensors",
    "step": "with draws, views and target selection",
    "data": "fed by the recipe's data",
    "feed": "the data alone, without a model",
    "decode": "what data workers make, unsent, the most that they could feed",
    "actions": "the actions alone, against torchvision and kornia where they are installed",
}
"""What can be measured, in the order in which it is shown."""

FED = ("data", "feed", "decode")
"""Those that read the recipe's data."""

DEFAULT = ("model", "step", "data")
"""Those that train the model."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Its switches."""

    arms: list[str] = option([*DEFAULT], "what is measured", choices=tuple(ARMS), value=",".join(DEFAULT))
    repeats: int = option(5, "blocks of each arm, which take turns", low=1, high=1_000_000)
    seconds: float = option(1.0, "how long each lasts at least", low=1e-3, high=1e6, value="1")
    ijepa: Path | None = option(
        None, "add a row: the step of I-JEPA's reference code, of the same sizes and tokens, from a checkout of it", value="FOLDER"
    )
    lightly: bool = option(False, "add a row: the step of lightly's I-JEPA, where it is installed")
    json: bool = option(False, "print the record in place of the table; out=FILE.json writes it")
    compare: Path | None = option(None, "add ratios to an earlier record", value="FILE.json")
    profile: bool = option(False, "write a trace of one step an arm, for ui.perfetto.dev: FILE.trace.json, or bench.trace.json here")


VERBS = [
    Command(
        name="bench",
        run="iwm_bench.commands:run_bench",
        switches=Bench,
        forms={
            "bench recipe=NAME [key=value …]": "measure a recipe's training step on this device",
        },
        more=("; ".join(f"{name}: {about}" for name, about in ARMS.items()) + ".",),
        examples=(
            "iwm bench recipe=quickstart launch.precision=bf16 --arms model,step out=bf16.json",
            "iwm bench recipe=quickstart --arms model,step --compare bf16.json",
            "iwm bench recipe=repro/imagenette size=gpu --profile",
        ),
    ),
]

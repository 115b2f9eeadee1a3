"""The run that a tuning begins from, as its config tells of it. Needs no torch: a refusal costs no more than it must.

Decisions:
- A tuning keeps its world model's config and the checksum of its weights, and whatever is read of the world model later is compared with
  them: another run may lie in its place by then. Tunings of earlier versions kept the config alone, and that is compared.
- Data may be moved, and machines differ: what a config tells of them is not compared.
"""

from pathlib import Path
from typing import Any, NotRequired, TypedDict

from iwm_core.interfaces.errors import UserError
from iwm_core.run.anchor import absolute
from iwm_core.run.directory import Run
from iwm_core.run.saved import read_state
from iwm_core.run.stored import Damaged, checksum_of_file

PLACES = ("data", "launch", "run")
"""What a run's config tells of places, which do not make its weights."""


class Source(TypedDict):
    """What a tuning's config tells of its world model.

    Attributes:
        run, checkpoint: its directory and the checkpoint that is tuned.
        config: its config.
        weights: checksum of the checkpoint's weights; earlier versions kept none.
    """

    run: str
    checkpoint: str
    config: dict[str, Any]
    weights: NotRequired[str]


def source_of(path: str, checkpoint: str | None = None) -> tuple[Source, dict[str, Any]]:
    """What a tuning keeps of the run that it begins from, and the config of its data.

    Raises:
        UserError: it is not a run or not a world model, or has no checkpoint yet.
    """
    run = Run.open(path, checkpoint)
    config = run.plain_config()
    if "world_model" in config:
        raise UserError(f"{path} is tuned already; tune the world model that it comes from: {config['world_model'].get('run')}")
    if "data" not in config:
        raise Damaged(run.path / "config.yaml", "is damaged (it lacks data)", "bring back a copy of it")
    name, weights = run.read_newest(lambda checkpoint: (checkpoint.name, weights_of(checkpoint)))
    return {"run": absolute(path), "checkpoint": name, "weights": weights, "config": config}, config["data"]


def weights_of(checkpoint: Path) -> str:
    """The checksum of a checkpoint's weights, as it tells it; made from the file where an earlier version has written none.

    Raises:
        Damaged: it cannot be read.
    """
    told = read_state(checkpoint).get("checksums", {}).get("model.safetensors")
    return told or checksum_of_file(checkpoint / "model.safetensors")


def check_same(kept: Source) -> Path:
    """The checkpoint of the world model that a tuning has kept, once it is found to be still the same.

    Raises:
        UserError: it is gone, or another model lies in its place.
    """
    run = Path(kept["run"])
    checkpoint = run / "checkpoints" / kept["checkpoint"]
    if not checkpoint.is_dir():
        raise UserError(f"the world model's checkpoint {checkpoint} is gone; bring it back, or start the tuning anew")
    other = ["weights"] if kept.get("weights") not in (None, weights_of(checkpoint)) else []
    if "weights" not in kept and (run / "config.yaml").exists():
        now = Run(run).plain_config()
        other = sorted(key for key in (kept["config"].keys() | now.keys()) - {*PLACES} if kept["config"].get(key) != now.get(key))
    if other:
        raise UserError(
            f"{checkpoint} is another model by now than this tuning has begun from (it differs in {', '.join(other[:3])}); "
            "bring that one back, or start the tuning anew"
        )
    return checkpoint

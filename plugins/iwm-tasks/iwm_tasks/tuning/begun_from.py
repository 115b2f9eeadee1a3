"""The run that a tuning begins from, as its config tells of it. Needs no torch: a refusal costs no more than it must."""

from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.anchor import absolute
from iwm_core.run.directory import Run
from iwm_core.run.stored import Damaged


def source_of(path: str, checkpoint: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a tuning keeps of the run that it begins from (its path, checkpoint and config), and the config of its data.

    Raises:
        UserError: it is no run, no world model, or has no checkpoint yet.
    """
    run = Run.open(path, checkpoint)
    config = run.plain_config()
    if "world_model" in config:
        raise UserError(f"{path} is tuned already; tune the world model that it comes from: {config['world_model'].get('run')}")
    if "data" not in config:
        raise Damaged(run.path / "config.yaml", "is damaged (it lacks data)", "bring back a copy of it")
    return {"run": absolute(path), "checkpoint": run.newest().name, "config": config}, config["data"]

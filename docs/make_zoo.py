"""Writes ``zoo.md`` from the zoo's entries: ``python docs/make_zoo.py``; with a finished run, adds it to them first:
``python docs/make_zoo.py RUN NAME "WHAT IT IS" "WHERE IT WAS TRAINED"``."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from iwm_evals.measuring.scorecard import form
from iwm_evals.measuring.settings import digest
from iwm_interop.exporting.card import shareable
from iwm_interop.exporting.origin import Origin
from iwm_interop.sharing.shared_run import Shared, share
from iwm_interop.sums import sha256_of
from iwm_interop.zoo.entry import FOLDER, LARGEST, SCHEME, entries
from iwm_interop.zoo.shown import LOGGED, page

import iwm_core
from iwm_core.run.directory import Run, finite
from iwm_core.run.saved import Logged, read_state
from iwm_core.run.stored import read_log, read_record

PAGE = Path(__file__).parent / "zoo.md"
VERSIONS = ("iwm-core", "torch", "timm")
LICENCE = "Apache-2.0"


def add(path: str, name: str, about: str, on: str) -> None:
    """Make an entry of a run, and keep its model where it is small."""
    run = Run.open(path)
    config, state, model = run.plain_config(), read_state(run.newest()), iwm_core.load(path, device="cpu")
    assert state["step"] == state["steps"], "the run has ended"
    versions: Any = read_record(run.path / "env.json", dict[str, Any])["versions"]
    found = [one for one in iwm_core.measured(path) if one.own and one.metrics]
    assert all(one.step == state["step"] for one in found), "all was measured at the last step"
    lines = read_log(run.metrics, Logged).records
    entry = {
        "format": 1,
        "name": name,
        "about": about,
        "recipe": config["recipe"],
        "digest": digest(shareable(config)),
        "command": f"iwm train recipe={config['recipe']}",
        "seed": config["train"]["seed"],
        "data": config["data"]["name"],
        "image_size": config["image_size"],
        "steps": state["step"],
        "hours": round(state["seconds"] / 3600, 4),
        "on": on,
        "parameters": {
            "encoder": sum(p.numel() for p in model.model.student.parameters()),
            "predictor": sum(p.numel() for p in model.model.predictor.parameters()),
        },
        "licence": LICENCE,
        "versions": {one: versions[one] for one in VERSIONS},
        "scorecard": [{"evaluator": one.name, "metrics": form(one.metrics)} for one in found],
        "log": [{key: line[key] for key in LOGGED} for line in lines],
        "weights": kept(run, name, model),
    }
    (FOLDER / "entries" / f"{name}.json").write_text(json.dumps(finite(entry), indent=1) + "\n", encoding="utf-8")


def kept(run: Run, name: str, model: Any) -> dict[str, Any] | None:
    """Keep the model of a run beside its entry, if it is small; returns what is told of it."""
    folder = FOLDER / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    share(Shared(run, Origin(LICENCE), f"{SCHEME}{name}", half=True), folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > LARGEST:
        shutil.rmtree(folder)
        return None
    side = model.recipe.image_size
    images = torch.rand(64, 3, side, side, generator=torch.Generator().manual_seed(0))
    own, rounded = (one.targets(images) for one in (model, iwm_core.load(folder, device="cpu")))
    (weights,) = folder.glob("checkpoints/*/model.safetensors")
    return {"bytes": size, "sha256": sha256_of(weights), "rounding": float((own - rounded).abs().max() / own.abs().max())}


if __name__ == "__main__":
    if sys.argv[1:]:
        add(*sys.argv[1:])
    PAGE.write_text(page(list(entries().values())), encoding="utf-8")

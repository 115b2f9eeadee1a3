"""A run as it is given to others: a run like any, whose config, weights and results tell of no machine.

Decisions:
- It holds what `iwm_core.load`, `iwm report`, `iwm eval` and `iwm tune` read: config, the weights of one checkpoint, the recipe's own
  results, the training's numbers, the licence. Not: the optimizer's moments, the environment, the command line, logs of corrupt files,
  pictures (they are of the owner's data).
- Paths that lie here are told as ``local``; where and how it was computed is left to whoever loads it.
- ``iwm.json`` names each file with its SHA-256. It guards against damage and mixed versions, and whoever fetches compares it.
"""

import dataclasses
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from iwm_evals.measuring.scorecard import read_result
from iwm_evals.measuring.settings import flatten
from safetensors.torch import load_file, save_file

import iwm_core
from iwm_core.recipe.config import Launch
from iwm_core.run.directory import Run
from iwm_core.run.files import append, write_atomically, write_record
from iwm_core.run.plain import written_yaml
from iwm_core.run.saved import Logged, State, read_state
from iwm_core.run.stored import FORMAT, SEALS, checksum, checksum_of_file, read_log
from iwm_interop.exporting.card import front_matter, placeless, scorecard, shareable
from iwm_interop.exporting.origin import Origin
from iwm_interop.sharing.manifest import MANIFEST, Manifest
from iwm_interop.sums import sha256_of

COMPUTED = ("precision", "compile")
"""What of ``launch`` is more than the place where a run was computed."""


class Shared(NamedTuple):
    """What is shared, and as what: its address, and whether weights are rounded to 16 bits."""

    run: Run
    origin: Origin
    address: str
    half: bool = False


def share(asked: Shared, folder: Path) -> Manifest:
    """Write a run, as its newest checkpoint (or the chosen one) has it, into a folder that is empty.

    Raises:
        UserError: a file of the run cannot be read, or of the folder written.
    """
    run, checkpoint = asked.run, asked.run.newest()
    state, config = read_state(checkpoint), shared_config(run.plain_config())
    content = {"format": FORMAT, **config}
    write_atomically(folder / "config.yaml", f"checksum: '{checksum(content)}'\n{written_yaml(content)}")
    own = folder / "config.yaml"

    weights = folder / "checkpoints" / checkpoint.name / "model.safetensors"
    weights.parent.mkdir(parents=True)
    if asked.half:
        save_file(rounded(load_file(checkpoint / weights.name)), weights)
    else:
        shutil.copyfile(checkpoint / weights.name, weights)
    weights.chmod(own.stat().st_mode)  # safetensors closes its files to others, whatever the umask
    told = {key: state[key] for key in State.__annotations__ if key in state and key not in (*SEALS, "config", "checksums")}
    told |= {"format": FORMAT, "checksums": {weights.name: checksum_of_file(weights)}}
    write_record(weights.parent / "state.json", told, own)

    (folder / "eval").mkdir()
    for one in iwm_core.measured(run.path):
        if one.own and one.step == state["step"]:
            found = unsealed(read_result(run.path / "eval" / f"{one.name}.json"))
            write_record(folder / "eval" / f"{one.name}.json", placeless({**found, "galleries": [], "pictures": [], "files": {}}), own)
    lines = [unsealed(line) for line in read_log(run.metrics, Logged).records]
    append(folder / "metrics.jsonl", *[line for line in lines if line["step"] <= state["step"]])
    if asked.origin.imported:
        write_record(folder / "import.json", {"format": 1, **asked.origin.imported}, own)
    write_atomically(folder / "README.md", card(asked, folder, state["step"]))
    files = {path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    manifest: Manifest = {"format": 1, "files": files, "licence": asked.origin.licence}
    write_record(folder / MANIFEST, dict(manifest))
    return manifest


def unsealed(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what tells of which run it is, and that it is whole."""
    return {key: value for key, value in record.items() if key not in ("config", "checksum")}


def shared_config(config: dict[str, Any]) -> dict[str, Any]:
    """A run's config without its place, and with places of data as ``local``."""
    launch = dataclasses.asdict(Launch()) | {key: value for key, value in config.get("launch", {}).items() if key in COMPUTED}
    return placeless({**config, "launch": launch, "run": None})


def rounded(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Floats as float16: 11 significant bits, half the size; loading gives float32 of the rounded values."""
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def card(asked: Shared, folder: Path, step: int) -> str:
    """The model card of a shared run, in Markdown."""
    config = asked.run.plain_config()
    lines = ["import iwm_core", "", f'model = iwm_core.load("{asked.address}")', "tokens = model.encode(images)  # [b, 3, h, w] in [0, 1]"]
    results = [one for one in iwm_core.measured(folder) if one.step == step]
    licence = asked.origin.licence or "not stated: ask whoever gave you this model before you use it or pass it on"
    recipe = "\n".join(f"{key}: {value}" for key, value in flatten(shareable(config)).items())
    parts = [
        front_matter("an iwm run", True, asked.origin),
        f"# {config.get('recipe', 'An image world model')}",
        f"An image world model, recipe `{config.get('recipe')}` at step {step}: student, teacher and predictor{asked.origin.words()}. "
        f"Shared by iwm {iwm_core.__version__}{', its weights rounded to 16 bits' if asked.half else ''}.",
        "## Load",
        "\n".join(["```python", *lines, "```"]),
        "It is measured, tuned and exported by the same address: `iwm report`, `iwm tune`, `iwm export`.",
        f"## Licence\n\n{licence}.",
        f"## Scorecard\n\n{scorecard(results)}",
        f"## Recipe\n\n```yaml\n{recipe}\n```",
    ]
    return "\n\n".join(parts) + "\n"

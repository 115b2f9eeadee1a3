"""Loads every exported format by its card's lines in an environment that has none of our packages.

    python plugins/iwm-interop/tests/slow/fresh.py            # all cases, in the versions installed here; about two minutes on one core
    python plugins/iwm-interop/tests/slow/fresh.py timm       # one format
    python plugins/iwm-interop/tests/slow/fresh.py transformers --with "transformers<5"    # in another version, which pip fetches

Each row: the run, the format, and by how much the outputs that the card's lines give differ from the run's. What transformers then
saves, by the names of its files and by those that it has in memory, is imported and exported again: to the last byte what it was given.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[4] / "tests/furniture"))

from fresh_environment import Environment, fresh_environment
from small_worlds import WORLDS

import iwm_core
from iwm_core.cli.main import dispatch

DATA = ["data=scenes", "data.train=32", "data.validation=32", "train.batch_size=16", "launch.device=cpu", "launch.workers=0"]
FEW = ["evaluators=[]", "train.steps=2", "train.lr.warmup=1"]
TUNED = [
    *("recipe=tune/predictor", "budget=cpu", "tasks=[classify]", "tasks.classify.of=shape", "heads=[attentive]"),
    *("train.epochs=null", "train.steps=2", "train.batch_size=16", "train.lr.warmup=1", "launch.device=cpu", "launch.workers=0"),
]
FORMATS = ("timm", "transformers", "torch", "onnx")
CASES = [(run, format) for run in WORLDS for format in FORMATS if format != "transformers" or run in ("sincos", "stored")]
CASES += [("tuned", format) for format in ("torch", "onnx")]

BEFORE = {
    "timm": "images = (images - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]",
    "transformers": "pictures = list((images * 255).to(torch.uint8))",
    "torch": "",
    "onnx": "images, action = images.numpy(), action.numpy()",
}
"""What users of a format have: normalised images, pictures, or arrays."""

PROGRAM = """
import importlib.util, json, sys, torch
known = [name for name in ("iwm_core", "iwm_vit", "iwm_interop", "iwm_tasks") if importlib.util.find_spec(name)]
assert not known, known
given = torch.load("given.pt")
images, action = given["images"], given["action"]
{before}
with torch.no_grad():
{lines}
torch.save({{name: torch.as_tensor(value) for name, value in list(locals().items()) if name in {outputs}}}, "outputs.pt")
{after}
"""

SAVED = """
import pathlib, safetensors.torch, shutil, transformers
model.save_pretrained("saved")
pathlib.Path("held").mkdir()
safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, "held/model.safetensors")
for name in ("config.json", "preprocessor_config.json"):
    shutil.copy("model/" + name, "held"), shutil.copy("model/" + name, "saved")
print(transformers.__version__, "names", next(name for name in model.state_dict() if "attention" in name))
"""
"""What users of transformers keep of a model: what it saves, and its state dict, whose names depend on the version."""


def made(name: str, folder: Path) -> Path:
    """A run of a kind, trained for two steps."""
    run = folder / name.replace(" ", "-")
    if not run.exists():
        if name == "tuned":
            assert dispatch(["tune", str(made("sincos", folder)), *TUNED, f"run={run}"]) == 0
        else:
            assert dispatch(["train", "recipe=quickstart", *DATA, *WORLDS[name], *FEW, f"run={run}"]) == 0
    return run


def difference(name: str, format: str, folder: Path, environment: Environment) -> float:
    """How far what a card's lines give is from what the run gives, over the largest number, in an environment without our packages."""
    run, place = made(name, folder), folder / f"{name}-{format}".replace(" ", "-")
    place.mkdir()
    assert dispatch(["export", str(run), f"out={place / 'model'}", "--format", format]) == 0
    images = (torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(7)) * 255).round() / 255
    expected, action = expected_of(run, images, predicts=format in ("torch", "onnx"))
    torch.save({"images": images, "action": action}, place / "given.pt")
    blocks = re.findall(r"```python\n(.*?)```", (place / "model/README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 3 * len(blocks), "three lines for each part"
    body = "\n".join(f"    {line}" for line in lines)
    after = SAVED if format == "transformers" else ""
    program = PROGRAM.format(before=BEFORE[format], lines=body, outputs=repr([*expected]), after=after)
    (place / "program.py").write_text(program)
    told = environment.run("python", "program.py", cwd=place, env={"HF_HUB_OFFLINE": "1"}).stdout
    outputs = torch.load(place / "outputs.pt")
    assert outputs.keys() == expected.keys()
    if after:
        print("transformers", told.strip())
        for kept in ("saved", "held"):
            assert returned(place / kept, place / f"{kept}-again") == (place / "model/model.safetensors").read_bytes()
    return max(far(outputs[key], expected[key]) for key in expected)


def returned(kept: Path, place: Path) -> bytes:
    """The weights of what a version of transformers has kept, imported and exported again."""
    small = ["predictor.width=16", "predictor.depth=1", "predictor.heads=2", "data=scenes", "evaluators=[]"]
    assert dispatch(["import", "transformers", str(kept), str(place / "run"), *small]) == 0
    assert dispatch(["export", str(place / "run"), f"out={place / 'model'}", "--format", "transformers"]) == 0
    return (place / "model/model.safetensors").read_bytes()


def expected_of(run: Path, images: torch.Tensor, predicts: bool) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """What the run itself gives, by the names that cards use, and the action that it was asked."""
    model = iwm_core.load(run, device="cpu")
    if not hasattr(model, "encode"):
        return model.predict(images), torch.zeros(0)
    action = torch.rand(len(images), len(model.names), generator=torch.Generator().manual_seed(8)) * 2 - 1
    with torch.no_grad():
        tokens = model.encode(images)
        predicted = {"predicted": model.predict(tokens, action[:, None])[:, 0]} if predicts else {}
    return {"tokens": tokens, **predicted}, action


def far(own: torch.Tensor, other: torch.Tensor) -> float:
    own = own[:, own.shape[1] - other.shape[1] :] if own.ndim == 3 else own  # a class token before the patches
    assert own.shape == other.shape
    return float((own - other).abs().max() / other.abs().max().clamp(min=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", choices=[*FORMATS, []], help="all where none is named")
    parser.add_argument("--with", dest="other", metavar="SPEC", help="of a package, another version than the one that is installed here")
    options = parser.parse_args()
    asked = options.formats or FORMATS
    with tempfile.TemporaryDirectory() as folder:
        outside = fresh_environment(Path(folder) / "environment", [])
        if options.other:  # beside what is linked into the environment, which nothing may take away
            command = [outside.folder / "bin/python", "-m", "pip", "install", "-q", "--ignore-installed", options.other]
            subprocess.run(command, env={**os.environ, "VIRTUAL_ENV": str(outside.folder)}, check=True)
        for name, format in CASES:
            if format in asked:
                print(f"{name:12} {format:14} {difference(name, format, Path(folder), outside):.1e}", flush=True)

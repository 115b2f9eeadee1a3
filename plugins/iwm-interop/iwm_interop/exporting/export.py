"""``iwm export``: the encoder of a run in a folder that others can load, with a model card.

Decisions:
- What is written is read back as its users will, and must give the run's tokens: only then does the folder get its name.
- A difference counts against the largest number among the tokens, or 1: float32 adds up in another order in another library.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from pkgutil import resolve_name

import torch
from safetensors import SafetensorError

import iwm_core
from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import make_display
from iwm_core.run.files import cause, remedy, sync, write_atomically, writing
from iwm_core.run.lock import writer
from iwm_interop.exporting.card import CardFacts, card
from iwm_interop.exporting.command_line import Asked
from iwm_interop.exporting.format import Exported, Format
from iwm_interop.exporting.loaded import loaded
from iwm_interop.exporting.origin import origin_of
from iwm_interop.sums import sha256_of

TOLERANCE = 1e-5
ELSEWHERE = "choose another out=FOLDER"
CLASSES = {
    "timm": "iwm_interop.exporting.timm_format:Timm",
    "transformers": "iwm_interop.exporting.transformers_format:Transformers",
    "safetensors": "iwm_interop.exporting.safetensors_format:Safetensors",
    "torch": "iwm_interop.exporting.programs:TorchExport",
    "onnx": "iwm_interop.exporting.programs:Onnx",
}
"""Where each format is, imported when it is asked for."""


def export(asked: Asked) -> int:
    """Write the folder; returns the exit status.

    Raises:
        UserError: the run is of another kind, the format cannot represent it, its outputs differ, or nothing can be written.
    """
    display = make_display()
    origin = origin_of(asked.run.path, asked.licence)
    format = made(asked.format)
    what, step, exported = loaded(asked.run, asked.student)
    with made_whole(asked.out) as folder:
        format.write(exported, folder)
        error = compared(format, exported, folder)
        labels = {name: words for part in format.parts(exported) for name, words in part.labels.items()}
        if labels:
            write_atomically(folder / "labels.json", json.dumps(labels, indent=1, ensure_ascii=False) + "\n")
        files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
        told = CardFacts(
            name=asked.out.name,
            config=exported.config,
            what=what,
            encodes=exported.encoder is not None,
            step=step,
            format=format.name,
            takes=format.takes,
            loads=format.loads(exported, asked.out.name),
            labels=labels,
            error=error,
            files=files,
            origin=origin,
            measured=[one for one in iwm_core.measured(asked.run.path) if one.step == step],
        )
        write_atomically(folder / "README.md", card(told))
    display.say(str(asked.out))
    display.say(f"{what} at step {step} as {format.name}: {', '.join(files)}; outputs are the run's to {error:.1g}")
    display.say(f"licence: {origin.licence or 'not stated; say it with licence=TEXT'}; README.md is the model card")
    return 0


def made(name: str) -> Format:
    """The format of a name.

    Raises:
        UserError: packages that it needs are not installed.
    """
    format: Format = resolve_name(CLASSES[name])()
    if lacking := [package for package in format.needs if find_spec(package) is None]:
        raise UserError(f"--format {name} needs {', '.join(lacking)}: pip install {' '.join(format.needs)}")
    return format


def compared(format: Format, exported: Exported, folder: Path) -> float:
    """By how much outputs of what was written differ from the run's, for batches of two sizes.

    Raises:
        UserError: by more than `TOLERANCE`.
    """
    worst = 0.0
    with torch.no_grad():
        for part, count in product(format.parts(exported), (2, 3)):
            inputs = part.inputs(count, count)
            for name, own, theirs in zip(part.gives, part.outputs(inputs), format.read(exported, folder, part, inputs), strict=True):
                if own.shape != theirs.shape:
                    raise UserError(
                        f"what was written as {format.name} gives {name} {tuple(theirs.shape)}, the run {tuple(own.shape)}; nothing is kept"
                    )
                worst = max(worst, float((own - theirs).abs().max() / own.abs().max().clamp(min=1)))
    if not worst <= TOLERANCE:
        raise UserError(
            f"what was written as {format.name} gives outputs that differ by {worst:.1g}, more than {TOLERANCE:g}, and is not kept; "
            "please report it, with `iwm plugins` and the recipe"
        )
    return worst


@contextmanager
def made_whole(out: Path) -> Iterator[Path]:
    """A folder elsewhere, which gets its place and name once all is in it; where something fails, nothing is left.

    Raises:
        Taken: somebody else writes the same one now.
        UserError: it cannot be written.
    """
    partial = out.with_name(f".{out.name}.partial")
    whole = partial / "whole"
    with writing(out, "write", ELSEWHERE), ExitStack() as lock:
        partial.mkdir(parents=True, exist_ok=True)
        lock.enter_context(writer(partial, "export", make_display().warn, ELSEWHERE))
        shutil.rmtree(whole, ignore_errors=True)  # what a kill left
        whole.mkdir()
        try:
            yield whole
            for path in whole.iterdir():
                path.chmod(whole.stat().st_mode & 0o666)  # safetensors closes its files to others, whatever the umask
                sync(path)
            whole.rename(out)
            sync(out.parent)
        except SafetensorError as error:  # it writes by itself, and has its own exception for a full disk
            raise UserError(f"cannot write {out}: {cause(error)}; {remedy(error, ELSEWHERE)}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

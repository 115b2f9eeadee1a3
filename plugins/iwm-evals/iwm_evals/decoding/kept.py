"""The decoder's file in a run: ``eval/imagination_decoder.safetensors``, and how it is read back.

Decisions:
- A decoder belongs to the tokens that it was trained on. Its file holds the tokens that its model gave one image of noise, and is read for
  a model that gives the same, within the rounding of other devices and precisions: of another checkpoint they differ by far more. So a
  file may be moved, and serves a copy of its model as well.
- Of several decoders of a run, the recipe's own is taken where it fits; else the first, by the name of its settings, that does.
- It is safetensors, read without pickle, and holds a checksum of its weights: a damaged file is refused, not shown.
"""

import zlib
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from iwm_core.interfaces import Draws, UserError, WorldModel
from iwm_evals.decoding.network import Decoder

NAME = "imagination_decoder.safetensors"
KEY, FORMAT = "iwm_decoder", "1"  # one entry: safetensors writes several in an order that changes
SEEN = "seen"  # the tensor that is no weight: what the model gave the image of noise
APART = 1e-2  # relative distance of tokens, root mean square: bfloat16 stays below


def keep(decoder: Decoder, model: WorldModel, folder: Path) -> None:
    """Write a decoder, for this model, into a folder."""
    weights = {name: value.detach().cpu().contiguous() for name, value in decoder.state_dict().items()}
    weights[SEEN] = signature(model).cpu().contiguous()
    (folder / NAME).write_bytes(save(weights, {KEY: f"{FORMAT} {checksum(weights)}"}))


def decoder(model: Any, file: Path | str | None = None) -> Decoder:
    """See `iwm_evals.decoder`."""
    if not isinstance(model, WorldModel):
        raise UserError(f"a decoder is of a world model, as iwm_core.load gives it; got a {type(model).__name__}")
    if file is not None:
        return read(Path(file), model)
    checkpoint: Path | None = getattr(model, "checkpoint", None)  # an evaluator's model may be of no run
    if checkpoint is None:
        raise UserError("this model is of no run, so that its decoder is not known; give its file: decoder(model, FILE)")
    run = checkpoint.parents[1]
    found = [path for path in (run / "eval" / NAME, *sorted((run / "eval").glob(f"imagination/*/{NAME}"))) if path.exists()]
    problems = []
    for path in found:
        try:
            return read(path, model)
        except UserError as error:
            problems.append(str(error))
    train = f'iwm eval {run} "evaluators=[imagination]"'
    raise UserError(problems[0] if problems else f"{run} holds no decoder; train one: {train}")


def read(path: Path, model: WorldModel) -> Decoder:
    """The decoder in a file.

    Raises:
        UserError: there is none, it is damaged, or was trained on the tokens of another model.
    """
    again = 'train it again: iwm eval RUN "evaluators=[imagination]"'
    try:
        with safe_open(path, "pt") as opened:
            about, weights = opened.metadata() or {}, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read the decoder {path}: {' '.join(str(error).split())[:120]}; {again}") from error
    written, _, told = about.get(KEY, "").partition(" ")
    if written not in ("", FORMAT):
        raise UserError(f"{path} is of format {written[:20]}, and this iwm-evals reads {FORMAT}: pip install --upgrade iwm-evals")
    if told != checksum(weights) or SEEN not in weights:
        raise UserError(f"{path} is not a decoder, or is damaged: its checksum is another; {again}")
    seen, tokens = weights.pop(SEEN), signature(model).cpu()
    if seen.shape != tokens.shape or float((seen - tokens).norm()) > APART * float(seen.norm()):
        raise UserError(f"the decoder {path} was trained on the tokens of another model or checkpoint; {again}")
    try:
        channels, depth = len(weights["enter.weight"]), len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
        made = Decoder(model.grid, tokens.shape[1], model.image_size, channels, depth)
        made.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise UserError(f"{path} holds other weights than a decoder of this model has; {again}") from error
    return made.to(model.device).eval().requires_grad_(False)


def signature(model: WorldModel) -> Float[Tensor, "n d"]:
    """The tokens of one image of noise."""
    size = model.image_size
    noise = Draws(0, 0, torch.zeros(1, dtype=torch.int64), "decoder/noise").uniform(3 * size * size).view(1, 3, size, size)
    with torch.no_grad():
        return model.targets(noise.to(model.device))[0].float()


def checksum(weights: dict[str, Tensor]) -> str:
    """Of all values, in the order of their names."""
    value = 0
    for name in sorted(weights):
        value = zlib.crc32(weights[name].numpy().tobytes(), zlib.crc32(name.encode(), value))
    return f"{value:08x}"

"""Whether the encoder in a file is the one that is asked for: every weight has its place and its shape, or it is refused by name.

Decisions:
- Positions of another grid are another function of the image, and are refused unless ``encoder.interpolate=true`` says otherwise. They are
  then resampled as timm does (bicubic, antialiased, the class token's left alone), and the report says so.
"""

import math
from typing import NamedTuple

import torch
from iwm_vit.encoder import ViTEncoder
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from iwm_core.interfaces.errors import UserError
from iwm_interop.importing.keys import more
from iwm_interop.importing.layouts import Found


class Fitted(NamedTuple):
    """Weights under the names that an encoder has here, and what became of each key of the file."""

    weights: dict[str, Tensor]
    report: list[dict[str, str]]


def fit(found: Found, encoder: ViTEncoder, interpolate: bool) -> Fitted:
    """The weights of a file for an encoder.

    Raises:
        UserError: one is missing, unknown or of another shape; the line names it.
    """
    wanted = encoder.state_dict()
    own = {name: "positions" if name == "pos_embed" and "positions" in wanted else f"vit.{name}" for name in found.weights}
    missing = sorted(wanted.keys() - own.values())
    unknown = sorted(name for name in own if own[name] not in wanted)
    if unknown == ["pos_embed"] and not missing:
        raise UserError(
            f"the file has positions ({found.keys['pos_embed'][0]}), and encoder.architecture.positions=sincos computes others; write "
            "encoder.architecture.positions=stored"
        )
    if missing or unknown:
        lacks = f"lacks {missing[0].removeprefix('vit.')}{more(missing)}" if missing else ""
        has = f"has {found.keys[unknown[0]][0]}{more(unknown)}, for which {encoder_word(encoder)} has no place" if unknown else ""
        raise UserError(f"the file {' and '.join(part for part in (lacks, has) if part)}; choose the architecture that the file is of")
    weights, changed = dict[str, Tensor](), dict[str, str]()
    for name, tensor in found.weights.items():
        shape = wanted[own[name]].shape
        if name == "pos_embed" and tensor.shape != shape:
            tensor, changed[name] = at_grid(tensor, encoder, shape, found.keys[name][0], interpolate)
        if tensor.shape != shape:
            raise UserError(
                f"{found.keys[name][0]} is of shape {tuple(tensor.shape)}, and {own[name]} of this encoder is of {tuple(shape)}; "
                "choose the architecture that the file is of"
            )
        weights[own[name]] = tensor.contiguous()
    return Fitted(weights, report_of(found, own, changed))


def encoder_word(encoder: ViTEncoder) -> str:
    """An encoder in a sentence."""
    return f"this encoder (width {encoder.width}, {len(encoder.vit.blocks)} blocks)"


def at_grid(tensor: Tensor, encoder: ViTEncoder, shape: torch.Size, key: str, interpolate: bool) -> tuple[Tensor, str]:
    """Positions resampled to the encoder's grid, and in words how.

    Raises:
        UserError: nobody has asked for that, or they cannot be.
    """
    rows, columns = encoder.grid
    prefix = shape[1] - rows * columns
    side = math.isqrt(max(tensor.shape[1] - prefix, 0)) if tensor.ndim == 3 else 0
    if tensor.ndim != 3 or tensor.shape[2] != shape[2] or side < 1 or side * side + prefix != tensor.shape[1]:
        return tensor, ""  # told as any other shape
    if not interpolate:
        raise UserError(
            f"{key} is of {side} x {side} patches, and image_size={rows * encoder.patch} asks for {rows} x {columns}; write "
            f"image_size={side * encoder.patch}, or encoder.interpolate=true, which resamples it"
        )
    moved = resample_abs_pos_embed(tensor, [rows, columns], [side, side], num_prefix_tokens=prefix)
    return moved, f"resampled from {side} x {side} to {rows} x {columns} patches (bicubic, antialiased)"


def report_of(found: Found, own: dict[str, str], changed: dict[str, str]) -> list[dict[str, str]]:
    """A line for each key of the file: what it became, and how it was changed; or why it was left out."""
    became = dict[str, list[str]]()
    for name, keys in found.keys.items():
        for key in keys:
            became.setdefault(key, []).append(name)
    lines = list[dict[str, str]]()
    for key, names in became.items():
        line = {"key": key, "became": " and ".join(f"encoder.{own[name]}" for name in names)}
        how = [changed[name] for name in names if name in changed]
        lines.append(line | ({"how": ", ".join(how)} if how else {}))
    return lines + [{"key": key, "left_out": why} for key, why in found.left_out.items()]

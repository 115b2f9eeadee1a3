"""The names by which others know the weights of an encoder, and what each is called by timm, whose names are the encoder's own here.

Decisions:
- The layout is told by the keys, not by the file's name: timm's, with DINOv2's and MAE's own dialects; transformers' of I-JEPA,
  as its versions 4 and 5 write them; I-JEPA's reference; and our own exports.
- DINOv2's files with registers give the class token a position, and the registers none. timm adds that position to the token, and so do we.
- What is left out has a reason here. Whatever else is in a file is an error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from iwm_core.interfaces.errors import UserError
from iwm_interop.tensors import checked, weights_of

HEAD = "a classifier, which is no part of the encoder"
LEFT_OUT = {
    r"(head|classifier)\..*": HEAD,
    r"pooler\..*": "a pooling layer on the class token, which is no part of the encoder",
    r"(embeddings\.)?mask_token": "of masked training: this encoder drops patches instead",
    r"decoder_.*|decoder\..*": "the decoder of a masked autoencoder, which is no part of the encoder",
}
"""What else such files hold, and why it is not taken."""
BESIDE = {
    **dict.fromkeys(("optimizer", "opt", "scaler", "lr_scheduler", "scheduler"), "state of another training"),
    **dict.fromkeys(("epoch", "loss", "batch_size", "world_size", "lr", "step", "iteration"), "a fact of another training"),
}
"""What lies beside the weights in a file of a training."""

BLOCK = {
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "attention.output.dense": "attn.proj",
    "attention.o_proj": "attn.proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
"""transformers' names of a block's layers, of both versions, as timm has them."""
QUERY = {
    **{f"attention.attention.{name}": name for name in ("query", "key", "value")},
    **{f"attention.{name[0]}_proj": name for name in ("query", "key", "value")},
}
"""What timm keeps in one matrix, qkv."""


@dataclass
class Found:
    """The encoder in a file.

    Attributes:
        layout: whose names the file has.
        weights: by timm's names; ``pos_embed`` are the positions, whatever becomes of them.
        keys: of each, the keys of the file that it is made of.
        left_out: of each other key, why it is not taken.
        rest: weights that are no encoder's and are still to be explained, such as our predictor's.
    """

    layout: str
    weights: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    keys: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    rest: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def take(self, name: str, tensor: Tensor, *keys: str) -> None:
        self.weights[name] = tensor.float()
        self.keys[name] = list(keys)


def encoder_in(content: dict[str, Any]) -> Found:
    """The encoder that a file's content holds.

    Raises:
        UserError: its names are of no known layout, or something in it is not explained; the line names the key.
    """
    if "target_encoder" in content:
        found = Found("ijepa")
        for key, tensor in weights_of(content, "target_encoder").items():
            found.take(key, tensor, f"target_encoder.{key}")
        found.left_out |= {"encoder": "the student: its moving average is taken", "predictor": "`iwm import ijepa` takes it, too"}
        return with_beside(found, content, {"target_encoder"})
    part = next((part for part in ("model", "state_dict") if isinstance(content.get(part), Mapping)), None)
    weights = weights_of(content, part) if part else checked(content, "")
    if any(key.startswith("encoder.vit.") for key in weights):
        found = from_ours(weights)
    elif any(re.match(r"(ijepa\.)?embeddings\.", key) for key in weights):
        found = from_transformers(weights)
    elif "patch_embed.proj.weight" in weights:
        found = from_timm(weights)
    else:
        some = ", ".join(sorted(weights)[:3])
        raise UserError(
            f"the file has names of no known encoder ({some} …); known are timm's, DINOv2's, MAE's, I-JEPA's and transformers' IJepaModel's"
        )
    return with_beside(found, content, {part}) if part else found


def with_beside(found: Found, content: dict[str, Any], parts: set[str]) -> Found:
    """Account for what lies beside the weights of a file.

    Raises:
        UserError: nothing explains a key.
    """
    for key in content:
        if key in parts or key in found.left_out:
            continue
        if key not in BESIDE:
            raise UserError(f"the file has {key!r}, which nothing explains; save its weights alone")
        found.left_out[str(key)] = BESIDE[key]
    return found


def why_left_out(key: str) -> str | None:
    """Why a key is not taken; None where it has to be."""
    return next((reason for pattern, reason in LEFT_OUT.items() if re.fullmatch(pattern, key)), None)


def from_timm(weights: dict[str, Tensor]) -> Found:
    """Of timm's names, and of those that DINOv2 and MAE have besides."""
    found = Found("timm")
    registers = "register_tokens" in weights and {"cls_token", "pos_embed"} <= weights.keys()
    for key, tensor in weights.items():
        if reason := why_left_out(key):
            found.left_out[key] = reason
        elif key == "register_tokens":
            found.take("reg_token", tensor, key)
        elif registers and key == "cls_token":
            found.take(key, tensor.float() + weights["pos_embed"][:, :1].float(), key, "pos_embed")
        elif registers and key == "pos_embed":
            found.take(key, tensor[:, 1:], key)
        else:
            found.take(re.sub(r"\.mlp\.w(12|3)\.", lambda other: ".mlp.fc1." if other[1] == "12" else ".mlp.fc2.", key), tensor, key)
    return found


def from_transformers(weights: dict[str, Tensor]) -> Found:
    """Of transformers' names of I-JEPA, of versions 4 and 5, with a classifier or without.

    Raises:
        UserError: a key is none of `IJepaModel`'s, or a part of an attention is missing.
    """
    found, parts = Found("transformers"), dict[str, dict[str, tuple[str, Tensor]]]()
    for key, tensor in weights.items():
        bare = key.removeprefix("ijepa.")
        layer, _, end = bare.rpartition(".")
        block = re.fullmatch(r"(?:encoder\.layer|layers)\.(\d+)\.(.+)", layer)
        if reason := why_left_out(bare):
            found.left_out[key] = reason
        elif bare == "embeddings.position_embeddings":
            found.take("pos_embed", tensor, key)
        elif layer == "embeddings.patch_embeddings.projection":
            found.take(f"patch_embed.proj.{end}", tensor, key)
        elif layer == "layernorm":
            found.take(f"norm.{end}", tensor, key)
        elif block and block[2] in BLOCK:
            found.take(f"blocks.{block[1]}.{BLOCK[block[2]]}.{end}", tensor, key)
        elif block and block[2] in QUERY:
            parts.setdefault(f"blocks.{block[1]}.attn.qkv.{end}", {})[QUERY[block[2]]] = (key, tensor)
        else:
            raise UserError(f"the file has {key}, which transformers' IJepaModel does not have; a changed model cannot be imported")
    for name, pieces in parts.items():
        if lacking := [piece for piece in ("query", "key", "value") if piece not in pieces]:
            raise UserError(f"the file lacks the {lacking[0]} of {name}; a changed model cannot be imported")
        keys, tensors = zip(*(pieces[piece] for piece in ("query", "key", "value")), strict=True)
        found.take(name, torch.cat([tensor.float() for tensor in tensors]), *keys)
    return found


def from_ours(weights: dict[str, Tensor]) -> Found:
    """Of `iwm export --format safetensors`."""
    found = Found("safetensors")
    for key, tensor in weights.items():
        part, _, name = key.partition(".")
        if key == "encoder.positions":
            found.take("pos_embed", tensor, key)
        elif part == "encoder" and name.startswith("vit."):
            found.take(name.removeprefix("vit."), tensor, key)
        elif part == "predictor":
            found.rest[key] = tensor
        else:
            raise UserError(f"the file has {key}, which nothing explains; `iwm export --format safetensors` does not write it")
    return found

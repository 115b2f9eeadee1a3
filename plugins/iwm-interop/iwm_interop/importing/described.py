"""What a folder tells of its weights besides the weights: timm's and transformers' ``config.json``, and the licence on its card.

Decisions:
- Whatever of a config changes the outputs is carried over, or refused by name. What cannot (dtype, versions, labels) is passed over.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from iwm_core.interfaces.errors import UserError
from iwm_core.run.plain import plain_yaml
from iwm_interop.exporting.origin import LICENCES

TIMM = {
    "img_size": "image_size",
    "patch_size": "patch_size",
    "embed_dim": "width",
    "depth": "depth",
    "num_heads": "heads",
    "mlp_ratio": "mlp_ratio",
}
"""timm's words for what an architecture is made of."""
POOLING = ("global_pool", "fc_norm", "num_classes")
"""Of timm's arguments, what comes after the tokens."""
PREFIX = {"class_token": False, "reg_tokens": 0, "no_embed_class": False, "pos_embed": "learn"}
"""timm's arguments for an encoder without class token, of fixed or stored positions."""
PLAIN = {
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "qkv_bias": True,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "num_channels": 3,
}
"""What transformers' config must say, so that the blocks are those of the encoder here."""


class Described(NamedTuple):
    """What is known of an encoder besides its weights.

    Attributes:
        settings: overrides of a recipe that make it, by key; none of its architecture where nothing tells it.
        licence: of the weights, where a card or a config says it.
        source: where they come from, likewise.
    """

    settings: dict[str, Any]
    licence: str | None
    source: str | None


def described(place: Path) -> Described:
    """What the folder of some weights tells of them.

    Raises:
        UserError: it describes another model, or cannot be read.
    """
    folder = place if place.is_dir() else place.parent
    config = read_json(folder / "config.json") if place.is_dir() else {}
    settings = dict[str, Any]()
    if "architecture" in config:
        settings = of_timm(config)
    elif "model_type" in config:
        settings = of_transformers(config) | normalisation(folder)
    elif config:
        raise UserError(f"{folder / 'config.json'} is neither timm's nor transformers': it has no architecture and no model_type")
    card = front_matter(folder / "README.md") if place.is_dir() else {}
    licence = card.get("license_name") or card.get("license") or (config.get("pretrained_cfg") or {}).get("license")
    return Described(settings, LICENCES.get(licence, licence) if isinstance(licence, str) else None, card.get("source"))


def of_timm(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of an encoder by timm's config.

    Raises:
        UserError: an argument that the encoder cannot be given.
    """
    arguments, cfg = dict(config.get("model_args") or {}), dict(config.get("pretrained_cfg") or {})
    settings: dict[str, Any] = {"model": config["architecture"], "positions": "model"}
    if arguments.get("class_token") is False:
        for key, value in PREFIX.items():
            if arguments.pop(key, value) != value:
                raise UserError(f"config.json has model_args.{key}, which an encoder without class token cannot be given here")
        settings["positions"] = "stored"
    sizes = {TIMM[key]: arguments.pop(key) for key in TIMM if key in arguments}
    if other := sorted(arguments.keys() - set(POOLING)):
        raise UserError(f"config.json has model_args.{other[0]}, which the encoder cannot be given here")
    size = sizes.pop("image_size", None) or (cfg.get("input_size") or [None])[-1]
    found = {f"encoder.architecture.{key}": value for key, value in {**settings, **sizes}.items()}
    found |= {f"encoder.{key}": list(cfg[key]) for key in ("mean", "std") if key in cfg}
    return found | ({"image_size": size} if size else {})


def of_transformers(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of an encoder by transformers' config of I-JEPA.

    Raises:
        UserError: it is of another model, or of other blocks.
    """
    if config["model_type"] != "ijepa":
        raise UserError(f"config.json is of model_type {config['model_type']!r}; of transformers' models, only ijepa is imported")
    defaults = {"layer_norm_eps": 1e-12, "image_size": 224, "patch_size": 16}  # as transformers takes what is left out
    for key, value in PLAIN.items():
        if (has := config.get(key, defaults.get(key, value))) != value:
            raise UserError(f"config.json has {key} {has!r}, and the encoder here computes with {value!r}")
    try:
        shape = {"width": "hidden_size", "depth": "num_hidden_layers", "heads": "num_attention_heads"}
        sizes = {key: int(config[name]) for key, name in shape.items()}
        sizes["patch_size"] = square(config.get("patch_size", defaults["patch_size"]))
        hidden, image_size = int(config["intermediate_size"]), square(config.get("image_size", defaults["image_size"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"config.json lacks what the model's shape needs, or has it in another form ({error})") from error
    from iwm_interop.importing.ijepa import ratio

    architecture = {"model": "vit_base_patch16_224", "positions": "stored", **sizes, "mlp_ratio": ratio(hidden, sizes["width"])}
    return {f"encoder.architecture.{key}": value for key, value in architecture.items()} | {"image_size": image_size}


def square(size: Any) -> int:
    """The side of a square that a config gives as one number, or as two."""
    sides = {int(side) for side in size} if isinstance(size, list) else {int(size)}
    if len(sides) != 1:
        raise ValueError(f"{size} is no square")
    return sides.pop()


def normalisation(folder: Path) -> dict[str, Any]:
    """Mean and deviation by a folder's image processor, where it has one."""
    processor = read_json(folder / "preprocessor_config.json")
    return {f"encoder.{key}": processor[f"image_{key}"] for key in ("mean", "std") if f"image_{key}" in processor}


def read_json(path: Path) -> dict[str, Any]:
    """A config; nothing where there is none.

    Raises:
        UserError: it is damaged.
    """
    if not path.exists():
        return {}
    if not path.is_file():  # a pipe would be waited for
        raise UserError(f"{path} is no regular file; fetch the folder again")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}); fetch it again") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds no settings by their names; fetch it again")
    return dict(content)


def front_matter(path: Path) -> dict[str, Any]:
    """What a model card tells at its top; nothing where it tells nothing that can be read."""
    try:
        parts = path.read_text(encoding="utf-8").split("---\n", 2) if path.is_file() else []
        content = plain_yaml(parts[1]) if len(parts) == 3 and not parts[0] else {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return dict(content) if isinstance(content, Mapping) else {}

"""transformers: ``IJepaModel``, a Vision Transformer without class token, with stored positions, LayerNorm and exact GELU.

Decisions:
- Weights have the names of transformers 4, which version 5 reads and writes, too. timm keeps query, key and value in one matrix.
- The image processor is written as well: it scales, and normalises by the model's mean and standard deviation.
"""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from iwm_interop.exporting.format import Exported, Format, refuse
from iwm_interop.exporting.parts import Part
from iwm_interop.exporting.quiet import quiet
from iwm_interop.exporting.vit import ViT

RENAMED = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.proj": "attention.output.dense",
    "mlp.fc1": "intermediate.dense",
    "mlp.fc2": "output.dense",
}
"""What the layers of timm's block are called."""
AROUND = {"patch_embed.proj": "embeddings.patch_embeddings.projection", "norm": "layernorm"}


class Transformers(Format):
    """I-JEPA's model of transformers."""

    name = "transformers"
    needs = ("transformers",)
    takes = "square images by AutoImageProcessor.from_pretrained of the same folder (it squeezes others; a run takes the centre square)"

    def write(self, exported: Exported, folder: Path) -> None:
        vit = ViT.of(exported, self.name)
        block = plain_block(vit)
        config = {
            "architectures": ["IJepaModel"],
            "model_type": "ijepa",
            "image_size": exported.recipe.image_size,
            "patch_size": vit.encoder.patch,
            "num_channels": 3,
            "hidden_size": vit.encoder.width,
            "num_hidden_layers": len(vit.encoder.vit.blocks),
            "num_attention_heads": block.attn.num_heads,
            "intermediate_size": block.mlp.fc1.out_features,
            "hidden_act": "gelu",
            "layer_norm_eps": block.norm1.eps,
            "qkv_bias": True,
            "torch_dtype": "float32",
        }
        side = {"height": exported.recipe.image_size, "width": exported.recipe.image_size}
        scaled = {"do_resize": True, "size": side, "resample": 3, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
        statistics = {f"image_{name}": values for name, values in vit.statistics().items()}
        processor = {"image_processor_type": "ViTImageProcessor", **scaled, **statistics}
        for name, content in (("config.json", config), ("preprocessor_config.json", processor)):
            (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        save_file(renamed(vit.weights), folder / "model.safetensors", metadata={"format": "pt"})

    def read(self, exported: Exported, folder: Path, part: Part, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        from transformers import IJepaModel

        with quiet():
            model: Any = IJepaModel.from_pretrained(folder)
        return (model.eval()(ViT.of(exported, self.name).normalised(*inputs)).last_hidden_state,)

    def lines(self, exported: Exported, folder: str, part: Part) -> list[str]:
        return [
            "from transformers import AutoImageProcessor, IJepaModel",
            f'model, processor = IJepaModel.from_pretrained("{folder}").eval(), AutoImageProcessor.from_pretrained("{folder}")',
            'tokens = model(**processor(pictures, return_tensors="pt")).last_hidden_state  # [b, n, d]',
        ]


def plain_block(vit: ViT) -> Any:
    """The first block, once all are found to be such as `IJepaModel` has.

    Raises:
        UserError: they are not.
    """
    if vit.own:
        raise refuse("transformers", "writes IJepaModel, which has fixed positions and no class token; this encoder has positions=model")
    lacking = {f"blocks.0.{layer}.{end}" for layer in (*RENAMED, "attn.qkv") for end in ("weight", "bias")} - vit.weights.keys()
    other = [name for name in vit.weights if name.startswith("blocks.0.") and name.rpartition(".")[0][9:] not in (*RENAMED, "attn.qkv")]
    block: Any = vit.encoder.vit.blocks[0]
    if lacking or other or type(block) is not Block or type(block.mlp.act) is not nn.GELU or block.mlp.act.approximate != "none":
        raise refuse("transformers", f"writes IJepaModel, whose blocks are plain ones; those of {vit.component.model} are not")
    return block


def renamed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """timm's weights under the names of `IJepaModel`."""
    found = {"embeddings.position_embeddings": weights["pos_embed"]}
    for name, tensor in weights.items():
        layer, _, end = name.rpartition(".")
        if layer in AROUND:
            found[f"{AROUND[layer]}.{end}"] = tensor
        elif layer.startswith("blocks."):
            _, number, part = layer.split(".", 2)
            place = f"encoder.layer.{number}"
            if part == "attn.qkv":
                for piece, which in zip(tensor.chunk(3), ("query", "key", "value"), strict=True):
                    found[f"{place}.attention.attention.{which}.{end}"] = piece.clone()
            else:
                found[f"{place}.{RENAMED[part]}.{end}"] = tensor
    return found

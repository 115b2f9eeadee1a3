"""Settings of the quickstart's world model as small as it may be, and of the encoders that exports tell apart."""

SMALL = [
    *("image_size=32", "encoder.patch_size=8", "encoder.width=32", "encoder.depth=2", "encoder.heads=2"),
    *("predictor.width=16", "predictor.depth=1", "predictor.heads=2"),
]
WORLDS = {
    "sincos": SMALL,
    "stored": [*SMALL, "encoder.positions=stored", "encoder.mlp_ratio=4.36363636"],
    "class token": [*SMALL, "encoder.positions=model"],
    "registers": [*SMALL, "encoder.positions=model", "encoder.model=vit_small_patch14_reg4_dinov2", "encoder.patch_size=8"],
}
"""By the positions of their patches, and by what stands beside these; the last has layer scale as well."""

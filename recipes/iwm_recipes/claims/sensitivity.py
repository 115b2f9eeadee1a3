"""Which settings matter: one changed at a time, and what comes of the rank and of the encoder. It claims nothing, and has no rule."""

from iwm_repro.claim import Claim, Row, Size

from iwm_recipes.claims.difficulty import deep
from iwm_recipes.claims.equivariance import LINEAR
from iwm_recipes.claims.settings import RESULTS, SETTINGS, Setting

BLOCKS = {
    "2 target blocks, not 4": ("targets.blocks=2",),
    "target blocks of 30 to 40 %, not 15 to 20": ("targets.scale=[0.3,0.4]",),
}
CROPS = {"views of 60 % and more, not 30": ("view.scale=[0.6,1.0]",)}
CHANGES = {
    "cpu": {
        "teacher's momentum from 0.9, not 0.95": ("train.momentum.start=0.9",),
        "teacher's momentum from 0.99": ("train.momentum.start=0.99",),
        **BLOCKS,
        "learning rate 0.001, not 0.002": ("train.lr.peak=1e-3",),
        "learning rate 0.004": ("train.lr.peak=4e-3",),
        "encoder depth 4, not 2": ("encoder.depth=4",),
        **CROPS,
        "batch 32, not 64": ("train.batch_size=32",),
    },
    "gpu": {
        "teacher's momentum from 0.98, not 0.996": ("train.momentum.start=0.98",),
        "teacher's momentum from 0.999": ("train.momentum.start=0.999",),
        **BLOCKS,
        "learning rate 0.0005, not 0.001": ("train.lr.peak=5e-4",),
        "learning rate 0.002": ("train.lr.peak=2e-3",),
        "encoder depth 6, not 12": ("encoder.depth=6",),
        **CROPS,
        "batch 256, not 512": ("train.batch_size=256",),
    },
}
"""By scale: what differs from the recipe, in words and as overrides."""


def size_of(setting: Setting, changes: dict[str, tuple[str, ...]]) -> Size:
    """The claim at a scale."""
    shallow, middle, most = setting.depths
    depths = {f"predictor depth {shallow}, not {middle}": deep(setting, shallow), f"predictor depth {most}": deep(setting, most)}
    models = {label: setting.model("predictor=adaln", *own) for label, own in ({"as it is": ()} | changes | depths).items()}
    return Size(
        data=setting.data,
        rows={
            label: Row(
                measures={
                    f"MRR({setting.bank})": setting.rank(model),
                    LINEAR: setting.reached(setting.tuned(model, "probe_linear")),
                }
            )
            for label, model in models.items()
        },
        seeds=(0,),
    )


SENSITIVITY = Claim(
    name="sensitivity",
    says="which settings matter: one at a time, what it changes of the rank and of a linear probe",
    sizes={scale: size_of(setting, CHANGES[scale]) for scale, setting in SETTINGS.items()},
    results=RESULTS,
)

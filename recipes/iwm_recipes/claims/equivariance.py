"""Invariance and equivariance: over models, the rank goes up with what predictor tuning reaches, and down with linear probes (PAPER §6)."""

from iwm_repro.claim import Claim, Correlation, Row, Size

from iwm_recipes.claims.difficulty import models_of
from iwm_recipes.claims.settings import RESULTS, SETTINGS, Setting

LINEAR, TUNED = "linear probe", "predictor tuned"


def size_of(setting: Setting) -> Size:
    """The claim at a scale."""
    mrr = f"MRR({setting.bank})"
    models = {name: setting.model(f"predictor={name}") for name in ("none", "sequence", "feature", "adaln")}
    models |= {f"{name}, depth {depth}": model for (name, depth), model in models_of(setting).items() if model not in models.values()}
    others = {"all patches asked": setting.whole, "masked patches alone": setting.masked}
    models |= {name: setting.model("predictor=adaln", *choices) for name, choices in others.items() if choices}
    return Size(
        data=setting.data,
        rows={
            label: Row(
                measures={
                    mrr: setting.rank(model),
                    LINEAR: setting.reached(setting.tuned(model, "probe_linear")),
                    TUNED: setting.reached(setting.tuned(model, "predictor")),
                }
            )
            for label, model in models.items()
        },
        rules=(
            Correlation(says="models that rank higher are better to tune", x=mrr, y=TUNED, low=0.0, paper=0.93),
            Correlation(says="models that rank higher are worse to probe", x=mrr, y=LINEAR, high=0.0, paper=-0.85),
        ),
        seeds=(0,),
    )


EQUIVARIANCE = Claim(
    name="equivariance",
    says="the better the world model, the better its predictor tunes, and the worse its encoder probes",
    sizes={scale: size_of(setting) for scale, setting in SETTINGS.items()},
    results=RESULTS,
)

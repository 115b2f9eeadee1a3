"""Beyond the paper: targets that the predictor sees, and crops as actions; planned with, and composed."""

import math

from iwm_repro.claim import Claim, Measure, Row, Rule, Size

from iwm_recipes.claims.settings import RESULTS, SETTINGS, Setting


def size_of(setting: Setting) -> Size:
    """The claim at a scale."""
    mrr = f"MRR({setting.bank})"
    models = {
        "all patches asked": setting.model("predictor=adaln", *setting.whole),
        "masked patches alone": setting.model("predictor=adaln", *setting.masked),
        "all patches, crops told": setting.model("predictor=adaln", *setting.whole, *setting.crop),
    }
    errors = {
        "error of a step": ("error", "error"),
        "error of a plan": ("planning", "planning_relative.gradient"),
        "error of two steps": ("compose", "compose.twice"),
    }
    asked, masked, cropped = models
    return Size(
        data=setting.data,
        rows={
            label: Row(
                measures={mrr: setting.rank(model)} | {name: Measure(model, *where, least=0.0) for name, where in errors.items()},
            )
            for label, model in models.items()
        },
        rules=(
            Rule(says="asked for all patches, a step errs less", left=(masked, "error of a step"), right=(asked, "error of a step")),
            Rule(says="and so does a plan", left=(masked, "error of a plan"), right=(asked, "error of a plan")),
            Rule(says="two steps err less than not moving, 1", left=(asked, "error of two steps"), right=1.0, low=-math.inf, high=0.0),
            Rule(
                says="with crops, a plan errs less than a guess, 1", left=(cropped, "error of a plan"), right=1.0, low=-math.inf, high=0.0
            ),
        ),
        seeds=(0,),
    )


OURS = Claim(
    name="ours",
    says="a predictor that is also asked for patches it sees errs less, plans and composes; crops can be told, too",
    sizes={scale: size_of(setting) for scale, setting in SETTINGS.items()},
    results=RESULTS,
)

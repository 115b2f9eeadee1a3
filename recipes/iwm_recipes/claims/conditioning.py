"""Conditioning: only a predictor that is told the action becomes a world model (PAPER §6)."""

from iwm_repro.claim import Claim, Measure, Row, Rule, Size

from iwm_recipes.claims.settings import RESULTS, SETTINGS, Setting

PAPER = {"none": 0.00, "sequence": 0.82, "feature": 0.79}
FAR = 0.3
"""How far above the untold predictor a told one must rank, where the paper has 0.79 and more."""


def size_of(setting: Setting) -> Size:
    """The claim at a scale."""
    mrr = f"MRR({setting.bank})"
    models = {name: setting.model(f"predictor={name}") for name in ("none", "sequence", "feature", "adaln")}
    rows = {
        name: Row(
            measures={
                mrr: setting.rank(model),
                "chance": setting.rank(model, "chance"),
                "shuffled": setting.rank(model, "shuffled"),
                "error": Measure(model, "error", "error", least=0.0),
            },
            paper={mrr: PAPER[name]} if name in PAPER else {},
        )
        for name, model in models.items()
    }
    told = [name for name in models if name != "none"]
    return Size(
        data=setting.data,
        rows=rows,
        rules=(
            Rule(says="none ranks at chance", left=("none", mrr), right=("none", "chance"), low=-0.02, high=0.02),
            *(Rule(says=f"{name} ranks {FAR:g} above none", left=(name, mrr), right=("none", mrr), low=FAR) for name in told),
            Rule(says="adaln ranks no lower than feature, less 0.05", left=("adaln", mrr), right=("feature", mrr), low=-0.05),
        ),
    )


CONDITIONING = Claim(
    name="conditioning",
    says="a predictor that is told the action ranks it high, one that is not is at chance",
    sizes={scale: size_of(setting) for scale, setting in SETTINGS.items()},
    results=RESULTS,
)

"""Difficulty and capacity: hard transformations and a deep predictor make a world model, each alone does not (PAPER §6).

Each model ranks versions of an image by its own recipe's jitter, as in the paper: weaker jitter is finer to tell apart, too.
"""

from iwm_repro.claim import Claim, Row, Rule, Size, Work

from iwm_recipes.claims.settings import RESULTS, SETTINGS, Setting

WEAK = tuple(f"actions.jitter.{key}={value}" for key, value in (("brightness", 0.4), ("contrast", 0.4), ("saturation", 0.2), ("hue", 0.1)))
DIFFICULTIES: dict[str, tuple[str, ...]] = {
    "jitter": ("actions=[jitter]", *WEAK),
    "+ destructive": WEAK,
    "+ strong jitter": (),
}
PAPER = {"jitter": (0.11, 0.25), "+ destructive": (0.09, 0.79), "+ strong jitter": (0.81, 0.85)}
"""For 12 and 18 layers."""


def models_of(setting: Setting) -> dict[tuple[str, int], Work]:
    """Its models, by difficulty and depth."""
    return {
        (name, depth): setting.model("predictor=adaln", *choices, *deep(setting, depth))
        for name, choices in DIFFICULTIES.items()
        for depth in setting.depths
    }


def deep(setting: Setting, depth: int) -> tuple[str, ...]:
    """The override for a depth; none for the recipe's own, so that claims share its runs."""
    return () if depth == setting.depths[1] else (f"predictor.depth={depth}",)


def size_of(setting: Setting) -> Size:
    """The claim at a scale."""
    shallow, middle, most = setting.depths
    columns = {depth: f"MRR({setting.bank}), depth {depth}" for depth in setting.depths}
    models = models_of(setting)
    paper = {name: dict(zip((columns[middle], columns[most]), figures, strict=True)) for name, figures in PAPER.items()}
    rows = {
        name: Row(measures={columns[depth]: setting.rank(models[name, depth]) for depth in setting.depths}, paper=paper[name])
        for name in DIFFICULTIES
    }
    jitter, destructive, strong = DIFFICULTIES
    return Size(
        data=setting.data,
        rows=rows,
        rules=(
            Rule(says=f"strong jitter ranks above jitter at depth {most}", left=(strong, columns[most]), right=(jitter, columns[most])),
            Rule(
                says=f"destructive operations rank above jitter alone at depth {most}",
                left=(destructive, columns[most]),
                right=(jitter, columns[most]),
            ),
            Rule(
                says=f"depth {most} ranks above depth {shallow} where it is hard",
                left=(strong, columns[most]),
                right=(strong, columns[shallow]),
            ),
        ),
        seeds=(0,),
    )


DIFFICULTY = Claim(
    name="difficulty",
    says="harder transformations and deeper predictors make better world models",
    sizes={scale: size_of(setting) for scale, setting in SETTINGS.items()},
    results=RESULTS,
)

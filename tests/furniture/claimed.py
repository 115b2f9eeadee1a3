"""A claim of the tiny recipe, and a plugin that brings it."""

import math
import re
import shutil
from pathlib import Path

from iwm_repro.claim import Claim, Correlation, Measure, Row, Rule, Size, Work

from iwm_core import hookimpl

MODELS = {name: Work(recipe="tiny", overrides=(f"predictor={name}", "evaluators=[error]"), minutes=0.1) for name in ("shift", "none")}
MISSING = Work(recipe="tune/probe_linear", overrides=("budget=cpu",), of=MODELS["none"], minutes=0.1)


def claim(
    results: Path,
    rules: tuple[Rule | Correlation, ...] | None = None,
    tuned: bool = False,
    seeds: tuple[int, ...] = (0, 1),
    most: float = math.inf,
) -> Claim:
    """That two tiny models err alike, by far; ``tuned``: with a tuning, whose number the rule does not need."""
    errors = {name: Measure(model, "error", "error", least=0.0, most=most) for name, model in MODELS.items()}
    rows = {name: Row(measures={"error": error}, paper={"error": 0.5}) for name, error in errors.items()}
    if tuned:
        rows["tuned"] = Row(measures={"accuracy": Measure(MISSING, "classify", "accuracy")})
    alike = Rule(says="they err alike", left=("shift", "error"), right=("none", "error"), low=-100.0, high=100.0)
    size = Size(data="noise at 16 px", rows=rows, rules=(alike,) if rules is None else rules, seeds=seeds)
    return Claim(name="alike", says="tiny models err alike", sizes={"cpu": size}, results=results)


def copy_run(run: Path | str, place: Path, seed: int = 0) -> None:
    """Copy a run to a place, as if it had been trained with another seed."""
    shutil.copytree(run, place, dirs_exist_ok=True)
    config = (place / "config.yaml").read_text()
    config = re.sub(r"(?m)^checksum: .*\n", "", config)
    (place / "config.yaml").write_text(re.sub(r"(?m)^  seed: 0$", f"  seed: {seed}", config))


class Bringing:
    """A plugin with claims."""

    def __init__(self, *claims) -> None:
        self.claims = claims

    @hookimpl
    def iwm_claims(self) -> list:
        return list(self.claims)

"""``iwm eval``: what its help says, what it takes, and what carries it out."""

from dataclasses import dataclass

from iwm_core.cli.listing import tell_problems
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option


@dataclass(frozen=True, kw_only=True)
class Eval:
    """The switch of ``iwm eval``."""

    all: bool = option(False, "print the table of each of many evaluators")


EVAL = Command(
    name="eval",
    common=True,
    run="iwm_evals.measuring.verb:run_eval",
    switches=Eval,
    forms={"eval RUN [evaluators=[NAME] key=value …] [--all]": "measure a run's newest checkpoint"},
    more=(
        "Without evaluators=, those of the recipe; evaluators=[scorecard] takes all that `iwm components evaluator` lists.",
        "What is measured with other settings than the recipe's is kept apart.",
        "checkpoint=step_N uses an older checkpoint.",
    ),
    examples=(
        "iwm eval runs/quickstart",
        'iwm eval runs/quickstart "evaluators=[mrr]" evaluators.mrr.bank=256',
    ),
)


def run_eval(words: list[str], given: Eval) -> int:
    from iwm_core.cli.words import read_changes

    path, overrides = read_changes(words, "eval")
    from iwm_evals.measuring.measure import measure

    tell_problems()
    return measure(path, overrides, given.all)

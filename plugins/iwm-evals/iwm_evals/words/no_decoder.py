"""What a report says of runs whose imagination cannot be shown."""

from typing import Any

NEAREST = "mrr"
"""The evaluator whose pictures show the nearest real image in the place of an imagined one."""


def say_what_is_missing(page: Any) -> None:
    """Say of a page's runs that were measured as world models, and have no decoder, how they get one."""
    for run in page.runs:
        if NEAREST in run.measured and "imagination" not in {*run.measured, *run.others}:
            section = page.section("imagination")
            section.text(
                f"{run.label} has no decoder, so that what it imagines cannot be shown. The pictures of {NEAREST} show the real image that "
                "is nearest to each prediction. To train a decoder of its tokens, and see:"
            )
            section.code(f'iwm eval {run.path} "evaluators=[imagination]"')

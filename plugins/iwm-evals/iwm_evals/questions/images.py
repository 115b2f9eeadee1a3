"""How many images an evaluator asks of."""

from iwm_core.interfaces import EvaluationData


def validation_images(evaluator: str, data: EvaluationData, asked: int) -> int:
    """``asked`` validation images, or all where there are fewer.

    Raises:
        ValueError: there are none.
    """
    count = min(asked, data.count("validation"))
    if count == 0:
        raise ValueError(f"{evaluator} measures validation images, and this data has none")
    return count

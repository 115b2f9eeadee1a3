"""How the MRR is presented: in one sentence, as a chart of its parts, as a gallery of questions."""

from iwm_core.interfaces import Chart, Gallery, Metric, Row, Series

ABOUT = {
    "mrr": "mean reciprocal rank of the true target in the bank: 1 where the model knows the transformation; a part varies alone",
    "h1": "share of questions whose true target is the nearest to the prediction",
    "h5": "share of questions whose true target is among the 5 nearest to the prediction",
    "h10": "share of questions whose true target is among the 10 nearest to the prediction",
}


def in_one_sentence(metrics: dict[str, Metric], parts: list[str]) -> str:
    """The numbers that matter, in one sentence."""
    mrr = metrics["mrr"]
    text = f"MRR {mrr.value:.3f} ({mrr.low:.3f} to {mrr.high:.3f}) where chance is {mrr.controls['chance'].value:.3f}"
    chances = {part: metrics[f"mrr.{part}"].controls["chance"].value for part in parts}
    by_value = sorted(parts, key=lambda part: (metrics[f"mrr.{part}"].value - chances[part]) / (1 - chances[part]))
    if len(parts) < 2 or metrics[f"mrr.{by_value[-1]}"].low <= chances[by_value[-1]]:
        return text
    worst, best = (f"{part} {metrics[f'mrr.{part}'].value:.3f}" for part in (by_value[0], by_value[-1]))
    return f"{text}; alone, {best} is recognised best and {worst} worst"


def chart_parts(metrics: dict[str, Metric], parts: list[str]) -> Chart:
    """The MRR of all together and of each part, as bars."""
    found = [metrics["mrr"], *(metrics[f"mrr.{part}"] for part in parts)]
    bars = Series("MRR", ["all", *parts], [m.value for m in found], low=[m.low for m in found], high=[m.high for m in found])
    chance = [metric.controls["chance"].value for metric in found]
    shared = len(set(chance)) == 1  # an action of few values has a bank, and a chance, of its own
    return Chart(
        name="mrr_parts",
        title="Which transformations the model can imagine",
        x="what varies in the bank, all else at rest",
        y="mean reciprocal rank",
        kind="bars",
        series=(bars,) if shared else (bars, Series("chance", bars.x, chance)),
        about="How well the prediction finds the true target in a bank where all, one action or one parameter varies. 1 is perfect; at "
        "chance the prediction knows nothing of it. What changes the latents little is harder to tell apart.",
        levels={"chance": chance[0]} if shared else {},
    )


def show_questions(metrics: dict[str, Metric], sizes: list[int], rows: list[Row]) -> Gallery:
    """Questions drawn at random, with what was found."""
    mrr = metrics["mrr"]
    versions = f"{max(sizes)}" if len(set(sizes)) == 1 else f"{min(sizes)} to {max(sizes)}"
    numbers = {
        "chance": mrr.controls["chance"],
        "shuffled action": mrr.controls["shuffled"],
        "null action": mrr.controls["null"],
        **{word: metrics[name] for word, name in (("H@1", "h1"), ("H@5", "h5")) if name in metrics},
    }
    return Gallery(
        name="mrr",
        title=f"MRR {mrr.value:.3f}",
        subtitle=f"95 % interval {mrr.low:.3f} to {mrr.high:.3f}   ·   {mrr.n} images, {versions} versions of each",
        headings=("source", "true target", "nearest to prediction"),
        rows=tuple(rows),
        about="   ·   ".join(f"{word} {metric.value:.3f}" for word, metric in numbers.items()),
    )

"""How the imagination is presented: in one sentence, and what its numbers mean."""

from iwm_core.interfaces import Metric
from iwm_core.plugins.near import enumerated
from iwm_evals.scores.relative import hardly_moved

ABOUT = {
    "psnr": "peak signal-to-noise ratio in dB of images decoded from their own tokens: the decoder's own limit; chance is the "
    "mean image that the decoder begins as",
    "psnr_gain": "how many dB of it are above the mean image that the decoder begins as, of 512 or more training views; near 0, the tokens "
    "hold no picture, or the decoder was trained for too short a time",
    "imagined": "squared distance of the imagined image to the true target over that of the source, all decoded: 0 is perfect, 1 is no "
    "better than leaving the source as it is. The whole changes all parameters of the target at once; a part changes one alone and moves "
    "the image less, so that the same miss weighs more; far above 1, an action hardly moves it",
    "nearer": "share of images of which the imagined one lies nearer to the true target than the source does, all decoded: 1 is perfect",
    "responds": "how much the imagined images of one source differ between actions, where the true ones differ by 1: 0 is a model that "
    "imagines the same picture whatever the action",
    "detail": "how much imagined images differ from place to place, where the true ones differ by 1, all decoded: 0 is an even colour",
}
TITLES = ("Imagined images", "what was asked", "squared error of decoded images, relative to the source")
READING = (
    "How far imagined images lie from true ones, relative to how far the source does, all decoded by one decoder: 0 is perfect, 1 is no "
    "better than the source as it is. With the null action, a model can only do what it guesses from the source."
)
FLAT = 0.1  # of the true detail
SAME = 1e-6  # of the true differences: imagined images that are the same but for rounding


def in_one_sentence(metrics: dict[str, Metric], parts: list[str]) -> str:
    """The numbers that matter, in one sentence."""
    psnr, gain = metrics["psnr"], metrics["psnr_gain"]
    above = f"{gain.value:.1f} ({gain.low:.1f} to {gain.high:.1f}) above the mean image that the decoder begins as"
    text = f"decoded from their own tokens, images reach {psnr.value:.1f} dB, {above}"
    if "imagined" in metrics:
        found = metrics["imagined"]
        interval, null = f"{found.low:.2f} to {found.high:.2f}", found.controls["null"].value
        text += f"; with all changed at once, imagined ones lie at {found.value:.2f} ({interval}) times the source's squared distance "
        text += f"from the truth, {null:.2f} with the null action"
    if "responds" in metrics and metrics["responds"].value < SAME:
        return f"{text}; the same image is imagined whatever is asked"
    if "detail" in metrics and metrics["detail"].value < FLAT:
        text += f"; what is imagined is hardly more than an even colour (detail {metrics['detail'].value:.2f})"
    known = [name for name in parts if metrics[f"imagined.{name}"].high < 1]
    if known:
        text += f"; changed alone, {enumerated(known)} {'comes' if len(known) == 1 else 'come'} nearer to the truth than the source is"
    return text + hardly_moved({name: metrics[f"imagined.{name}"] for name in parts})


def subtitle(metrics: dict[str, Metric]) -> str:
    """What belongs beside the pictures."""
    if "responds" in metrics and metrics["responds"].value < SAME:
        return "the same, whatever action it is asked for: this predictor does not know the action"
    if "imagined" in metrics:
        found = metrics["imagined"]
        interval = f"95 % interval {found.low:.2f} to {found.high:.2f}"
        return f"{found.value:.2f} times the source's squared distance from the truth, all changed at once ({interval})"
    return f"decoded at {metrics['psnr'].value:.1f} dB"

"""Draws ``concepts.svg``, the picture of a training step and of what comes after: ``python docs/make_concepts.py``.

Decisions:
- The images are made by the actions and the target selector that the quickstart uses; so are the numbers of the encoded action.
- Words stand in boxes with colours of their own, or in a grey that can be read on white and on black: the page may be light or dark.
"""

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from iwm_core import installed
from iwm_core.interfaces import Action, ActionParams, Draws, Targets

FILE = Path(__file__).with_name("concepts.svg")
GRID, SIDE, SCENE = 6, 144, 9
ACTIONS = ("jitter", "grayscale", "blur", "solarize")
PARAMETERS = {  # one clear choice instead of a draw
    "jitter": ActionParams(torch.tensor([[0.72, 0.85, 1.0, 0.06]]), torch.tensor([[1.25, 1.1, 0.9, -0.1]])),
    "grayscale": ActionParams(torch.tensor([[0.0]]), torch.tensor([[0.0]])),
    "blur": ActionParams(torch.tensor([[2.5]]), torch.tensor([[0.0]])),
    "solarize": ActionParams(torch.tensor([[0.0]]), torch.tensor([[0.0]])),
}
OPTIONS: dict[str, Any] = {"jitter": {"brightness": 0.6}, "blur": {"sigma": [0.1, 2.5]}}
ABOUT = (
    "An image is cropped and flipped into a shared view. Actions make a target and a source of it; the difference of their parameters "
    "is the encoded action. The student sees the source's context patches. The predictor is given its tokens and the action and "
    "predicts the tokens that the teacher, a moving average of the student, gives the target's hidden patches; the loss is their "
    "distance. After training, encoder and predictor are kept: to measure what the predictor knows, to plan, and to tune it for tasks."
)
GREY, INK = "#757c87", "#1f2937"
BLUE, VIOLET, ORANGE, GREEN, PALE = (
    *(("#dbeafe", "#3b82f6"), ("#e4e4fd", "#7c74e8"), ("#ffe8cf", "#f08c2e")),
    *(("#dcf5e3", "#35a35f"), ("#eceef2", "#8b919b")),
)


class Pictures(NamedTuple):
    """The images of the picture, what the predictor is told, and which patches it sees."""

    whole: Tensor
    view: Tensor
    source: Tensor
    target: Tensor
    told: list[tuple[str, float]]
    where: Targets


def pictures() -> Pictures:
    """Make all that is shown."""
    scene = installed("data_source", "scenes")(size=192, seed=3).open("train").image(SCENE)[None].float() / 255
    view = torch.nn.functional.interpolate(scene[..., 12:180, 20:188], size=SIDE, mode="bicubic", antialias=True).clamp(0, 1)
    source, target, told = view, view, []
    for name in ACTIONS:
        action: Action = installed("action", name)(**OPTIONS.get(name, {}))
        sides = PARAMETERS[name]
        source, target = action.apply(source, sides.source), action.apply_target(target, sides.target)
        numbers = action.encode(*sides)[0].tolist()
        told += [(name if label == "undo" else label, number) for label, number in zip(action.labels, numbers, strict=True)]
    where = installed("target_selector", "multiblock")().select(Draws(5, 0, torch.arange(1)), (GRID, GRID))
    return Pictures(scene[0], view[0], source[0], target[0], told, where)


def thumb(image: Tensor, x: float, y: float, size: float, extra: str = "") -> str:
    """An image, its upper left corner at (x, y)."""
    file = io.BytesIO()
    Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "JPEG", quality=88)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<image x="{x}" y="{y}" width="{size}" height="{size}" {extra} href="data:image/jpeg;base64,{data}"/>'


def box(x: float, y: float, width: float, height: float, colours: tuple[str, str], *lines: str) -> str:
    """A rounded box with a title and smaller lines, centred."""
    fill, edge = colours
    top = y + height / 2 - 9 * (len(lines) - 1) + 5
    words = [text(x + width / 2, top + 19 * i, line, INK, 16 if i == 0 else 13.5, 650 if i == 0 else 400) for i, line in enumerate(lines)]
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="9" fill="{fill}" stroke="{edge}" stroke-width="1.6"/>' + "".join(
        words
    )


def text(x: float, y: float, words: str, colour: str = GREY, size: float = 14.5, weight: int = 500, anchor: str = "middle") -> str:
    """A line of text."""
    return f'<text x="{x}" y="{y}" fill="{colour}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{words}</text>'


def arrow(*points: tuple[float, float], dashed: bool = False, head: bool = True) -> str:
    """A line through points, with a head at its end."""
    path = " ".join(f"{x},{y}" for x, y in points)
    end = ' marker-end="url(#head)"' if head else ""
    style = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{GREY}" stroke-width="1.8"{style}{end}/>'


def cells(where: Tensor, x: float, y: float, size: float, style: str) -> str:
    """The patches of these numbers as squares."""
    side = size / GRID
    places = [(x + side * (n % GRID), y + side * (n // GRID)) for n in where.flatten().tolist()]
    return "".join(f'<rect x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" {style}/>' for left, top in places)


def told_box(told: list[tuple[str, float]], x: float, y: float, width: float, height: float) -> str:
    """The encoded action as bars, one a number."""
    parts = [box(x, y, width, height, GREEN), text(x + width / 2, y + 21, "action: encoded difference", INK, 13.5, 650)]
    for i, (label, number) in enumerate(told):
        column, row = divmod(i, 4)
        left, middle = x + 10 + column * 116, y + 42 + row * 19
        zero = left + 88
        parts += [
            text(left, middle + 4, label, INK, 12.5, 400, "start"),
            f'<line x1="{zero}" y1="{middle - 7}" x2="{zero}" y2="{middle + 7}" stroke="{GREEN[1]}" stroke-width="1"/>',
            f'<rect x="{zero + min(number, 0) * 22:g}" y="{middle - 4.5}" width="{abs(number) * 22:g}" height="9" fill="{GREEN[1]}"/>',
        ]
    return "".join(parts)


def drawing() -> str:
    """The whole picture."""
    shown, t = pictures(), 96
    seen = cells(shown.where.context, 496, 332, t, "")
    asked = cells(shown.where.target, 352, 72, t, 'fill="none" stroke="white" stroke-width="1.4"')
    grid = cells(torch.arange(GRID**2), 496, 332, t, f'fill="none" stroke="{GREY}" stroke-width="0.7"')
    parts = [
        # image and shared view
        *(thumb(shown.whole, 17, 202, t), text(65, 318, "image")),
        *(
            arrow((116, 250), (147, 250)),
            thumb(shown.view, 152, 202, t),
            text(200, 318, "shared view"),
            text(200, 336, "crop, flip", size=13),
        ),
        # source and target
        *(arrow((250, 250), (298, 250), (298, 120), (347, 120)), arrow((298, 250), (298, 380), (347, 380))),
        *(box(254, 166, 88, 30, GREEN), text(298, 186, "jitter", INK, 13.5)),
        *(box(254, 292, 88, 66, GREEN), text(298, 311, "jitter, gray-", INK, 12.5), text(298, 329, "scale, blur,", INK, 12.5)),
        text(298, 347, "solarize", INK, 12.5),
        *(thumb(shown.target, 352, 72, t), asked, text(400, 60, "target, with the patches to predict")),
        *(thumb(shown.source, 352, 332, t), text(400, 448, "source")),
        *(arrow((400, 170), (400, 189)), arrow((400, 330), (400, 311)), told_box(shown.told, 352, 194, 240, 112)),
        # context, student, predictor
        *(arrow((450, 380), (491, 380)), f'<clipPath id="seen">{seen}</clipPath>'),
        *(thumb(shown.source, 496, 332, t, 'clip-path="url(#seen)"'), grid, text(544, 448, "context patches")),
        *(arrow((594, 380), (621, 380)), box(626, 346, 98, 68, BLUE, "student", "encoder")),
        *(arrow((726, 380), (752, 380)), box(757, 336, 120, 88, ORANGE, "predictor", "told the action", "and the places")),
        *(arrow((592, 250), (817, 250), (817, 331)), text(752, 242, "what was done", size=13)),
        # teacher and loss
        *(arrow((450, 120), (621, 120)), box(626, 86, 98, 68, VIOLET, "teacher", "encoder")),
        *(arrow((675, 344), (675, 258), dashed=True, head=False), arrow((675, 242), (675, 159), dashed=True)),
        *(text(684, 191, "moving", size=13, anchor="start"), text(684, 207, "average", size=13, anchor="start")),
        *(arrow((726, 120), (926, 120), (926, 211)), text(826, 110, "tokens of the target")),
        *(arrow((879, 380), (926, 380), (926, 289)), text(926, 402, "predicted"), text(926, 420, "tokens")),
        box(883, 216, 86, 68, PALE, "loss", "squared L2"),
        # afterwards
        *(arrow((817, 426), (817, 521)), arrow((817, 496), (493, 496), (493, 521)), arrow((493, 496), (169, 496), (169, 521))),
        text(17, 482, "After training the predictor is kept, with the encoder:", size=15, weight=650, anchor="start"),
        box(17, 526, 304, 92, ORANGE, "measure", "does its prediction lie nearest to", "the image that the action makes?"),
        box(341, 526, 304, 92, ORANGE, "plan", "which action leads", "from one image to another?"),
        box(665, 526, 304, 92, ORANGE, "tune", "on top of the frozen encoder,", "for classes, masks, numbers"),
    ]
    head = (
        '<marker id="head" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
        f'<path d="M0,0.6 L9,5 L0,9.4 z" fill="{GREY}"/></marker>'
    )
    body = "\n".join(parts)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 40 986 592" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, '
        f'sans-serif" role="img"><title>{ABOUT}</title><defs>{head}</defs>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    FILE.write_text(drawing(), encoding="utf-8")
    print(f"wrote {FILE}")

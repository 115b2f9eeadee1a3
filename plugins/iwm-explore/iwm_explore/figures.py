"""What the page shows of an answer, as HTML: pictures as data addresses, numbers as bars with words.

Decisions:
- A picture is in the page itself: no file is written for it, and nothing is fetched.
- Pixels are shown as they are, unsmoothed; all pictures of a row have one size.
- Numbers stand in a table, each beside its bar, so that no colour or length is needed to read them.
"""

import base64
import io
import math
from collections.abc import Iterable
from html import escape

from iwm_evals.measuring.tables import three_digits
from iwm_evals.words.asked import NOTHING
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from iwm_explore.explorer import NULL, OTHER, TOLD, Seen, in_bytes
from iwm_explore.plans import Planned

LONGEST = 2.0  # of a bar: what hardly moves the tokens has errors of many times not acting
ABOUT = {
    TOLD: "what the model is asked",
    "not acting": "the source, left as it is",
    NULL: "the model guesses from the source alone",
    OTHER: "chance: the mean of 8 that training could draw",
}


def picture(image: Float[Tensor, "3 h w"]) -> str:
    """An image as a data address."""
    file = io.BytesIO()
    Image.fromarray(in_bytes(image).permute(1, 2, 0).numpy()).save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def figure(title: str, image: Float[Tensor, "3 h w"] | None, words: str, kind: str = "") -> str:
    """A picture with its title and what is to be said of it; without an image, the words alone."""
    shown = f'<img src="{picture(image)}" alt="{escape(title)}">' if image is not None else '<div class="none" aria-hidden="true">?</div>'
    return f'<figure class="{kind}">{shown}<figcaption><b>{escape(title)}</b> {escape(words)}</figcaption></figure>'


def answer(seen: Seen, has_decoder: bool) -> str:
    """An answer: what was asked, the pictures, the errors."""
    nothing = seen.asked == [NOTHING]
    asked = "nothing yet: move a slider" if nothing else ", ".join(seen.asked)
    missing = "not known: no pair of the data shows this action"
    shown = [figure("Source", seen.source, "what the model sees")]
    shown.append(figure("Real", seen.real, "the action, applied" if seen.real is not None else missing))
    if has_decoder:
        shown.append(figure("Imagined", seen.imagined, "the prediction, decoded", "imagined"))
        if seen.decoded is not None:
            shown.append(figure("Real, decoded", seen.decoded, "the most that the decoder can show"))
    of = "the real image itself" if seen.place == 1 else seen.nearest_is
    shown.append(figure("Nearest", seen.nearest, f"of {seen.among} real images: {of}", "" if has_decoder else "imagined"))
    return (
        f'<div class="explored" data-place="{seen.place}"><p class="asked">Asked: <b>{escape(asked)}</b></p>'
        f'<div class="pictures">{"".join(shown)}</div>{bars(seen)}<p class="found">{escape(in_words(seen))}</p></div>'
    )


def bars(seen: Seen) -> str:
    """The error told this action, beside not acting and both controls."""
    if not seen.errors:
        return ""
    rows = {TOLD: seen.errors[TOLD], "not acting": 1.0, NULL: seen.errors[NULL], OTHER: seen.errors[OTHER]}
    most = min(LONGEST, max(rows.values()))
    cells = "".join(bar(name, value, most) for name, value in rows.items())
    caption = "Error of the predicted tokens: squared distance to the real image’s, where not acting has 1. Lower is better."
    return f"<table><caption>{caption}</caption><tbody>{cells}</tbody></table>"


def bar(name: str, value: float, most: float) -> str:
    """A row of the table; what is longer than ``most`` fades out."""
    cut, width = ("cut" if value > most else ""), 100 * min(value, most) / most
    return (
        f'<tr class="{"own" if name == TOLD else ""}"><th scope="row">{name} <span>{ABOUT[name]}</span></th>'
        f'<td class="n">{three_digits(value)}</td><td class="bar"><i class="{cut}" style="width:{width:.1f}%"></i></td></tr>'
    )


def in_words(seen: Seen) -> str:
    """The numbers that matter, in one sentence."""
    if not seen.errors:
        return "" if seen.asked == [NOTHING] or not seen.place else "This action does not move the tokens of this image."
    error, null = seen.errors[TOLD], seen.errors[NULL]
    better = f"has {100 * (1 - error):.0f} % less error than not acting" if error < 1 else "is no nearer to the real image than not acting"
    known = "being told the action helps it" if error < 0.95 * null else "being told the action does not help it"
    chance = f"by chance {math.ceil((seen.among + 1) / 2)}"
    return f"The prediction {better}; {known}. It finds the real image at place {seen.place} of {seen.among} ({chance})."


def plan_steps(found: Planned, asked: list[str], has_decoder: bool) -> str:
    """A plan, imagined above and real below."""
    left = ["the start: 1", *(f"distance {three_digits(one)}" for one in found.distances), "the goal: 0"]
    titles = ["A", *(f"Step {number}" for number in range(1, len(found.distances) + 1)), "B"]
    rows = ""
    if found.imagined is not None:
        rows += row("Imagined", titles, [found.start, *found.imagined, found.goal], left)
    if found.real is not None:
        rows += row("Really made", titles, [found.start, *found.real, found.goal], [] if has_decoder else left)
    made = f"<p>B was made by: {escape(', '.join(asked))}</p>" if asked else ""
    done = (
        f"Really doing it leads to a distance of {three_digits(found.reached)}, where A has 1 and B has 0."
        if math.isfinite(found.reached)
        else ""
    )
    return (
        f'<div class="explored"><p class="asked">The plan: <b>{escape(", ".join(found.words))}</b></p>{made}'
        f'{rows}<p class="found">{done}</p></div>'
    )


def row(title: str, titles: list[str], images: Iterable[Float[Tensor, "3 h w"]], words: list[str]) -> str:
    """A row of pictures."""
    words = words or [""] * len(titles)
    figures = "".join(figure(name, image, said) for name, image, said in zip(titles, images, words, strict=True))
    return f'<h3>{title}</h3><div class="pictures steps">{figures}</div>'


def note(text: str, alarm: bool = False) -> str:
    """A remark that should not be missed; nothing for an empty text."""
    return f'<p class="note" role="{"alert" if alarm else "note"}">{escape(text)}</p>' if text else ""

"""The verb: what its help says, what it takes, and where it is carried out."""

from dataclasses import dataclass

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option


@dataclass(frozen=True, kw_only=True)
class Explore:
    """Its switches."""

    port: int = option(7860, "of the page; another where that is taken, 0 for any that is free", low=0, high=65535)
    open: bool = option(False, "open the page in your browser")


VERBS = [
    Command(
        name="explore",
        run="iwm_explore.commands:run_explore",
        switches=Explore,
        forms={"explore RUN [--port 7860] [--open]": "play with a world model: move sliders, see what it imagines"},
        more=(
            "A page for you alone, at the address that it prints (127.0.0.1 and a token), until Ctrl-C.",
            "Choose an image of the run's data or drop one, move the sliders of its actions, or let it plan from one image to another.",
            'Imagined pictures need a decoder, iwm eval RUN "evaluators=[imagination]"; without one, the nearest real image is shown.',
            "data=NAME data.path=… for other images; launch.device=, checkpoint=step_N. It needs gradio: pip install 'iwm-explore[page]'.",
        ),
        examples=(
            "iwm explore runs/quickstart",
            "iwm explore runs/quickstart --open --port 0",
            "iwm explore runs/quickstart data=folder data.path=MY_IMAGES",
        ),
    ),
]

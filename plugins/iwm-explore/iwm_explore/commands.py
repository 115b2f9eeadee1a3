"""What carries out the verb: words, and what is installed, are checked before torch is imported, which takes seconds."""

from importlib.util import find_spec

from iwm_core.cli.listing import tell_problems
from iwm_core.interfaces.errors import UserError
from iwm_explore.verbs import Explore


def run_explore(words: list[str], given: Explore) -> int:
    from iwm_explore.command_line import read_arguments

    asked = read_arguments(words, given)
    if find_spec("gradio") is None:
        raise UserError("the page of iwm explore is made with gradio, which is not installed: pip install 'iwm-explore[page]'")
    from iwm_explore.explore import explore

    tell_problems()
    return explore(asked)

"""What plugins know to say of a recipe, or of words on a command line, that are wrong (`iwm_advisers`).

What is wrong is found without them, too, where it matters, and told in Hydra's words or in those of `iwm_core.recipe.typed`.
"""

from typing import Any

from iwm_core.plugins.loader import load_plugins


def advise(check: str, *given: Any) -> list[str]:
    """Have every plugin that knows better make one of its checks, or explain what has gone wrong; returns notes for the user."""
    found = [getattr(module, check)(*given) for module in load_plugins().modules("iwm_advisers")]
    return [note for notes in found for note in notes or ()]

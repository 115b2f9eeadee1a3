"""The verb ``completion``: a script by which a shell completes command lines of ``iwm``.

Decisions:
- The script holds all that can be typed, of all installed plugins, and asks nobody: a TAB starts no Python, which would take longer than
  one is willing to wait. So it is written anew when plugins have come or gone.
- Words come from the verbs' help, from the fields of components and settings, and from recipes: a third party's are among them.
- One program of awk (`words.awk`) chooses from them in every shell; the scripts around it only hand over the line.
"""

from importlib.resources import files

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.process.shown import tell
from iwm_devkit.completion.shells import SHELLS


def run_completion(arguments: list[str]) -> int:
    """``iwm completion SHELL``: print the script."""
    if len(arguments) != 1 or arguments[0] not in SHELLS:
        hint = did_you_mean(arguments[0], SHELLS) if len(arguments) == 1 else ""
        raise UserError(f"say for which shell: {hint}iwm completion {'|'.join(SHELLS)}")
    from iwm_devkit.completion.table import table

    folder = files(__name__)
    script = (folder / f"iwm.{arguments[0]}").read_text(encoding="utf-8")
    awk = (folder / "words.awk").read_text(encoding="utf-8")
    tell(script.replace("@TABLE@", "\n".join(table())).replace("@AWK@", awk.strip()).rstrip("\n"), keep="\n")
    return 0

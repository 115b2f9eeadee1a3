"""Which templates there are: the core's kinds of components and the verb have theirs here, other kinds name their own."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean

USE = {
    "action": 'iwm train recipe=quickstart "actions=[example]"',
    "target_selector": "iwm train recipe=quickstart targets=example",
    "encoder": "iwm train recipe=quickstart encoder=example",
    "predictor": "iwm train recipe=quickstart predictor=example",
    "evaluator": 'iwm eval runs/quickstart "evaluators=[example]"',
    "data_source": "iwm train recipe=quickstart data=example",
    "command": "iwm example runs/quickstart",
}
"""The kinds whose templates are here, with a command line that uses what the template makes."""


@dataclass(frozen=True)
class Template:
    """A working package by the name of ``example``.

    Attributes:
        kind: of its component; ``command`` for a verb.
        module: the package, as Python imports it.
        folder: where its files lie.
        use: a command line that uses what it brings.
        hook: by which it brings that.
    """

    kind: str
    module: str
    folder: Path
    use: str
    hook: str

    @property
    def words(self) -> str:
        """The kind as a sentence has it: ``target selector``."""
        return "verb" if self.kind == "command" else self.kind.replace("_", " ")

    @property
    def listing(self) -> str:
        """A command line that shows what it brings."""
        return "iwm example --help" if self.kind == "command" else f"iwm components {self.kind} example"


def template_names() -> list[str]:
    """The kinds that there is a template of; a verb's is the last."""
    declared = [name for name, kind in load_plugins().kinds.items() if name not in USE and kind.template]
    return [*(name for name in USE if name != "command"), *declared, "command"]


def template_of(kind: str) -> Template:
    """The template of a kind.

    Raises:
        UserError: there is none, or what it names is not there.
    """
    known = template_names()
    if kind not in known:
        raise UserError(f"there is no template of the kind {kind!r}; {did_you_mean(kind, known)}kinds: {', '.join(known)}")
    if kind == "command":
        return Template(kind, f"{__package__}.{kind}", Path(__file__).parent / kind, USE[kind], "iwm_commands")
    declared = load_plugins().kinds[kind]
    if kind in USE:
        return Template(kind, f"{__package__}.{kind}", Path(__file__).parent / kind, USE[kind], declared.hook)
    module, folder = place_of(declared.template)
    if not (folder / "example.py").is_file():
        raise UserError(f"the template of the kind {kind!r}, {declared.template}, is not there; install the plugin that has it again")
    return Template(kind, module, folder, declared.use, declared.hook)


def place_of(template: str) -> tuple[str, Path]:
    """The module and the folder of ``package:folder``; the package is found and not imported, as long as it is at the top."""
    package, _, inner = template.partition(":")
    spec = importlib.util.find_spec(package)
    top = next(iter(spec.submodule_search_locations or []), "") if spec else ""
    return ".".join([package, *inner.split("/")]), Path(top, inner)

"""The names of a new plugin, all made of one: ``film-grain`` gives iwm-film-grain, iwm_film_grain, film_grain and FilmGrain."""

import importlib.metadata
import keyword
import re
from typing import NamedTuple

from iwm_core.interfaces.errors import UserError

LONGEST = 32
"""Characters of a component's name: with more, a line of the new package could be too long for its own linter."""


class Names(NamedTuple):
    """What a plugin's parts are called.

    Attributes:
        component: what recipes choose it by; also its module's and its entry point's name.
        cls: its class.
        module: the package that Python imports.
        distribution: the package that pip installs.
    """

    component: str
    cls: str
    module: str
    distribution: str


def read_name(given: str) -> Names:
    """The names made of the one that a user gives, with or without ``iwm-``.

    Raises:
        UserError: no plugin can be called so, or one that is installed is.
    """
    component = re.sub(r"^iwm[-_]", "", given).replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", component):
        raise UserError(f"a plugin cannot be called {given!r}; use lower-case letters and digits, and - between words, {near(component)}")
    if len(component) > LONGEST:
        raise UserError(f"the name {component!r} has {len(component)} characters; use at most {LONGEST}: it is typed on the command line")
    names = Names(
        component=component,
        cls="".join(word.capitalize() for word in component.split("_")),
        module=f"iwm_{component}",
        distribution=f"iwm-{component.replace('_', '-')}",
    )
    for word in (component, names.cls):
        if keyword.iskeyword(word):
            raise UserError(f"a plugin cannot be called {given!r}: {word} is a word of Python's own; choose another name")
    try:
        importlib.metadata.distribution(names.distribution)
    except importlib.metadata.PackageNotFoundError:
        return names
    raise UserError(f"{names.distribution} is installed already; choose another name")


def near(text: str) -> str:
    """The name that was probably meant."""
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower())
    name = re.sub(r"^[\d-]+", "", "-".join(words))
    return f"such as {name or 'film-grain'}"

"""How templates are read."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).parent / "templates"


def make_environment() -> Environment:
    """The templates: all that is put into them is escaped, and a name not given is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["breakable"] = breakable
    return environment


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after a dot or underscore."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))

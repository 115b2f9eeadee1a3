"""How templates are read.

The page's script is the one that lies here: its digest stands in the page's policy, so that a browser runs no other.
"""

import re
from base64 import b64encode
from hashlib import sha256
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
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    environment.globals["script"] = Markup(script)
    environment.globals["script_hash"] = Markup(f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}")
    return environment


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after a dot or underscore."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))

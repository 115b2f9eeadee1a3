"""How templates are read.

The page's scripts are those that lie here: their digests stand in the page's policy, so that a browser runs no other.
"""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).parent / "templates"


def make_environment(live: str = "") -> Environment:
    """The templates: all that is put into them is escaped, and a name not given is an error.

    Args:
        live: tells the page from others, where it is one that `iwm watch` serves and that keeps itself up to date.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["breakable"] = breakable
    environment.globals["live"] = live
    for name, file in (("script", "page.js"), *([("live_script", "live.js")] if live else [])):
        script = (TEMPLATES / file).read_text(encoding="utf-8")
        environment.globals[name] = Markup(script)
        environment.globals[f"{name}_hash"] = Markup(f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}")
    return environment


def breakable(name: str) -> Markup:
    """A name that may go on in the next line after a dot, an underscore or a sign of equality."""
    return Markup(re.sub(r"([._=])", r"\1<wbr>", str(escape(name))))

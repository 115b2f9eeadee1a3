"""How templates are read."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def make_environment(*more: Path) -> Environment:
    """The templates of this package, and of ``more`` folders: all that is put into them is escaped, and a name not given is an error."""
    return Environment(
        loader=FileSystemLoader([TEMPLATES, *more]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )

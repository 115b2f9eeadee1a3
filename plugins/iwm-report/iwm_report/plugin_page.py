"""A page that is a plugin's own, such as that of a comparison: it looks as the reports do, and is one file that needs nothing else.

Its plots are in a picture beside it, too, for a README.
"""

from iwm_core.process.shown import shown
from iwm_core.run.files import write_atomically
from iwm_report.added import OwnPage, Plot, Wanted
from iwm_report.environment import make_environment
from iwm_report.named_points import draw_added, picture
from iwm_report.thumbnails import Thumbnails, draw_thumbnails, thumbnails_picture


def write_page(wanted: Wanted) -> None:
    """Write the page, and a picture where it has plots.

    Raises:
        UserError: they cannot be written.
    """
    page = OwnPage()
    wanted.fill(page)
    write_atomically(wanted.path, render_own(page))
    parts = [part for section in page.sections for part in section.parts]
    plots = [part for part in parts if isinstance(part, Plot)]
    for kind in ("svg", "png") if plots else ():
        write_atomically(wanted.path.with_suffix(f".{kind}"), picture(plots, kind))
    for part in (part for part in parts if isinstance(part, Thumbnails)):
        write_atomically(wanted.path.with_suffix(".png"), thumbnails_picture(part))


def render_own(page: OwnPage, live: str = "") -> str:
    """The page, as text; ``live`` as of `make_environment`."""
    draw_added(page)
    for part in (part for section in page.sections for part in section.parts if isinstance(part, Thumbnails)):
        part.drawn = draw_thumbnails(part)
    return shown(make_environment(live).get_template("plugin_page.html").render(page=page), keep="\n")

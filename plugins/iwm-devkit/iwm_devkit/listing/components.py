"""``iwm components``: what plugins bring, and of one component its options."""

from iwm_core.cli.listing import Listing, row, show_rows, tell_problems
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.process.shown import tell
from iwm_core.process.tables import folded, width


def run_components(words: list[str], given: Listing) -> int:
    kind, name = (*words, None, None)[:2]
    plugins = load_plugins()
    if kind is not None and kind not in plugins.kinds:
        raise UserError(f"there is no kind {kind!r}; {did_you_mean(kind, plugins.kinds)}kinds: {', '.join(plugins.kinds)}")
    if kind is not None and name is not None:
        component = plugins.component(kind, name)
        from iwm_devkit.listing.described import numbers_told, option_rows

        plugin = plugins.entries(kind)[name].plugin
        rows = option_rows(kind, component, plugin)
        if not given.json:
            tell(f"{kind.replace('_', ' ')} {name}, from {plugin.distribution} {plugin.version}: {about(component)}")
            tell("")
        show_rows(rows, given.json, ("name", "type", "default", "range", "doc"))
        for sentence in [] if given.json else numbers_told(component):
            tell("\n".join(folded(sentence, width())), keep="\n")
        return 0
    entries = [entry for k in ([kind] if kind else plugins.kinds) for entry in plugins.entries(k).values()]
    rows = [row(e.kind, e.name, e.plugin, about=about(e.component)) for e in entries]
    show_rows(rows, given.json, ("kind", "name", "distribution", "version", "about"))
    tell_problems()
    return 0


def about(component: type) -> str:
    """The first line of a component's documentation."""
    return (component.__doc__ or "").partition("\n")[0]

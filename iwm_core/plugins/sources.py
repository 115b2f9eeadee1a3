"""Runs that lie elsewhere: an address such as ``hf://NAME`` is brought here by the plugin that knows its scheme. Needs no torch."""

from pkgutil import resolve_name

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean


def is_address(text: str) -> bool:
    """Whether a word names a run that lies elsewhere, and not a path or a setting."""
    scheme, colon, _ = text.partition("://")
    return bool(colon) and "=" not in scheme


def fetched(address: str) -> str:
    """The folder of a run that an address such as ``hf://NAME`` names, brought here by the plugin that knows the scheme; a path as it is. A
    `UserError` where no installed plugin knows the scheme."""
    if not is_address(address):
        return address
    scheme = address.partition("://")[0]
    sources = load_plugins().model_sources
    if scheme not in sources:
        raise UserError(
            f"no installed plugin brings models from {scheme}://; {did_you_mean(scheme, sources, '{}://')}"
            f"installed: {', '.join(sources) or 'none'}; pip install the plugin that does, or give the path of a run"
        )
    return str(resolve_name(sources[scheme].fetch)(address))

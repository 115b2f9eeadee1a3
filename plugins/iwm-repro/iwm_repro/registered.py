"""The claims that plugins bring, by name."""

import functools
from typing import NamedTuple

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.loader import load_plugins
from iwm_repro.claim import Claim

HOOK = "iwm_claims"


class Brought(NamedTuple):
    """A claim, and the plugin that brings it."""

    claim: Claim
    plugin: Plugin


@functools.cache
def all_claims() -> dict[str, Brought]:
    """Claims in the order in which plugins give them.

    Raises:
        UserError: a plugin's function fails or gives something else, or two give one name.
    """
    found = dict[str, Brought]()
    for implementation in getattr(load_plugins().manager.hook, HOOK).get_hookimpls():
        plugin = next(one for one in load_plugins().plugins if one.module is implementation.plugin)
        giver, off = plugin.distribution, f"repair it, or set IWM_DISABLED_PLUGINS={plugin.name}"
        try:
            given = list(implementation.function())
        except Exception as error:  # any failure of a third party's code
            raise UserError(f"{giver} failed in {HOOK}: {type(error).__name__}: {error}; {off}") from error
        for claim in given:
            if not isinstance(claim, Claim):
                raise UserError(f"{giver} gives {type(claim).__name__} in {HOOK}, which takes iwm_repro.claim.Claim; {off}")
            if claim.name in found:
                other = found[claim.name].plugin.distribution
                raise UserError(f"both {other} and {giver} give the claim {claim.name!r}; remove one of the two")
            found[claim.name] = Brought(claim, plugin)
    return found

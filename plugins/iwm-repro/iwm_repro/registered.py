"""The claims that plugins bring, by name."""

import functools

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_repro.claim import Claim

HOOK = "iwm_claims"


@functools.cache
def all_claims() -> dict[str, Claim]:
    """Claims in the order in which plugins give them.

    Raises:
        UserError: a plugin's function fails or gives something else, or two give one name.
    """
    found, givers = dict[str, Claim](), dict[str, str]()
    for implementation in getattr(load_plugins().manager.hook, HOOK).get_hookimpls():
        giver = implementation.plugin_name.partition(":")[0]
        off = f"repair it, or set IWM_DISABLED_PLUGINS={implementation.plugin_name.rpartition(':')[2]}"
        try:
            given = list(implementation.function())
        except Exception as error:  # any failure of a third party's code
            raise UserError(f"{giver} failed in {HOOK}: {type(error).__name__}: {error}; {off}") from error
        for claim in given:
            if not isinstance(claim, Claim):
                raise UserError(f"{giver} gives {type(claim).__name__} in {HOOK}, which takes iwm_repro.claim.Claim; {off}")
            if claim.name in found:
                raise UserError(f"both {givers[claim.name]} and {giver} give the claim {claim.name!r}; remove one of the two")
            found[claim.name], givers[claim.name] = claim, giver
    return found

"""The conformance kit on a component as it is installed, with its default options."""

from typing import Any

from iwm_core.interfaces.component import required_options
from iwm_core.interfaces.results import NotApplicable
from iwm_devkit.components import check_class, check_component
from iwm_devkit.fitting import Unfit
from iwm_devkit.kinds import check_of


def check_installed(kind: str, component: Any) -> str | None:
    """Check a component with its default options.

    Returns:
        A note where it cannot be tried with them.

    Raises:
        AssertionError: it breaks its contract.
    """
    check_class(component)
    required = required_options(component)
    if required:
        return untried(kind, component, f"has no default for {', '.join(required)}", required[0])
    try:
        made = component()
    except ValueError as error:
        return untried(kind, component, f"says of its defaults: {' '.join(str(error).split())}", "option")
    check = check_of(kind)
    if check is None:
        check_component(made)
        return "only its documentation and options are checked: its kind has no check"
    try:
        check(made)
    except Unfit as error:
        return untried(kind, component, f"says of its defaults: {' '.join(str(error).split())}", "option")
    except NotApplicable as error:
        return untried(kind, component, f"says of the kit's known world: {' '.join(str(error).split())}", "option")
    return None


def untried(kind: str, component: Any, why: str, option: str) -> str:
    """A note about a component that only its author can try."""
    return f"{why}; only its documentation is checked here: test it with check_{kind}({component.__name__}({option}=…))"

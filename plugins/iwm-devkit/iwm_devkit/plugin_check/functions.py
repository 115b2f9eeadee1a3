"""What a place that a plugin names, ``module:function``, must be."""

import inspect
from pkgutil import resolve_name
from typing import Any


def found(field: str, place: str, what: str) -> Any:
    """What ``module:name`` in a field names."""
    assert place.count(":") == 1, f'{what}: its {field}, {place!r}, must be "module:name"'
    try:
        return resolve_name(place)
    except (ImportError, AttributeError) as error:
        raise AssertionError(f"{what}: its {field}, {place}, is not there: {' '.join(str(error).split())}") from error


def check_arguments(field: str, place: str, what: str, given: str, count: int) -> None:
    """Check that a function is there and takes so many arguments."""
    function = found(field, place, what)
    assert callable(function), f"{what}: its {field}, {place}, is not a function"
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError as error:
        raise AssertionError(f"{what}: its {field}, {place}, must take {given} alone: {error}") from error

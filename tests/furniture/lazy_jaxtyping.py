"""What holds functions to their annotations in the tests: jaxtyping where they name shapes, beartype alone where they do not.

Decisions:
- A function is prepared by its first call: most of what is imported one process of the tests never calls, and preparing all of it took as
  long as several hundred tests.
- jaxtyping binds the arguments of each call, checks them twice, and keeps what letters stand for. Where no annotation names a shape,
  beartype finds the same faults in an eighth of the time. Generators stay with jaxtyping, which does not look into what they yield.
- An int is a float (PEP 484's numeric tower).
"""

import dataclasses
import functools
import inspect
import types
import typing

import jaxtyping
from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=TypeError))
by_jaxtyping = jaxtyping.jaxtyped


def checked(decorated=None, *, typechecker):
    """In the place of `jaxtyping.jaxtyped`, which its import hook writes before every function and class."""
    if decorated is None:
        return functools.partial(checked, typechecker=typechecker)
    if dataclasses.is_dataclass(decorated) and isinstance(vars(decorated).get("__init__"), types.FunctionType):
        decorated.__init__ = checked(decorated.__init__, typechecker=typechecker)
        return decorated
    if not isinstance(decorated, types.FunctionType):
        return by_jaxtyping(decorated, typechecker=typechecker)
    prepared = None

    @functools.wraps(decorated)
    def at_first_call(*arguments, **named):
        nonlocal prepared
        if prepared is None:
            prepared = without_shapes(decorated) or by_jaxtyping(decorated, typechecker=typechecker)
        return prepared(*arguments, **named)

    return at_first_call


def without_shapes(function):
    """The function held to its annotations by beartype; None where one names a shape, or cannot be told before all is imported."""
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        return None
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError:
        return None
    if any(map(names_a_shape, hints.values())):
        return None
    copy = types.FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__, copy.__qualname__, copy.__annotations__ = function.__kwdefaults__, function.__qualname__, hints
    return check(copy)


def names_a_shape(hint):
    if isinstance(hint, list | tuple):  # the arguments of a `Callable`
        return any(map(names_a_shape, hint))
    return (isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)) or names_a_shape(typing.get_args(hint) or ())


jaxtyping.jaxtyped = checked

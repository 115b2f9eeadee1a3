"""Functions are held to their annotations in the tests: to shapes by jaxtyping, to all else by beartype, at each call."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from jaxtyping import Float
from lazy_jaxtyping import check, checked, without_shapes
from torch import Tensor

from iwm_core.interfaces.draws import Draws, stream_key

held = checked(typechecker=check)
ONE, TWO = torch.ones(1), torch.ones(2)


@held
def shapes(one: Float[Tensor, "n"], other: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    return one if other.sum() > 0 else one[:0]


@held
def nested(pair: tuple[int, Float[Tensor, "n"] | None]) -> dict[str, Float[Tensor, "1"]]:
    return {"": pair[1]}


@held
def plain(number: float, *more: int, word: str = "", then: Callable[[int], int] | None = None) -> int:
    return word or len(more)


@held
def yielded(number: int) -> Iterator[int]:
    yield number


@held
def unknown(one: "NotThere", number: int) -> int:
    return number


@held
@dataclass
class Fields:
    number: int
    many: Float[Tensor, "n"]


def test_what_is_right_is_let_through():
    for _ in range(2):
        assert shapes(TWO, TWO) is TWO
        assert nested((1, ONE)) == {"": ONE}
        assert plain(1, 2, 3) == 2, "an int is a float"
        assert list(yielded(1)) == [1]
        assert unknown(object(), 1) == 1
        assert Fields(1, TWO).many is TWO


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: shapes(ONE, TWO),
        lambda: shapes(TWO, -TWO),  # what it returns
        lambda: nested((1, TWO)),
        lambda: nested((1.0, ONE)),
        lambda: plain("1"),
        lambda: plain(1, 2.0),
        lambda: plain(1, word=3),
        lambda: plain(1, word="of what it returns"),
        lambda: plain(1, then=3),
        lambda: yielded("1"),
        lambda: unknown(object(), "1"),
        lambda: Fields("1", TWO),
        lambda: Fields(1, TWO[None]),
        lambda: stream_key(1),
        lambda: Draws("1", 0, torch.arange(2)),
        lambda: Draws(1, 0, torch.arange(2)[None]),
    ],
)
def test_what_is_wrong_is_a_type_error_each_time(wrong):
    for _ in range(2):
        with pytest.raises(TypeError):
            wrong()


def test_who_checks():
    assert without_shapes(plain.__wrapped__) is not None
    for function in (shapes, nested, yielded, unknown):
        assert without_shapes(function.__wrapped__) is None

"""Finding a factor by name, and reading it of an image."""

import math

from iwm_core.interfaces import Factor, Images
from iwm_core.plugins.near import did_you_mean


def find(images: Images, name: str) -> Factor:
    """The factor of that name.

    Raises:
        ValueError: this data knows no factors, or none of that name.
    """
    names = [factor.name for factor in images.factors]
    if not names:
        raise ValueError(f"this data knows no factors, so none called {name!r}; choose data that does, such as data=scenes")
    if name not in names:
        raise ValueError(f"this data knows no factor {name!r}; {did_you_mean(name, names)}it has {', '.join(names)}")
    return images.factors[names.index(name)]


def read(images: Images, index: int, factors: list[Factor]) -> list[float]:
    """The values of factors of one image.

    Raises:
        ValueError: a value is not a finite number.
    """
    known = dict(zip((factor.name for factor in images.factors), images.factor(index).tolist(), strict=True))
    values = [known[factor.name] for factor in factors]
    for factor, value in zip(factors, values, strict=True):
        if not math.isfinite(value):
            raise ValueError(f"{images.describe(index)}: its factor {factor.name} is {value}; every image needs a finite number there")
    return values

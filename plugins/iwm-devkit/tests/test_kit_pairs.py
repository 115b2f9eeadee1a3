"""The conformance kit catches what a data source of pairs can get wrong: in what it says of its action, and in its pairs."""

import pytest
import torch
from iwm_devkit import check_data_source
from seen_pairs import Seen, SeenImages

from iwm_core.interfaces import Images

OBSERVED = Seen().observed


def test_the_source_of_pairs_conforms():
    check_data_source(Seen(count=40))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Light!"}, "lower-case letters"),
        ({"labels": ()}, "labels must have one text for each number"),
        ({"labels": ("up", "up")}, "labels must differ"),
        ({"mirror": (1,)}, "mirror must have one number for each label"),
        ({"mirror": (1, 2)}, "mirror must be 1 or -1"),
        ({"low": (0, 0), "high": (1, 0)}, "low must lie below"),
        ({"low": (0, -1)}, "must lie between observed.low and observed.high"),
        ({"labels": ("up", "aside", "more"), "mirror": ()}, r"action 0 of .* must be \[3\]"),
    ],
)
def test_what_a_source_may_get_wrong_in_its_words(monkeypatch, change, words):
    monkeypatch.setattr(Seen, "observed", property(lambda self: OBSERVED._replace(**change)))
    with pytest.raises(AssertionError, match=words):
        check_data_source(Seen(count=40))


def broken(**methods):
    """A source whose images have other methods."""
    images = type("BrokenImages", (SeenImages,), {**methods, "__module__": __name__})
    globals()["BrokenImages"] = images  # where pickle finds it

    def opened(self, split):
        if split not in ("train", "validation"):
            raise ValueError(split)
        return images(self.count, split == "validation")

    return type("BrokenSource", (Seen,), {"open": opened, "__doc__": "Broken."})(count=40)


def as_float(self, index):
    return self.image(index).float()


def forgetful(self, index):
    """Another answer whenever asked."""
    self.asked = getattr(self, "asked", 0) + 1
    return self.drawn(index) * 0.9**self.asked


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"target": as_float, "targets": lambda self, indices: [as_float(self, int(i)) for i in indices]}, "target 0 of .* must be uint8"),
        ({"target": lambda self, i: self.image(i)[:, 1:]}, "as large as its image"),
        ({"targets": lambda self, indices: [self.image(int(i)) for i in indices]}, "targets.. must give what target.. gives"),
        ({"action": lambda self, i: self.drawn(i).double()}, "must be float32"),
        ({"action": lambda self, i: self.drawn(i) / 0 * 0}, "finite"),
        ({"action": forgetful}, "must give the same again"),
        ({"action": lambda self, i: torch.zeros(2)}, "no pair of .* shows an action"),
        ({"action": lambda self, i: torch.rand(2)}, "global random generators"),
    ],
)
def test_what_a_source_may_get_wrong_in_its_pairs(methods, words):
    with pytest.raises(AssertionError, match=words):
        check_data_source(broken(**methods))


def test_a_source_that_forgets_its_targets_is_told():
    class Forgotten(SeenImages):
        target = Images.target

    with pytest.raises(NotImplementedError, match=r"Forgotten must implement target\(\)"):
        Forgotten(4, 0).target(0)

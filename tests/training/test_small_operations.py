"""What a step dispatches outside the model: each small operation is a launch on a GPU, and microseconds of the host anywhere."""

import pytest
from outside_the_model import dispatched, parts

from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw

GRID = (14, 14)


def recipe(name, tmp_path, *words):
    return thaw(compose(name, [f"data.path={tmp_path}", *words])[0])


def test_a_step_of_the_paper_dispatches_few_operations_outside_its_model(tmp_path):
    """At most 300 (2,836 in version 0.1), without compilation. Those of boxes, sampling and selection are the host's own."""
    found = {name: dispatched(work).total() for name, work in parts(recipe("paper/iwm_equi_vitb16_18x384", tmp_path), GRID, 16, 64).items()}
    print(found)
    assert sum(found.values()) <= 300, found
    assert found["views"] <= 120, "what is left to launch on a device"


@pytest.mark.parametrize("name", ["paper/iwm_equi_vitb16_18x384", "paper/ijepa_vitb16"])
def test_operations_do_not_grow_with_the_batch(name, tmp_path):
    few, many = ({part: dispatched(work) for part, work in parts(recipe(name, tmp_path), GRID, b, 32).items()} for b in (32, 300))
    assert few == many

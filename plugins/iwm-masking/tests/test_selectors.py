"""The contract on many grids and fields, components by name, fixed sizes, and clear errors."""

import hashlib

import iwm_masking
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_devkit import check_target_selector
from iwm_masking.fixed_size import BlockSelector, cut, first_fitting
from iwm_masking.ijepa import IJepa
from iwm_masking.multiblock import MultiBlock
from iwm_masking.random_patches import RandomPatches
from iwm_masking.rectangles import Rectangles, draw_rectangles

from iwm_core.interfaces import Draws, TargetSelector


def test_components_are_named():
    assert [selector.name for selector in iwm_masking.iwm_target_selectors()] == ["multiblock", "ijepa", "random"]


@pytest.mark.parametrize("selector", iwm_masking.iwm_target_selectors(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("grid", [(6, 6), (14, 14), (5, 9), (24, 4)], ids=str)
def test_contract(selector: type[TargetSelector], grid: tuple[int, int]):
    check_target_selector(selector(), grid)


@pytest.mark.parametrize("selector", iwm_masking.iwm_target_selectors(), ids=lambda kind: kind.name)
def test_same_draws_same_result_and_other_draws_another(selector: type[TargetSelector]):
    draws = Draws(0, 0, torch.arange(16))
    first = selector().select(draws, (8, 8))
    for indices, again, epoch, seed in zip(
        first,
        selector().select(draws, (8, 8)),
        selector().select(Draws(0, 1, torch.arange(16)), (8, 8)),
        selector().select(Draws(1, 0, torch.arange(16)), (8, 8)),
        strict=True,
    ):
        assert torch.equal(indices, again)
        assert not torch.equal(indices, epoch)
        assert not torch.equal(indices, seed)


@pytest.mark.parametrize("selector", iwm_masking.iwm_target_selectors(), ids=lambda kind: kind.name)
def test_global_random_numbers_are_left_alone(selector: type[TargetSelector]):
    before = torch.get_rng_state()
    selector().select(Draws(0, 0, torch.arange(4)), (8, 8))
    assert torch.equal(torch.get_rng_state(), before)


def test_groups():
    draws = Draws(0, 0, torch.arange(3))
    assert MultiBlock().select(draws, (14, 14)).target.shape[1] == 1
    assert IJepa(blocks=3).select(draws, (14, 14)).target.shape[1] == 3
    where = RandomPatches(share=0.25).select(draws, (14, 14))
    assert [list(indices.shape) for indices in where] == [[3, 147], [3, 1, 49]]


@pytest.mark.parametrize("grid", [(6, 6), (5, 9)], ids=str)
def test_the_whole_image_is_asked_for_without_showing_more_of_it(monkeypatch, grid: tuple[int, int]):
    draws = Draws(0, 0, torch.arange(16))
    check_target_selector(MultiBlock(whole=True), grid)
    monkeypatch.setattr(MultiBlock, "predicts_context", False)
    with pytest.raises(AssertionError, match="unless the property predicts_context says so"):
        check_target_selector(MultiBlock(whole=True), grid)
    hidden, whole = MultiBlock().select(draws, grid), MultiBlock(whole=True).select(draws, grid)
    assert torch.equal(hidden.context, whole.context)
    assert whole.target.tolist() == [[list(range(grid[0] * grid[1]))]] * 16


def test_ijepa_groups_lie_in_blocks():
    """Each group spans no more than the largest blocks on 14×14: 42 patches, 8 rows, 7 columns."""
    target = IJepa().select(Draws(0, 0, torch.arange(500)), (14, 14)).target
    rows, columns = target // 14, target % 14
    height, width = (side.amax(-1) - side.amin(-1) + 1 for side in (rows, columns))
    assert (height <= 8).all()
    assert (width <= 7).all()
    assert (height * width <= 42).all()


def test_first_layout_that_fits_is_taken():
    """Of unions of 1, 3, 2 and 3 patches of 6, the first with t = 3 and k = 3; with t = 4, the first of those that lack one."""
    unions = torch.tensor([0b000001, 0b000111, 0b000011, 0b111000])
    layouts = torch.stack([unions, 0b111111 ^ unions], 1)[None, :, :, None]
    for t, k in ((3, 3), (4, 2)):
        assert first_fitting(layouts, t, k)[0, :, 0].tolist() == [0b000111, 0b111000]


def test_lacking_layout_is_filled_up_without_overlap():
    """A union of 1 patch where 3 are asked for: it keeps its own patch, takes 2 of the others, and the context takes the rest."""
    union = torch.tensor([[0, 1, 0, 0, 0, 0]]).expand(200, -1)
    where = cut(torch.stack([union, 1 - union], 1), 3, 3, Draws(0, 0, torch.arange(200)))
    assert (where.target[:, 0] == 1).any(1).all()
    assert torch.equal(torch.cat([where.target[:, 0], where.context], 1).sort(1).values, torch.arange(6).expand(200, 6))


def directly(selector: BlockSelector, draws: Draws, grid: tuple[int, int]) -> list[tuple[list[int], list[list[int]]]]:
    """What is selected, by the rules as they are told: an image at a time, patch by patch, in Python's sets."""
    (t, k), n, m = selector.sizes(grid), grid[0] * grid[1], selector.blocks
    layouts, subsets = draws.stream("layouts"), draws.stream("subsets")
    drawn = draw_rectangles(layouts, 20 * m, selector.scale, selector.aspect, grid)
    around = draw_rectangles(layouts, 20, selector.context_scale, [1.0, 1.0], grid) if isinstance(selector, IJepa) else None
    groups = m if around else 1
    bits = subsets.bits(groups * n).view(-1, groups, n).tolist(), subsets.bits(n).tolist()

    def patches(rectangles: Rectangles, image: int, place: int) -> set[int]:
        top, left, height, width = (int(side[image, place]) for side in rectangles)
        return {y * grid[1] + x for y in range(top, top + height) for x in range(left, left + width)}

    def picked(offered: set[int], numbers: list[int], count: int) -> list[int]:
        return sorted(sorted(offered, key=lambda patch: (-numbers[patch], patch))[:count])

    found = []
    for image in range(len(draws)):
        for proposal in range(20):
            blocks = [patches(drawn, image, proposal * m + block) for block in range(m)]
            union = set().union(*blocks)
            context = (patches(around, image, proposal) if around else set(range(n))) - union
            targets = blocks if around else [union]
            if min(map(len, targets)) >= t and len(context) >= k:
                break
        else:
            raise AssertionError("no proposal of twenty fits: one sample in a million")
        target = [picked(one, bits[0][image][group], t) for group, one in enumerate(targets)]
        found.append((picked(context - set().union(*target), bits[1][image], k), target))
    return found


@pytest.mark.parametrize("selector", [MultiBlock(), MultiBlock(blocks=3), IJepa(), IJepa(blocks=2, min_keep=2)], ids=repr)
@pytest.mark.parametrize("grid", [(6, 6), (14, 14), (3, 24)], ids=str)
def test_selections_are_those_of_the_rules(selector: BlockSelector, grid: tuple[int, int]):
    draws = Draws(8, 1, torch.arange(40))
    where = selector.select(draws, grid)
    assert list(zip(where.context.tolist(), where.target.tolist(), strict=True)) == directly(selector, draws, grid)


@pytest.mark.parametrize(
    ("selector", "digests"),
    [
        (MultiBlock, ["d7d1b206b3deada2", "a8a2814c9fb615d5", "2f547300de70a444"]),
        (IJepa, ["8936e47fb52b2be6", "f12be1882912dc88", "f1e1ee98621dca13"]),
        (RandomPatches, ["3959d7a17d6606b6", "9d91acd1ef0bb59a", "07105451fdadc1da"]),
    ],
)
def test_selections_stay_what_they_were(selector: type[TargetSelector], digests: list[str]):
    """Golden, of version 0.1: a run that is resumed with a newer version sees the patches that it would have seen."""
    for grid, digest in zip([(6, 6), (14, 14), (3, 24)], digests, strict=True):
        where = selector().select(Draws(5, 2, torch.arange(64)), grid)
        assert hashlib.blake2s(b"".join(part.numpy().tobytes() for part in where), digest_size=8).hexdigest() == digest


@pytest.mark.parametrize("selector", iwm_masking.iwm_target_selectors(), ids=lambda kind: kind.name)
def test_nothing_waits_for_the_device(selector: type[TargetSelector]):
    """The meta device has shapes without numbers: to read one, as control flow or a synchronisation would, raises."""
    context, target = selector().select(Draws(0, 0, torch.arange(4, device="meta")), (6, 6))
    real = selector().select(Draws(0, 0, torch.arange(4)), (6, 6))
    assert context.is_meta
    assert target.is_meta
    assert (context.shape, target.shape) == (real.context.shape, real.target.shape)


def one_line_error(call) -> str:
    with pytest.raises(ValueError, match=r"\S") as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", [MultiBlock, IJepa])
@pytest.mark.parametrize("field", ["scale", "aspect"])
@pytest.mark.parametrize("value", [[0.3, 0.2], [0.2], [0.1, 0.2, 0.3], []])
def test_ranges_are_low_high(kind, field, value):
    assert f"{kind.name}.{field} must be [low, high]" in one_line_error(lambda: kind(**{field: value}))


def test_errors_name_the_fix():
    draws = Draws(0, 0, torch.arange(2))
    assert "context_scale must be [low, high]" in one_line_error(lambda: IJepa(context_scale=[1.0, 0.9]))
    assert "lower scale" in one_line_error(lambda: MultiBlock(scale=[0.9, 1.0]).select(draws, (8, 8)))
    tiny = one_line_error(lambda: MultiBlock(scale=[0.01, 0.02]).select(draws, (5, 5)))
    assert "raise it to 0.02 or more" in tiny
    MultiBlock(scale=[0.02, 0.02]).select(draws, (5, 5))  # the advice works
    assert "min_keep=10" in one_line_error(lambda: IJepa().select(draws, (4, 4)))
    IJepa(min_keep=4).select(draws, (4, 4))
    assert "share" in one_line_error(lambda: RandomPatches(share=0.001).select(draws, (8, 8)))
    assert "share" in one_line_error(lambda: RandomPatches(share=0.999).select(draws, (8, 8)))


def ranges(low: float, high: float) -> st.SearchStrategy[list[float]]:
    return st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from([MultiBlock, IJepa, RandomPatches]),
    grid=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    scale=ranges(0.001, 1.0),
    aspect=ranges(0.05, 20.0),
    blocks=st.integers(1, 6),
    window=st.sampled_from([0.3, 0.5, 1.0]),
    index=st.integers(0, 2**40),
)
def test_random_grids_and_fields_end_in_a_selection_or_one_error(kind, grid, scale, aspect, blocks, window, index):
    n = grid[0] * grid[1]
    selector = kind(share=scale[0]) if kind is RandomPatches else kind(scale=scale, aspect=aspect, blocks=blocks, window=window)
    try:
        context, target = selector.select(Draws(0, 0, torch.tensor([index, index + 1])), grid)
    except ValueError:
        assert kind.name in one_line_error(lambda: selector.select(Draws(0, 0, torch.tensor([index])), grid))
        return
    for indices in (context, target):
        assert indices.dtype == torch.int64
        assert indices.shape[-1] > 0
        assert indices.min() >= 0
        assert indices.max() < n
        assert (indices.diff(dim=-1) > 0).all()
    assert not torch.isin(context[0], target[0]).any()
    assert not torch.isin(context[1], target[1]).any()

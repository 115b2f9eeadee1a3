"""The order of the data and the views made of it: functions of seed and step, whatever the workers, the cache, or a few corrupt images."""

import pickle

import pytest
import torch
from iwm_data.cache import Cache, common_side
from iwm_data.cached_views import CachedViews
from one_line import assert_one_line
from torch.nn import functional as F

from iwm_core.data.loader import DecodedViews, on_device
from iwm_core.data.order import Schedule
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.reading import Reader
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import CorruptImage, Draws, Images
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.config import View

CPU = torch.device("cpu")


class Smooth(Images):
    """Smooth images of given sizes, without saturated pixels; some of them corrupt, each by a reason of its own."""

    def __init__(self, sizes, corrupt=()):
        self.sizes, self.corrupt = sizes, set(corrupt)

    def __len__(self):
        return len(self.sizes)

    def image(self, index):
        if index in self.corrupt:
            raise CorruptImage(f"broken at byte {index}")
        coarse = Draws(3, 0, torch.tensor([index])).uniform(48, 40, 215).reshape(1, 3, 4, 4)
        return F.interpolate(coarse, size=self.sizes[index], mode="bicubic", align_corners=True)[0].clamp(0, 255).byte()

    def describe(self, index):
        return f"image {index}"


def equal_sizes(corrupt=()):
    return Smooth([(30, 40)] * 24, corrupt)


def mixed_sizes():
    return Smooth([(28 + 5 * (i % 4), 44 - 4 * (i % 3)) for i in range(24)])


def slices(start=0, stop=3):
    return Schedule(1, 24, 8).slices(start, stop, 0, 1)


def decoded(images, *, workers=0, known=(), view=None, stop=3, seed=1, parts=None):
    views = DecodedViews(Reader(images, known=known), view or View(), 16, seed)
    return [on_device(batch, CPU) for batch in made_in_order(views, parts or slices(0, stop), workers)]


def cache(images):
    reader = Reader(images)
    return Cache(reader, 0, lambda items, label, total: items, common_side(reader))


def stored(images):
    return list(CachedViews(cache(images), View(), 16, 1, CPU)(slices()))


def assert_same(one, two):
    assert len(one) == len(two) > 0
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.index, b.index)
        assert a.epoch == b.epoch


@pytest.mark.parametrize("images", [equal_sizes(corrupt=(3,)), mixed_sizes()], ids=["equal", "mixed"])
@pytest.mark.parametrize("most", [1, 8, 17, 1000])
def test_crops_drawn_together_are_those_of_each_batch_alone(monkeypatch, images, most):
    """Over the ends of epochs, of three steps each; none is drawn with another epoch's numbers."""
    monkeypatch.setattr("iwm_data.cached_views.TOGETHER", most)
    views = CachedViews(cache(images), View(), 16, 1, CPU)
    assert_same(list(views(slices(1, 11))), [batch for part in slices(1, 11) for batch in views(iter([part]))])


def order(schedule, start, stop):
    return [part for step in range(start, stop) for part in schedule.part(step, 0).index.tolist()]


def test_every_epoch_is_another_permutation_less_its_last_partial_batch():
    schedule = Schedule(0, 23, 5)
    assert schedule.steps_per_epoch == 4
    epochs = [order(schedule, 4 * e, 4 * e + 4) for e in range(20)]
    for epoch in epochs:
        assert len(set(epoch)) == 20
        assert set(epoch) <= set(range(23))
    assert len({tuple(epoch) for epoch in epochs}) == 20
    left_out = {frozenset(range(23)) - set(epoch) for epoch in epochs}
    assert len(left_out) > 10, "other images are left out each time"
    assert [schedule.part(step, 0).epoch for step in (0, 3, 4, 79)] == [0, 0, 1, 19]
    full = Schedule(0, 20, 5)
    assert sorted(order(full, 0, 4)) == list(range(20))


def test_seeds_differ_and_one_seed_repeats():
    first = order(Schedule(0, 1000, 10), 0, 100)
    assert order(Schedule(1, 1000, 10), 0, 100) != first
    assert order(Schedule(0, 1000, 10), 0, 100) == first
    assert abs(torch.corrcoef(torch.tensor([first, list(range(1000))]).double())[0, 1]) < 0.1, "shuffled"


def test_images_are_anywhere_in_an_epoch():
    """Each image's mean place over 400 epochs lies within 5 standard errors of the middle."""
    schedule = Schedule(7, 16, 16)
    places = torch.stack([schedule.part(e, 0).index.argsort().double() for e in range(400)])
    assert ((places.mean(0) - 7.5).abs() < 5 * (255 / 12) ** 0.5 / 20).all()


@pytest.mark.parametrize(("processes", "micro"), [(1, 1), (2, 1), (1, 4), (3, 2)])
def test_parts_partition_the_batch(processes, micro):
    whole = Schedule(4, 50, 12)
    parts = Schedule(4, 50, 12, processes * micro)
    ranks = [list(parts.slices(0, 8, rank, processes)) for rank in range(processes)]
    for step in range(8):
        joined = torch.cat([ranks[r][step * micro + m].index for m in range(micro) for r in range(processes)])
        assert torch.equal(joined, whole.part(step, 0).index)
        assert {s.epoch for r in ranks for s in r[step * micro : (step + 1) * micro]} == {step // 4}


def test_what_a_worker_is_sent_of_a_step_does_not_grow_with_the_images():
    small, large = (pickle.dumps(Schedule(0, images, 16).part(0, 0)) for images in (100, 10_000))
    assert len(large) < len(small) + 100


def test_resume_from_any_step_goes_on_as_if_never_stopped():
    whole = [(s.epoch, s.index.tolist()) for s in Schedule(9, 23, 5).slices(0, 14, 0, 1)]
    for start in range(14):
        assert [(s.epoch, s.index.tolist()) for s in Schedule(9, 23, 5).slices(start, 14, 0, 1)] == whole[start:]


def test_workers_change_nothing():
    assert_same(decoded(mixed_sizes(), stop=6), decoded(mixed_sizes(), stop=6, workers=2))


def test_a_view_is_a_function_of_seed_epoch_and_index_alone():
    images = mixed_sizes()
    batches = decoded(images, stop=6)
    views = {(b.epoch, int(i)): view for b in batches for i, view in zip(b.index, b.images, strict=True)}
    assert len(views) == 48
    parts = iter([part._replace(index=part.index.flip(0)[:3]) for part in slices(0, 6)])
    for batch in decoded(images, parts=parts):
        for i, view in zip(batch.index, batch.images, strict=True):
            assert torch.equal(view, views[batch.epoch, int(i)])
    assert not any(torch.equal(views[0, i], views[1, i]) for i in range(24)), "another epoch, another view"
    other = decoded(images, seed=2)  # the order of seed 1, the views of seed 2
    assert not any(torch.equal(view, views[0, int(i)]) for b in other for i, view in zip(b.index, b.images, strict=True))


def test_cached_images_give_the_same_views():
    """Within rounding: uint8 is rounded twice in `cut`, once in the cache."""
    for one, two in zip(decoded(equal_sizes()), stored(equal_sizes()), strict=True):
        assert torch.equal(one.index, two.index)
        gap = (one.images - two.images).abs() * 255
        assert gap.max() <= 2
        assert gap.mean() < 0.5
        assert two.images.dtype == torch.float32


def test_cached_images_of_different_sizes_give_nearly_the_same_views():
    """They are squeezed into squares of the median shorter side and back: within 3 % of the range on smooth images, 1 % in the mean; the
    same parts of the same images, for a flip or a crop elsewhere would differ by ten times that."""
    for one, two in zip(decoded(mixed_sizes()), stored(mixed_sizes()), strict=True):
        assert torch.equal(one.index, two.index)
        gap = (one.images - two.images).abs()
        assert gap.max() < 0.03
        assert gap.mean() < 0.01
        assert (one.images.flip(3) - two.images).abs().mean() > 0.05


@pytest.mark.parametrize("known", [(), (4, 5, 23)])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_corrupt_image_changes_its_own_slot_only(known, workers):
    whole, holed = decoded(equal_sizes()), decoded(equal_sizes(corrupt=[4, 5, 23]), workers=workers, known=known)
    standing_in = {4: 6, 5: 6, 23: 0}
    met = []
    for a, b in zip(whole, holed, strict=True):
        assert torch.equal(a.index, b.index)
        for i, one, two in zip(a.index.tolist(), a.images, b.images, strict=True):
            if i in standing_in:
                met.append(i)
                assert not torch.equal(one, two)
                assert abs(two.mean() - equal_sizes().image(standing_in[i]).float().mean() / 255) < 0.1
            else:
                assert torch.equal(one, two)
    assert sorted(met) == [4, 5, 23]
    told = [corrupt for batch in holed for corrupt in batch.corrupt]
    assert {c.index for c in told} == ({4, 5, 23} - set(known))
    assert all(c == Corrupt(c.index, f"image {c.index}", f"broken at byte {c.index}") for c in told)


def test_the_next_readable_image_stands_in_exactly():
    """With one crop for all images, the slot shows what the next readable image's own slot would."""
    whole_view = View(scale=[1.0, 1.0], ratio=[4 / 3, 4 / 3], flip=0.0)
    holed = {int(i): v for b in decoded(equal_sizes(corrupt=[4, 5, 23]), view=whole_view) for i, v in zip(b.index, b.images, strict=True)}
    for slot, neighbour in {4: 6, 5: 6, 23: 0}.items():
        assert torch.equal(holed[slot], holed[neighbour])


def test_cached_corrupt_images_are_replaced_likewise_and_told_once():
    corrupt = [0, 4, 5, 23]
    cached = stored(equal_sizes(corrupt=corrupt))
    for one, two in zip(decoded(equal_sizes(corrupt=corrupt)), cached, strict=True):
        assert (one.images - two.images).abs().max() <= 2 / 255
        assert two.corrupt == []
    assert [c.index for c in cache(equal_sizes(corrupt=corrupt)).corrupt] == corrupt


def test_a_cache_of_which_nothing_can_be_read():
    with pytest.raises(UserError, match=r"not one of 24 images tried can be read, such as image 0"):
        stored(equal_sizes(corrupt=range(24)))


def test_without_a_plugin_that_keeps_images_a_cache_is_refused_before_a_run_has_a_directory(iwm, monkeypatch, here):
    monkeypatch.setattr(load_plugins(), "modules", lambda hook: [])
    assert_one_line(
        iwm("train", "recipe=tiny", "data.cache=ram", "run=r"), "data.cache", "which no installed plugin does: `pip install iwm`"
    )
    assert not (here / "r").exists()

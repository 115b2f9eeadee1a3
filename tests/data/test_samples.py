"""A sample is what the methods of its source give, read whole or not at all, and what is done to its image is done to all of it."""

import pytest
import torch
from known_tasks import COUNT, Patches
from seen_pairs import Seen, SeenImages

from iwm_core.data.reading import Reader
from iwm_core.data.view import random_views
from iwm_core.interfaces import CorruptImage, Draws, Sample
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import View

EVERY = torch.arange(COUNT)


def samples(images, *parts):
    return Reader(images, parts=parts).samples(EVERY)


def test_samples_have_what_was_asked_for_and_nothing_else():
    images = Patches()
    for i, (bare, whole) in enumerate(zip(samples(images), samples(images, "mask", "label"), strict=True)):
        assert torch.equal(bare.image, images.image(i))
        assert (bare.target, bare.action, bare.mask, bare.label) == (None, None, None, -1)
        assert torch.equal(whole.image, images.image(i))
        assert torch.equal(whole.mask, images.mask(i))
        assert whole.label == i
    pairs = SeenImages(COUNT, 0)
    for i, pair in enumerate(Reader(pairs, Seen().observed).samples(EVERY)):
        assert torch.equal(pair.target, pairs.target(i))
        assert torch.equal(pair.action, pairs.action(i))


def test_one_part_that_cannot_be_had_is_the_error_of_the_whole():
    images = Patches(corrupt=[2], no_mask=[4])
    assert [i for i, one in enumerate(samples(images)) if isinstance(one, CorruptImage)] == [2]
    errors = {i: str(one) for i, one in enumerate(samples(images, "mask")) if isinstance(one, CorruptImage)}
    assert errors == {2: "broken at byte 2", 4: "a broken mask"}


def test_a_mask_and_a_target_go_where_their_image_goes():
    draws = Draws(1, 0, EVERY)
    views, _, flips = random_views(list(samples(Patches(), "mask")), draws, View(), 16)
    assert 0 < flips.sum() < COUNT
    agree = torch.stack([((one.image[0] > 127) == one.mask.bool()).float().mean() for one in views])
    assert agree.mean() > 0.93, "light pixels have mask 1, but where edges are smoothed"
    for view in random_views([Sample(one.image, one.image) for one in samples(Patches())], draws, View(), 16)[0]:
        assert torch.equal(view.image, view.target)


@pytest.mark.parametrize("known", [(), (4, 5, 23)])
def test_what_is_left_out_and_what_stands_in(known):
    reader = Reader(Patches(corrupt=[4, 5, 23]), known=known)
    found, shown, corrupt = reader.read_all(EVERY)
    assert shown == [6 if i in (4, 5) else 0 if i == 23 else i for i in range(COUNT)]
    assert all(torch.equal(one.image, Patches().image(i)) for one, i in zip(found, shown, strict=True))
    assert {one.index for one in corrupt} == {4, 5, 23} - set(known)
    _, shown, corrupt = reader.read(EVERY)
    assert shown == [i for i in range(COUNT) if i not in (4, 5, 23)]
    assert [one.index for one in corrupt] == [4, 5, 23]


def test_of_which_nothing_can_be_read():
    with pytest.raises(UserError, match="^not one of the 24 training images can be read, such as image 0; check the dataset$"):
        Reader(Patches(corrupt=range(COUNT))).read_all(torch.tensor([3]))


def test_pairs_are_read_as_the_source_promises():
    reader = Reader(SeenImages(COUNT, 0), Seen().observed)
    assert all(one.target is not None and one.action is not None for one in reader.samples(EVERY))

"""The host never waits for the device within a step (DESIGN §6), shown without a GPU.

A step's tensors are fakes on the device `GPU` (`NoWaits`): shapes and devices are true, values do not exist.
"""

import pytest
import torch
from iwm_data.cache import Cache, common_side
from iwm_data.cached_views import CachedViews
from iwm_devkit.conduct import GPU, NoWaits, Waits
from iwm_vit.encoder import TimmViT
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException
from torch.func import functional_call

from iwm_core.data.order import Schedule
from iwm_core.data.reading import Reader
from iwm_core.interfaces import Draws, Images, Observed, Views
from iwm_core.model.actions import ActionSequence
from iwm_core.model.world_model import ImageWorldModel
from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.config import View
from iwm_core.training.pretraining import Pass

GRID, SIDE, BATCH = (8, 8), 64, 4


def installed(kind):
    return [pytest.param(entry.component, id=name) for name, entry in load_plugins().entries(kind).items()]


def draws():
    return Draws(3, 2, torch.arange(BATCH, device=GPU))


def images():
    return torch.ones(BATCH, 3, SIDE, SIDE, device=GPU)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x * torch.tensor([2.0], device=GPU),
        lambda x: x + torch.ones(1).to(GPU, non_blocking=True),
        lambda x: x + torch.ones(1).pin_memory().to(GPU),
        lambda x: x[:, [0, 1]],
        lambda x: x[torch.tensor([0, 1])],
        lambda x: x.copy_(torch.ones(1)),
        lambda x: x.cpu(),
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.unique(),
    ],
)
def test_waits_are_noticed(wait):
    with NoWaits(), pytest.raises((Waits, DataDependentOutputException, DynamicOutputShapeException)):
        wait(images())


def test_what_does_not_wait_is_let_through():
    with NoWaits():
        assert torch.ones(1).pin_memory().to(GPU, non_blocking=True).device.type == GPU.type
        assert torch.where(images() > 0, 1.0, 2.0).shape == images().shape
        made = images()
        made[:, -1] = 0.5
        assert made.device.type == GPU.type


@pytest.mark.parametrize("component", installed("action"))
@pytest.mark.parametrize("source_from", ["view", "target"])
def test_an_action_never_waits(component, source_from):
    actions = ActionSequence({"one": component()})
    with NoWaits():
        views = actions.views(images(), actions.sample(draws()), source_from)
        assert {part.device.type for part in views} == {GPU.type}
        assert views.action.shape == (BATCH, len(component.labels))


@pytest.mark.parametrize("component", installed("target_selector"))
def test_a_selector_waits_at_most_once_a_run(component):
    selector = component()
    expected = selector.select(Draws(0, 0, torch.arange(BATCH)), GRID)  # measures its sizes, where it has any to measure
    with NoWaits():
        where = selector.select(draws(), GRID)
        assert [part.device.type for part in where] == [GPU.type, GPU.type]
        assert [part.shape for part in where] == [part.shape for part in expected]


def test_numbers_of_the_host_are_fakes_among_fakes():
    """numpy would read the memory that a fake does not have."""
    selector = load_plugins().component("target_selector", "multiblock")()
    expected = selector.select(Draws(0, 0, torch.arange(BATCH)), GRID)
    index = torch.arange(BATCH)
    with NoWaits():
        for numbers in (index, torch.arange(BATCH)):
            assert Draws(3, 2, numbers).uniform(2).shape == (BATCH, 2)
            assert [part.shape for part in selector.select(Draws(0, 0, numbers), GRID)] == [part.shape for part in expected]


@pytest.mark.parametrize("component", installed("predictor"))
def test_the_model_never_waits(component):
    selector = load_plugins().component("target_selector", "multiblock")()
    selector.select(Draws(0, 0, torch.arange(1)), GRID)
    encoder = TimmViT(model="vit_tiny_patch16_224", patch_size=8, width=16, depth=1, heads=2).build(SIDE)
    model = Pass(ImageWorldModel(encoder, component().build(encoder.width, encoder.grid, 3)))
    waits = NoWaits()
    with waits.fakes:
        weights = {name: torch.empty_like(tensor, device=GPU) for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    with waits:
        inputs = Views(images(), images(), torch.ones(BATCH, 3, device=GPU)), selector.select(draws(), GRID)
        assert functional_call(model, weights, inputs).loss.device.type == GPU.type


class Blank(Images):
    """Images of two sizes."""

    def __len__(self):
        return 8

    def image(self, index):
        return torch.zeros(3, 40, 40 + index % 2, dtype=torch.uint8)

    def target(self, index):
        return self.image(index)

    def action(self, index):
        return torch.ones(1)

    def describe(self, index):
        return str(index)


@pytest.mark.parametrize("observed", [None, Observed("move", ("far",), mirror=(-1,))], ids=["single", "pairs"])
@pytest.mark.parametrize("on_device", [True, False], ids=["device", "ram"])
def test_cached_views_never_wait(observed, on_device):
    slices = list(Schedule(0, 8, BATCH).slices(0, 3, 0, 1))
    reader = Reader(Blank(), observed)
    cache = Cache(reader, 0, lambda items, label, total: items, common_side(reader))
    stored = CachedViews(cache, View(), SIDE, 0, torch.device("cpu"))
    waits = NoWaits()
    with waits.fakes:  # the images are read for real, and then taken to the device
        stored.device = GPU
        cache.blocks = [torch.empty_like(block, device=GPU) for block in cache.blocks] if on_device else cache.blocks
    with waits:
        batches = list(stored(iter(slices)))
        assert [batch.images.shape for batch in batches] == [(BATCH, 3, SIDE, SIDE)] * 3
        assert {tensor.device.type for batch in batches for tensor in (batch.images, batch.action)} == {GPU.type}
        assert {batch.index.device.type for batch in batches} == {"cpu"}, "where the numbers of a step are drawn"

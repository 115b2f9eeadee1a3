"""The attentive probe: finds what the mean loses, chooses on held-out images, and works with heads of any plugin."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from flat_metrics import flat
from iwm_crop.resample import patches
from iwm_devkit.known_model import PATCH, PIXELS, KnownData, KnownModel, checkers, quiet, tokens_of
from iwm_evals.attentive import AttentiveProbe
from iwm_evals.probe import Probe
from iwm_tasks.interfaces import HeadComponent
from torch import nn

from iwm_core.interfaces import Draws, ImageBatch, NotApplicable, option
from iwm_core.plugins.loader import load_plugins


@dataclass
class Apart(KnownData):
    """Two classes of the same mean patch: four plain ones, or one striped, and one with the negative of these stripes."""

    train: int = 250

    classes = ("even", "uneven")

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        for batch in super().batches(split, count, size):
            draws = Draws(7, 0, batch.index, split)
            labels = draws.integers(2)[:, 0]
            order = draws.permutation(4)
            sign = torch.zeros(len(labels), 4).scatter_(1, order[:, :2], torch.tensor([[1.0, -1.0]]).expand(len(labels), -1))
            sign = (sign * labels[:, None]).unflatten(1, (2, 2)).repeat_interleave(PATCH, 1).repeat_interleave(PATCH, 2)
            stripes = 0.3 * checkers()[0] * sign[:, None]
            yield batch._replace(images=0.4 + 0.2 * batch.images + stripes, labels=labels)


def attentive(**fields) -> AttentiveProbe:
    return AttentiveProbe(**{"epochs": 6, "batch": 50, "lrs": [1e-3, 1e-2], **fields})


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    with torch.no_grad(), torch.random.fork_rng():
        return flat(attentive().evaluate(KnownModel(), Apart(), tmp_path_factory.mktemp("attentive"), quiet))


def test_it_finds_what_the_mean_of_the_tokens_has_lost(measured, tmp_path):
    assert list(measured.metrics) == ["attentive", "attentive_raw", "attentive_colour", "attentive_chance"]
    assert measured.metrics["attentive"].value > 0.95
    assert measured.metrics["attentive_raw"].value > 0.95
    chance = measured.metrics["attentive_chance"]
    train, validation = (next(Apart().batches(split, 400, 400)).labels.bincount() for split in ("train", "validation"))
    assert chance.value == float(validation[train.argmax()]) / 100
    pooled = flat(Probe(epochs=5, batch=50).evaluate(KnownModel(), Apart(), tmp_path, quiet))
    assert pooled.metrics["linear"].low < 0.5 < pooled.metrics["linear"].high
    assert pooled.metrics["linear"].high < measured.metrics["attentive"].low
    assert "of the images correctly" in measured.summary
    (chart,) = measured.charts
    assert [series.y for series in chart.series] == [[measured.metrics[f"attentive{name}"].value] for name in ("", "_raw", "_colour")]


def test_a_constant_encoder_gets_chance(tmp_path):
    with torch.no_grad():
        found = flat(attentive(epochs=3).evaluate(KnownModel(constant=True), KnownData(), tmp_path, quiet)).metrics
    counts = next(KnownData().batches("validation", 100, 100)).labels.bincount()
    assert found["attentive"].value in [float(count) / 100 for count in counts]
    assert found["attentive_raw"].value > 0.8


def test_measuring_again_gives_the_same_numbers(measured, tmp_path):
    torch.manual_seed(17)
    with torch.no_grad():
        assert flat(attentive().evaluate(KnownModel(), Apart(), tmp_path, quiet)) == measured


def test_a_rate_that_learns_nothing_is_not_chosen(tmp_path):
    with torch.no_grad():
        found = flat(attentive(lrs=[0.0, 1e-2, 0.0]).evaluate(KnownModel(), Apart(), tmp_path, quiet))
        alone = flat(attentive(lrs=[1e-2]).evaluate(KnownModel(), Apart(), tmp_path, quiet))
    assert found.settings["attentive"] == {"lr": 1e-2, "at_edge": True}
    assert found.metrics["attentive"] == alone.metrics["attentive"], "heads side by side are trained as if alone"
    assert alone.settings["attentive"]["at_edge"] is False


def test_training_images_are_capped_and_no_file_stays(tmp_path):
    with torch.no_grad():
        found = flat(attentive(train_images=60, images=20, epochs=1, chunk=7).evaluate(KnownModel(), Apart(), tmp_path, quiet))
    assert (found.settings["train_images"], found.settings["images"], found.metrics["attentive"].n) == (60, 20, 20)
    assert list(tmp_path.iterdir()) == []


def test_raw_tokens_are_the_pixels_of_patches():
    images = Draws(0, 0, torch.arange(3), "images").uniform(3 * PIXELS * PIXELS).unflatten(1, (3, PIXELS, PIXELS))
    assert torch.equal(patches(images, (2, 2)), tokens_of(images))
    assert patches(images, (3, 2)).shape == (3, 6, 3 * 2 * 4)
    assert torch.allclose(patches(images * 0 + 0.25, (3, 3)), torch.tensor(0.25))
    assert torch.equal(patches(images, (1, 1)), images.flatten(1)[:, None])


@dataclass(kw_only=True)
class Grid(HeadComponent):
    """Answers for every patch."""

    name = "grid"
    hidden: int = option(3, "width")

    def build(self, width: int, outputs: int) -> nn.Module:
        return nn.Linear(width, outputs)


def test_a_head_that_gives_no_classes_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("iwm_evals.attentive.installed", lambda kind, name: Grid)
    with torch.no_grad(), pytest.raises(ValueError, match=r"grid answers with \[50, 4, 2\] where \[50, 2\] is asked: set attentive.head"):
        attentive(head="grid").evaluate(KnownModel(), Apart(), tmp_path, quiet)


def test_without_the_plugin_of_the_head_the_fix_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("IWM_DISABLED_PLUGINS", "tasks")
    load_plugins.cache_clear()
    try:
        with pytest.raises(Exception, match="no installed plugin gives the head 'attentive'.*pip install the plugin that has it") as error:
            attentive().evaluate(KnownModel(), Apart(), tmp_path, quiet)
    finally:
        load_plugins.cache_clear()
    assert type(error.value).__name__ == "UserError"
    assert "\n" not in str(error.value)


def test_nothing_to_measure_is_told(tmp_path):
    data = Apart()
    data.classes = ()
    with pytest.raises(NotApplicable, match="names no classes"):
        attentive().evaluate(KnownModel(), data, tmp_path, quiet)
    with pytest.raises(NotApplicable, match="at least 10 training images"):
        attentive().evaluate(KnownModel(), Apart(train=5), tmp_path, quiet)
    with pytest.raises(ValueError, match="needs train images, and this data has none"):
        attentive().evaluate(KnownModel(), Apart(train=0), tmp_path, quiet)

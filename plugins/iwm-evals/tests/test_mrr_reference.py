"""The MRR against an independent implementation of PAPER §6, and against numbers published before."""

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import KnownData, KnownModel, perfect, quiet
from iwm_evals.mrr import Mrr
from torch import Tensor

from iwm_core.interfaces import Draws

WHOLE = (True, True, True)
ROWS = (False, True, False)  # of the parameters columns, rows (slide) and negative
GOLDEN = {
    "mrr": (0.6068576388888888, 0.5118440019767803, 0.687252747524324),
    "h1": (0.34375, 0.19562586148935776, 0.4918887401328616),
    "h5": (0.9791666666666666, 0.7960517838994026, 0.9999517683749019),
    "h10": (1.0, 0.47589244010075665, 1.0),
    "mrr_shuffled": (0.1914792094479595, 0.17485866202325873, 0.21639231831096434),
    "mrr_null": (0.21129556207681208, 0.21129556207681205, 0.21129556207681222),
}
"""Of `noisy`, 6 images, a bank of 16, seed 0: value and bounds."""


def noisy(tokens: Tensor, actions: Tensor) -> Tensor:
    """Perfect, but for another action than it is told."""
    columns, rows = actions[..., :1], actions[..., 1:2]
    return perfect(tokens, actions + 0.2 * torch.cat([(20 * columns + 11 * rows).sin(), (17 * rows).cos(), 0 * rows], -1))


def measure(tmp_path, seed: int, images: int, **fields):
    return flat(Mrr(images=images, **fields).evaluate(KnownModel(noisy), KnownData(seed, images), tmp_path, quiet)).metrics


def by_the_paper(seed: int, images: int, bank: int, varies: tuple[bool, ...]) -> dict[str, float]:
    """PAPER §6 with loops, for a world without ties: one element, one prediction, one distance at a time.

    ``varies``: which parameters of the elements are drawn; the others rest at the identity.
    """
    model = KnownModel(noisy)
    action = model.actions
    totals = dict.fromkeys(("mrr", "h1", "h5", "h10", "mrr_shuffled", "mrr_null", "mrr_identity", "h5_shuffled"), 0.0)
    for index, image in ((int(b.index), b.images) for b in KnownData(seed, images).batches("validation", images, 1)):
        elements: list[tuple[Tensor, Tensor]] = []
        for number in range(4 * bank):
            target = action.sample(Draws(seed, number, torch.tensor([index]), "mrr/bank")).target
            for parameter in range(len(varies)):
                if not varies[parameter]:
                    target[0, parameter] = action.identity[parameter]
            encoded = action.encode(action.identity[None], target)
            if len(elements) < bank and all(not torch.equal(encoded, other) for _, other in elements):
                elements.append((target, encoded))
        latents = [model.targets(action.apply(image, target))[0].double() for target, _ in elements]
        clean = model.encode(image)

        def places(answer: Tensor, latents=latents) -> list[int]:
            order = torch.tensor([float(((answer.double() - latent) ** 2).sum()) for latent in latents]).argsort().tolist()
            return [order.index(element) + 1 for element in range(bank)]

        def ranks(encoded: Tensor, clean=clean, places=places) -> list[int]:
            return places(model.predict(clean, encoded[None])[0, 0])

        shift = 1 + int(Draws(seed, 0, torch.tensor([index]), "mrr/shuffle").integers(bank - 1))
        nothing, itself = ranks(torch.zeros(1, 3)), places(model.targets(image)[0])
        for element in range(bank):
            rank = ranks(elements[element][1])[element]
            wrong = ranks(elements[(element - shift) % bank][1])[element]
            gains = {"mrr": 1 / rank, "mrr_shuffled": 1 / wrong, "mrr_null": 1 / nothing[element], "mrr_identity": 1 / itself[element]}
            gains |= {f"h{k}": float(rank <= k) for k in (1, 5, 10)} | {"h5_shuffled": float(wrong <= 5)}
            for name, gain in gains.items():
                totals[name] += gain / (bank * images)
    return totals


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_loops_written_from_the_paper(seed, tmp_path):
    found = measure(tmp_path, seed, images=5, bank=11, chunk=4)
    expected = by_the_paper(seed, 5, 11, WHOLE)
    assert 0.3 < expected["mrr"] < 0.95  # noisy enough for every rank to occur, good enough to be told from chance
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_part_agrees_with_loops_written_from_the_paper(seed, tmp_path):
    found = measure(tmp_path, seed, images=5, bank=11, chunk=4, part_images=5)
    expected = by_the_paper(seed, 5, 11, ROWS)
    assert 0.3 < expected["mrr"] < 0.95
    assert found["mrr.slide.rows"].value == pytest.approx(expected["mrr"], abs=1e-6)
    assert found["mrr.slide.rows_shuffled"].value == pytest.approx(expected["mrr_shuffled"], abs=1e-6)
    assert abs(found["mrr.slide.columns"].value - expected["mrr"]) > 1e-3  # another bank, another number


def test_the_numbers_are_golden(tmp_path):
    """Values are those of the first version, before parts and the identity control: published numbers stay comparable."""
    found = measure(tmp_path, 0, images=6, bank=16)
    assert {name: tuple(found[name])[:3] for name in GOLDEN} == {name: pytest.approx(value, abs=1e-9) for name, value in GOLDEN.items()}

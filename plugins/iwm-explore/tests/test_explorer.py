"""What is imagined in a world whose latents are known: every error has an analytic value."""

import pytest
import torch
from iwm_devkit.known_model import GRID, PAIRED, PATCH, PIXELS, KnownModel, KnownPairs, Negative, Slide, blind, half, perfect
from iwm_evals.plans import CEM, BankSearch
from iwm_explore.explorer import NULL, OTHER, OTHERS, TOLD, Explorer
from iwm_explore.plans import plan

from iwm_core.interfaces import Draws


def image(number=0):
    return 0.3 + 0.4 * torch.rand(1, 3, PIXELS, PIXELS, generator=torch.Generator().manual_seed(number))


def pixels(tokens):
    """The perfect decoder of a world whose tokens are pixels."""
    return (tokens + 0.5).view(-1, GRID, GRID, 3, PATCH, PATCH).permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, PIXELS, PIXELS)


def exploring(predictor=perfect, others=None, **settings):
    explorer = Explorer(KnownModel(predictor, **settings), others)
    return explorer, explorer.choose(image(), "an image")


@pytest.mark.parametrize(("predictor", "left"), [(perfect, 0.0), (half, 0.25), (blind, 1.0)])
def test_the_error_is_what_is_left_of_the_way(predictor, left):
    explorer, chosen = exploring(predictor)
    for values in ([0.8, 0, 0], [0.5, -0.5, 0], [0, 0, 1]):
        seen = explorer.see(chosen, values)
        assert seen.errors[TOLD] == pytest.approx(left, abs=1e-5)
        assert seen.errors[NULL] == pytest.approx(1, abs=1e-5)
    assert seen.asked == ["undo negative"]
    assert torch.allclose(seen.source, 1 - chosen.image[0])
    assert torch.allclose(seen.real, chosen.image[0])


def test_told_other_actions_it_errs_by_how_far_these_are():
    explorer, chosen = exploring()
    seen = explorer.see(chosen, [0.8, -0.4, 0])
    number = torch.arange(OTHERS)
    other = explorer.model.actions.candidates(Draws(0, number, torch.zeros_like(number), "explore/others"))[:, :2]
    asked = torch.tensor([0.8, -0.4])
    assert seen.errors[OTHER] == pytest.approx(float((other - asked).square().sum(1).mean() / asked.square().sum()), rel=1e-4)


def test_a_perfect_model_finds_the_real_image_and_a_blind_one_stays_where_it_is():
    others = torch.cat([image(number) for number in range(1, 4)])
    explorer, chosen = exploring(others=others)
    seen = explorer.see(chosen, [0.8, -0.4, 0])
    assert (seen.place, seen.nearest_is) == (1, "")
    assert torch.equal(seen.nearest, seen.real)
    assert seen.among == len(chosen.versions) + 1
    assert {*chosen.words} >= {"this image, untouched", "another image", "negative"}
    explorer, chosen = exploring(blind, others)
    seen = explorer.see(chosen, [0.8, -0.4, 0])
    assert seen.place > 1
    assert seen.nearest_is == "this image, untouched"
    assert (seen.nearest - chosen.image[0]).abs().max() < 1 / 255


def test_a_real_image_is_counted_once():
    explorer, chosen = exploring()
    assert explorer.see(chosen, [0, 0, 1]).among == len(chosen.versions), "the untouched image is the real one"


def test_where_nothing_moves_there_is_no_error():
    explorer, chosen = exploring()
    assert explorer.see(chosen, explorer.at_rest).errors == {}
    explorer, chosen = exploring(constant=True)
    assert explorer.see(chosen, [0.8, 0, 0]).errors == {}, "a collapsed encoder"


def test_without_a_decoder_it_says_so_and_with_one_it_shows_the_prediction():
    explorer, chosen = exploring()
    seen = explorer.see(chosen, [0.8, 0, 0])
    assert seen.imagined is None
    assert seen.decoded is None
    assert "decoder" in explorer.why_no_decoder
    explorer.decoder = pixels
    seen = explorer.see(chosen, [0.8, 0, 0])
    assert torch.allclose(seen.imagined, seen.real, atol=1e-5)
    assert torch.allclose(seen.decoded, seen.real, atol=1e-5)


def test_a_model_that_is_not_told_the_action_imagines_the_same_for_every_action():
    explorer, chosen = exploring(blind)
    explorer.decoder = pixels
    assert not explorer.is_told
    first, *more = [explorer.see(chosen, [value, 0, 0]).imagined for value in (-1.0, 0.0, 0.7)]
    assert all(torch.equal(first, one) for one in more)
    assert exploring()[0].is_told


def test_of_an_observed_action_only_what_the_pair_shows_is_real():
    explorer = Explorer(KnownModel(parts=PAIRED))
    batch = next(iter(KnownPairs().batches("validation", 1, 1)))
    chosen = explorer.pair(batch, "a pair")
    own = batch.action[0].tolist()
    seen = explorer.see(chosen, own)
    assert torch.equal(seen.real, batch.target[0])
    assert seen.errors[TOLD] == pytest.approx(0, abs=1e-5)
    assert torch.equal(explorer.see(chosen, [0, 0]).real, batch.images[0])
    other = [-value for value in own]
    seen = explorer.see(chosen, other)
    assert seen.real is None
    assert (seen.errors, seen.place) == ({}, 0)
    assert explorer.see(explorer.choose(image(), "a file"), own).real is None


def test_latents_that_are_not_finite_are_told():
    explorer, chosen = exploring(lambda tokens, actions: perfect(tokens, actions) / 0)
    with pytest.raises(ValueError, match="not finite"):
        explorer.see(chosen, [0.8, 0, 0])


def test_a_plan_leads_where_it_should_step_by_step():
    explorer, chosen = exploring()
    goal = explorer.real(chosen, [0.8, -0.4, 0])
    found = plan(explorer.model, pixels, explorer.controls, chosen.image, goal, CEM(rounds=8))
    assert found.reached < 0.01
    assert found.distances == sorted(found.distances, reverse=True)
    assert found.distances[0] == pytest.approx(0.75**2, abs=0.03)
    assert torch.allclose(found.imagined, found.real, atol=1e-4)
    assert torch.equal(found.goal, goal[0])
    explorer, chosen = exploring(parts={"negative": Negative()})
    with pytest.raises(ValueError, match="nothing to plan"):
        plan(explorer.model, None, explorer.controls, chosen.image, chosen.image)


def test_a_plan_for_an_observed_action_makes_no_images():
    explorer = Explorer(KnownModel(parts={**PAIRED, "slide": Slide()}))
    batch = next(iter(KnownPairs().batches("validation", 1, 1)))
    found = plan(explorer.model, None, explorer.controls, batch.images, batch.target, BankSearch())
    assert found.real is None
    assert found.reached != found.reached
    assert found.distances[-1] < 1

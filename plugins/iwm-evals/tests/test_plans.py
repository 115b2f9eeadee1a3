"""Action inference on a world whose truth is known, and on a small network: what is found, what it costs, what it leaves alone."""

import re
import textwrap
from dataclasses import dataclass

import pytest
import torch
from iwm_devkit.known_model import PIXELS, KnownModel, Negative, Slide, blind, half, perfect
from iwm_evals.kit.searches import check_search
from iwm_evals.plans import CEM, BankSearch, Found, GradientSearch, Problem, drawn_targets, find, plan
from torch import Tensor

from iwm_core.interfaces import ActionParams, Draws
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.world_model import build_model
from iwm_core.plugins.loader import Entry, load_plugins
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw

EVERY = pytest.mark.parametrize("search", [BankSearch(), CEM(), GradientSearch()], ids=lambda search: search.name)
FIVE = torch.tensor([[0.5, -0.3, 0.0], [-0.92, 0.9, 0.0], [0.0, 0.0, 0.0], [0.11, 0.98, 0.0], [-0.4, -0.6, 0.0]])


def pictures(count=5):
    return Draws(3, 0, torch.arange(count)).uniform(3 * PIXELS * PIXELS, 0.25, 0.75).unflatten(1, (3, PIXELS, PIXELS))


def goals(model, params=FIVE):
    return model.actions.apply_target(pictures(len(params)), params)


def problem(model, goal, **settings):
    return Problem(model, pictures(len(goal)), goal, torch.arange(len(goal)), **({"seed": 0, "candidates": 64, "chunk": 64} | settings))


def wavy(tokens: Tensor, actions: Tensor) -> Tensor:
    """Wrong, and with many valleys."""
    return (
        perfect(tokens, actions)
        + 0.05 * torch.sin(9 * actions.sum(-1) + torch.arange(tokens.shape[1])[:, None, None]).permute(1, 2, 0)[..., None]
    )


@pytest.mark.parametrize("search", [CEM(), GradientSearch()], ids=lambda search: search.name)
def test_a_perfect_predictor_finds_what_was_done(search):
    model = KnownModel()
    found = plan(model, pictures(), goals(model), search)
    torch.testing.assert_close(found.params, FIVE, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.action, FIVE / 2, atol=1e-3, rtol=0)
    assert found.distance.max() < 1e-8
    assert found.numbers[0] == {"slide": {"columns": pytest.approx(0.25, abs=1e-3), "rows": pytest.approx(-0.15, abs=1e-3)}}
    wrong = plan(KnownModel(half), pictures(), goals(model), search)
    torch.testing.assert_close(wrong.params[4], torch.tensor([-0.8, -1.0, 0.0]), atol=2e-2, rtol=0)  # twice as far, within the range


def test_bank_search_finds_exactly_what_is_in_the_bank():
    model = KnownModel()
    true = problem(model, goals(model)).candidates[torch.arange(5), torch.tensor([0, 63, 7, 30, 1])]
    found = plan(model, pictures(), goals(model, true), BankSearch(), candidates=64)
    assert torch.equal(found.params, true)
    assert torch.equal(found.action, true / 2)
    assert found.distance.max() < 1e-15
    elsewhere = plan(model, pictures(), goals(model, true), BankSearch(), candidates=64, seed=1)
    assert (elsewhere.params != true).any(1).all()


@EVERY
@pytest.mark.parametrize("answer", [wavy, half, perfect, blind])
@pytest.mark.parametrize("seed", [0, 1])
def test_no_search_is_worse_than_the_bank_by_its_own_measure(search, answer, seed):
    asked = problem(KnownModel(answer), goals(KnownModel()), seed=seed)
    bank = asked.distances.amin(1)
    found = find(asked, search)
    assert (found.distance <= bank * (1 + 1e-5)).all()
    torch.testing.assert_close(found.distance, asked.judge(found.params[:, None])[:, 0], rtol=1e-4, atol=1e-9)
    if search.name != "bank" and answer in (perfect, wavy):
        assert (found.distance < 0.9 * bank).any()


@EVERY
def test_a_model_blind_to_the_action_answers_with_an_independent_draw(search):
    def rounding(tokens: Tensor, actions: Tensor) -> Tensor:
        """Blind, but for the last digit."""
        return blind(tokens, actions) * (1 + 1e-7 * torch.sin(1000 * actions.sum(-1)))[..., None, None]

    def deaf(tokens: Tensor, actions: Tensor) -> Tensor:
        """Blind, and without a gradient."""
        return tokens[:, None].expand(-1, actions.shape[1], -1, -1)

    for answer in (blind, rounding, deaf):
        asked = problem(KnownModel(answer), goals(KnownModel(), FIVE + 0.1))
        assert torch.equal(find(asked, search).params, asked.candidates[:, 0])


@EVERY
def test_the_same_call_gives_the_same_plan_whatever_the_passes(search):
    model = KnownModel(wavy)
    first, again, small = (plan(model, pictures(), goals(KnownModel()), search, candidates=32, chunk=chunk) for chunk in (64, 64, 3))
    assert torch.equal(first.params, again.params)
    torch.testing.assert_close(first.params, small.params, atol=1e-4, rtol=0)
    assert first.numbers == again.numbers
    torch.manual_seed(1)
    state = torch.get_rng_state()
    other = plan(model, pictures(), goals(KnownModel()), search, candidates=32, seed=5)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first.params, other.params)
    alone = problem(model, goals(KnownModel())[:2], candidates=32)
    torch.testing.assert_close(find(alone, search).params, first.params[:2], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("search", "forward", "backward"),
    [(BankSearch(), 0, 0), (CEM(rounds=3, samples=11), 33, 0), (GradientSearch(starts=3, steps=5), 3, 15)],
    ids=["bank", "cem", "gradient"],
)
@pytest.mark.parametrize("chunk", [2, 16, 100])
def test_passes_are_bounded_and_cost_what_is_documented(search, forward, backward, chunk):
    passes = []

    def counted(tokens: Tensor, actions: Tensor) -> Tensor:
        passes.append((len(tokens) * actions.shape[1], actions.requires_grad))
        return perfect(tokens, actions)

    plan(KnownModel(counted), pictures(), goals(KnownModel()), search, candidates=20, chunk=chunk)
    assert max(count for count, _ in passes) <= chunk
    assert sum(count for count, wants in passes if not wants) == 5 * (20 + forward)
    assert sum(count for count, wants in passes if wants) == 5 * backward


@dataclass(kw_only=True)
class Steps(Slide):
    """A slide whose columns move by whole thirds, and whose rows are told to the predictor in whole tenths, without a gradient."""

    name = "steps"

    def sample(self, draws: Draws) -> ActionParams:
        target = draws.uniform(2, -1, 1)
        target[:, 0] = (target[:, 0] * 3).round() / 3
        return ActionParams(torch.zeros_like(target), target)

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        shift = (target - source) / 2
        return torch.stack([shift[:, 0], (10 * shift[:, 1]).detach().round() / 10], 1)


@EVERY
def test_parameters_of_few_values_keep_to_them_and_those_without_gradient_stay(search):
    model = KnownModel(parts={"steps": Steps()})
    params = torch.tensor([[0.45, 0.4], [-0.9, -0.73], [0.05, 0.99]])
    found = plan(model, pictures(3), goals(model, params), search)
    torch.testing.assert_close(found.params[:, 0], torch.tensor([1 / 3, -1.0, 0.0]))
    candidates = problem(model, goals(model, params), candidates=256).candidates
    known = [bool((row[:, 1] == value).any()) for row, value in zip(candidates, found.params[:, 1], strict=True)]
    assert all(known) or search.name == "cem"
    assert (found.params[:, 1] - params[:, 1]).abs().max() < 0.11


@EVERY
def test_answers_stay_within_what_is_ever_drawn(search):
    model = KnownModel(parts={"slide": Slide(strength=0.5), "negative": Negative()})
    found = plan(model, pictures(), goals(model, FIVE.sign() * 2), search)
    drawn = drawn_targets(model.actions, 0, torch.device("cpu"))
    assert (found.params >= drawn.amin(0)).all()
    assert (found.params <= drawn.amax(0)).all()
    if search.name != "bank":
        torch.testing.assert_close(found.params, FIVE.sign() / 2, atol=2e-3, rtol=0)


@pytest.fixture
def network(tiny):
    """The tiny recipe's model, not trained, its weights open to training."""
    recipe = thaw(compose("tiny", [])[0])
    torch.manual_seed(4)
    return FrozenModel(recipe, build_model(recipe).eval(), None, 0, torch.device("cpu"))


def noise(count=2, stream=""):
    return Draws(3, 0, torch.arange(count), stream).uniform(3 * 16 * 16).unflatten(1, (3, 16, 16))


def test_the_example_of_the_documentation(network):
    example = re.search(r"::\n\n(.*?)\n\n", str(FrozenModel.plan.__doc__), re.DOTALL)
    source, space = noise(), {}
    goal = network.actions.apply_target(source, torch.tensor([[0.4], [-0.7]]))
    lines = textwrap.dedent(example[1]).splitlines()
    assert len(lines) == 4
    exec(lines[0], {"model": network, "source": source, "goal": goal}, space)
    found = space["plan"]
    numbers, latents, images = (eval(line, {"model": network, "source": source, "plan": found}) for line in lines[1:])
    assert list(numbers) == ["gain"]
    assert numbers["gain"]["log2"] == pytest.approx(float(found.action[0, 0]))
    assert found.action[:, 0].tolist() == pytest.approx((found.params[:, 0] / 2).tolist())
    torch.testing.assert_close((latents - network.targets(goal[:1])).square().mean(), found.distance[0])
    assert torch.equal(images, (source * found.params.exp2()[:, :, None, None]).clamp(0, 1))


def test_a_gradient_of_a_network_improves_on_the_bank_and_leaves_its_weights_alone(network):
    before = {name: value.clone() for name, value in network.model.state_dict().items()}
    source, goal = noise(8), noise(8, "goal")
    found = network.plan(source, goal, GradientSearch(steps=8), candidates=4)
    bank = network.plan(source, goal, "bank", candidates=4)
    assert (found.distance <= bank.distance).all()
    assert (found.distance < bank.distance * (1 - 1e-4)).any()
    assert not found.params.requires_grad
    assert all(parameter.grad is None for parameter in network.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.model.state_dict().items())
    with torch.inference_mode():
        again = network.plan(source * 1, goal * 1, GradientSearch(steps=8), candidates=4)
    torch.testing.assert_close(again.params, found.params)


def test_mistakes_are_told_in_one_line(network):
    source = noise()
    for arguments, message in (
        ((source, source, "annealing"), "^plan knows no search 'annealing'; it knows: bank, cem, gradient$"),
        (
            (source[:, :, :8], source),
            r"^this model takes images \[b, 3, 16, 16\] in \[0, 1\], got \[2, 3, 8, 16\]$",
        ),
        ((source, source[..., :8]), r"got \[2, 3, 16, 8\]$"),
        ((source, source[:1]), r"got sources \[2, 3, 16, 16\] and goals \[1, 3, 16, 16\]$"),
        ((source[:0], source[:0]), r"got sources \[0, 3, 16, 16\]"),
        ((source, source, "bank", 0, 1), "^plan needs at least 2 candidates and a chunk of at least 1, got 1 and 64$"),
    ):
        with pytest.raises(ValueError, match=message):
            network.plan(*arguments)


@EVERY
def test_searches_keep_to_what_the_kit_checks(search):
    check_search(search)


@dataclass(kw_only=True)
class Farthest(BankSearch):
    """The farthest of the candidates."""

    name = "farthest"
    beyond: float = 0.0
    flattered: bool = False

    def search(self, problem: Problem) -> Found:
        place = problem.distances.argmax(1)
        params = problem.candidates[torch.arange(len(place)), place] + self.beyond
        return Found(params, problem.distances.amin(1) if self.flattered else problem.distances.amax(1))


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, "worse than the nearest candidate"), ({"beyond": 3.0}, "leaves the range"), ({"flattered": True}, "not those of its answers")],
)
def test_the_kit_says_what_is_wrong(monkeypatch, fields, words):
    monkeypatch.setattr("iwm_evals.kit.searches.check_component", lambda search: None)
    with pytest.raises(AssertionError, match=words):
        check_search(Farthest(**fields))


def test_a_search_of_another_plugin_is_asked_by_its_name(network, monkeypatch):
    found = load_plugins().entries("search")
    monkeypatch.setitem(found, "farthest", Entry("search", "farthest", Farthest, found["cem"].plugin))
    far, near = (network.plan(noise(), noise(stream="goal"), name, candidates=8) for name in ("farthest", "bank"))
    assert (far.distance > near.distance).all()


def test_without_a_plugin_of_searches_planning_says_what_to_install(network, monkeypatch):
    monkeypatch.setattr(load_plugins(), "entries", lambda kind: {})
    with pytest.raises(ValueError, match=r"^plan knows no search 'cem'; it knows: none \(pip install iwm\)$"):
        network.plan(noise(), noise())
    with pytest.raises(ValueError, match=r"^plan takes a search and whole numbers, got 5, seed 0"):
        network.plan(noise(), noise(), 5)


@pytest.mark.parametrize("parts", [{}, {"negative": Negative()}, {"slide": Slide(strength=0)}])
def test_nothing_to_plan(parts):
    with pytest.raises(ValueError, match="^nothing to plan: no action of this model ever changes a target image$"):
        plan(KnownModel(parts=parts), pictures(), pictures(), CEM())


@EVERY
def test_a_diverged_model_gives_no_plan(search):
    with pytest.raises(ValueError, match="not finite numbers; has training diverged"):
        plan(KnownModel(lambda tokens, actions: perfect(tokens, actions) * torch.nan), pictures(), pictures(), search)


@pytest.mark.parametrize("make", [lambda: CEM(rounds=0), lambda: CEM(elites=1), lambda: GradientSearch(starts=0)])
def test_fields_out_of_range(make):
    with pytest.raises(ValueError, match=r"^(cem|gradient)\.\w+ must be at least"):
        make()

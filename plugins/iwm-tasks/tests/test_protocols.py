"""What heads are given, against a slow reference written from PAPER §7 alone: token by token, head by head, in plain loops."""

import math

import pytest
import torch
from iwm_tasks.interfaces import WorldModelParts
from iwm_tasks.protocols.encoder import FinetunedEncoder, Frozen
from iwm_tasks.protocols.predictor import EndToEnd, OneQuery, RandomPredictor, TunedPredictor
from iwm_vit.encoder import TimmViT
from iwm_vit.predictors.adaln import AdaLN
from iwm_vit.predictors.feature import Feature
from iwm_vit.predictors.sequence import Sequence
from iwm_vit.predictors.unconditioned import Unconditioned

SIDE, PATCH, GRID, ACTION, HEADS = 12, 4, 3, 3, 2
N = GRID * GRID
SHAPE = {"depth": 2, "width": 8, "heads": HEADS, "mlp_ratio": 2.0}
PREDICTORS = [Feature(**SHAPE), Sequence(**SHAPE), AdaLN(**SHAPE), Unconditioned(**SHAPE)]


def world_model(predictor):
    """A world model none of whose weights is at a value that hides a mistake, such as the zero where AdaLN starts."""
    torch.manual_seed(1)
    encoder = TimmViT(model="vit_tiny_patch16_224", patch_size=PATCH, width=16, depth=2, heads=2).build(SIDE)
    fresh = lambda: predictor.build(encoder.width, encoder.grid, ACTION)  # noqa: E731
    made = fresh()
    with torch.no_grad():
        for parameter in [*encoder.parameters(), *made.parameters()]:
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return WorldModelParts(encoder, made, fresh, ACTION, SIDE)


def images(count=2):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def position(place):
    """Half of the numbers tell the row, half the column: sines, then cosines, of falling frequencies (PAPER §5)."""
    quarter = SHAPE["width"] // 4
    numbers = []
    for coordinate in divmod(place, GRID):
        angles = [coordinate / 10000 ** (i / quarter) for i in range(quarter)]
        numbers += [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
    return torch.tensor(numbers)


def linear(layer, vector):
    return layer.weight @ vector + layer.bias


def normed(vector, norm=None):
    plain = (vector - vector.mean()) / (vector.var(unbiased=False) + 1e-6).sqrt()
    return plain if norm is None else plain * norm.weight + norm.bias


def attended(attention, tokens):
    """What every token hears of all tokens."""
    width = len(tokens[0])
    size = width // HEADS
    q, k, v = ([linear(attention.qkv, token)[part * width :][:width] for token in tokens] for part in range(3))
    heard = []
    for asking in q:
        parts = []
        for head in range(HEADS):
            own = slice(head * size, (head + 1) * size)
            weights = torch.stack([asking[own] @ key[own] / math.sqrt(size) for key in k]).softmax(0)
            parts.append(sum(weight * value[own] for weight, value in zip(weights, v, strict=True)))
        heard.append(linear(attention.out, torch.cat(parts)))
    return heard


def told(mlp, vector):
    return linear(mlp[2], torch.nn.functional.gelu(linear(mlp[0], vector)))


def through(block, tokens, condition):
    """A pre-norm block; with a condition, AdaLN's scales, shifts and gates."""
    if condition is None:
        one, two = (lambda t: normed(t, block.norm1)), (lambda t: normed(t, block.norm2))
        gate1 = gate2 = 1.0
    else:
        scale1, shift1, gate1, scale2, shift2, gate2 = linear(block.modulation, condition).chunk(6)
        one, two = (lambda t: normed(t) * (1 + scale1) + shift1), (lambda t: normed(t) * (1 + scale2) + shift2)
    heard = attended(block.attention, [one(token) for token in tokens])
    tokens = [token + gate1 * more for token, more in zip(tokens, heard, strict=True)]
    return [token + gate2 * told(block.mlp, two(token)) for token in tokens]


def reference(parts, image, asked, task_token=None):
    """The predictor's answers at the places ``asked`` for one untransformed image under the null action."""
    predictor = parts.predictor
    seen = parts.encoder(image[None])[0]  # of all patches
    tokens = [linear(predictor.embed, seen[place]) + position(place) for place in range(N)]
    if task_token is not None:
        tokens.append(linear(predictor.embed, task_token) + position(0))
    null = torch.zeros(ACTION)
    for place in asked:
        question = predictor.mask_token + position(place)
        if hasattr(predictor, "mix"):
            question = torch.cat([question, null])
            for number in (0, 2, 4):
                question = linear(predictor.mix[number], question)
                question = question.clamp(min=0) if number < 4 else question
        tokens.append(question)
    assert len(tokens) == N + (task_token is not None) + len(asked)
    extra = [null[i] * predictor.scale[i] + predictor.shift[i] for i in range(ACTION)] if hasattr(predictor, "scale") else []
    tokens = extra + tokens
    condition = None
    if hasattr(predictor, "condition"):
        silu = torch.nn.functional.silu
        condition = silu(linear(predictor.condition[2], silu(linear(predictor.condition[0], torch.cat([null, torch.ones(1)])))))
    for block in predictor.blocks:
        tokens = through(block, tokens, condition)
    return torch.stack([linear(predictor.out, normed(token, predictor.norm)) for token in tokens[-len(asked) :]])


def close(given, expected):
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-5)


def all_to(task, count=2):
    return torch.full((count,), task)


@pytest.mark.parametrize("predictor", PREDICTORS, ids=lambda p: p.name)
@torch.no_grad()
def test_every_patch_of_the_whole_image_is_asked_for_under_the_null_action(predictor):
    parts = world_model(predictor)
    backbone = TunedPredictor().build(parts, 1).eval()
    given = backbone(images(), all_to(0))
    assert (backbone.width, backbone.grid, backbone.asks_task) == (16, (GRID, GRID), False)
    close(given, torch.stack([reference(parts, image, range(N)) for image in images()]))


@pytest.mark.parametrize("predictor", PREDICTORS, ids=lambda p: p.name)
@torch.no_grad()
def test_the_one_query_is_at_the_middle_of_the_grid(predictor):
    parts = world_model(predictor)
    backbone = OneQuery().build(parts, 1).eval()
    given = backbone(images(), all_to(0))
    assert given.shape == (2, 1, 16)
    assert backbone.grid is None, "no dense head fits one token"
    close(given, torch.stack([reference(parts, image, [N // 2]) for image in images()]))


@pytest.mark.parametrize("predictor", PREDICTORS, ids=lambda p: p.name)
@pytest.mark.parametrize("protocol", [TunedPredictor(), OneQuery()], ids=lambda p: p.name)
@torch.no_grad()
def test_the_token_of_its_task_joins_the_context_of_an_image(predictor, protocol):
    parts = world_model(predictor)
    backbone = protocol.build(parts, 3).eval()
    assert backbone.asks_task
    asked = [N // 2] if protocol.name == "predictor_query" else range(N)
    given = backbone(images(), torch.tensor([2, 0]))
    expected = [reference(parts, image, asked, backbone.task_tokens[task]) for image, task in zip(images(), (2, 0), strict=True)]
    close(given, torch.stack(expected))
    assert not torch.allclose(given, backbone(images(), torch.tensor([1, 0])), atol=1e-3)


@pytest.mark.parametrize("protocol", [TunedPredictor(), OneQuery(), EndToEnd(), RandomPredictor(), Frozen()], ids=lambda p: p.name)
@torch.no_grad()
def test_an_image_is_encoded_once_for_all_tasks(protocol):
    backbone = protocol.build(world_model(PREDICTORS[0]), 3).eval()
    seen = []
    encoder = (backbone if protocol.name == "frozen" else backbone.teacher).encoder
    encoder.register_forward_hook(lambda *_: seen.append(1))
    given = backbone.for_each(images(), 3)
    assert len(seen) == 1
    for task, tokens in enumerate(given):
        assert torch.equal(tokens, backbone(images(), all_to(task)))


@torch.no_grad()
def test_end_to_end_and_the_random_control_ask_alike():
    for protocol in (EndToEnd(), RandomPredictor()):
        parts = world_model(PREDICTORS[0])
        backbone = protocol.build(parts, 1).eval()
        own = parts._replace(predictor=backbone.predictor)
        close(backbone(images(), all_to(0)), torch.stack([reference(own, image, range(N)) for image in images()]))


@torch.no_grad()
def test_probes_and_the_finetuned_encoder_see_the_teachers_tokens():
    for protocol in (Frozen(), FinetunedEncoder()):
        parts = world_model(PREDICTORS[0])
        expected = parts.encoder(images())
        assert torch.equal(protocol.build(parts, 2).eval()(images(), all_to(1)), expected)


@torch.no_grad()
def test_a_grid_of_even_sides_has_its_middle_below_and_right_of_the_centre():
    encoder = TimmViT(model="vit_tiny_patch16_224", patch_size=PATCH, width=16, depth=1, heads=2).build(16)
    assert OneQuery().questions(encoder) == [2 * 4 + 2]

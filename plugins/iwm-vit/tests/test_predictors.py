"""Each conditioning scheme against PyTorch's own transformer layers put together by hand."""

import pytest
import torch
from iwm_vit.positions import sincos_2d
from iwm_vit.predictors.adaln import AdaLN
from iwm_vit.predictors.feature import Feature
from iwm_vit.predictors.identity import Identity
from iwm_vit.predictors.sequence import Sequence
from iwm_vit.predictors.unconditioned import Unconditioned
from torch import nn
from torch.nn import functional as F

from iwm_core.interfaces import Targets
from iwm_core.plugins.loader import load_plugins

B, D, W, A, GRID = 3, 8, 16, 3, (4, 4)
"""Batch, encoder width, predictor width, numbers of the action, patches."""

SCHEMES = {"feature": Feature, "sequence": Sequence, "none": Unconditioned, "adaln": AdaLN, "identity": Identity}
NARROW = [name for name in SCHEMES if name != "identity"]
TOLD = ["feature", "sequence", "adaln"]


def build(scheme, action=A, shaken=True):
    torch.manual_seed(0)
    fields = {} if scheme == "identity" else {"depth": 2, "width": W, "heads": 2}
    model = SCHEMES[scheme](**fields).build(D, GRID, action)
    with torch.no_grad():
        for parameter in model.parameters() if shaken else ():  # AdaLN-zero starts blind; norms and biases start trivial
            parameter.normal_(0, 0.3)
    return model


def some_input(m=4, t=2, action=A):
    torch.manual_seed(1)
    order = torch.stack([torch.randperm(16) for _ in range(B)])
    where = Targets(order[:, :6].sort().values, order[:, 6 : 6 + m * t].reshape(B, m, t).sort().values)
    return torch.randn(B, 6, D), where, torch.randn(B, action)


def standard_layer(block):
    """PyTorch's pre-norm encoder layer with the block's weights."""
    layer = nn.TransformerEncoderLayer(W, 2, 4 * W, dropout=0, activation="gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True)
    pairs = {"norm1": block.norm1, "norm2": block.norm2, "linear1": block.mlp[0], "linear2": block.mlp[2]}
    weights = {f"{name}.{kind}": getattr(module, kind) for name, module in pairs.items() for kind in ("weight", "bias")}
    layer.load_state_dict(weights | attention_weights(block.attention, "self_attn."))
    return layer


def attention_weights(attention, prefix=""):
    names = {"in_proj_weight": attention.qkv.weight, "in_proj_bias": attention.qkv.bias}
    return {prefix + k: v for k, v in (names | {"out_proj.weight": attention.out.weight, "out_proj.bias": attention.out.bias}).items()}


def adaln_layer(block, told):
    """AdaLN-zero as published: norm, scale and shift, branch, gate; the six vectors from one linear layer."""
    attention = nn.MultiheadAttention(W, 2, batch_first=True)
    attention.load_state_dict(attention_weights(block.attention))
    scale1, shift1, gate1, scale2, shift2, gate2 = F.linear(told, block.modulation.weight, block.modulation.bias).split(W)

    def layer(x):
        y = F.layer_norm(x, (W,), eps=1e-6) * (1 + scale1) + shift1
        x = x + gate1 * attention(y, y, y)[0]
        y = F.layer_norm(x, (W,), eps=1e-6) * (1 + scale2) + shift2
        return x + gate2 * block.mlp(y)

    return layer


def slow(scheme, model, context, where, action):
    """One image and one group after the other, from the scheme's definition in the paper."""
    positions = sincos_2d(W, GRID)
    out = torch.empty(*where.target.shape, D)
    for i in range(B):
        known = [model.embed(token) + positions[place] for token, place in zip(context[i], where.context[i], strict=True)]
        if scheme == "adaln":
            told = model.condition(torch.cat([action[i], torch.ones(1)]))
            layers = [adaln_layer(block, told) for block in model.blocks]
        else:
            layers = [standard_layer(block) for block in model.blocks]
        if scheme == "sequence":
            for number, weight, bias in reversed(list(zip(action[i], model.scale, model.shift, strict=True))):
                known.insert(0, F.linear(number[None], weight[:, None], bias))
        for group in range(where.target.shape[1]):
            asked = [model.mask_token + positions[place] for place in where.target[i, group]]
            if scheme == "feature" and action.shape[1]:
                one, _, two, _, three = model.mix
                asked = [three(two(one(torch.cat([mask, action[i]])).clamp(min=0)).clamp(min=0)) for mask in asked]
            tokens = torch.stack(known + asked)[None]
            for layer in layers:
                tokens = layer(tokens)
            out[i, group] = model.out(model.norm(tokens[0, len(known) :]))
    return out


@pytest.mark.parametrize("scheme", NARROW)
@pytest.mark.parametrize(("m", "action"), [(1, A), (4, A), (4, 0)])
def test_equals_its_definition(scheme, m, action):
    model, given = build(scheme, action), some_input(m, action=action)
    out = model(*given)
    assert out.shape == (B, m, 2, D)
    torch.testing.assert_close(out, slow(scheme, model, *given), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scheme", NARROW)
def test_the_last_block_goes_on_with_what_is_asked_alone(scheme):
    """Context tokens, which nobody reads after it, are keys and values there, and nothing else."""
    model, (context, where, action) = build(scheme), some_input()
    gone = {}
    for name in ("attention.qkv", "attention.out", "mlp"):
        model.blocks[-1].get_submodule(name).register_forward_hook(lambda _, given, made, name=name: gone.update({name: made.shape[1]}))
    model(context, where, action)
    assert gone == {"attention.out": 2, "mlp": 2}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_groups_are_predicted_apart(scheme):
    model, (context, where, action) = build(scheme), some_input()
    alone = [model(context, Targets(where.context, where.target[:, i : i + 1]), action) for i in range(4)]
    torch.testing.assert_close(model(context, where, action), torch.cat(alone, dim=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_of_positions_means_nothing(scheme):
    model, (context, where, action) = build(scheme), some_input(m=2, t=4)
    order, shuffle = torch.tensor([2, 0, 3, 1]), torch.randperm(6)
    shuffled = Targets(where.context[:, shuffle], where.target[:, :, order])
    expected = model(context, where, action)[:, :, order]
    torch.testing.assert_close(model(context[:, shuffle], shuffled, action), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_who_hears_the_action(scheme):
    model, (context, where, action) = build(scheme), some_input()
    for number in range(A):
        other = action.clone()
        other[:, number] += 1
        difference = (model(context, where, other) - model(context, where, action)).abs().amax(dim=-1)
        assert (difference > 1e-3).all() if scheme in TOLD else (difference == 0).all()


@pytest.mark.parametrize("scheme", NARROW)
@pytest.mark.parametrize("action", [1, A])
def test_untold_is_all_that_the_null_action_leaves_without_a_gradient(scheme, action):
    """Whatever the weights: the entries named, and `sequence`'s scale, which is found as a parameter of its own."""
    model, (context, where, _) = build(scheme, action), some_input(m=2, t=4)
    reached = {name: torch.zeros_like(parameter, dtype=torch.bool) for name, parameter in model.named_parameters()}
    for _ in range(12):  # a ReLU that is never open for these weights is for others
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(0, 0.3)
        model.zero_grad()
        answer = model(torch.randn_like(context), where, torch.zeros(B, action))
        (answer * torch.randn_like(answer)).sum().backward()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                reached[name] |= parameter.grad != 0
    left = {name: ~moved for name, moved in reached.items() if not moved.all()}
    told = model.untold() | ({"scale": torch.ones(action, W, dtype=torch.bool)} if scheme == "sequence" else {})
    assert left.keys() == told.keys()
    assert all(torch.equal(left[name], told[name]) for name in told)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_patches_are_context_and_asked_for(scheme):
    """2N tokens, as for predictor finetuning (PAPER §7)."""
    all_patches = torch.arange(16).expand(B, 16)
    where, context, action = Targets(all_patches, all_patches[:, None]), torch.randn(B, 16, D), torch.zeros(B, A)
    model = build(scheme)
    expected = context[:, None] if scheme == "identity" else slow(scheme, model, context, where, action)
    torch.testing.assert_close(model(context, where, action), expected, rtol=1e-4, atol=1e-4)


def test_identity_shows_the_context_and_its_mean():
    context, where, action = some_input(m=1, t=4)
    where.target[:, 0, 0] = where.context[:, 5]
    out = build("identity")(context, where, action)
    torch.testing.assert_close(out[:, 0, 0], context[:, 5])
    torch.testing.assert_close(out[:, 0, 1:], context.mean(1, keepdim=True).expand(-1, 3, -1))


@pytest.mark.parametrize("action", [0, A])
def test_adaln_starts_as_the_identity(action):
    model, (context, where, told) = build("adaln", action, shaken=False), some_input(m=1, action=action)
    asked = model.mask_token + sincos_2d(W, GRID)[where.target]
    expected = model.out(F.layer_norm(asked, (W,), eps=1e-6))
    torch.testing.assert_close(model(context, where, told), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scheme", NARROW)
def test_gradient_reaches_every_parameter(scheme):
    model = build(scheme)
    model(*some_input()).square().sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().sum() == 0] == []
    fresh = build(scheme, action=0, shaken=False)  # what is never used would have no gradient at all
    fresh(*some_input(action=0)).square().sum().backward()
    assert [name for name, p in fresh.named_parameters() if p.grad is None] == []


EXTRA = {"none": 0, "feature": (W + A) * W + W + 2 * (W * W + W), "sequence": 2 * A * W}
EXTRA["adaln"] = (A + 1) * W + W + W * W + W + 2 * (6 * W * W + 6 * W - 4 * W)
"""Beyond the plain narrow ViT: the mixing MLP; a layer a number; the condition's MLP and modulations in the place of norms."""


@pytest.mark.parametrize("scheme", NARROW)
def test_parameter_counts(scheme):
    blocks = 2 * (12 * W * W + 13 * W)
    plain = blocks + (D * W + W) + W + 2 * W + (W * D + D)
    assert sum(p.numel() for p in build(scheme).parameters()) == plain + EXTRA[scheme]


@pytest.mark.parametrize(("depth", "millions"), [(12, 21.9), (18, 32.5)])
def test_the_papers_parameter_counts(depth, millions):
    with torch.device("meta"):
        model = Unconditioned(depth=depth, width=384, heads=12).build(768, (14, 14), 7)
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 1) == millions


@pytest.mark.parametrize(("fields", "words"), [({"heads": 3}, "predictor.heads 3"), ({"width": 18, "heads": 2}, "multiple of 4")])
def test_misfits_are_named(fields, words):
    with pytest.raises(ValueError, match=words):
        Feature(**{"width": W, "depth": 1} | fields).build(D, GRID, A)


def test_a_plugins_scheme_hears_the_action(tiny):
    model = load_plugins().component("predictor", "shift")(depth=1, width=W, heads=2).build(D, GRID, A)
    context, where, action = some_input()
    assert ((model(context, where, action + 1) - model(context, where, action)).abs().amax(dim=-1) > 1e-3).all()


@pytest.mark.parametrize("scheme", NARROW)
def test_stored_positions_are_sincos_until_weights_bring_others(scheme):
    fixed, stored = (
        SCHEMES[scheme](depth=2, width=W, heads=2, positions=positions).build(D, GRID, A) for positions in ("sincos", "stored")
    )
    assert stored.state_dict().keys() - fixed.state_dict().keys() == {"positions"}
    assert torch.equal(stored.positions, fixed.positions)
    assert "positions" not in dict(stored.named_parameters())

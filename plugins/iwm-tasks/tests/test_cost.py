"""What a tuning costs, against counts written out by hand and against allocations of known size."""

import subprocess
import sys

import pytest
import torch
from iwm_tasks.interfaces import Backbone
from iwm_tasks.tuning.cost import Cost, read_cost, write_cost
from iwm_tasks.tuning.counting import flops, peak_memory
from iwm_tasks.tuning.model import TunedModel
from torch import nn
from torch.nn import functional as F

from iwm_core.interfaces.errors import UserError

CPU = torch.device("cpu")
SIDE, PATCH, WIDTH, HEADS, HIDDEN = 8, 4, 6, 2, 24
N = (SIDE // PATCH) ** 2
PIXELS = 3 * PATCH * PATCH


class Tower(Backbone):
    """Patches to tokens by a frozen layer, then one transformer block that is trained."""

    def __init__(self, tasks=0, dropout=0.0):
        super().__init__()
        self.width, self.grid, self.asks_task = WIDTH, (SIDE // PATCH, SIDE // PATCH), bool(tasks)
        self.embed = nn.Linear(PIXELS, WIDTH).requires_grad_(False)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images, task):
        return self.answer(self.embedded(images))

    def embedded(self, images):
        return self.embed(F.unfold(images, PATCH, stride=PATCH).transpose(1, 2))

    def answer(self, tokens):
        q, k, v = self.qkv(self.dropout(tokens)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        tokens = tokens + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return tokens + self.down(F.gelu(self.up(tokens)))


class MeanHead(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.linear = nn.Linear(WIDTH, outputs)

    def forward(self, tokens):
        return self.linear(tokens.mean(1))


def tower(heads, dense=(), **options):
    torch.manual_seed(0)
    return TunedModel(Tower(**options), heads, set(dense), SIDE)


EMBED = 2 * N * PIXELS * WIDTH
QKV, OUT = 2 * N * WIDTH * 3 * WIDTH, 2 * N * WIDTH * WIDTH
SCORES = VALUES = 2 * N * N * WIDTH  # q kᵀ, and its product with v: over all attention heads
MLP = 2 * (2 * N * WIDTH * HIDDEN)
BLOCK = QKV + SCORES + VALUES + OUT + MLP


def head(outputs):
    return 2 * WIDTH * outputs


def test_a_transformer_is_counted_as_by_hand():
    training, inference = flops(tower({"a": MeanHead(5)}), SIDE, CPU)
    forward = EMBED + BLOCK + head(5)
    # Backward, a product has two as large as itself: for its input and for its weights (attention: for both of its factors).
    # The input of qkv comes from what is frozen, so that nothing is asked of it, and the frozen layer has no backward at all.
    backward = 2 * (BLOCK + head(5)) - QKV
    assert inference * 1e9 == pytest.approx(forward)
    assert training * 1e9 == pytest.approx(forward + backward)


def test_a_frozen_backbone_costs_only_forward():
    model = tower({"a": MeanHead(5)})
    model.backbone.requires_grad_(False)
    training, inference = flops(model, SIDE, CPU)
    assert inference * 1e9 == pytest.approx(EMBED + BLOCK + head(5))
    assert training * 1e9 == pytest.approx(EMBED + BLOCK + head(5) + head(5)), "backward: for the head's weights alone"


def test_a_backbone_that_is_asked_is_passed_once_a_task_in_inference_and_once_an_image_in_training():
    model = tower({"a": MeanHead(5), "b": MeanHead(9)}, tasks=2)
    training, inference = flops(model, SIDE, CPU)
    assert inference * 1e9 == pytest.approx(2 * (EMBED + BLOCK) + head(5) + head(9))
    assert training * 1e9 == pytest.approx(EMBED + 3 * BLOCK - QKV + 3 * head(7)), "the mean of both tasks"


def test_what_tasks_share_is_counted_once_in_inference(monkeypatch):
    monkeypatch.setattr(Tower, "for_each", lambda self, x, tasks: [self.answer(tokens) for tokens in [self.embedded(x)] * tasks])
    training, inference = flops(tower({"a": MeanHead(5), "b": MeanHead(9)}, tasks=2), SIDE, CPU)
    assert inference * 1e9 == pytest.approx(EMBED + 2 * BLOCK + head(5) + head(9))
    assert training * 1e9 == pytest.approx(EMBED + 3 * BLOCK - QKV + 3 * head(7))


def test_attention_in_one_kernel_is_counted():
    """torch's own attention takes a shortcut in inference that the counter cannot see."""

    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)

        def forward(self, tokens):
            return self.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1)

    _, inference = flops(tower({"a": Attends()}), SIDE, CPU)
    assert inference * 1e9 == pytest.approx(EMBED + BLOCK + QKV + SCORES + VALUES + OUT)
    assert torch.backends.mha.get_fastpath_enabled()


def test_nothing_is_changed_by_counting():
    model = tower({"a": MeanHead(5), "maps": nn.Sequential(nn.BatchNorm2d(WIDTH), nn.Conv2d(WIDTH, 3, 1))}, dense=["maps"], dropout=0.5)
    model.backbone.eval()
    model.heads.train()
    images, asked = torch.rand(4, 3, SIDE, SIDE), torch.tensor([0, 1, 0, 1])
    sum(output.sum() for output in model(images, asked).values()).backward()
    grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    modes, generator = [module.training for module in model.modules()], torch.get_rng_state()

    assert all(number > 0 for number in flops(model, SIDE, CPU))

    assert torch.equal(torch.get_rng_state(), generator)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(p.grad, grads[name]) for name, p in model.named_parameters() if p.requires_grad)
    assert grads


@pytest.mark.slow
def test_peak_memory_is_the_highest_mark_in_bytes():
    code = (
        "import torch\nfrom iwm_tasks.tuning.counting import peak_memory\nmarks = []\n"
        "for count in (40_000_000, 80_000_000, 1):\n"
        "    held = torch.ones(count)\n    del held\n    marks.append(peak_memory(torch.device('cpu')))\n"
        "print(marks[1] - marks[0], marks[2] - marks[1])\n"
    )
    mine = torch.ones(200_000_000)  # a parent's memory is not its children's
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    grown, then = map(int, told.split())
    assert then == 0, "it never sinks"
    assert mine.sum() > 0
    assert 0.95 * 1.6e8 < grown < 1.05 * 1.6e8
    assert 2e7 < peak_memory(CPU) < 1e12


def test_a_cost_is_read_as_it_was_written(tmp_path):
    cost = Cost(trained=10, parameters=100, gflops_train=1.5, gflops_inference=0.5, seconds=12.25, peak_memory=1 << 33, device="cpu")
    assert read_cost(tmp_path) is None
    write_cost(tmp_path, cost)
    assert read_cost(tmp_path) == cost
    assert [path.name for path in tmp_path.iterdir()] == ["cost.json"]


@pytest.mark.parametrize("text", ["{", "[]", '{"trained": 1}'])
def test_a_damaged_cost_is_named_with_its_cure(tmp_path, text):
    (tmp_path / "cost.json").write_text(text)
    with pytest.raises(UserError, match=r"cost\.json is damaged .*; remove it, and `iwm resume") as error:
        read_cost(tmp_path)
    assert "\n" not in str(error.value)

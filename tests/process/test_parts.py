"""What a model repeats, and blocks that are computed again: the same numbers, without what they had kept."""

import resource
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from iwm_core.model.world_model import build_model
from iwm_core.process.memory import keep_freed_memory
from iwm_core.process.parts import blocks_of, compute_again
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training import starting


def test_blocks_are_what_transformers_repeat():
    model = build_model(thaw(compose("quickstart", ["encoder.depth=2", "predictor.depth=4"])[0]))
    names = {id(module): name for name, module in model.named_modules()}
    encoders = [f"{part}.vit.blocks.{i}" for part in ("student", "teacher") for i in range(2)]
    assert {names[id(block)] for block in blocks_of(model)} == {*encoders, *(f"predictor.blocks.{i}" for i in range(4))}
    assert blocks_of(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))) == []
    assert blocks_of(nn.ModuleDict({"empty": nn.Sequential(), "still": nn.Sequential(nn.ReLU())})) == []


@pytest.mark.slow
def test_blocks_that_are_computed_again_give_the_same_weights(tiny):
    """Stochastic depth draws the same numbers the second time."""
    words = ["train.steps=3", "encoder.drop_path=0.5", "encoder.depth=2"]
    for run, more in (("kept", []), ("again", ["launch.checkpoint_activations=true"])):
        assert starting.start("tiny", [f"run={run}", *words, *more]) == 0
    kept, again = (load_file(f"{run}/checkpoints/step_3/model.safetensors") for run in ("kept", "again"))
    assert kept.keys() == again.keys()
    assert all(torch.equal(kept[name], again[name]) for name in kept)


def test_blocks_that_are_computed_again_keep_their_inputs_alone():
    def kept(again: bool) -> int:
        block = nn.Sequential(nn.Linear(8, 64), nn.GELU(), nn.Linear(64, 8))
        model, sizes = nn.Sequential(nn.ModuleList([block])), []
        if again:
            compute_again(model)
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor):
            block(torch.ones(16, 8, requires_grad=True)).sum()
        return sum(sizes)

    assert kept(again=False) > 2 * 16 * 64
    assert kept(again=True) < 16 * 64


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of Linux's C library")
def test_memory_that_is_freed_is_asked_for_without_page_faults():
    keep_freed_memory()
    for _ in range(5):  # after the first times, what they have freed is there
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        parts = [torch.ones(2**20) for _ in range(4)]
        del parts
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    assert faults < 400, "of 4,096"

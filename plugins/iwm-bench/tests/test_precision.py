"""``launch.precision=auto``: the faster precision of a device, decided once when a run starts and kept."""

import platform
from pathlib import Path

import pytest
import torch
import yaml
from iwm_bench import precision
from iwm_bench.precision import WORTH_IT, faster_precision, speed_of_bf16
from one_line import assert_one_line
from tiny_tuning import tune

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import RunKind
from iwm_core.process.precision import attention_of
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.kind import Pretraining
from iwm_core.training.pretraining import Pass

CPU = torch.device("cpu")
X86 = platform.machine() == "x86_64" and Path("/proc/cpuinfo").exists()


@pytest.mark.parametrize(("speed", "expected"), [(0.4, "fp32"), (1.0, "fp32"), (WORTH_IT, "bf16"), (2.3, "bf16")])
def test_a_cpu_is_timed(monkeypatch, speed, expected):
    monkeypatch.setattr(precision, "speed_of_bf16", lambda device, once: speed)
    assert faster_precision(CPU, lambda: list)[0] == expected


@pytest.mark.parametrize(("has", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_is_asked_whether_it_has_the_products_itself(monkeypatch, has, expected):
    def supported(including_emulation=True):
        return has or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert faster_precision(torch.device("cuda"), lambda: pytest.fail("timed"))[0] == expected


def test_noise_that_only_adds_time_decides_nothing(monkeypatch):
    """fp32 takes 0.4 s and bf16 0.2 s, where they are not disturbed by up to a thousandfold; the first of each does not count."""
    passes = iter([0.1, 0.1, *[0.4, 500], *[200, 0.2], *[300, 50]])
    clock = [0.0]

    def once():
        clock[0] += next(passes)

    monkeypatch.setattr(precision.time, "perf_counter", lambda: clock[0])
    assert speed_of_bf16(CPU, once) == pytest.approx(2)


@pytest.mark.parametrize("kept", ["bf16", "fp32"])
def test_attention_in_bf16_is_products_on_a_cpu_and_the_same_within_rounding(kept):
    q, k, v = torch.randn(3, 2, 4, 16, 8, generator=torch.Generator().manual_seed(0), dtype=torch.bfloat16).unbind()
    whole = torch.softmax(q.double() @ k.double().transpose(-2, -1) / 8**0.5, -1) @ v.double()
    with torch.profiler.profile() as seen, attention_of(kept, CPU):
        found = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    names = {event.key for event in seen.key_averages()}
    assert ("aten::bmm" in names, "aten::_scaled_dot_product_flash_attention_for_cpu" in names) == (kept == "bf16", kept == "fp32")
    torch.testing.assert_close(found.double(), whole, rtol=0, atol=0.03)
    assert not torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()


def test_the_precisions_take_turns(monkeypatch):
    monkeypatch.setattr(precision, "LEAST", 0.0)
    seen = []
    speed_of_bf16(CPU, lambda: seen.append((torch.ones(4, 4) @ torch.ones(4, 4)).dtype))
    assert seen == [torch.float32, torch.bfloat16] * 4


@pytest.mark.slow
@pytest.mark.skipif(not X86, reason="needs the list of instructions of an x86 processor under Linux")
def test_a_cpu_with_bf16_products_is_found_by_their_time():
    """Of a pass that is products alone."""
    instructions = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    side = torch.ones(1024, 1024)
    expected = "bf16" if "avx512_bf16" in instructions or "amx_bf16" in instructions else "fp32"
    assert faster_precision(CPU, lambda: lambda: side @ side)[0] == expected


def test_the_trial_is_a_pass_of_the_model_and_leaves_the_generator_alone(tiny, monkeypatch):
    recipe = thaw(compose("tiny", [])[0])
    monkeypatch.setattr(precision, "LEAST", 0.0)
    seen, forward, before = [], Pass.forward, torch.get_rng_state()
    monkeypatch.setattr(Pass, "forward", lambda self, *inputs: seen.append(self) or forward(self, *inputs))
    assert faster_precision(CPU, lambda: Pretraining().trial(recipe, CPU))[0] in ("fp32", "bf16")
    assert len(seen) == 8
    trained = [parameter for parameter in seen[0].parameters() if parameter.requires_grad]
    assert all(parameter.grad is not None for parameter in trained)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def asked(monkeypatch):
    """The devices that were asked about, and that made a pass; all compute faster in bf16."""
    devices = []
    monkeypatch.setattr(
        "iwm_bench.precision.faster_precision", lambda device, trial: devices.append((device, trial()())) or ("bf16", "I say so")
    )
    return devices


@pytest.mark.slow
def test_it_is_decided_once_told_and_frozen(iwm, asked, capsys):
    assert iwm("train", "recipe=tiny", "run=plain", "launch.precision=bf16")[0] == 0
    assert asked == [], "nobody wants to know"
    assert iwm("train", "recipe=tiny", "run=auto", "launch.precision=auto", "launch.device=cpu")[0] == 0
    assert asked == [(CPU, None)]
    assert yaml.safe_load(Path("auto/config.yaml").read_text(encoding="utf-8"))["launch"]["precision"] == "bf16"
    weights = [Path(name, "checkpoints/step_6/model.safetensors").read_bytes() for name in ("plain", "auto")]
    assert weights[0] == weights[1]


def test_it_is_told_after_the_path(tiny, asked, capsys):
    from iwm_core.cli.main import dispatch

    dispatch(["train", "recipe=tiny", "run=auto", "launch.precision=auto"])
    assert capsys.readouterr().out.splitlines()[:2] == [
        "auto",
        "launch.precision=auto: bf16, as I say so",
    ]


@pytest.mark.parametrize("verb", ["resume", "eval"])
def test_a_run_that_is_there_keeps_what_was_decided(iwm, asked, verb):
    assert iwm("train", "recipe=tiny", "run=auto", "launch.precision=auto")[0] == 0
    files = {path: path.read_bytes() for path in Path("auto").rglob("*") if path.is_file()}
    assert_one_line(iwm(verb, "auto", "launch.precision=auto"), "decided when a run starts", "launch.precision=fp32 or bf16")
    assert files == {path: path.read_bytes() for path in Path("auto").rglob("*") if path.is_file()}
    assert len(asked) == 1


@pytest.mark.slow
def test_a_tuning_asks_by_its_world_model(tiny, asked, worlds):
    tune(worlds(), "encoder", "launch.precision=auto")
    assert asked == [(CPU, None)]
    assert yaml.safe_load(Path("tuned/config.yaml").read_text(encoding="utf-8"))["launch"]["precision"] == "bf16"


def test_a_kind_of_run_without_a_trial_says_so():
    class Other(Pretraining):
        name = "other"
        trial = RunKind.trial

    with pytest.raises(UserError, match="not for other; write launch.precision=fp32 or bf16"):
        Other().trial(None, CPU)

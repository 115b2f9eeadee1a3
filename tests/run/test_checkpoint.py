"""Checkpoints bring back every bit, and a kill at any moment leaves a whole one."""

import contextlib
import json
import resource
import shutil
from pathlib import Path

import pytest
import torch
from iwm_vit.encoder import TimmViT
from iwm_vit.predictors.adaln import AdaLN
from safetensors.torch import load_file
from torch import nn

from iwm_core.interfaces import Targets, Views
from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import ImageWorldModel
from iwm_core.recipe.config import Train
from iwm_core.run import checkpoint
from iwm_core.run.checkpoint import load_optimizer, load_weights, save_checkpoint
from iwm_core.run.saved import latest_checkpoint, read_state, saved_steps
from iwm_core.training.optimisation import make_optimizer
from iwm_core.training.pretraining import Pass

FILES = {"model.safetensors", "optimizer.safetensors", "state.json"}


class Training:
    """A tiny model on its way."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        student = TimmViT(patch_size=4, width=8, depth=1, heads=2).build(8)
        self.model = ImageWorldModel(student, AdaLN(depth=1, width=8, heads=2).build(8, (2, 2), 1))
        self.optimizer = make_optimizer(self.model, Train(steps=10))

    def steps(self, first, last):
        where = Targets(torch.tensor([[0, 1]] * 2), torch.tensor([[[2, 3]]] * 2))
        for step in range(first, last):
            torch.manual_seed(step)
            views = Views(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8), torch.randn(2, 1))
            Pass(self.model)(views, where).loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.model.update_teacher(torch.tensor(0.1))
        return self

    def save(self, folder, step, keep=2):
        return save_checkpoint(folder, step, self.model, self.optimizer, {"steps": 10}, keep)

    def load(self, path):
        load_weights(path, self.model)
        load_optimizer(path, self.model, self.optimizer)
        return self

    def tensors(self):
        moments = {(i, key): value for i, state in enumerate(self.optimizer.state.values()) for key, value in state.items()}
        return {name: value.clone() for name, value in (dict(self.model.state_dict()) | moments).items()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_round_trip_is_exact_and_training_goes_on_as_if_nothing_had_been(tmp_path):
    going = Training(0).steps(0, 3)
    path = going.save(tmp_path, 3)
    back = Training(1).load(path)
    assert same(going.tensors(), back.tensors())
    assert len(going.optimizer.state) == sum(p.requires_grad for p in going.model.parameters())
    assert same(going.steps(3, 6).tensors(), back.steps(3, 6).tensors())


def test_files_hold_tensors_and_json_only(tmp_path):
    path = Training(0).steps(0, 1).save(tmp_path, 1)
    assert {p.name for p in path.iterdir()} == FILES
    assert {"step": 1, "steps": 10, "format": 2}.items() <= json.loads((path / "state.json").read_text()).items()
    assert {"step": 1, "steps": 10}.items() <= read_state(path).items()
    assert {name.split(".")[0] for name in load_file(path / "model.safetensors")} == {"student", "predictor", "teacher"}
    assert {name.split("#")[1] for name in load_file(path / "optimizer.safetensors")} == {"step", "exp_avg", "exp_avg_sq"}
    assert (tmp_path / "latest").read_text() == "step_1"


def test_the_newest_are_kept(tmp_path):
    going = Training(0).steps(0, 1)
    assert latest_checkpoint(tmp_path) is None
    for step in (2, 4, 9, 10):
        going.save(tmp_path, step, keep=3)
        assert latest_checkpoint(tmp_path) == tmp_path / f"step_{step}"
        assert (tmp_path / "latest").read_text() == f"step_{step}"
    assert saved_steps(tmp_path) == [4, 9, 10]
    assert {p.name for p in tmp_path.iterdir()} == {"step_4", "step_9", "step_10", "latest"}


class Killed(BaseException):
    """As of SIGKILL: nothing handles it."""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path, monkeypatch):
    """Killed before its first effect on the disk, its second, and so on until it is through."""
    old, new, reader = Training(0).steps(0, 2), Training(0).steps(0, 4), Training(1)
    doors = [(checkpoint, "save_file"), (checkpoint, "sync"), (shutil, "rmtree"), (Path, "mkdir"), (Path, "rename"), (Path, "replace")]
    seen = []
    for moment in range(100):
        folder = tmp_path / str(moment)
        for step in (1, 2):
            old.save(folder, step)
        left = moment

        def counted(act):
            def acting(*args, **kwargs):
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed
                return act(*args, **kwargs)

            return acting

        with monkeypatch.context() as patch:
            for owner, name in doors:
                patch.setattr(owner, name, counted(getattr(owner, name)))
            with contextlib.suppress(Killed):
                new.save(folder, 4)
        found = latest_checkpoint(folder)
        assert found is not None
        seen.append(read_state(found)["step"])
        assert found.name == f"step_{seen[-1]}"
        assert same(reader.load(found).tensors(), (old if seen[-1] == 2 else new).tensors())
        new.save(folder, 4)  # as after a resume: whatever was left behind is replaced
        assert same(reader.load(folder / "step_4").tensors(), new.tensors())
        assert {p.name for p in folder.iterdir()} == {"step_2", "step_4", "latest"}
        if left >= 0:
            break
    assert seen == sorted(seen), "once the new checkpoint is there, it stays"
    assert seen.count(2) > 5
    assert seen.count(4) > 3


def test_a_step_done_again_is_overwritten_whole(tmp_path):
    first, again = Training(0).steps(0, 2), Training(1).steps(0, 2)
    path = first.save(tmp_path, 2)
    (tmp_path / ".step_2.partial").mkdir()
    for folder in (path, tmp_path / ".step_2.partial"):
        (folder / "stray").write_text("left behind")
    again.save(tmp_path, 2)
    assert same(Training(2).load(path).tensors(), again.tensors())
    assert {p.name for p in path.iterdir()} == FILES


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "in the optimizer's file"])
def test_a_disk_that_is_full(tmp_path, at_once):
    """The real thing as far as a test can: files may not grow beyond a limit."""
    going = Training(0).steps(0, 1)
    limit = 0 if at_once else (going.save(tmp_path, 1) / "model.safetensors").stat().st_size
    going.save(tmp_path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(UserError) as caught:
            going.save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "cannot write checkpoint" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {p.name for p in tmp_path.iterdir()} == {"step_1", "latest"}
    assert same(Training(1).load(tmp_path / "step_1").tensors(), going.tensors())


def test_tensors_in_any_layout(tmp_path):
    def make():
        model = nn.Module()
        one, two = torch.arange(24.0).reshape(4, 6)[:, ::2], torch.randn(3, 5).T
        model.one, model.two, model.three = nn.Parameter(one), nn.Parameter(two), nn.Parameter(torch.zeros(0, 4))
        model.tied = model.four = nn.Parameter(torch.randn(2, 2))
        return model

    model = make()
    assert not model.one.is_contiguous()
    path = save_checkpoint(tmp_path, 1, model, torch.optim.AdamW(model.parameters()), {"steps": 1}, 1)
    back = make()
    load_weights(path, back)
    assert same(dict(model.state_dict()), dict(back.state_dict()))


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("damage", ["cut short", "a flipped bit", "missing", "another checkpoint's", "a link"])
def test_damage_is_named_with_the_way_back(tmp_path, name, damage):
    """Any bit: one of each byte's is tried in the small file, of some hundred bytes in the large ones."""
    folder = tmp_path / "run/checkpoints"
    going = Training(0).steps(0, 1)
    going.save(folder, 1)
    path = going.steps(1, 2).save(folder, 2)
    file, whole = path / name, (path / name).read_bytes()
    cases = {"cut short": [whole[: len(whole) // 2], b""], "another checkpoint's": [(folder / "step_1" / name).read_bytes()]}
    flipped = range(0, len(whole), len(whole) // 100)
    cases["a flipped bit"] = [whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :] for place in flipped]
    for content in cases.get(damage, [None]):
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        elif damage == "a link":
            (tmp_path / "elsewhere").write_bytes(whole)
            file.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(UserError, match=rf"step_2/{name} .*; go on from another .*`iwm resume .*run checkpoint=step_1`$") as caught:
            going.load(path)
        assert "\n" not in str(caught.value)
    file.unlink(missing_ok=True)
    file.write_bytes(whole)
    assert same(Training(1).load(path).tensors(), going.tensors())


def test_checkpoints_of_the_version_before_are_read(tmp_path):
    going = Training(0).steps(0, 1)
    path = going.save(tmp_path / "checkpoints", 1)
    (path / "state.json").write_text(json.dumps({"step": 1, "steps": 10, "images": 4, "seconds": 0.5}))
    assert same(Training(1).load(path).tensors(), going.tensors())


@pytest.mark.parametrize("name", ["step_", "step_1e3", "step_-1", "step_²", "step_007", "step_5.aside", "step_9" + "9" * 20])
def test_what_merely_looks_like_a_checkpoint_is_passed_over(tmp_path, name):
    (tmp_path / name).mkdir()
    assert saved_steps(tmp_path) == []
    assert latest_checkpoint(tmp_path) is None


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"step": 3, "steps": 10}, "is of step 3, not of its folder's"),
        ({"step": 2}, "it lacks steps"),
        ({"step": 2.0, "steps": 10}, "step is a number, not an integer"),
        ([2, 10], "it is a list, not a mapping"),
        ({"step": 2, "steps": 10, "format": 3}, r"was made by a newer iwm \(format 3; this one reads up to 2\)"),
    ],
)
def test_a_state_that_is_none(tmp_path, state, problem):
    path = Training(0).steps(0, 1).save(tmp_path, 2)
    (path / "state.json").write_text(json.dumps(state))
    with pytest.raises(UserError, match=problem):
        read_state(path)


def test_a_kind_of_run_reads_back_what_it_keeps_of_its_own(tmp_path):
    path = Training(0).steps(0, 1).save(tmp_path, 2)
    state = json.loads((path / "state.json").read_text()) | {"noise": [0.5, 1]}
    (path / "state.json").write_text(json.dumps({key: value for key, value in state.items() if "checksum" not in key}))
    assert read_state(path, noise=list[float])["noise"] == [0.5, 1.0]
    assert "noise" not in read_state(path)
    with pytest.raises(UserError, match="it lacks strength"):
        read_state(path, strength=float)
    with pytest.raises(UserError, match=r"noise\[0\] is a number, not a text"):
        read_state(path, noise=list[str])


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    path = Training(0).save(tmp_path / "checkpoints", 0) if (tmp_path / "config.yaml").write_text("a: 1\nchecksum: '0000000f'\n") else None
    assert read_state(path)["step"] == 0
    (tmp_path / "config.yaml").write_text("a: 2\nchecksum: '0000000e'\n")
    with pytest.raises(UserError, match=r"is of another recipe than .*config.yaml; put back"):
        read_state(path)


def test_weights_of_another_model_are_refused(tmp_path):
    path = Training(0).steps(0, 1).save(tmp_path, 1)
    with pytest.raises(UserError, match="holds another model"):
        load_weights(path, nn.Linear(2, 2))

"""The page "Your own loop" and its notebook: every block runs, in order, as a reader would run it, and what they say goes wrong does."""

import inspect
import json
import re
import warnings
from pathlib import Path

import nbformat
import pytest
import torch
from nbclient import NotebookClient
from places import ROOT
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import iwm_core
from iwm_core.interfaces.errors import UserError

PAGE = (ROOT / "docs/own-loop.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "docs/tiny-world.ipynb"
TINY = {
    **{"image_size": 16, "encoder.patch_size": 4, "encoder.width": 16, "encoder.depth": 1, "encoder.heads": 2},
    **{"predictor.width": 16, "predictor.depth": 1, "predictor.heads": 2, "train.batch_size": 16, "train.lr.warmup": 1},
    **{"train.steps": 2, "launch.device": "cpu", "launch.workers": 0},
}
"""What makes the page's model small enough for a test."""


class Shades:
    """Images darker and lighter than grey."""

    classes = ("dark", "light")

    def __len__(self):
        return 40

    def __getitem__(self, index):
        noise = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(index))
        return noise / 2 + (index % 2) / 2, index % 2


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Lightning and transformers have to say
def test_every_block_of_the_page_runs(here, monkeypatch):
    train = iwm_core.train
    monkeypatch.setattr(
        iwm_core, "train", lambda *recipe, **asked: train(*recipe, **asked | ({"overrides": asked["overrides"] | TINY} if recipe else {}))
    )
    names: dict = {"my_dataset": Shades(), "__name__": "page"}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    for number, block in enumerate(blocks):
        before = {key: value.detach().clone() for key, value in names["model"].encoder.state_dict().items()} if number else {}
        exec(compile(block, f"own-loop.md, block {number + 1}", "exec"), names)
        if number == 3:
            assert any(not torch.equal(value, names["encoder"].state_dict()[key]) for key, value in before.items()), "the encoder learns"
    assert names["pooled"].shape == (2, 16)
    assert names["patches"].shape == (2, 16, 16)
    assert names["labels"][0] == "jitter.brightness"
    learned = names["model"].encoder.state_dict()
    for part in ("student", "probe", "classifier"):
        module = names[part]
        own = getattr(module, "encoder", module).state_dict()
        assert any(not torch.equal(value.cpu(), own[key].cpu()) for key, value in learned.items()), f"{part} learns"
    assert all(torch.equal(value, names["teacher"].state_dict()[key]) for key, value in learned.items()), "the teacher does not"


@pytest.mark.slow
def test_the_notebook_runs_shows_its_progress_and_a_picture(here):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        NotebookClient(notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(here)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [str(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs]
    assert any(text.startswith("runs/quickstart\n") for text in texts)
    (training,) = [text for text in texts if text.startswith("training: ")]
    assert re.match(r"training: 300 of 300  loss [\d.]+  \d+ images/s", training), "one line, which has changed in its place"
    assert any("image/png" in output.get("data", {}) for output in outputs)
    errors = next(eval(text) for text in texts if text.startswith("{'what happened'"))
    assert errors["what happened"] < 0.9 * min(errors["nothing"], errors["another's"]), errors
    value, chance = (float(number) for number in re.search(r"MRR ([\d.]+) .*chance ([\d.]+)", "\n".join(texts)).groups())
    assert value > 2 * chance
    assert (Path(here) / "runs/quickstart/config.yaml").is_file()


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


class Endless(IterableDataset):
    def __iter__(self):
        yield torch.zeros(3, 4, 4)


WHITE = (torch.stack([torch.zeros(3), torch.ones(3)], 1) - torch.tensor([0.485, 0.456, 0.406])[:, None]) / torch.tensor(
    [0.229, 0.224, 0.225]
)[:, None]
GIVEN = {
    "images normalised by mean and deviation": [WHITE[:, :, None].float()] * 20,
    "bytes as floats": [torch.full((3, 4, 4), 200.0)] * 20,
    "channels last in a tensor": torch.zeros(20, 4, 4, 3),
    "a `DataLoader`": DataLoader(TensorDataset(torch.zeros(20, 3, 4, 4))),
    "an `IterableDataset`": Endless(),
}


def test_what_the_page_says_goes_wrong_does(tiny):
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE[PAGE.index("## What goes wrong") :], re.MULTILINE))
    assert rows.keys() >= GIVEN.keys()
    for given, data in GIVEN.items():
        with pytest.raises(UserError) as told:
            inspect.unwrap(iwm_core.train)("tiny", data)
        assert str(told.value).endswith(rows[given].lstrip("…:; ")), given

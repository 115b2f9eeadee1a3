"""The page without a browser: files that are dropped, words and pictures, and what a command line is answered."""

import io
import os
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from asked_by import asked_by
from iwm_devkit.known_model import PAIRED, PIXELS, KnownModel, KnownPairs, blind
from iwm_explore import commands, explore, figures, images
from iwm_explore.command_line import read_arguments
from iwm_explore.explorer import Explorer
from iwm_explore.handlers import ANOTHER, MADE, Handlers
from iwm_explore.images import read_upload
from iwm_explore.serving import bound
from one_line import assert_one_line
from PIL import Image

import iwm_core
from iwm_core.cli.main import dispatch
from iwm_core.interfaces.errors import UserError

CPU = torch.device("cpu")


def handlers(predictor=blind, **settings):
    made = Handlers(Explorer(KnownModel(predictor, **settings)), None, PIXELS)
    chosen = made.explorer.choose(torch.full((1, 3, PIXELS, PIXELS), 0.4), "grey")
    return made, chosen


class Read(HTMLParser):
    """The texts, images and roles of a piece of HTML; unbalanced markup fails."""

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.images, self.roles = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.roles += [given["role"]] if "role" in given else []
        if tag == "img":
            assert given["src"].startswith("data:image/png;base64,")
            self.images.append(given["alt"])
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.texts))


# --- files


def test_a_file_is_read_as_evaluation_reads_it_and_is_gone(tmp_path):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, 5:25] = (255, 128, 0)
    path = tmp_path / "wide.png"
    Image.fromarray(pixels).save(path)
    image = read_upload(str(path), tmp_path, PIXELS, CPU)
    assert torch.allclose(image, torch.tensor([1, 128 / 255, 0]).view(1, 3, 1, 1).expand(1, 3, PIXELS, PIXELS)), "its centre square"
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"no image", "notes.txt cannot be used: not an image in a format that iwm reads"),
        ("empty.png", b"", "the file is empty"),
        ("cut.png", None, "cannot be decoded"),
        ("large.png", b"x" * 2000, "large.png is too large: files of at most"),
    ],
)
def test_a_wrong_file_gets_a_line_and_is_gone(tmp_path, monkeypatch, name, content, says):
    monkeypatch.setattr(images, "MOST_BYTES", 1000)
    path = tmp_path / name
    if content is None:
        file = io.BytesIO()
        Image.new("RGB", (64, 64)).save(file, format="PNG")
        content = file.getvalue()[:-30]
    path.write_bytes(content)
    made, _ = handlers()
    found, line = made.from_file(str(path), tmp_path)
    assert found is None
    assert says in Read(line).text
    assert Read(line).roles == ["alert"]
    assert not path.exists()


def test_no_file_but_a_dropped_one_is_opened_or_removed(tmp_path, monkeypatch):
    inside, outside = tmp_path / "inside", tmp_path / "inside-not"
    inside.mkdir()
    outside.mkdir()
    Image.new("RGB", (8, 8)).save(outside / "own.png")
    (inside / "link.png").symlink_to(outside / "own.png")
    (inside / "folder").symlink_to(outside)
    os.mkfifo(inside / "pipe")
    monkeypatch.setattr(images, "file_content", lambda path: pytest.fail(f"{path} is opened"))
    made, _ = handlers()
    ways = ["../inside-not/own.png", "link.png", "folder/own.png", "pipe", ".", "gone.png", "\0", "x" * 5000]
    for path in [str(inside / way) for way in ways] + [str(outside / "own.png"), "/dev/zero", ""]:
        found, line = made.from_file(path, inside)
        assert found is None
        assert "is not a file that was dropped here" in Read(line).text
    assert (outside / "own.png").exists()
    assert sorted(path.name for path in inside.iterdir()) == ["folder", "link.png", "pipe"]


def test_many_pixels_in_few_bytes_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (12_000, 9_000)).save(path)
    assert path.stat().st_size < images.MOST_BYTES
    with pytest.raises(ValueError, match="bomb.png cannot be used: .*megapixels"):
        read_upload(str(path), tmp_path, PIXELS, CPU)


# --- words and pictures


def test_an_answer_has_its_pictures_with_words_and_its_numbers():
    made, chosen = handlers()
    found = Read(made.see(chosen, [0.8, 0, 0]))
    assert found.images == ["Source", "Real", "Nearest"], "nothing is shown as imagined without a decoder"
    for words in (
        "Asked: columns +0.40",
        "told this action",
        "1.000",
        "not acting",
        "told nothing",
        "being told the action does not help it",
    ):
        assert words in found.text
    assert "move a slider" in Read(made.see(chosen, made.explorer.at_rest)).text
    assert Read(made.see(None, made.explorer.at_rest)).roles == ["note"]
    assert Read(made.see(chosen, [5, 0, 0])).text.startswith("columns goes from -1 to 1")


def test_words_from_outside_are_text():
    assert Read(figures.note("<script>alert(1)</script>")).text == "<script>alert(1)</script>"
    assert "<img src=x" not in figures.figure("<img src=x>", None, "<b>", "")


def test_a_plan_is_told_with_what_made_its_goal():
    made, chosen = handlers()
    found = Read(made.plan(chosen, None, MADE, [0.8, 0, 1]))
    assert "B was made by: columns +0.40" in found.text
    assert found.images == ["A", "Step 1", "Step 2", "Step 3", "Step 4", "B"]
    assert "another as B" in Read(made.plan(chosen, None, ANOTHER, [0, 0, 0])).text
    made, chosen = handlers(parts={"negative": KnownModel().parts["negative"]})
    assert "nothing to plan" in Read(made.plan(chosen, chosen, ANOTHER, [0])).text


def test_a_pairs_own_action_is_where_its_controls_begin():
    made = Handlers(Explorer(KnownModel(parts=PAIRED)), None, PIXELS)
    batch = next(iter(KnownPairs().batches("validation", 1, 1)))
    own = made.values_for(made.explorer.pair(batch, "pair"), [0, 0])
    assert own == pytest.approx(batch.action[0].tolist(), abs=1e-6)
    assert "no pair of the data shows this action" in made.see(made.explorer.pair(batch, "pair"), [-own[0], 0.5])


# --- command lines


WORLD = ("train", "recipe=tiny", "run=r")


def test_words_are_read(kept):
    run = kept(*WORLD)
    found = asked_by("explore", read_arguments, [str(run), "--port=0", "--open", "launch.device=cpu"])
    assert (found.port, found.open, found.overrides) == (0, True, ["launch.device=cpu"])
    assert asked_by("explore", read_arguments, [str(run)]).port == 7860


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["nowhere"], "nowhere is not a run"),
        ([], "iwm explore RUN"),
        (["r", "--prot", "1"], "did you mean --port?"),
        (["r", "--port", "x"], "--port is a whole number, got 'x'; write --port 7860"),
        (["r", "--port", "70000"], "--port must be at most 65535, got 70000"),
        (["r", "--port"], "--port needs a value: write --port 7860"),
        (["r", "train.steps=3"], "iwm explore changes only launch, data, not 'train.steps'"),
        (["r", "checkpoint=step_9"], "has no checkpoint=step_9"),
    ],
)
def test_slips_get_a_line(kept, iwm, words, fix):
    kept(*WORLD)
    assert_one_line(iwm("explore", *words), fix)


def test_without_gradio_it_says_what_to_install(kept, iwm, monkeypatch):
    kept(*WORLD)
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    assert_one_line(iwm("explore", "r"), "pip install 'iwm-explore[page]'")


def test_a_run_is_explored_with_what_there_is(kept, monkeypatch, capsys):
    """No decoder, and data that are gone: both are told, and the page is served all the same."""
    kept(*WORLD)
    shown = []
    monkeypatch.setattr(commands, "find_spec", lambda name: True)
    monkeypatch.setattr(explore, "show", lambda *given: shown.append(given))
    assert dispatch(["explore", "r", "--port", "0", "launch.device=cpu"]) == 0
    made, head = shown[0][:2]
    assert [control.label for control in made.explorer.controls] == ["log2"]
    assert "evaluators=[imagination]" in capsys.readouterr().err
    assert "no imagined pictures" in Read(head).text.lower()
    chosen = made.from_data(0, 1)
    assert Read(made.see(chosen, [0.5])).images[:2] == ["Source", "Real"]
    assert len(made.thumbnails(1)) == made.data.count
    assert dispatch(["explore", "r", "--port", "0", "launch.device=cpu", "data=folder", "data.path=gone"]) == 0
    assert shown[1][0].data is None
    assert "cannot be read here" in capsys.readouterr().err
    with bound(0) as taken, pytest.raises(UserError, match="is busy"):
        dispatch(["explore", "r", "--port", str(taken.getsockname()[1])])


def test_what_is_no_trained_world_model_is_told(kept, iwm, monkeypatch):
    run = kept(*WORLD)
    model = iwm_core.load(run, device="cpu")
    assert not [text for text in explore.prepared(model, model.recipe)[2] if "trained" in text or "told" in text]
    model.step = 0  # as an imported encoder has it, beside a new predictor
    assert "not trained yet: what it imagines means nothing; train it: iwm resume r" in explore.prepared(model, model.recipe)[2][0]
    monkeypatch.setattr(commands, "find_spec", lambda name: True)
    monkeypatch.setattr(explore, "thaw", lambda config: object())
    assert_one_line(iwm("explore", "r", "--port", "0"), "r is tuned, and a world model is explored; name the run that it was tuned from")

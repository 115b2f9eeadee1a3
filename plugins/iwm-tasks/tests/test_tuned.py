"""What a tuned model answers from Python: known answers, images as evaluation sees them, the same to the bit after saving."""

import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from iwm_data.folder import Folder
from iwm_evals.measuring.squares import Squares
from iwm_tasks.tuning.tuned import Tuned
from PIL import Image
from tiny_tuned import COLOURS, CPU, GRID, SHARP, SIZE, Asked, lessons, tiny_model, tiny_tuned
from torch import nn

from iwm_core.data.reading import Reader
from iwm_core.model.frozen import fitting
from iwm_core.run.checkpoint import load_weights, save_checkpoint


def plain(*colours):
    """Images of one colour each."""
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, SIZE, SIZE).contiguous()


def test_answers_are_those_of_each_task():
    answers = tiny_tuned("colour", "shows", "amount").predict(plain((1.0, 0.5, 0.0), (0.0, 0.25, 0.75)))
    assert list(answers) == ["colour", "shows", "amount"]
    for row, colour in zip(range(2), ((1.0, 0.5, 0.0), (0.0, 0.25, 0.75)), strict=True):
        shares = [math.exp(SHARP * c) for c in colour]
        assert answers["colour"][row].tolist() == pytest.approx([s / sum(shares) for s in shares], rel=1e-4)
        assert answers["shows"][row].tolist() == pytest.approx([1 / (1 + math.exp(-SHARP * (c - 0.5))) for c in colour], rel=1e-4)
        assert answers["amount"][row].tolist() == pytest.approx(list(colour))


def test_a_dense_task_answers_for_each_pixel():
    images = plain((1.0, 0.0, 0.0))
    images[:, :, :, SIZE // 2 :] = torch.tensor([0.0, 0.0, 1.0])[:, None, None]
    answer = tiny_tuned("map").predict(images)["map"]
    assert answer.shape == (1, 3, SIZE, SIZE)
    assert torch.allclose(answer.sum(1), torch.ones(1, SIZE, SIZE))
    assert (answer[0].argmax(0) == torch.tensor([0] * (SIZE // 2) + [2] * (SIZE // 2))).all()


def test_it_says_what_it_is():
    tuned = tiny_tuned("colour", "map")
    assert tuned.outputs == {"colour": COLOURS, "map": COLOURS}
    assert list(tuned.tasks) == ["colour", "map"]
    assert tuned.tasks["map"].dense
    assert (tuned.image_size, tuned.device) == (SIZE, CPU)


def test_tokens_are_those_that_a_tasks_head_sees():
    images = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    patch = SIZE // GRID
    expected = torch.stack([images[:, :, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch].mean((2, 3))
                            for r in range(GRID) for c in range(GRID)], dim=1)  # fmt: skip
    tuned = tiny_tuned("colour", "amount", backbone=Asked(2))
    assert torch.allclose(tuned.tokens(images), expected, atol=1e-6)
    assert torch.allclose(tuned.tokens(images, task="colour"), expected, atol=1e-6)
    assert torch.allclose(tuned.tokens(images, task="amount"), expected + 1, atol=1e-6)
    assert torch.allclose(tuned.predict(images)["amount"], expected.mean(1) + 1, atol=1e-6), "each head has the tokens of its own task"
    with pytest.raises(ValueError, match=r"has no task 'colours'; it has: colour, amount"):
        tuned.tokens(images, task="colours")


@pytest.mark.parametrize("ask", ["predict", "tokens"])
def test_images_that_do_not_fit(ask):
    asked = getattr(tiny_tuned("colour"), ask)
    for shape in ((2, 3, SIZE, SIZE + 1), (2, 3, 8, 8)):
        with pytest.raises(ValueError, match=rf"takes images \[b, 3, {SIZE}, {SIZE}\] in \[0, 1\], got \[2, 3, {shape[2]}, {shape[3]}\]"):
            asked(torch.zeros(shape))


def test_images_that_are_not_in_0_to_1_by_their_type():
    with pytest.raises(ValueError, match=r"takes images .* in \[0, 1\], got uint8; divide by 255"):
        fitting(torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8), SIZE, CPU)


class Noisy(nn.Module):
    """A head that shows when it is in training mode or asked for gradients."""

    def __init__(self):
        super().__init__()
        self.linear, self.drop, self.norm = nn.Linear(3, 3), nn.Dropout(0.5), nn.BatchNorm1d(3)

    def forward(self, tokens):
        return self.norm(self.drop(self.linear(tokens.mean(1))))


def noisy(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = tiny_model("colour")
        model.heads["colour"] = Noisy()
    return model.train()


def test_it_is_frozen_and_in_evaluation_mode():
    images = torch.rand(4, 3, SIZE, SIZE)
    model = noisy(0)
    tuned = Tuned(model, lessons("colour"), SIZE, None, 0, CPU)
    before = [p.clone() for p in (*model.parameters(), *model.buffers())]
    first, again = tuned.predict(images)["colour"], tuned.predict(images)["colour"]
    assert torch.equal(first, again), "no dropout"
    assert not first.requires_grad
    assert not any(p.requires_grad for p in model.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, (*model.parameters(), *model.buffers()), strict=True)), "no running means"


def test_a_saved_model_answers_the_same_to_the_bit(tmp_path):
    images = torch.rand(5, 3, SIZE, SIZE)
    model, other = noisy(1), noisy(2)
    model(images, torch.zeros(5, dtype=torch.int64))  # moves the norm's running mean, which has to be kept too
    checkpoint = save_checkpoint(tmp_path, 3, model, torch.optim.AdamW(model.parameters()), {"steps": 3, "images": 8}, 1)
    expected = Tuned(model, lessons("colour"), SIZE, None, 3, CPU).predict(images)["colour"]
    assert not torch.allclose(Tuned(other, lessons("colour"), SIZE, None, 3, CPU).predict(images)["colour"], expected)
    load_weights(checkpoint, other)
    assert torch.equal(Tuned(other, lessons("colour"), SIZE, checkpoint, 3, CPU).predict(images)["colour"], expected)


def test_files_are_read_as_evaluation_reads_them(image_folder):
    images = Folder(path=str(image_folder)).open("validation")
    paths = sorted((image_folder / "validation").rglob("*.png"))
    batch, corrupt = Squares(Reader(images), SIZE)(torch.arange(len(images)))
    assert not corrupt
    read = tiny_tuned("colour").read(paths)
    assert read.shape == (16, 3, SIZE, SIZE)
    assert torch.equal(read, batch.images.float() / 255)
    assert tiny_tuned("colour").read([]).shape == (0, 3, SIZE, SIZE)


def test_what_is_read_is_the_upright_centre_square(tmp_path):
    pixels = np.zeros((2 * SIZE, SIZE, 3), np.uint8)
    pixels[: SIZE // 2], pixels[SIZE // 2 : SIZE + SIZE // 2] = (255, 0, 0), (0, 255, 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert torch.equal(tiny_tuned("colour").read([tmp_path / "turned.png"]), plain((0.0, 1.0, 0.0)))


def test_a_file_that_is_no_image(tmp_path):
    (tmp_path / "notes.jpg").write_text("words")
    with pytest.raises(ValueError, match=r"notes.jpg: not an image in a format that iwm reads"):
        tiny_tuned("colour").read([tmp_path / "notes.jpg"])
    with pytest.raises(ValueError, match=r"gone.jpg: cannot be read: No such file"):
        tiny_tuned("colour").read([tmp_path / "gone.jpg"])


@pytest.mark.parametrize("paths", ["x.jpg", b"x.jpg", Path("x.jpg"), 7, None, [7], [b"x.jpg"]])
def test_one_file_is_no_list_of_files(paths):
    with pytest.raises(ValueError, match=r"read takes files? .*|read takes a list of files, as in read\(\['cat\.jpg'\]\); got a "):
        inspect.unwrap(Tuned.read)(tiny_tuned("colour"), paths)


@pytest.mark.parametrize("wrong", [torch.Tensor.to_sparse, lambda x: x.to("meta"), lambda x: x * torch.nan, lambda x: None])
def test_what_is_no_tensor_of_images(wrong):
    for call in (Tuned.predict, Tuned.tokens):
        with pytest.raises(ValueError, match="this model takes images .*, got "):
            inspect.unwrap(call)(tiny_tuned("colour"), wrong(plain((1.0, 0.5, 0.0))))

"""The picture holds what it was given, at a size to be read, and tells right from wrong without colour."""

import resource
import signal

import numpy as np
import pytest
import torch
from iwm_report.gallery import cell, draw_gallery, font, wrapped, write_picture
from PIL import Image

from iwm_core.interfaces import Gallery, Row
from iwm_core.interfaces.errors import UserError

NUMBERS = ("jitter.brightness", "jitter.hue", "blur.undo")


def plain(red: float, green: float, blue: float, size: int = 24) -> torch.Tensor:
    return torch.tensor([red, green, blue])[:, None, None].expand(3, size, size)


def row(right: bool | None, action=(0.5, -0.25, 0.0)) -> Row:
    images = (plain(0.8, 0.4, 0.0), plain(0.0, 0.6, 0.2), plain(0.2, 0.2, 1.0))
    return Row(images, dict(zip(NUMBERS, action, strict=True)), "rank 1 of 64", right)


def draw(tmp_path, rows, title: str = "MRR 0.500") -> np.ndarray:
    headings = ("source", "true target", "nearest to prediction")
    gallery = Gallery("mrr", title, "64 images", headings, tuple(rows), "chance 0.074")
    write_picture(draw_gallery(gallery), tmp_path / "mrr.png")
    with Image.open(tmp_path / "mrr.png") as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_a_picture_that_cannot_be_written_leaves_the_one_before(tmp_path):
    path = tmp_path / "a.png"
    write_picture(Image.new("RGB", (64, 64)), path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(UserError, match=r"cannot write .*a\.png: File too large"):
            write_picture(Image.new("RGB", (64, 64), "red"), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"a.png": before}


def has_cell(page: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether the colour fills as much as one cell of 128 pixels, no more than two."""
    return 128**2 <= int((page == np.array(colour)).all(-1).sum()) < 2 * 200**2


def test_every_image_is_there_on_a_light_page_with_clean_margins(tmp_path):
    page = draw(tmp_path, [row(True)])
    assert all(has_cell(page, colour) for colour in ((204, 102, 0), (0, 153, 51), (51, 51, 255)))
    for edge in (page[:30], page[-30:], page[:, :30], page[:, -30:]):
        assert (edge == 255).all()


def test_a_row_is_added_for_each_question(tmp_path):
    heights = [draw(tmp_path, [row(True)] * count).shape[0] for count in (1, 2, 8)]
    assert heights[1] - heights[0] >= 128
    assert heights[2] - heights[0] == 7 * (heights[1] - heights[0])


def test_right_and_wrong_differ_in_grey(tmp_path):
    right, wrong = (draw(tmp_path, [row(right)]).mean(-1) < 200 for right in (True, False))
    assert (right != wrong).sum() > 500  # dashes and mark: shapes, not shades


@pytest.mark.parametrize(("first", "second"), [((0.5, 0.2, 0.0), (0.5, -0.2, 0.0)), ((0.5, 0.2, 0.0), (0.4, 0.2, 0.0))])
def test_numbers_of_the_action_show(first, second, tmp_path):
    assert (draw(tmp_path, [row(True, first)]) != draw(tmp_path, [row(True, second)])).any()


def test_numbers_that_are_zero_in_every_row_are_left_out(tmp_path):
    used = [draw(tmp_path, [row(True, action), row(True)]) for action in ((0.5, 0.0, 0.0), (0.5, 0.0, 0.7))]
    assert (used[0] != 255).sum() < (used[1] != 255).sum()
    assert (draw(tmp_path, [row(True, (0.0, 0.0, 0.0))]) != 255).any()


@pytest.mark.parametrize("change", [{"title": "brightness ×1.30\nimagined"}, {"captions": ("×0.40", "", "error 0.21")}])
def test_titles_and_captions_of_rows_are_there_and_in_the_images_way_nowhere(change, tmp_path):
    plain_page, page = draw(tmp_path, [row(None)]), draw(tmp_path, [row(None)._replace(**change)])
    assert (page != 255).any(-1).sum() > (plain_page != 255).any(-1).sum()
    for colour in ((204, 102, 0), (0, 153, 51), (51, 51, 255)):
        count = [(each == np.array(colour)).all(-1).sum() for each in (plain_page, page)]
        assert count[0] == count[1]


def test_small_images_keep_hard_edges():
    """Three pixels or 48: nothing lies between the two colours but where an edge meets the cell's own grid."""
    for size, between in ((3, 0), (48, 0), (5, 2 * 4)):
        image = torch.zeros(3, size, size)
        image[:, :, size // 2 :] = 1
        found = np.asarray(cell(image))[:, :, 0]
        assert found.shape == (192, 192)
        assert ((found > 0) & (found < 255)).sum(1).max() <= between
    assert np.asarray(cell(torch.rand(3, 300, 300))).shape == (192, 192, 3)


def test_texts_are_wrapped_to_their_width():
    lines = wrapped("one two three four five " * 20, 17, 300)
    assert " ".join(lines).split() == ("one two three four five " * 20).split()
    assert all(font(17).getlength(line) <= 300 for line in lines)
    assert wrapped("x" * 400, 17, 300) == ["x" * 400]
    for letter in "×−→°σ≤":
        assert bytes(font(20).getmask(letter)) != bytes(font(20).getmask("\uffff")), "the font has it"


def test_the_title_is_there(tmp_path):
    low, high = draw(tmp_path, [row(True)], "MRR 0.123"), draw(tmp_path, [row(True)], "MRR 0.987")
    assert (low[:132] != high[:132]).any()
    assert (low[132:] == high[132:]).all()

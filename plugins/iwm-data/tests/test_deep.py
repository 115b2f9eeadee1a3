"""Colours of 16 bits: files written here byte by byte, since Pillow writes none, are decoded as the numbers that were put into them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from iwm_data.decode import decode, is_wide
from iwm_data.folder import Folder
from PIL import Image

from iwm_core.interfaces import CorruptImage

SIZE = (5, 7)
RANDOM = np.random.default_rng(0)


def values(channels, most=65535):
    """Numbers of 16 bits with ``most`` among those of the first channel."""
    drawn = RANDOM.integers(0, most + 1, (*SIZE, channels)).astype(np.uint16)
    drawn[2, 3, 0] = most
    return drawn


def png(pixels, exif=b""):
    kind = {2: 4, 3: 2, 4: 6}[pixels.shape[2]]
    rows = b"".join(b"\x01" + filtered(row.astype(">u2").tobytes(), 2 * pixels.shape[2]) for row in pixels)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", SIZE[1], SIZE[0], 16, kind, 0, 0, 0)), (b"eXIf", exif), (b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in [*chunks, (b"IEND", b"")]
        if body or name == b"IEND"
    )


def filtered(row, step):
    """A row as differences from the pixel before, PNG's filter 1."""
    return bytes((value - before) % 256 for value, before in zip(row, bytes(step) + row, strict=False))


def tiff(pixels, order="<", compressed=False):
    """Baseline TIFF of one strip; compressed by Deflate, which Pillow leaves to libtiff."""
    body = pixels.astype(f"{order}u2").tobytes()
    body = zlib.compress(body) if compressed else body
    channels = pixels.shape[2]
    count, end = 10 + (channels == 4), 8 + 2 + 12 * (10 + (channels == 4)) + 4
    short, long = (lambda value: struct.pack(f"{order}HH", value, 0)), (lambda value: struct.pack(f"{order}I", value))
    tags = [
        *((256, 4, 1, long(SIZE[1])), (257, 4, 1, long(SIZE[0])), (258, 3, channels, long(end))),
        *((259, 3, 1, short(8 if compressed else 1)), (262, 3, 1, short(2)), (273, 4, 1, long(end + 8)), (277, 3, 1, short(channels))),
        *((278, 4, 1, long(SIZE[0])), (279, 4, 1, long(len(body))), (284, 3, 1, short(1))),
        *([(338, 3, 1, short(2))] if channels == 4 else []),
    ]
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, count)
    entries = b"".join(struct.pack(f"{order}HHI", *tag[:3]) + tag[3] for tag in tags)
    return head + entries + struct.pack(f"{order}I", 0) + struct.pack(f"{order}4H", *[16] * 4) + body


def ppm(pixels):
    return b"P6\n%d %d\n65535\n" % SIZE[::-1] + pixels.astype(">u2").tobytes()


WRITERS = {
    "png": (png, 3),
    "png with transparency": (png, 4),
    "png of grey with transparency": (png, 2),
    "tiff": (tiff, 3),
    "tiff, big end first": (lambda pixels: tiff(pixels, ">"), 3),
    "tiff with transparency": (tiff, 4),
    "compressed tiff": (lambda pixels: tiff(pixels, compressed=True), 3),
    "compressed tiff, big end first": (lambda pixels: tiff(pixels, ">", compressed=True), 3),
    "ppm": (ppm, 3),
}


def colours(pixels):
    """Red, green and blue, [3, h, w], as floats."""
    return np.stack([pixels[..., channel] for channel in ((0, 0, 0) if pixels.shape[2] == 2 else (0, 1, 2))]).astype(float)


@pytest.mark.parametrize("most", [255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("kind", WRITERS)
def test_colours_are_scaled_by_their_range_or_by_what_is_said(kind, most):
    write, channels = WRITERS[kind]
    pixels = values(channels, most)
    if channels in (2, 4):
        pixels[..., -1] = 65535  # transparency says nothing of white
    data = write(pixels)
    assert is_wide(data)
    assert decode(data).is_contiguous()
    assert np.array_equal(decode(data).numpy(), np.rint(colours(pixels) / most * 255))
    for white in most / 2, most * 2:
        assert np.array_equal(decode(data, white).numpy(), np.rint(np.clip(colours(pixels) / white, 0, 1) * 255))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_both_bytes_are_turned_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = values(3)
    eight = Image.fromarray((pixels >> 8).astype(np.uint8))  # turned by Pillow, as a reference
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    expected = np.asarray(eight if turn is None else eight.transpose(Image.Transpose(turn))).transpose(2, 0, 1)
    assert np.abs(decode(png(pixels, exif.tobytes()[6:]), 65535.0).numpy() - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_white_means_nothing_for_eight_bits(kind):
    file = io.BytesIO()
    pixels = RANDOM.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind)
    assert not is_wide(file.getvalue())
    assert np.array_equal(decode(file.getvalue(), 100.0).permute(1, 2, 0).numpy(), pixels)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_cut_file_is_corrupt(kind):
    write, channels = WRITERS[kind]
    with pytest.raises(CorruptImage):
        decode(write(values(channels))[:-60])


@pytest.mark.slow
def test_white_is_told_once_and_kept_for_colours(tmp_path, iwm, here):
    Path("in").mkdir()
    for number in range(16):
        Path(f"in/{number:02}.png").write_bytes(png(values(3, 4095)))
    words = ["train", "recipe=tiny", "data=folder", "data.path=in", "train.batch_size=4", "train.steps=3"]
    status, told = iwm(*words, "run=r")
    assert (status, len(told.splitlines())) == (0, 1)
    assert told.startswith("warning: images of more than 8 bits, such as ")
    assert "data.white=VALUE" in told
    assert iwm(*words, "data.white=4095", "run=s") == (0, "")
    assert Folder(path="in", holdout=0, white=4095.0).open("train").image(0).max() == 255

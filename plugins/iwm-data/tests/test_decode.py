import colorsys
import io
import random
import struct
import subprocess
import warnings
import zlib

import numpy as np
import pytest
from iwm_data.decode import FORMATS, decode, decode_file, is_wide
from iwm_data.folder import Folder
from PIL import Image

from iwm_core.interfaces import CorruptImage

COLOURS = np.array(
    [[[255, 0, 0], [0, 128, 255]], [[10, 20, 30], [255, 255, 255]], [[0, 0, 0], [90, 200, 40]]], dtype=np.uint8
)  # 3 high, 2 wide
GREYS = np.array([[0, 1, 127], [128, 254, 255]], dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def hwc(data: bytes | Image.Image) -> np.ndarray:
    """The decoded image as int [h, w, 3], after checks that hold for every image."""
    tensor = decode(data)
    assert tensor.is_contiguous() or tensor.permute(1, 2, 0).is_contiguous()
    tensor += 0  # memory of its own, which may be written to
    return tensor.permute(1, 2, 0).numpy().astype(int)


def photo(width: int = 160, height: int = 120) -> Image.Image:
    """Smooth colours, as compression likes them."""
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("PPM", {})])
def test_lossless_colours_are_exact(kind, options):
    assert np.array_equal(hwc(encoded(Image.fromarray(COLOURS), kind, **options)), COLOURS)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_grey_becomes_three_equal_channels(kind):
    assert np.array_equal(hwc(encoded(Image.fromarray(GREYS), kind)), np.stack([GREYS] * 3, axis=-1))


def test_black_and_white():
    bits = np.array([[True, False, True]])
    assert np.array_equal(hwc(encoded(Image.fromarray(bits), "PNG")), np.stack([bits * 255] * 3, axis=-1))


def test_jpeg_keeps_colours_and_grey():
    even = np.full((16, 16, 3), (200, 100, 50), dtype=np.uint8)
    assert np.abs(hwc(encoded(Image.fromarray(even), "JPEG", quality=95)) - even).max() <= 2
    assert np.abs(hwc(encoded(Image.fromarray(even[..., 0]), "JPEG", quality=95)) - 200).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_dropped_and_stored_colours_stay(kind):
    alpha = np.array([[0, 128], [255, 7], [0, 255]], dtype=np.uint8)
    image = Image.fromarray(np.dstack([COLOURS, alpha]))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert np.array_equal(hwc(encoded(image, kind, **options)), COLOURS)


def test_grey_with_transparency():
    image = Image.fromarray(np.dstack([GREYS, GREYS[::-1]]))
    assert image.mode == "LA"
    assert np.array_equal(hwc(encoded(image, "PNG")), np.stack([GREYS] * 3, axis=-1))


PALETTE = [255, 0, 0, 0, 128, 255, 10, 20, 30]
PLACES = np.array([[0, 1, 2], [2, 2, 0]], dtype=np.uint8)


@pytest.mark.parametrize("options", [{}, {"transparency": 1}, {"transparency": b"\x00\x80\xff"}], ids=["opaque", "one colour", "bytes"])
def test_palette(options):
    image = Image.fromarray(PLACES, "L")
    image.putpalette(PALETTE)
    data = encoded(image, "PNG", **options)
    if isinstance(options.get("transparency"), bytes):
        with pytest.warns(UserWarning, match="Palette images with Transparency"):
            Image.open(io.BytesIO(data)).convert("RGB")
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        pixels = hwc(data)
    assert not shown
    assert np.array_equal(pixels, np.array(PALETTE).reshape(3, 3)[PLACES])


@pytest.mark.parametrize("kind", ["EPS", "ICO", "TGA", "PCX"])
def test_no_other_reader_of_pillows_meets_foreign_bytes(kind, monkeypatch, tmp_path):
    """Of EPS it would run Ghostscript, whatever the file is called."""
    data = encoded(Image.new("RGB", (32, 32), (255, 0, 0)), kind)
    assert Image.open(io.BytesIO(data)).format == kind
    monkeypatch.setattr(subprocess, "Popen", lambda *command, **options: pytest.fail(f"{command} is run"))
    (tmp_path / "a.png").write_bytes(data)
    for read in (lambda: decode(data), lambda: decode_file(str(tmp_path / "a.png"))):
        with pytest.raises(CorruptImage, match="not an image in a format that iwm reads"):
            read()
    assert not is_wide(data)


def test_every_format_is_read_whose_extension_is_taken():
    own = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "ppm": "PPM", "pgm": "PPM"}
    assert {own.get(name, name.upper()) for name in Folder(path="x").extensions} == set(FORMATS)


def test_animation_gives_its_first_frame():
    first, second = (Image.new("RGB", (4, 3), colour) for colour in ((255, 0, 0), (0, 0, 255)))
    assert np.array_equal(hwc(encoded(first, "GIF", save_all=True, append_images=[second])), np.broadcast_to([255, 0, 0], (3, 4, 3)))


def test_cmyk():
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0]], [[0, 128, 255, 0], [40, 0, 0, 100]]], dtype=np.uint8)
    expected = (255.0 - inks[..., :3]) * (255.0 - inks[..., 3:]) / 255
    assert np.abs(hwc(encoded(Image.fromarray(inks, "CMYK"), "TIFF")) - expected).max() <= 1


def test_ycbcr():
    image = Image.fromarray(np.array([[[128, 128, 128], [76, 85, 255]], [[150, 44, 21], [29, 255, 107]]], dtype=np.uint8), "YCbCr")
    assert np.abs(hwc(image) - [[[128, 128, 128], [254, 0, 0]], [[0, 255, 1], [0, 0, 254]]]).max() <= 2  # JFIF: red, green, blue


def test_hsv():
    hsv = np.array([[[0, 255, 255], [85, 255, 255], [140, 100, 200], [0, 0, 99]]], dtype=np.uint8)
    expected = [[[255 * channel for channel in colorsys.hsv_to_rgb(*(pixel / 255))] for pixel in row] for row in hsv]
    assert np.abs(hwc(Image.fromarray(hsv, "HSV")) - np.array(expected)).max() <= 3


def test_lab():
    # L 0..255 is lightness 0..100, a and b are signed bytes: white, black, the grey and the red of sRGB (red: 54.3, 80.8, 69.9 under D50).
    lab = np.array([[[255, 0, 0], [0, 0, 0], [137, 0, 0], [138, 81, 70]]], dtype=np.int16).astype(np.uint8)
    expected = [[[255, 255, 255], [0, 0, 0], [128, 128, 128], [255, 0, 0]]]
    assert np.abs(hwc(encoded(Image.fromarray(lab, "LAB"), "TIFF")) - expected).max() <= 6  # a step of 1 in L, a or b is up to 4 here


WIDE = np.array([[0, 257, 128 * 257, 65535], [128, 129, 300, 65400]], dtype=np.uint16)
NARROW = np.array([[0, 1, 128, 255], [0, 1, 1, 254]])  # WIDE / 257, rounded


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled(kind):
    pgm = b"P5 4 2 65535\n" + WIDE.astype(">u2").tobytes()  # Pillow reads what it cannot write before 11.1
    data = pgm if kind == "PPM" else encoded(Image.fromarray(WIDE), kind)
    assert np.array_equal(hwc(data), np.stack([NARROW] * 3, axis=-1))


def test_other_wide_greys_are_scaled():
    big = Image.frombytes("I;16B", (4, 2), WIDE.astype(">u2").tobytes())
    whole = encoded(Image.fromarray(WIDE.astype(np.int32)), "TIFF")
    unit = encoded(Image.fromarray((WIDE / 65535).astype(np.float32)), "TIFF")
    bytes_as_floats = encoded(Image.fromarray(NARROW.astype(np.float32)), "TIFF")
    for data in big, whole, unit, bytes_as_floats:
        assert np.array_equal(hwc(data), np.stack([NARROW] * 3, axis=-1))


@pytest.mark.parametrize("value", [-1.0, 80000.0, np.nan, np.inf])
def test_floats_without_a_known_white_are_corrupt(value):
    with pytest.raises(CorruptImage, match="grey values outside 0 to"):
        decode(encoded(Image.fromarray(np.array([[0.5, value]], dtype=np.float32)), "TIFF"))


@pytest.mark.parametrize("end", [1, 255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("over", [0, 0.01, 0.09])
def test_floats_may_overshoot_their_range(end, over):
    values = np.array([[-over * end, 0, end / 5, end, end * (1 + over)]], dtype=np.float32)
    assert decode(encoded(Image.fromarray(values), "TIFF"))[0, 0].tolist() == [0, 0, 51, 255, 255]


@pytest.mark.parametrize("most", [1.2, 2.0, 15.9])
def test_floats_of_an_unclear_range_are_not_guessed(most):
    data = encoded(Image.fromarray(np.array([[0, most]], dtype=np.float32)), "TIFF")
    with pytest.raises(CorruptImage, match="white may be 1 or 255: say which with data.white=VALUE"):
        decode(data)
    assert decode(data, most)[0, 0].tolist() == [0, 255]


@pytest.mark.parametrize("value", [-1, 65536])
def test_whole_numbers_without_a_known_white_are_corrupt(value):
    with pytest.raises(CorruptImage, match="grey values outside 0 to 65535"):
        decode(encoded(Image.fromarray(np.array([[7, value]], dtype=np.int32)), "TIFF"))


# What a camera stores for an upright picture, by the EXIF standard's words: "6: row 0 is the right side, column 0 the top".
STORED = {
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.swapaxes(0, 1),
    6: lambda u: u.swapaxes(0, 1)[::-1],
    7: lambda u: u.swapaxes(0, 1)[::-1, ::-1],
    8: lambda u: u.swapaxes(0, 1)[:, ::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_exif_orientation(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](COLOURS)))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(hwc(encoded(stored, kind, exif=exif, **options)), COLOURS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_of_a_jpeg_and_of_wide_grey(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.asarray(photo(48, 32))
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    assert np.abs(hwc(encoded(stored, "JPEG", quality=100, subsampling=0, exif=exif)) - upright).max() <= 6
    wide = Image.fromarray(np.ascontiguousarray(STORED[orientation](WIDE)))
    assert np.array_equal(hwc(encoded(wide, "PNG", exif=exif)), np.stack([NARROW] * 3, axis=-1))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0nonsense", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12"], ids=["empty", "nonsense", "cut"]
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_does_not_make_an_image_corrupt(kind, exif):
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "PNG": {}, "WEBP": {"lossless": True}}[kind]
    pixels = hwc(encoded(photo(48, 32), kind, exif=exif, **options))
    assert np.abs(pixels - np.asarray(photo(48, 32))).max() <= (6 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 1000])
def test_orientations_that_do_not_exist_turn_nothing(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(hwc(encoded(Image.fromarray(COLOURS), "PNG", exif=exif)), COLOURS)


def test_a_pillow_image_is_left_as_it_is():
    image = Image.fromarray(PLACES, "L")
    image.putpalette(PALETTE)
    image.info["transparency"] = b"\x00\x80\xff"
    tensor = decode(image)
    tensor.zero_()
    assert image.mode == "P"
    assert image.info["transparency"] == b"\x00\x80\xff"
    assert np.array_equal(np.asarray(image), PLACES)
    colours = Image.fromarray(COLOURS)
    decode(colours).zero_()
    assert np.array_equal(np.asarray(colours), COLOURS)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.98])
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "GIF", "BMP", "WEBP"])
def test_truncated_files_are_corrupt(kind, share):
    data = encoded(photo(), "JPEG", progressive=True) if kind == "progressive" else encoded(photo(), kind)
    with pytest.raises(CorruptImage, match=r"\w+ \w+"):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"hello, I am text", "not an image"),
        (bytes(5000), "not an image"),
        (b"P6\n4\xf4 3\n255\n" + bytes(36), "cannot be decoded: invalid literal"),  # Pillow raises ValueError
    ],
)
def test_other_content_is_corrupt(data, words):
    with pytest.raises(CorruptImage, match=words):
        decode(data)


def test_any_damage_is_corrupt_or_survived():
    chance = random.Random(0)
    whole = [encoded(photo(40, 30), kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP")]
    survived, reasons = 0, []
    for _ in range(500):
        data = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 12)):
            data[chance.randrange(min(len(data), chance.choice([40, 400, 4000])))] = chance.randrange(256)
        try:
            survived += decode(bytes(data)).shape[0] == 3
        except CorruptImage as error:
            reasons.append(str(error))
    assert survived > 50
    assert len(reasons) > 50
    assert not [reason for reason in reasons if "\n" in reason]


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)


@pytest.mark.parametrize("side", [10_001, 12_000, 50_000, 2_000_000_000])
def test_huge_images_are_refused_before_they_are_decoded(side):
    with pytest.raises(CorruptImage, match="larger than 100 megapixels"):
        decode(png_that_claims(side, side))


def test_files(tmp_path):
    (tmp_path / "ü.png").write_bytes(encoded(Image.fromarray(COLOURS), "PNG"))
    assert np.array_equal(decode_file(str(tmp_path / "ü.png")).permute(1, 2, 0).numpy(), COLOURS)
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(CorruptImage, match="not an image"):
        decode_file(str(tmp_path / "text.jpg"))
    with pytest.raises(CorruptImage, match="cannot be read: No such file"):
        decode_file(str(tmp_path / "gone.jpg"))

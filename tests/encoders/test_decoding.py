"""Pictures become squares of pixels; what cannot be decoded becomes nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tessera.encoders.decoding import decode
from tessera.encoders.pixels import PixelEncoder
from tests.tessera.conftest import png


def encoded(form: str, mode: str, size: tuple[int, int]) -> bytes:
    image = Image.linear_gradient("L").rotate(90).resize(size)
    file = io.BytesIO()
    image.convert(mode).save(file, form)
    return file.getvalue()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("form", "mode"),
    [
        *[("JPEG", mode) for mode in ("L", "RGB", "CMYK")],
        *[("PNG", mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "P")],
        ("TIFF", "I;16"), ("GIF", "P"), ("BMP", "RGB"), ("WEBP", "RGBA"),
    ],
)  # fmt: skip
@given(width=st.integers(1, 90), height=st.integers(1, 90))
def test_whatever_pillow_reads_becomes_a_square(
    form: str, mode: str, width: int, height: int
) -> None:
    picture = decode(encoded(form, mode, (width, height)), 24)
    assert picture is not None
    assert picture.shape == (24, 24, 3)


@given(st.binary(max_size=200), st.integers(0, 80))
def test_what_is_damaged_is_nothing_and_no_error(noise: bytes, place: int) -> None:
    content = png(5, 4)
    picture = decode(content[:place] + noise + content[place + len(noise) :], 8)
    assert picture is None or picture.shape == (8, 8, 3)
    assert decode(noise, 8) is None


def test_a_picture_stands_upright() -> None:
    image = Image.new("L", (40, 20))
    image.paste(255, (0, 0, 40, 10))  # light above
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif)
    picture = decode(file.getvalue(), 16)
    assert picture is not None
    assert picture[:4].mean() < 20 < 230 < picture[-4:].mean()


def test_pixels_keep_light_and_dark_apart_and_a_black_picture_is_one() -> None:
    pictures = [decode(png(9, 9, gray), 64) for gray in (0, 128, 255)]
    rows = PixelEncoder().encode([picture for picture in pictures if picture is not None])
    assert rows.shape == (3, 64)
    assert np.allclose(rows.mean(axis=1), [1 / 256, 129 / 256, 1], atol=1e-3)


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    # a JPEG is decoded at the size that is needed, however large it is
    large = (400, 300)
    assert decode(encoded("PNG", "RGB", large), 24, most_pixels=100_000) is None
    assert decode(encoded("JPEG", "RGB", large), 24, most_pixels=100_000) is not None

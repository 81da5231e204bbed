"""A sample of pictures tells the tiles' shape, and no picture stops a run."""

from __future__ import annotations

import io
import json
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tessera.tiling.grouping.picture_shape import SAMPLE, picture_size, sample_shape
from tessera.tiling.settings import read_settings

SETTINGS = read_settings(b'{"labels": ["a", "b"]}')
sides = st.integers(1, 400)


def saved(kind: str, width: int, height: int, **options: object) -> bytes:
    """A picture of this type and size, as Pillow writes it."""
    content = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(content, kind, **options)
    return content.getvalue()


@given(
    st.sampled_from([
        ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}), ("BMP", {}),
        ("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", {"exif": b"Exif\0\0"}),
    ]),
    sides, sides,
)  # fmt: skip
def test_the_size_is_read_from_the_first_bytes_of_every_type(
    kind: tuple[str, dict[str, object]], width: int, height: int
) -> None:
    assert picture_size(saved(kind[0], width, height, **kind[1])) == (width, height)


@given(st.integers(0, 9), sides, sides, st.sampled_from(["<", ">"]))
def test_a_photograph_on_its_side_counts_as_it_is_shown(
    orientation: int, width: int, height: int, order: str
) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x0112] = orientation
    content = saved("JPEG", width, height, exif=exif.tobytes())
    with Image.open(io.BytesIO(content)) as image:
        assert picture_size(content) == ImageOps.exif_transpose(image).size


@given(st.binary() | st.builds(lambda head, rest: head + rest, st.sampled_from([
    b"\xff\xd8", b"\xff\xd8\xff\xe1\0\x20Exif\0\0II*\0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM",
    b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WEBPVP8L", b"RIFF\0\0\0\0WEBPVP8X",
]), st.binary()))  # fmt: skip
def test_no_bytes_make_the_reading_fail(content: bytes) -> None:
    size = picture_size(content)
    assert size is None or min(size) > 0


@given(st.data())
def test_a_picture_that_was_cut_off_has_its_size_or_none(data: st.DataObject) -> None:
    content = saved(data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"])), 30, 20)
    cut = content[: data.draw(st.integers(0, len(content)))]
    assert picture_size(cut) in {(30, 20), None}


def manifest(count: int) -> bytes:
    return b"".join(
        json.dumps({"source-ref": f"s3://pets/{number}"}).encode() + b"\n"
        for number in range(count)
    )


@settings(deadline=None)
@given(st.lists(st.none() | st.tuples(sides, sides), max_size=SAMPLE))
def test_the_shape_is_the_median_of_the_pictures_that_can_be_read(
    sizes: list[tuple[int, int] | None],
) -> None:
    def read_range(uri: str, start: int, end: int) -> bytes:
        size = sizes[int(uri.removeprefix("s3://pets/"))]
        if size is None:
            raise PermissionError(uri)
        return saved("PNG", *size)[start:end]

    shapes = [width / height for width, height in filter(None, sizes)]
    expected = pytest.approx(median(shapes), abs=0.001) if shapes else None
    assert sample_shape([manifest(len(sizes))], SETTINGS, read_range) == expected


def test_only_a_sample_is_read_and_all_over_the_first_lines() -> None:
    read: list[int] = []

    def read_range(uri: str, start: int, end: int) -> bytes:
        read.append(int(uri.removeprefix("s3://pets/")))
        return b""

    assert sample_shape([manifest(5000)], SETTINGS, read_range) is None
    assert len(read) == len(set(read)) == SAMPLE
    assert max(read) > 900

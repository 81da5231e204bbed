"""Manifests that nobody should send: each line gets a reason, none a traceback or a hang."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import ManifestUnreadable, NoUsableLine, TesseraError
from tessera.tiling.grouping.first_round import group_manifest
from tessera.tiling.manifest.lines import (
    MAX_LINE_BYTES,
    Rejected,
    read_manifest,
)
from tessera.tiling.manifest.stream import BLOCK_BYTES, line_blocks, manifest_lines
from tests.tiling.folder import Folder, grouped, manifest, settings

GOOD = manifest(20)
DEEP = b'{"source-ref": "s3://pets/1", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "the line is empty"),
        (b"  \t", "the line is empty"),
        (b"oops", "not JSON: "),
        (b'{"source-ref": "s3://pets/1"', "not JSON: "),
        (b'{"source-ref": "s3://pets/1"} x', "not JSON: "),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"s3://pets/1"', "not a JSON object"),
        (b"{}", "no source-ref"),
        (b'{"source": "s3://pets/1"}', "no source-ref"),
        (b'{"source-ref": null}', "source-ref: expected `str`, got `null`"),
        (b'{"source-ref": "pets/1.jpg"}', "source-ref: not an S3 URI such as s3://bucket/key"),
        (b'{"source-ref": "https://pets/1"}', "source-ref: not an S3 URI"),
        (b'{"source-ref": "s3://pets"}', "source-ref: not an S3 URI"),
        (b'{"source-ref": "s3://%b/1"}' % (b"p" * 256), "source-ref: the bucket's name is longer"),
        (b'{"source-ref": "s3://p/%b"}' % (b"k" * 1025), "source-ref: the key is longer than 1024"),
        (b'{"source-ref": "s3://pets/1", "label": null}', "label: null is no label"),
        (b'{"source-ref": "s3://pets/1", "prelabel": "cow"}', "prelabel: 'cow' is none of the"),
        (b'{"source-ref": "s3://pets/1", "gold": "cow"}', "gold: 'cow' is none of the labels"),
        (b'{"source-ref": "s3://pets/1", "gold": 1}', "gold: expected `str | null`, got `int`"),
        (
            b'{"source-ref": "s3://pets/1", "prelabel-confidence": 2}',
            "prelabel-confidence: expected `float` <= 1.0",
        ),
        (b'{"source-ref": "s3://pets/\0"}', "holds a NUL"),
        (b'{"source-ref": "s3://pets/\\ud800"}', "not JSON: "),
        (b'{"source-ref": "s3://pets/1", "x": "\\udfff"}', "not JSON: "),
        (b'{"source-ref": "s3://pets/1", "x": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"source-ref": "s3://pets/1", "x": "\xff"}', "not UTF-8"),
        (DEEP, "nested too deep"),
        (b'{"x": "' + b"y" * 100_000 + b'"}', "longer than 100,000 characters"),
        (b"\xff" * 500_000, "longer than 100,000 characters"),
        (b'{"source-ref": "s3://pets/1", "x": NaN}', "not JSON: "),
        (b'{"source-ref": "s3://pets/1"}{"source-ref": "s3://pets/2"}', "not JSON: "),
    ],
)
def test_a_bad_line_among_good_ones_has_its_reason(line: bytes, reason: str) -> None:
    summary, folder = grouped(GOOD + line + b"\n" + GOOD, settings(repeats="each"))
    assert (summary.lines, summary.images, summary.rejected) == (41, 40, 1)
    (bad,) = folder.rejected()
    assert bad["line"] == 21
    assert bad["reason"].startswith(reason)
    assert len(bad["content"]) <= 4_004


def test_a_line_of_a_hundred_megabytes_is_one_bad_line_in_bounded_memory() -> None:
    def pieces() -> Iterator[bytes]:
        yield GOOD + b'{"source-ref": "s3://pets/'
        for _ in range(100):
            yield b"x" * 1024 * 1024
        yield b'"}\n' + GOOD

    assert max(map(len, line_blocks(pieces()))) <= MAX_LINE_BYTES + BLOCK_BYTES + 2
    folder = Folder()
    group_manifest(pieces, settings(repeats="each"), folder.create, io.BytesIO)
    (bad,) = folder.rejected()
    assert (bad["line"], bad["reason"]) == (21, "longer than 100,000 characters")
    assert sorted(i for task in folder.dealt() for i in task) == [*range(20), *range(21, 41)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_manifest_in_another_encoding_is_refused_with_the_reason(encoding: str) -> None:
    with pytest.raises(NoUsableLine, match=r"UTF-16|not UTF-8|NUL"):
        grouped(GOOD.decode().encode(encoding), settings())


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace(b"\n", b"\r\n"),
        GOOD[:-1],
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b": ", b":"),
        GOOD.replace(b'"}', b'" }'),
        GOOD.replace(b"}", b', "id": 7}'),
        gzip.compress(GOOD),
        gzip.compress(GOOD[:300]) + gzip.compress(GOOD[300:]),
        gzip.compress(GOOD) + b"\0" * 512,
    ],
    ids=["crlf", "no-end", "bom", "compact", "spaced", "keys", "gzip", "members", "padded"],
)
@pytest.mark.parametrize("piece", [1, 10, 1 << 20])
def test_what_is_only_spelled_differently_is_the_same_manifest(text: bytes, piece: int) -> None:
    assert grouped(text, settings(), piece)[1].files == grouped(GOOD, settings())[1].files


@pytest.mark.parametrize("end", [1, 10, 30, -9, -1])
def test_a_gzip_that_ends_early_is_unreadable_as_a_whole(end: int) -> None:
    packed = gzip.compress(manifest(5000))[:end]
    if end == 1:  # not even gzip yet
        with pytest.raises(NoUsableLine):
            grouped(packed, settings())
        return
    with pytest.raises(ManifestUnreadable, match="ends early"):
        grouped(packed, settings())


def test_damaged_gzip_is_unreadable_as_a_whole() -> None:
    packed = bytearray(gzip.compress(manifest(5000)))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(ManifestUnreadable):
        grouped(bytes(packed), settings())


def test_gzip_that_unpacks_to_far_more_is_unpacked_piece_by_piece() -> None:
    pack = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(pack.compress(b"x" * 1024 * 1024) for _ in range(200)), pack.flush()])
    assert len(packed) < 300_000
    assert max(map(len, line_blocks([packed]))) <= MAX_LINE_BYTES + BLOCK_BYTES + 2


@given(text=st.binary(max_size=400), piece=st.integers(1, 50))
def test_any_bytes_end_well_or_under_a_name(text: bytes, piece: int) -> None:
    folder = Folder()
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    with suppress(TesseraError):
        group_manifest(lambda: pieces, settings(), folder.create, io.BytesIO)


@given(text=st.binary(max_size=400), piece=st.integers(1, 50))
def test_lines_are_the_physical_lines(text: bytes, piece: int) -> None:
    if text.startswith(b"\x1f\x8b"):
        return
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    expected = text.removesuffix(b"\n").split(b"\n") if text else []
    assert list(manifest_lines(pieces)) == expected


def test_a_reader_of_whole_lines_sees_the_long_one_as_the_grouping_does() -> None:
    (line,) = read_manifest([b"x" * 1_000_000], settings())
    assert line == Rejected(0, "longer than 100,000 characters", "x" * 1000 + "…")

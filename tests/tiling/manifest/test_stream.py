"""The manifest as a stream: whole lines in bounded memory, whatever comes, plain or gzip."""

import gzip
import io
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import ManifestUnreadable, NoUsableLine
from tessera.tiling.grouping.first_round import group_manifest
from tessera.tiling.manifest.lines import MAX_LINE_BYTES
from tessera.tiling.manifest.stream import BLOCK_BYTES, line_blocks, manifest_lines
from tests.tiling.folder import Folder, grouped, manifest, settings

GOOD = manifest(20)


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
    assert sorted(i for task in folder.indexes() for i in task) == [*range(20), *range(21, 41)]


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


@pytest.mark.thorough
def test_gzip_that_unpacks_to_far_more_is_unpacked_piece_by_piece() -> None:
    pack = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(pack.compress(b"x" * 1024 * 1024) for _ in range(200)), pack.flush()])
    assert len(packed) < 300_000
    assert max(map(len, line_blocks([packed]))) <= MAX_LINE_BYTES + BLOCK_BYTES + 2


@given(text=st.binary(max_size=400), piece=st.integers(1, 50))
def test_lines_are_the_physical_lines(text: bytes, piece: int) -> None:
    if text.startswith(b"\x1f\x8b"):
        return
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    expected = text.removesuffix(b"\n").split(b"\n") if text else []
    assert list(manifest_lines(pieces)) == expected

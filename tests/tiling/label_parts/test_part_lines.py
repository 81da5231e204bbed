"""The lines of a part are those that the whole manifest has there, packed or not."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.label_parts.part_lines import part_lines
from tessera.tiling.manifest.stream import line_blocks

LINES = st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")), max_size=40)


def in_chunks(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@given(LINES, st.lists(st.integers(0, 40), max_size=4), st.integers(1, 30), st.booleans())
def test_parts_one_after_the_other_are_the_manifest(
    lines: list[bytes], cuts: list[int], size: int, packed: bool
) -> None:
    lines = [b"first", *lines]  # a manifest that begins like gzip is taken for it
    content = b"".join(line + b"\n" for line in lines)
    stored = gzip.compress(content) if packed else content
    ends = [*sorted(min(cut, len(lines)) for cut in cuts), None]
    start, parts = 0, []
    for end in ends:
        parts.append(b"".join(part_lines(in_chunks(stored, size), start, end)))
        start = start if end is None else end

    read = [line for part in parts for line in part.split(b"\n")[:-1]]

    marks = (b"?\xef\xbb\xbf", b"?\x1f\x8b")  # a bad line, that must not be taken for a beginning
    assert [line[1:] if line.startswith(marks) else line for line in read] == [
        line[1:] if line.startswith(marks) else line for line in lines
    ]


@given(st.sampled_from([b"\xef\xbb\xbf{}", b"\x1f\x8b"]))
def test_a_part_does_not_begin_like_a_manifest(line: bytes) -> None:
    manifest = b"{}\n" + line + b"\n"
    part = b"".join(part_lines([manifest], 1, None))
    assert list(line_blocks([part])) == [b"?" + line + b"\n"]
    assert b"".join(part_lines([line[2:] + b"\n" + manifest], 0, 1)) == line[2:] + b"\n"

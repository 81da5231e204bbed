"""Blocks of lines: three ways of reading them, one result."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera.tiling.manifest.blocks import BlockParser
from tessera.tiling.manifest.items import batch_of_images, encode_item
from tessera.tiling.manifest.lines import Image, Labeled, Rejected, read_manifest
from tessera.tiling.manifest.stream import GZIP_MAGIC, line_blocks, manifest_lines
from tessera.tiling.settings import Settings
from tests.tiling.folder import grouped, manifest, settings
from tests.tiling.manifests import CHOSEN, MANIFESTS, physical_lines

GOOD = manifest(20)


@given(text=MANIFESTS, chosen=CHOSEN, gold=st.sets(st.integers(0, 60)), size=st.integers(1, 4000))
def test_a_block_is_read_as_its_lines_are_one_by_one(
    text: bytes, chosen: Settings, gold: set[int], size: int
) -> None:
    assume(not text.startswith(GZIP_MAGIC))
    lines = list(read_manifest(manifest_lines([text]), chosen))
    gold = {line.index for line in lines if isinstance(line, Image) and line.gold} & gold
    rejected: list[Rejected] = []
    parser = BlockParser(chosen, frozenset(gold), rejected.append)
    numbers = {name: number for number, name in enumerate(chosen.choices)}
    for block in line_blocks([text], size):
        start = parser.counts.lines
        batch = parser.parse(block)
        images = [
            line
            for line in lines[start : parser.counts.lines]
            if isinstance(line, Image) and line.index not in gold
        ]
        expected = batch_of_images(
            images, parser.template, numbers, with_fingerprints=chosen.repeats == "once"
        )
        assert batch.text == expected.text
        for column in ("line_starts", "characters", "indexes", "prelabels", "confidences"):
            values, others = getattr(batch, column), getattr(expected, column)
            assert (values is None) == (others is None)
            assert values is None or values.tolist() == others.tolist()
        assert (batch.fingerprints is None) == (expected.fingerprints is None)
        if batch.fingerprints and expected.fingerprints:
            assert batch.fingerprints.hashes.tolist() == expected.fingerprints.hashes.tolist()
            assert batch.fingerprints.checks.tolist() == expected.fingerprints.checks.tolist()
    assert rejected == [line for line in lines if isinstance(line, Rejected)]
    counts = parser.counts
    assert (counts.lines, counts.rejected, counts.gold) == (len(lines), len(rejected), len(gold))
    assert counts.labeled == sum(isinstance(line, Labeled) for line in lines)


KEYS = st.sampled_from(
    [b'"id": 7', b'"id": "x"', b'"id": {"a": [1]}', b'"prelabel": "cat"', b'"prelabel": "dog"',
     b'"prelabel": null', b'"prelabel-confidence": 0.5', b'"prelabel-confidence": 1',
     b'"prelabel-confidence": 2', b'"gold": "cat"', b'"label": 0',
     b'"\\u0067old": "cat"', b'"\x80": 1']
)  # fmt: skip
SHAPES = st.lists(KEYS, max_size=3)


@given(
    shape=SHAPES,
    others=st.dictionaries(st.integers(0, 9), SHAPES, max_size=2),
    sources=st.lists(st.sampled_from([b"s3://pets/%d.jpg", b"s3://pets/\\u00e9%d", b"s3://a/%d"])),
)
def test_lines_of_one_shape_and_a_few_of_others_are_read_as_one_by_one(
    shape: list[bytes], others: dict[int, list[bytes]], sources: list[bytes]
) -> None:
    lines = []
    for number, source in enumerate([b"s3://pets/%d.jpg", *sources]):
        members = [b'"source-ref": "%s"' % (source % number), *others.get(number, shape)]
        lines.append(b"{" + b", ".join(members) + b"}\n")
    text, chosen = b"".join(lines), settings()
    numbers = {name: number for number, name in enumerate(chosen.choices)}
    images = [
        line for line in read_manifest(manifest_lines([text]), chosen) if isinstance(line, Image)
    ]
    parser = BlockParser(chosen, frozenset(), lambda _: None)
    batch = parser.parse(text)
    expected = batch_of_images(images, parser.template, numbers, with_fingerprints=True)

    assert batch.text == expected.text
    for column in ("line_starts", "characters", "indexes", "prelabels", "confidences"):
        values, wanted = getattr(batch, column), getattr(expected, column)
        assert (values is None) == (wanted is None)
        assert values is None or values.tolist() == wanted.tolist()


@pytest.mark.parametrize(
    "block",
    [
        GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b": ", b":"),
        GOOD.replace(b'{"', b'{ "').replace(b'"}', b'" }'),
        GOOD.replace(b"pets/1", b"zoo/1"),
        GOOD.replace(b"1", "猫🐈".encode()),
    ],
    ids=["plain", "crlf", "compact", "spaced", "two-buckets", "utf-8"],
)
def test_lines_that_differ_only_in_their_sources_are_taken_as_they_stand(block: bytes) -> None:
    """The text itself goes on, which is what makes it fast: a copy would have been decoded."""
    batch = BlockParser(settings(), frozenset(), print).parse(block)
    assert batch.text is block
    images = list(read_manifest(physical_lines(block), settings()))
    assert all(isinstance(image, Image) for image in images)
    assert batch.characters.tolist() == [
        encode_item(image)[1] for image in images if isinstance(image, Image)
    ]


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

"""Batches: cut where a shard is full, nothing of an image changes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.batch import EMPTY_BATCH, PLAIN, Batch, LineTemplate
from tessera.tiling.manifest.fingerprints import Fingerprints

HEAD, TAIL = b'{"source-ref": "', b'"}\n'
TEMPLATES = st.sampled_from([PLAIN, LineTemplate(HEAD, TAIL + HEAD, TAIL)])
ITEMS = st.lists(st.from_regex(rb"s3://[a-z]{1,5}/[a-z]{1,9}", fullmatch=True), max_size=20)


def batch_of(items: list[bytes], template: LineTemplate) -> Batch:
    numbers = np.arange(len(items))
    return Batch(
        text=template.join(items),
        line_starts=template.line_starts(items),
        characters=(numbers + 7).astype(np.uint16),
        indexes=numbers + 100,
        fingerprints=Fingerprints(numbers.astype(np.uint64), numbers.astype(np.uint32) + 1),
        prelabels=numbers.astype(np.uint8),
        confidences=numbers / 10,
    )


@given(items=ITEMS.filter(len), template=TEMPLATES)
def test_what_a_template_joins_it_splits(items: list[bytes], template: LineTemplate) -> None:
    text = template.join(items)
    assert template.split(text) == items
    lines = [template.head + item + template.tail for item in items]
    assert text == b"".join(lines)
    starts = template.line_starts(items).tolist()
    assert all(text[at:].startswith(line) for at, line in zip(starts, lines, strict=True))


@given(items=ITEMS.filter(len), template=TEMPLATES, count=st.integers(1, 25))
def test_the_two_parts_of_a_batch_have_all_images_in_order(
    items: list[bytes], template: LineTemplate, count: int
) -> None:
    first, rest = batch_of(items, template).split_at(count)
    assert len(first) == min(count, len(items))
    assert len(first) + len(rest) == len(items)
    for part, start in ((first, 0), (rest, len(first))):
        if not part:
            continue
        rows = np.arange(start, start + len(part))
        assert template.split(part.text) == items[start : start + len(part)]
        assert part.line_starts.tolist() == template.line_starts(template.split(part.text)).tolist()
        assert part.characters.tolist() == (rows + 7).tolist()
        assert part.indexes.tolist() == (rows + 100).tolist()
        assert part.fingerprints is not None
        assert part.fingerprints.hashes.tolist() == rows.tolist()
        assert part.fingerprints.checks.tolist() == (rows + 1).tolist()
        assert part.prelabels is not None
        assert part.prelabels.tolist() == rows.tolist()
        assert part.confidences is not None
        assert part.confidences.tolist() == (rows / 10).tolist()


def test_nothing_is_left_of_a_batch_that_fits() -> None:
    batch = batch_of([b"s3://b/k"], PLAIN)
    assert batch.split_at(1) == (batch, EMPTY_BATCH)
    assert not EMPTY_BATCH

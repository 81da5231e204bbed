"""The shard buffer: what was put in comes out, by position."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.batch import NO_PRELABEL, PLAIN
from tessera.tiling.manifest.items import batch_of_images, encode_item
from tessera.tiling.manifest.lines import Image
from tests.tiling.grouping.buffers import LABEL_NUMBERS, TEMPLATE, buffer_of, image

IMAGES = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.text("abä猫", min_size=1, max_size=9),
        st.sampled_from([None, "cat", "dog"]),
        st.sampled_from([None, 0.25, 1.0]),
    ),
    min_size=1,
    max_size=40,
)


def images_of(rows: list[tuple[int, str, str | None, float | None]], first: int) -> list[Image]:
    """Return images whose indexes rise by the rows' first numbers."""
    indexes = (first + np.cumsum([step for step, *_ in rows])).tolist()
    return [
        image(index, f"s3://pets/{key}", prelabel, sure)
        for index, (_, key, prelabel, sure) in zip(indexes, rows, strict=True)
    ]


@given(
    rows=IMAGES,
    cut=st.integers(0, 40),
    first=st.sampled_from([0, 5_000_000_000]),
    template=st.sampled_from([TEMPLATE, PLAIN]),
    data=st.data(),
)
def test_images_are_found_by_position(
    rows: list[tuple[int, str, str | None, float | None]],
    cut: int,
    first: int,
    template: object,
    data: st.DataObject,
) -> None:
    images = images_of(rows, first)
    template = TEMPLATE if template is TEMPLATE else PLAIN
    buffer = buffer_of(images[:cut], images[cut:], template=template)
    assert buffer.count == len(images)
    items = [encode_item(image)[0] for image in images]
    indexes = [image.index for image in images]
    assert buffer.last_index == indexes[-1]
    picked = data.draw(st.lists(st.integers(0, len(images) - 1), min_size=1))
    positions = np.array(picked, np.uint32)
    first, end = min(picked, default=0), max(picked, default=-1) + 1
    text = buffer.read_between(first, end)
    assert text.items(positions) == [items[position] for position in picked]
    assert buffer.indexes(positions).tolist() == [indexes[position] for position in picked]
    assert buffer.item_bytes(positions).tolist() == [len(items[place]) for place in picked]
    low, high = min(picked), max(picked) + 1
    assert buffer.read_items(low, high) == items[low:high]
    assert buffer.prelabels.tolist() == [
        NO_PRELABEL if image.prelabel is None else LABEL_NUMBERS[image.prelabel] for image in images
    ]


def test_the_next_shard_finds_nothing_of_the_one_before() -> None:
    buffer = buffer_of([image(i, f"s3://pets/{i}", "cat", 0.5) for i in range(9)])
    buffer.clear()
    assert buffer.count == buffer.text_bytes == 0
    later = [image(2**40, "s3://zoo/1"), image(2**40 + 1, "s3://zoo/2")]
    buffer.add(batch_of_images(later, TEMPLATE, LABEL_NUMBERS, with_fingerprints=True))
    assert buffer.read_items(0, 2) == [b"s3://zoo/1", b"s3://zoo/2"]
    assert buffer.indexes(np.arange(2)).tolist() == [2**40, 2**40 + 1]
    assert buffer.prelabels.tolist() == [NO_PRELABEL] * 2
    assert buffer.confidences.tolist() == [np.inf] * 2

"""Duplicates: found in the whole manifest, each with the line that its image is first on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.grouping import first_round
from tests.tiling.folder import grouped, manifest, settings


def test_a_repeated_image_is_asked_once() -> None:
    summary, folder = grouped(manifest(3) + manifest(3), settings())
    assert (summary.images, summary.repeats) == (3, 3)
    assert folder.files["repeats.csv"] == b"index,first\n3,0\n4,1\n5,2\n"
    assert grouped(manifest(3) + manifest(3), settings(repeats="each"))[0].images == 6


@given(
    indexes=st.lists(st.integers(0, 40), min_size=1, max_size=200),
    most=st.integers(1, 60),
)
def test_a_repeat_is_found_in_any_earlier_shard(indexes: list[int], most: int) -> None:
    text = b"".join(b'{"source-ref":"s3://pets/%d"}\n' % i for i in indexes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_round, "MAX_SHARD_IMAGES", most)
        summary, folder = grouped(text, settings(images_per_task=3), piece=77)
    firsts = {value: indexes.index(value) for value in indexes}
    expected = [(i, firsts[v]) for i, v in enumerate(indexes) if firsts[v] != i]
    assert folder.duplicates() == expected
    assert summary.images == len(firsts)

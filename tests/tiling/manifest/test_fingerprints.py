"""The marks by which an image is known again."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.fingerprints import fingerprints

SHORT = st.binary(min_size=8, max_size=60)
NAMES = st.lists(SHORT | SHORT.map(lambda name: name * 17), min_size=1, max_size=30)


def marked(names: list[bytes]) -> list[tuple[int, int]]:
    ends = np.cumsum([len(name) for name in names])
    starts = ends - [len(name) for name in names]
    first, second = fingerprints(b"".join(names), starts, ends)
    return list(zip(first.tolist(), second.tolist(), strict=True))


@given(names=NAMES, others=NAMES)
def test_a_mark_is_the_same_in_any_company(names: list[bytes], others: list[bytes]) -> None:
    assert marked(others + names)[len(others) :] == marked(names)
    assert [marked([name])[0] for name in names] == marked(names)


@given(names=st.lists(st.binary(min_size=8, max_size=60), min_size=2, max_size=200, unique=True))
def test_different_names_have_different_marks(names: list[bytes]) -> None:
    assert len(set(marked(names))) == len(names)
    assert len({mark for mark, _ in marked(names)}) == len(names)


def test_numbered_names_have_marks_without_a_pattern() -> None:
    names = [b"s3://pets/%02d/%04d.jpg" % divmod(i, 10_000) for i in range(10**5)]
    first, second = (np.array(part, np.uint64) for part in zip(*marked(names), strict=True))
    assert len(np.unique(first)) == len(names)
    assert len(np.unique(second)) > len(names) * 0.9999
    spread = np.bincount((first >> np.uint64(54)).astype(np.int64), minlength=1024)
    assert spread.max() < 2 * spread.mean()

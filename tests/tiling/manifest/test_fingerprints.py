"""Fingerprints, by which an image is known again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.fingerprints import fingerprints

SHORT = st.binary(min_size=8, max_size=60)
NAMES = st.lists(SHORT | SHORT.map(lambda name: name * 17), min_size=1, max_size=30)


def pairs(names: list[bytes]) -> list[tuple[int, int]]:
    ends = np.cumsum([len(name) for name in names])
    starts = ends - [len(name) for name in names]
    hashes, checks = fingerprints(b"".join(names), starts, ends)
    return list(zip(hashes.tolist(), checks.tolist(), strict=True))


@given(names=NAMES, others=NAMES)
def test_a_fingerprint_is_the_same_among_any_others(
    names: list[bytes], others: list[bytes]
) -> None:
    assert pairs(others + names)[len(others) :] == pairs(names)
    assert [pairs([name])[0] for name in names] == pairs(names)


@given(names=st.lists(st.binary(min_size=8, max_size=60), min_size=2, max_size=200, unique=True))
def test_different_names_have_different_fingerprints(names: list[bytes]) -> None:
    assert len(set(pairs(names))) == len(names)
    assert len({hash_ for hash_, _ in pairs(names)}) == len(names)


@pytest.mark.thorough
def test_numbered_names_have_hashes_without_a_pattern() -> None:
    names = [b"s3://pets/%02d/%04d.jpg" % divmod(i, 10_000) for i in range(10**5)]
    hashes, checks = (np.array(part, np.uint64) for part in zip(*pairs(names), strict=True))
    assert len(np.unique(hashes)) == len(names)
    assert len(np.unique(checks)) > len(names) * 0.9999
    spread = np.bincount((hashes >> np.uint64(54)).astype(np.int64), minlength=1024)
    assert spread.max() < 2 * spread.mean()

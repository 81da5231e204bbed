"""What is packed comes out as it went in."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tessera.tiling.consensus.by_parts import Sample
from tessera.tiling.consensus.crowd import EqualDepth
from tessera.tiling.label_parts.packed import pack, unpack
from tessera.tiling.training.line_counts import LineOutcomes

SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)


@pytest.mark.thorough
@pytest.mark.parametrize("type_", [np.int8, np.int16, np.int32, np.int64, np.float32, np.bool_])
@given(data=st.data())
def test_an_array_keeps_its_type_its_shape_and_its_numbers(
    type_: type, data: st.DataObject
) -> None:
    values = data.draw(arrays.arrays(type_, SHAPES))
    back = unpack(pack(values), np.ndarray)
    assert (back.dtype, back.shape) == (values.dtype, values.shape)
    np.testing.assert_array_equal(back, values)
    turned = unpack(pack(values.T), np.ndarray)
    np.testing.assert_array_equal(turned, values.T)


def test_a_dataclass_of_arrays_keeps_its_parts() -> None:
    codes = np.arange(6, dtype=np.int32).reshape(2, 3)
    ids = np.arange(3, dtype=np.int32)
    sample = unpack(pack(Sample([EqualDepth(ids, codes)], np.zeros(3, np.int16))), Sample)
    assert isinstance(sample.by_depth[0], EqualDepth)
    np.testing.assert_array_equal(sample.by_depth[0].codes, codes)


@given(st.lists(st.integers(0, 2**31 - 1)), st.dictionaries(st.text(), st.integers(0, 9)))
def test_outcomes_of_lines_keep_their_counts(lines: list[int], reasons: dict[str, int]) -> None:
    outcomes = LineOutcomes(unsure=array("i", lines))
    outcomes.counts.lines = 7
    outcomes.reasons.update(reasons)
    outcomes.sources[3] = "s3://pets/3.jpg"
    back = unpack(pack(outcomes), LineOutcomes)
    assert back == outcomes
    assert back.reasons["never"] == 0


def test_what_nobody_packs_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="packed by nobody"):
        pack({"what": object()})

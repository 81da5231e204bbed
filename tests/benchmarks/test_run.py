"""Results of one benchmark are written without losing those of the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.run import BENCHMARKS, read_sections, write_sections

LINES = st.lists(st.sampled_from(["## A heading", "| a | b |", "", "text", "# One"]), min_size=1)
SECTIONS = st.dictionaries(st.sampled_from(sorted(BENCHMARKS)), LINES.map("\n".join).map(str.strip))


@given(SECTIONS, SECTIONS)
def test_sections_that_are_measured_anew_replace_their_own_alone(
    old: dict[str, str], new: dict[str, str]
) -> None:
    merged = read_sections(write_sections(old)) | new

    assert read_sections(write_sections(merged)) == old | new
    assert list(read_sections(write_sections(merged))) == [n for n in BENCHMARKS if n in old | new]

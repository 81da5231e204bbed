"""A run whose labels could not be made is refused before anybody is asked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.run import run_size
from tessera.tiling.settings import settings_from


def test_what_cannot_go_by_parts_is_refused_before_anybody_is_asked_where_no_memory_holds_it() -> (
    None
):
    labels = {"labels": ["cat", "dog"]}
    for more, word in (
        ({"guesses": {"seed": 0.1}}, "guesses"),
        ({"method": "dawid-skene"}, "method dawid-skene"),
    ):
        settings = settings_from(labels | more)
        run_size.check_size(settings, 5_000_000, 3008)
        with pytest.raises(SettingsInvalid, match=f"{word} cannot be used for 100,000,000") as no:
            run_size.check_size(settings, 100_000_000, 3008)
        most = int(re.search(r"files of ([\d,]+) lines", str(no.value))[1].replace(",", ""))  # type: ignore[index]  # the sentence has it
        run_size.check_size(settings, most, 3008)
        with pytest.raises(SettingsInvalid):
            run_size.check_size(settings, most + most // 50, 3008)
    run_size.check_size(settings_from(labels), 400_000_000, 3008)


@given(st.integers(1, 400_000_000), st.sampled_from([1769, 3008, 10_240]))
def test_a_refusal_names_the_memory_that_is_enough_if_any_is(lines: int, megabytes: int) -> None:
    settings = settings_from({"labels": ["cat", "dog"], "guesses": {"seed": 0.1}})
    try:
        run_size.check_size(settings, lines, megabytes)
    except SettingsInvalid as error:
        named = re.search(r"ConsolidationMemory=(\d+)$", str(error))
        if named:
            run_size.check_size(settings, lines, int(named[1]))


def test_several_labels_of_an_image_take_memory_each() -> None:
    most = []
    for labels in (2, 10, 50):
        named = [f"label {number}" for number in range(labels)]
        settings = settings_from({"labels": named, "task": "multi"})
        with pytest.raises(SettingsInvalid) as no:
            run_size.check_size(settings, 100_000_000, 3008)
        most.append(int(re.search(r"files of ([\d,]+) lines", str(no.value))[1].replace(",", "")))  # type: ignore[index]  # the sentence has it
    assert most == sorted(most, reverse=True)
    # 0.26 GB a million images of ten labels are measured for the consensus alone, at two answers
    assert most[1] * 260 < 3008 * 1_000_000


def test_pages_that_ask_only_some_of_several_labels_take_memory_in_later_rounds_alone() -> None:
    for rounds in (1, 2):
        more = {"task": "multi", "answers_per_image": 2, "max_answers": 1 + rounds}
        settings = settings_from({"labels": ["cat", "dog"]} | more)
        with pytest.raises(SettingsInvalid) as no:
            run_size.check_size(settings, 100_000_000, 3008)
        need = int(re.search(r"takes some ([\d,]+) MB", str(no.value))[1].replace(",", ""))  # type: ignore[index]  # the sentence has it
        answers = int(re.search(r"MB and ([\d,]+) answers", str(no.value))[1].replace(",", ""))  # type: ignore[index]  # the sentence has it
        beside = (need - run_size.BASE_MEGABYTES) * 1_000_000 - answers * run_size.ANSWER_BYTES
        labels = 100_000_000 * 2 * run_size.SET_BYTES
        asked = answers * run_size.ASKED_BYTES * (rounds > 1)
        assert beside == pytest.approx(labels + asked, abs=1_000_000)

"""The house stays legible: what `scripts/readability.py` counts does not get worse."""

from __future__ import annotations

from functools import cache

import pytest

from scripts.readability import FOLDERS, TEST_FOLDERS, count, long_functions, noun_phrases

# Reading every file takes seconds, which one of the suite's processes does for all tests here.
pytestmark = [pytest.mark.thorough, pytest.mark.xdist_group("readability")]

production = cache(lambda: count(*FOLDERS))
everything = cache(lambda: count(*FOLDERS, *TEST_FOLDERS))


def test_no_name_says_nothing_of_what_it_holds() -> None:
    assert not everything().banned


def test_docstrings_are_imperative_sentences() -> None:
    counts = production()
    assert len(noun_phrases(counts)) < 0.15 * len(counts.functions)


def test_functions_fit_on_a_screen() -> None:
    for counts in (production(), everything()):
        assert len(long_functions(counts)) <= 0.01 * len(counts.functions)


def test_comments_say_why_often_enough() -> None:
    counts = production()
    assert counts.comments > 0.03 * counts.code_lines

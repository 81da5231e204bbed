"""Names of images on a page: they tell nothing, and answers come back under indexes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.page_names import hide_indexes, page_names, restore_indexes
from tests.portal.world import World

INDEXES = st.lists(st.integers(0, 10**7).map(str), unique=True, min_size=1, max_size=30)


@given(indexes=INDEXES, task=st.integers(0, 99_999))
def test_names_say_nothing_but_the_place_and_lead_back_to_each_image(
    indexes: list[str], task: int
) -> None:
    names = page_names(task, indexes)
    assert list(names) == [f"{task}-{place}" for place in range(len(indexes))]
    answer = {name: {"cat": True} for name in names}
    log = {"order": list(names), "tiles": [{"id": name, "dwell": 3} for name in names]}
    restored = restore_indexes(answer | {"meta": json.dumps(log)}, names)
    assert list(restored) == [*indexes, "meta"]
    assert json.loads(restored["meta"]) == {
        "order": indexes,
        "tiles": [{"id": index, "dwell": 3} for index in indexes],
    }


@pytest.mark.thorough
@given(meta=st.one_of(st.none(), st.text(), st.integers(), st.just('{"tiles": 3}'), st.just("[")))
def test_a_log_in_another_form_stays_as_it_is(meta: Any) -> None:
    assert restore_indexes({"meta": meta}, {"7-0": "4"}) == {"meta": meta}


@pytest.mark.parametrize(
    "task_input", [{}, {"images": "none"}, {"images": [3]}, {"images": [{"index": 99}]}, {"a": 1}]
)
def test_what_a_page_of_another_form_reads_stays_as_it_is(task_input: dict[str, Any]) -> None:
    assert hide_indexes(task_input, {"7-0": "4"}) == task_input


def test_a_page_holds_no_index_and_its_answer_is_stored_under_indexes(world: World) -> None:
    job = world.open(tasks=1009, workers=1)
    _, content = world.ask("POST", f"/jobs/{job.name}/claims")
    task = int(content["task"])
    assert re.findall(r'name="(\d[^"]*)"', content["page"]) == [f"{task}-0", f"{task}-1"]
    choices = {choice: choice == "cat" for choice in job.choices}
    answer = {f"{task}-0": choices, f"{task}-1": choices, "meta": "{}"}
    assert world.ask("PUT", f"/jobs/{job.name}/tasks/{task}/answer", body=answer)[0] == 200
    (stored,) = world.stored(job).values()
    assert stored["answerContent"].keys() == {str(task), str(task + job.tasks), "meta"}

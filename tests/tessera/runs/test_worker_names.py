"""Workers of a report, by what people are to see of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tessera.runs.worker_names import name_workers, worker_ids

IDS = [f"private.eu-west-1.{number:04x}" for number in range(8)]
workers = st.sampled_from(IDS)
groups = st.lists(st.lists(workers, min_size=2, max_size=4), max_size=3)
rows = st.lists(st.fixed_dictionaries({"worker": workers, "answers": st.integers(0, 9)}))
reports = st.fixed_dictionaries(
    {"workers": rows, "pages_to_look_at": rows, "notices": st.just(["Two labels are rare."])},
    optional={
        "copies": groups,
        "same_answers": groups,
        "one_label": st.lists(
            st.fixed_dictionaries({"workers": st.lists(workers), "label": st.just("cat")})
        ),
        "unloaded": st.fixed_dictionaries(
            {"workers": rows, "blocked_workers": st.lists(workers), "images": st.just(3)}
        ),
        "guesses": st.fixed_dictionaries(
            {"used": st.booleans()}, optional={"contradicted_by": rows}
        ),
        "flagged": st.fixed_dictionaries({"reasons": st.just({"worker": 2}), "pictures": rows}),
        "remembered": st.just({"workers": 3, "of": 5}),
    },
)


@given(report=reports, stopped=st.lists(workers, unique=True, max_size=3))
def test_no_identifier_is_left_wherever_a_report_names_workers(
    report: dict[str, Any], stopped: list[str]
) -> None:
    notice = f"They got no more pages: {', '.join(stopped)}."
    report |= {"stopped": stopped, "notices": [*report["notices"], notice]}
    ids = worker_ids(report)
    named = name_workers(report, {worker: f"worker {at}" for at, worker in enumerate(ids, 1)})
    assert {*ids} == {worker for worker in IDS if worker in json.dumps(report)}
    assert "private." not in json.dumps(named)
    assert name_workers(report, {}) == report


def test_a_label_that_is_called_as_a_worker_stays() -> None:
    report = {
        "workers": [{"worker": "1", "answers": 2}],
        "copies": [["1", "2"]],
        "one_label": [{"workers": ["1"], "label": "1", "share": 1.0}],
        "agreement": {"labels": ["0", "1"]},
        "doubtful": [{"label": "1", "said": {"1": 2}}],
    }
    named = name_workers(report, {"1": "ann", "2": "ben"})
    assert named == {
        "workers": [{"worker": "ann", "answers": 2}],
        "copies": [["ann", "ben"]],
        "one_label": [{"workers": ["ann"], "label": "1", "share": 1.0}],
        "agreement": {"labels": ["0", "1"]},
        "doubtful": [{"label": "1", "said": {"1": 2}}],
    }

"""The shape of the state machine: what every state must have, and that its names are everyone's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import jsonata  # type: ignore[import-untyped]  # the embedded AWS brings it, without types
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "statemachine" / "labeling.asl.json").read_text("utf-8")
MACHINE: dict[str, Any] = json.loads(SOURCE)


def all_states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from all_states(state["ItemProcessor"])


STATES = dict(all_states(MACHINE))
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
FUNCTION_STATES = {
    name: str(state["Arguments"]["FunctionName"])
    for name, state in TASKS.items()
    if "lambda:invoke" in state["Resource"]
}


def machines(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield machine
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"])


def targets(state: dict[str, Any]) -> set[str]:
    """The states that a state can lead to."""
    steps = [state, *state.get("Catch", []), *state.get("Choices", [])]
    return {step["Next"] for step in steps if "Next" in step} | (
        {state["Default"]} if "Default" in state else set()
    )


def evaluate(expression: str, **bound: Any) -> Any:
    """What an expression of the machine gives, with these variables and parts of `$states`."""
    compiled = jsonata.Jsonata(expression.removeprefix("{%").removesuffix("%}"))
    frame = compiled.create_frame()
    frame.bind("states", {"input": bound.pop("input", {}), "context": bound.pop("context", {})})
    for name, value in bound.items():
        frame.bind(name, value)
    return compiled.evaluate(None, frame)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_comment_a_timeout_and_a_retry_with_jitter(name: str) -> None:
    task = TASKS[name]
    assert {"Comment", "TimeoutSeconds", "Retry"} <= task.keys()
    assert all(retry["JitterStrategy"] == "FULL" for retry in task["Retry"])


@pytest.mark.parametrize("name", [name for name in TASKS if name in MACHINE["States"]])
def test_every_task_outside_the_map_leads_its_errors_to_a_named_state(name: str) -> None:
    caught = [error for catch in TASKS[name]["Catch"] for error in catch["ErrorEquals"]]
    assert "States.ALL" in caught


def test_a_shard_s_failure_is_caught_in_the_shard_so_that_the_others_go_on() -> None:
    for name, state in STATES["LabelShards"]["ItemProcessor"]["States"].items():
        if state["Type"] == "Task":
            assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name
    assert STATES["LabelShards"]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


ATTACH_LOOP = "StillLabeling"
"""The one state that looks again, for a job that outlived the execution which opened it."""

EVENTS = 25_000
"""What one execution's history may hold on AWS."""


def shard_graph(without: str = "") -> dict[str, set[str]]:
    states = STATES["LabelShards"]["ItemProcessor"]["States"]
    return {name: targets(state) - {without} for name, state in states.items() if name != without}


def has_a_cycle(graph: dict[str, set[str]]) -> bool:
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError:
        return True
    return False


def test_nothing_waits_or_goes_round_but_for_a_job_that_outlived_its_execution() -> None:
    waits = [name for name, state in STATES.items() if state["Type"] == "Wait"]
    assert waits == [ATTACH_LOOP]
    assert has_a_cycle(shard_graph())
    assert not has_a_cycle(shard_graph(without=ATTACH_LOOP))


def test_a_new_job_never_meets_the_attach_loop() -> None:
    """`createLabelingJob.sync` returns when its job has ended; another's may be in progress."""
    before = [name for name, after in shard_graph().items() if ATTACH_LOOP in after]
    assert before == ["HowItEnded"]
    (rule,) = (r for r in STATES["HowItEnded"]["Choices"] if r["Next"] == ATTACH_LOOP)
    assert "['Initializing', 'InProgress', 'Stopping']" in rule["Condition"]


@given(shards=st.integers(1, 400))
def test_a_month_of_looking_again_fits_an_execution_s_history(shards: int) -> None:
    seconds = evaluate(STATES[ATTACH_LOOP]["Seconds"], grouped={"shards": shards})
    looks = 31 * 86_400 / seconds
    events_a_look, events_a_shard, events_of_the_rest = 9, 20, 100
    assert seconds >= 900
    assert shards * (looks * events_a_look + events_a_shard) + events_of_the_rest < EVENTS


def test_a_thousand_shards_fit_the_payloads() -> None:
    """A state may take or give 256 KiB at most, and a job may have failed with a long reason."""
    grouped = {
        "run": "r" * 40,
        "round": 9,
        "home": f"s3://{'b' * 63}/runs/{'r' * 40}/",
        "shards": 1000,
    }
    processor = STATES["LabelShards"]["ItemProcessor"]["States"]
    name = evaluate(
        str(STATES["LabelShards"]["ItemSelector"]["request"]),
        grouped=grouped | {"request": {"InputConfig": {}}},
        context={"Map": {"Item": {"Value": 999}}},
    )["LabelingJobName"]
    assert name == "r" * 40 + "-r9-999"
    assert len(name) <= 63
    refused = {"error": "SageMaker.AmazonSageMakerException", "cause": "x" * 32_000}
    job = {
        key: evaluate(
            value,
            grouped=grouped,
            input={"request": {"LabelingJobName": name}, "refused": refused},
        )
        for key, value in processor["NotOpened"]["Output"].items()
    }
    payload = {"run": "r" * 40, "home": grouped["home"], "round": 9, "jobs": [job] * 1000}
    assert len(json.dumps(payload)) < 256 * 1024
    assert len(json.dumps([*range(1000)])) < 256 * 1024


def test_a_thousand_shards_fit_the_history_of_one_round() -> None:
    """A task writes at most six events, another state two, and each turn of the map two more."""

    def longest(name: str) -> int:
        after = [longest(to) for to in targets(STATES[name]) - {ATTACH_LOOP}]
        return (6 if STATES[name]["Type"] == "Task" else 2) + max(after, default=0)

    events_a_shard = 2 + longest(STATES["LabelShards"]["ItemProcessor"]["StartAt"])
    assert 1000 * events_a_shard < EVENTS


@pytest.mark.parametrize("machine", list(machines(MACHINE)), ids=["machine", "shard"])
def test_every_state_is_reached_and_every_target_exists(machine: dict[str, Any]) -> None:
    reached, todo = set(), [machine["StartAt"]]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += sorted(targets(machine["States"][name]))
    assert reached == set(machine["States"])


def test_substitutions_stand_inside_strings_so_that_the_file_is_json_before_and_after() -> None:
    assert "${" in SOURCE
    json.loads(re.sub(r"\$\{[A-Za-z]+\}", "x", SOURCE))


@pytest.mark.parametrize(("state", "function"), FUNCTION_STATES.items())
def test_a_state_and_its_function_have_one_name(state: str, function: str) -> None:
    if state == "GroupUnsure":  # the same function groups the unsure images of a later round
        assert function == "${GroupImagesFunctionArn}"
    else:
        assert function == f"${{{state}FunctionArn}}"
        stem = re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower()
        assert (ROOT / "functions" / f"{stem}.py").exists()


def test_no_failure_ends_as_a_success() -> None:
    """After the announcement of a failure there are only ends of type Fail."""
    ends = targets(STATES["UnderItsName"])
    assert ends
    assert all(STATES[end]["Type"] == "Fail" for end in ends)
    assert all({"Error", "Cause"} <= STATES[end].keys() for end in ends), (
        "a failure says its name and its cause"
    )


@pytest.mark.parametrize("name", [n for n, s in STATES.items() if s["Type"] == "Fail"])
def test_a_failure_can_be_chosen_by_its_own_name(name: str) -> None:
    assert f"'end': '{name}'" in str(MACHINE).replace('"', "'")

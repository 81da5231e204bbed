"""The shape of the state machine: what every state must have, and that its names are everyone's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
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


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_comment_a_timeout_and_a_retry_with_jitter(name: str) -> None:
    task = TASKS[name]
    assert {"Comment", "TimeoutSeconds", "Retry"} <= task.keys()
    assert all(retry["JitterStrategy"] == "FULL" for retry in task["Retry"])


@pytest.mark.parametrize("name", [name for name in TASKS if name in MACHINE["States"]])
def test_every_task_outside_the_map_leads_its_errors_to_a_named_state(name: str) -> None:
    caught = [error for catch in TASKS[name]["Catch"] for error in catch["ErrorEquals"]]
    assert "States.ALL" in caught


def test_what_fails_inside_the_map_is_caught_by_the_map() -> None:
    assert STATES["LabelShards"]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.parametrize("name", [n for n, s in TASKS.items() if "waitForTaskToken" not in str(s)])
def test_no_state_polls(name: str) -> None:
    assert name not in targets(TASKS[name]), "a task that leads to itself polls"
    assert not any(state["Type"] == "Wait" for state in STATES.values())


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
    assert all(
        {"Error", "Cause"} <= STATES[end].keys() for end in ends
    ), "a failure says its name and its cause"


@pytest.mark.parametrize("name", [n for n, s in STATES.items() if s["Type"] == "Fail"])
def test_a_failure_can_be_chosen_by_its_own_name(name: str) -> None:
    assert f"'end': '{name}'" in str(MACHINE).replace('"', "'")

"""Shape of the state machine: what every state must have, and names that all code shares."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.expressions import MACHINE, SHARD_STATES, evaluate
from tessera.tiling.errors import TesseraError
from tessera.tiling.report.announcement import explain_nothing_labeled
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import (
    COMPLETED,
    FAILED,
    IN_PROGRESS,
    NOT_CLOSED,
    NOT_OPENED,
    STOPPED,
    tasks_name,
)

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "statemachine" / "labeling.asl.json").read_text("utf-8")


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


def expressions(field: Any) -> Iterator[str]:
    """Every JSONata expression in a part of the machine."""
    if isinstance(field, str) and field.startswith("{%"):
        yield field
    elif isinstance(field, dict | list):
        for part in field.values() if isinstance(field, dict) else field:
            yield from expressions(part)


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
    for name, state in SHARD_STATES.items():
        if state["Type"] == "Task":
            assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name
    assert STATES["LabelShards"]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


def test_a_part_s_failure_is_caught_in_the_part_so_that_its_cause_is_known() -> None:
    states = STATES["ConsolidateParts"]["ItemProcessor"]["States"]
    caught = states["ConsolidatePart"]["Catch"][-1]
    assert caught["ErrorEquals"] == ["States.ALL"]
    failed = evaluate(caught["Output"], {"errorOutput": {"Error": "E", "Cause": "c" * 40_000}})
    assert len(json.dumps([failed] * 100)) < 256 * 1024, "what a hundred parts hand up"
    results = [{}, failed, {}, failed]
    assign = STATES["ConsolidateParts"]["Assign"]["failed"]
    assert evaluate(assign, {"result": results}) == [failed, failed]
    assert evaluate(assign, {"result": [{}, {}]}) == []
    (rule,) = STATES["PartsOutcome"]["Choices"]
    assert evaluate(rule["Condition"], {}, failed=[failed])
    assert not evaluate(rule["Condition"], {}, failed=[])


INSIDE = {"$states", "$substring", "$min", "$floor"}


def test_no_child_of_a_distributed_map_reads_a_variable_or_its_own_name() -> None:
    """A distributed map's turns are executions of their own: only their input comes with them."""
    part = STATES["ConsolidateParts"]
    assert part["ItemProcessor"]["ProcessorConfig"]["Mode"] == "${PartsMode}"
    inside = list(expressions(part["ItemProcessor"]["States"]))
    assert inside
    for expression in inside:
        assert set(re.findall(r"\$[a-z]\w*", expression)) <= INSIDE, expression
        assert "Execution" not in expression


ATTACH_LOOP = "WaitForJob"
"""The one state that looks again, for a job that outlived the execution which opened it."""

EVENTS = 25_000
"""What one execution's history may hold on AWS."""


def shard_graph(without: str = "") -> dict[str, set[str]]:
    states = SHARD_STATES
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
    """Its `.sync` returns when its job has ended; another's may be in progress."""
    before = [name for name, after in shard_graph().items() if ATTACH_LOOP in after]
    assert before == ["JobOutcome"]
    (rule,) = (r for r in STATES["JobOutcome"]["Choices"] if r["Next"] == ATTACH_LOOP)
    assert str(list(IN_PROGRESS)) in rule["Condition"]


@given(shards=st.integers(1, 400))
def test_a_month_of_looking_again_fits_an_execution_s_history(shards: int) -> None:
    seconds = evaluate(STATES[ATTACH_LOOP]["Seconds"], {}, grouped={"shards": shards})
    looks = 31 * 86_400 / seconds
    events_a_look, events_a_shard, events_of_the_rest = 9, 20, 100
    assert seconds >= 900
    assert shards * (looks * events_a_look + events_a_shard) + events_of_the_rest < EVENTS


@given(shards=st.integers(1, 1000), letter=st.sampled_from('x"漢\n'))
@example(shards=1000, letter="漢")
def test_a_thousand_shards_fit_the_payloads(shards: int, letter: str) -> None:
    """A state may take or give 256 KiB at most, and every job may have failed with a long reason.

    Its letters may be of several bytes each, as in names of files, or be escaped, as all quotes are
    in an error that a function told as JSON.
    """
    grouped: dict[str, Any] = {
        "run": "r" * 40,
        "round": 9,
        "home": f"s3://{'b' * 63}/runs/{'r' * 40}/",
        "shards": shards,
    }
    number = {"context": {"Map": {"Item": {"Value": 999}}}}
    grouped["request"] = {"InputConfig": {"DataAttributes": {}}}
    shard = evaluate(STATES["LabelShards"]["ItemSelector"]["shard"], number, grouped=grouped)
    assert shard["LabelingJobName"] == job_name("r" * 40, 9, 999)
    assert len(shard["LabelingJobName"]) <= 63
    refused = {"error": "SageMaker.AmazonSageMakerException", "cause": letter * 32_000}
    for end in ("JobNotOpened", "JobNotClosed"):
        job = evaluate(
            STATES[end]["Output"], {"input": {"shard": shard, "refused": refused}}, grouped=grouped
        )
        payload = {"run": "r" * 40, "home": grouped["home"], "round": 9, "jobs": [job] * shards}
        assert payload_bytes(payload) < 256 * 1024
    assert payload_bytes([*range(shards)]) < 256 * 1024


def payload_bytes(payload: Any) -> int:
    """The bytes of a payload as Step Functions counts them."""
    return len(json.dumps(payload, ensure_ascii=False).encode())


@given(items=st.integers(1, 1000), letter=st.sampled_from('x"漢\n'))
@example(items=1000, letter="漢")
def test_a_thousand_parts_that_fail_still_say_why(items: int, letter: str) -> None:
    (caught,) = STATES["ConsolidateParts"]["ItemProcessor"]["States"]["ConsolidatePart"]["Catch"]
    failed = {"Error": "States.Runtime.ExitError", "Cause": letter * 32_000}
    states = {"errorOutput": failed, "input": {"parts": {"items": items}}}
    output = evaluate(caught["Output"], states)
    assert output["cause"]
    assert payload_bytes([output] * items) < 256 * 1024


def describe(failure: dict[str, str]) -> Any:
    """What DescribeFailure makes of a failure."""
    states = {"context": {"Execution": {"Id": "e", "Input": EVENT}}}
    assign = STATES["DescribeFailure"]["Assign"]["failure"]
    return evaluate(assign, states, failure=failure, place="'s3://inbox/pets/may.manifest'")


MESSAGES = st.text(st.characters(codec="utf-8"), max_size=60)


@given(message=MESSAGES, cut=st.integers(0, 400), ascii_only=st.booleans(), compact=st.booleans())
@example(message="no 'cat'", cut=1000, ascii_only=True, compact=False)
def test_a_failure_says_its_functions_sentence_however_the_rest_is_cut(
    message: str, cut: int, ascii_only: bool, compact: bool
) -> None:
    """Step Functions cuts a cause, and so does the map: a trace is long, and JSON is then none."""
    whole = json.dumps(
        {"errorMessage": message, "errorType": "KeyError", "stackTrace": ["secret" * 40]},
        ensure_ascii=ascii_only,
        separators=(",", ":") if compact else None,
    )
    failure = {"error": "GroupingFailed", "caught": "KeyError: ", "cause": whole[:cut]}
    described = describe(failure)
    sentence = json.dumps(message, ensure_ascii=ascii_only)
    is_whole = cut >= whole.index(sentence, len('{"errorMessage":')) + len(sentence)
    assert described["cause"] == "KeyError: " + (message if is_whole else whole[:cut])


@given(cause=st.text(max_size=200) | st.just('no JSON: "errorMessage": "'), caught=st.booleans())
@example(cause="x" * 40_000, caught=True)
def test_a_failure_of_any_text_is_told(cause: str, caught: bool) -> None:
    """What cannot be described is told to nobody, and ends under a name that nobody knows."""
    failure = {"error": "E", "cause": cause} | ({"caught": "E: "} if caught else {})
    described = describe(failure)
    assert described["cause"] == (("E: " if caught else "") + cause)[:30_000]


EVENT = {"detail": {"bucket": {"name": "inbox"}, "object": {"key": "pets/may.manifest"}}}


@given(key=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
@example(key="pets/$(touch x) `id` 'it''s' \"may\".manifest")
def test_a_failure_has_the_command_that_drops_its_manifest_again(key: str) -> None:
    """Whoever may name objects in the inbox must not thereby run anything at an operator's."""
    dropped = {"detail": {"bucket": {"name": "inbox"}, "object": {"key": key}}}
    states = {"context": {"Execution": {"Id": "e", "Input": dropped}}}
    failure = {"error": "NoUsableLine", "cause": "no"}
    assign = STATES["DescribeFailure"]["Assign"]["failure"]
    (caught,) = STATES["GroupImages"]["Catch"]
    place, of_error = (
        evaluate(group["Assign"]["place"], states) for group in (STATES["GroupImages"], caught)
    )
    assert place == of_error
    described = evaluate(assign, states, failure=failure, place=place)
    place = f"s3://inbox/{key}"
    words = ["aws", "s3", "cp", "--metadata-directive", "REPLACE", place, place]
    assert shlex.split(described["again"]) == words
    assert described["read"] == "${RunbookUrl}#nousableline"


def test_a_failures_page_has_a_section_for_each() -> None:
    headings = re.findall(r"^### (\w+)$", OPERATIONS.read_text("utf-8"), re.MULTILINE)
    assert {error.__name__ for error in TesseraError.__subclasses__()} <= {*headings}
    assert {name for name in FAILURES if name != "ManifestRejected"} <= {*headings}


OPERATIONS = ROOT / "docs" / "operations.md"
THROTTLED = "Lambda.TooManyRequestsException"
LEAST_PATIENCE = {"OpenJob": 480, "CloseJob": 480, "EmbedImages": 60, "JoinEmbeddings": 60}
"""Seconds that a throttled function of a shard, of which there may be a thousand, is tried for."""


def retrier(state: dict[str, Any], error: str) -> dict[str, Any]:
    """Return the state's first retrier for an error."""
    return next(r for r in state["Retry"] if {error, "States.ALL"} & {*r["ErrorEquals"]})


@pytest.mark.parametrize("name", FUNCTION_STATES)
def test_every_function_is_tried_again_as_the_first_one_is(name: str) -> None:
    """ASL has no way to write a retrier once; how long a busy account is waited for may differ."""
    first, own = TASKS["GroupImages"], TASKS[name]
    for error in (*retrier(first, "Lambda.ServiceException")["ErrorEquals"], "States.TaskFailed"):
        of_first, of_own = retrier(first, error), retrier(own, error)
        assert {**of_own, "ErrorEquals": ()} == {**of_first, "ErrorEquals": ()}, error


@pytest.mark.parametrize("name", FUNCTION_STATES)
def test_a_busy_account_ends_no_run_of_many_days(name: str) -> None:
    """A throttled function has not begun: the account's other work may take all it has for long."""
    retry = retrier(TASKS[name], THROTTLED)
    waits = [
        min(retry["IntervalSeconds"] * retry["BackoffRate"] ** number, retry["MaxDelaySeconds"])
        for number in range(retry["MaxAttempts"])
    ]
    assert sum(waits) / 2 >= LEAST_PATIENCE.get(name, 25 * 60)  # full jitter: half on the average


def test_a_thousand_shards_fit_the_history_of_one_round() -> None:
    """A task writes at most six events, another state two, and each turn of the map two more."""

    def longest(name: str) -> int:
        after = [longest(to) for to in targets(STATES[name]) - {ATTACH_LOOP}]
        return (6 if STATES[name]["Type"] == "Task" else 2) + max(after, default=0)

    events_a_shard = 2 + longest(STATES["LabelShards"]["ItemProcessor"]["StartAt"])
    # and a time in which the account is busy: each try again of all that are open writes three
    tries = [retrier(TASKS[name], THROTTLED)["MaxAttempts"] for name in ("OpenJob", "CloseJob")]
    most_open = 40  # MaxConcurrentJobs
    assert 1000 * events_a_shard + 3 * most_open * sum(tries) < EVENTS


@pytest.mark.parametrize(
    "machine", list(machines(MACHINE)), ids=["machine", "shard", "block", "part"]
)
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


OF_THE_SAME_FUNCTION = {
    "GroupUnsure": "GroupImages",
    "ConsolidatePart": "ConsolidateLabels",
    "JoinEmbeddings": "EmbedImages",
}
"""States with the function of another: unsure images are grouped as all are, parts are labeled, and
rows of embeddings are joined where they are made."""


@pytest.mark.parametrize(("state", "function"), FUNCTION_STATES.items())
def test_a_state_and_its_function_have_one_name(state: str, function: str) -> None:
    if state in OF_THE_SAME_FUNCTION:
        assert function == f"${{{OF_THE_SAME_FUNCTION[state]}FunctionArn}}"
    else:
        assert function == f"${{{state}FunctionArn}}"
        stem = re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower()
        assert (ROOT / "functions" / f"{stem}.py").exists()


def test_no_failure_ends_as_a_success() -> None:
    """After the announcement of a failure there are only ends of type Fail."""
    ends = targets(STATES["FailByName"])
    assert ends
    assert all(STATES[end]["Type"] == "Fail" for end in ends)
    assert all({"Error", "Cause"} <= STATES[end].keys() for end in ends), (
        "a failure says its name and its cause"
    )


FAILURES = {name for name, state in STATES.items() if state["Type"] == "Fail"}
ENDINGS = ("GroupingFailed", "LabelingFailed", "ConsolidationFailed")
"""Errors that the machine itself names, where a function or the whole map broke."""


@pytest.mark.parametrize("name", sorted(FAILURES - {"ManifestRejected"}))
def test_a_failure_is_chosen_by_its_own_name(name: str) -> None:
    rules = {rule["Next"]: rule["Condition"] for rule in STATES["FailByName"]["Choices"]}
    assert evaluate(rules[name], {}, failure={"error": name, "cause": ""})
    assert not evaluate(rules[name], {}, failure={"error": "NoUsableLine", "cause": ""})
    if name in ENDINGS:
        assert f"'error': '{name}'" in str(MACHINE)
    else:  # consolidation names it, and says why
        assert name in {explain_nothing_labeled(jobs, "s3://x/")["error"] for jobs in ENDED_JOBS}


ENDED_JOBS: list[list[dict[str, Any]]] = [
    [{"name": "pets-r1-000", "status": status, "error": "E", "cause": "c"}]
    for status in (NOT_OPENED, STOPPED)
]


# --- what stands in the expressions ---------------------------------------------------------------


@pytest.mark.parametrize("expression", sorted(set(expressions(MACHINE))))
def test_an_expression_passes_facts_and_is_read_at_a_glance(expression: str) -> None:
    assert len(expression) <= 160, "word it in a function, or take it apart"


@pytest.mark.parametrize("name", TASKS)
def test_an_error_without_a_cause_is_caught_like_any_other(name: str) -> None:
    """A timeout gives no cause, and an expression without a value would fail what catches it."""
    shard = {"LabelingJobName": "pets-r1-000"}
    parts = {"input": {"shard": shard}, "errorOutput": {"Error": "States.Timeout"}}
    labels = {"announcement": {"notice": {"message": "Labeled."}}}
    for catch in TASKS[name]["Catch"]:
        evaluate(catch.get("Assign", {}), parts, labels=labels)
        output = evaluate(catch.get("Output", {}), parts, labels=labels)
        if catch["Next"] in {"JobNotOpened", "JobNotClosed"}:
            report = STATES[catch["Next"]]["Output"]
            assert evaluate(report, {"input": output}, grouped={"shards": 1})["cause"] == ""


@given(round_=st.integers(1, 9), shard=st.integers(0, 999))
def test_a_shard_has_the_job_and_the_tasks_that_the_functions_name(round_: int, shard: int) -> None:
    grouped = {
        "run": "pets-2f9a",
        "round": round_,
        "home": "s3://labels/runs/pets-2f9a/",
        "request": {"InputConfig": {"DataAttributes": {"ContentClassifiers": []}}},
    }
    parts = {"context": {"Map": {"Item": {"Value": shard}}}}
    part = evaluate(STATES["LabelShards"]["ItemSelector"]["shard"], parts, grouped=grouped)
    assert part["LabelingJobName"] == job_name("pets-2f9a", round_, shard)
    assert part["InputConfig"] == {
        "DataAttributes": {"ContentClassifiers": []},
        "DataSource": {
            "S3DataSource": {
                "ManifestS3Uri": f"s3://labels/runs/pets-2f9a/{tasks_name(round_, shard)}"
            }
        },
    }


@pytest.mark.parametrize("grouped", [{}, {"run": "", "home": ""}, {"run": "r", "home": "s3://h/"}])
def test_people_and_machines_get_the_same_notice_of_a_failure(grouped: dict[str, str]) -> None:
    drop = {"detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}}
    failure = evaluate(
        STATES["DescribeFailure"]["Assign"]["failure"],
        {"context": {"Execution": {"Id": "arn", "Input": drop}}},
        failure={"error": "NoUsableLine", "cause": "line 1"},
        place="'s3://b/k'",
    )
    variables = {"grouped": grouped, "failure": failure}
    (entry,) = STATES["PublishFailure"]["Arguments"]["Entries"]
    detail = evaluate(entry["Detail"], {}, **variables)
    message = evaluate(STATES["AnnounceFailure"]["Arguments"]["Message"], {}, **variables)
    assert json.loads(message) == detail
    assert list(detail) == [
        "version", *grouped, "manifest", "error", "cause", "execution", "read", "again",
    ]  # fmt: skip
    assert detail["manifest"] == "s3://b/k"


@pytest.mark.parametrize(
    ("caught", "cause"),
    [
        ({"Error": "Runtime.ExitError", "Cause": "the process ended"}, "the process ended"),
        ({"Error": "States.Timeout"}, ""),
        ({"Error": "KeyError", "Cause": '{"errorMessage": "no cat", "x": 1}'}, "no cat"),
        ({"Error": "Lambda.Unknown", "Cause": '{"message": "none"}'}, '{"message": "none"}'),
    ],
)
def test_a_failure_s_cause_is_the_sentence_in_what_was_caught(
    caught: dict[str, str], cause: str
) -> None:
    drop = {"detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}}
    (failing,) = STATES["GroupUnsure"]["Catch"]
    failure = evaluate(
        STATES["DescribeFailure"]["Assign"]["failure"],
        {"context": {"Execution": {"Id": "arn", "Input": drop}}},
        failure=evaluate(failing["Assign"]["failure"], {"errorOutput": caught}),
    )
    assert failure["cause"] == f"{caught['Error']}: {cause}"
    assert "caught" not in failure


@pytest.mark.parametrize("status", [COMPLETED, STOPPED, FAILED, *IN_PROGRESS])
def test_every_status_of_a_job_leads_where_it_belongs(status: str) -> None:
    shard = {"InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://x/"}}}}
    parts = {"input": {"shard": shard, "job": {"status": status, "manifest": "s3://x/"}}}
    outcome = STATES["JobOutcome"]
    targets = [rule["Next"] for rule in outcome["Choices"] if evaluate(rule["Condition"], parts)]
    expected = {COMPLETED: "JobCompleted", **dict.fromkeys(IN_PROGRESS, "WaitForJob")}
    assert [*targets, outcome["Default"]][0] == expected.get(status, "JobIncomplete")


def test_the_machine_reports_what_was_not_opened_or_closed_by_the_status_that_python_reads() -> (
    None
):
    assert STATES["JobNotOpened"]["Output"]["status"] == NOT_OPENED
    assert STATES["JobNotClosed"]["Output"]["status"] == NOT_CLOSED

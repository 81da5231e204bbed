"""Every path through the machine is taken on the local stack, and none is only drawn."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from scripts.expressions import SHARD_STATES, evaluate
from tessera.runs.executions import Ending
from tests.statemachine.cases import CASES, Case
from tests.statemachine.holding import states_of
from tests.statemachine.service_model import problems
from tests.statemachine.stage import KMS_KEY, Stage
from tests.statemachine.tracing import transitions

pytestmark = [pytest.mark.stack, pytest.mark.slow]

AT_ONCE = 3
"""Cases run at the same time: more would only wait for each other's processors."""


@dataclass(frozen=True)
class CaseRun:
    """Run of a case: how it ended, and every transition with the input that was passed on."""

    end: Ending
    steps: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        return [step["transition"] for step in self.steps]


@pytest.fixture(scope="session")
def runs(stage: Stage) -> dict[str, CaseRun]:
    """Run all cases, some of them at the same time."""
    for case in CASES.values():
        case.set_up(stage)
    executions: dict[str, str] = {}

    def run(case: Case) -> Ending:
        executions[case.name] = stage.start(case.name, case=case.name)
        return stage.end(executions[case.name])

    with stage.workers(), ThreadPoolExecutor(AT_ONCE) as pool:
        ends = dict(zip(CASES, pool.map(run, CASES.values()), strict=True))
    steps = stage.receive_transitions()
    return {name: CaseRun(ends[name], steps.get(executions[name], [])) for name in CASES}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_case_ends_as_it_must(runs: dict[str, CaseRun], case: Case) -> None:
    end = runs[case.name].end
    assert (end.status, end.error) == (case.status, case.error), end.cause
    assert case.cause in end.cause
    assert {key: end.output.get(key) for key in case.expected} == case.expected


def test_every_transition_of_the_machine_is_taken(stage: Stage, runs: dict[str, CaseRun]) -> None:
    drawn = transitions(stage.definition)
    seen = {name for case in runs.values() for name in case.names}
    print(coverage_report(drawn, runs))
    assert states_in(seen) == states_of(stage.definition)
    assert sorted(drawn - seen) == []
    assert sorted(seen - drawn) == []


def coverage_report(drawn: set[str], runs: dict[str, CaseRun]) -> str:
    """Return a line for each transition with the cases that took it, and the shares taken."""
    cases = {name: [case for case, run in runs.items() if name in run.names] for name in drawn}
    taken = sum(bool(by) for by in cases.values())
    lines = [
        f"{len(cases[name]):4d}  {name:70}  {', '.join(cases[name][:3])}" for name in sorted(drawn)
    ]
    states = states_in(drawn)
    entered = states_in(name for name, by in cases.items() if by)
    lines += [
        f"{taken} of {len(drawn)} transitions: {taken / len(drawn):.0%}",
        f"{len(entered)} of {len(states)} states: {len(entered) / len(states):.0%}",
    ]
    return "\n".join(["", *lines])


def states_in(names: Iterable[str]) -> set[str]:
    """Return the states at either end of transitions.

    >>> sorted(states_in(["AskAgain → Announce (choice 2)", "CloseJob → end"]))
    ['Announce', 'AskAgain', 'CloseJob']
    """
    return {state for name in names for state in name.partition(" (")[0].split(" → ")} - {"end"}


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("gt-")])
def test_the_request_that_ground_truth_gets_is_one_that_it_takes(
    runs: dict[str, CaseRun], name: str
) -> None:
    (request,) = requests_of(runs[name])
    assert problems(request) == []
    human = request["HumanTaskConfig"]
    assert human["PreHumanTaskLambdaArn"].endswith("prepare-task")
    consolidation = human["AnnotationConsolidationConfig"]
    assert consolidation["AnnotationConsolidationLambdaArn"].endswith("collect-answers")
    assert request["LabelingJobName"] == CASES[name].job
    assert request["OutputConfig"]["KmsKeyId"] == KMS_KEY
    assert {tag["Key"] for tag in request["Tags"]} >= {"tessera:run", "tessera:project"}


def test_only_the_public_crowd_is_paid_and_promised_content_without_persons(
    runs: dict[str, CaseRun],
) -> None:
    (public,), (private,) = (
        requests_of(runs["gt-public"]),
        requests_of(runs["gt-completed"]),
    )
    price = public["HumanTaskConfig"]["PublicWorkforceTaskPrice"]["AmountInUsd"]
    assert price == {"Dollars": 0, "Cents": 3, "TenthFractionsOfACent": 6}
    assert public["HumanTaskConfig"]["TaskAvailabilityLifetimeInSeconds"] <= 43_200
    classifiers = public["InputConfig"]["DataAttributes"]["ContentClassifiers"]
    assert "FreeOfPersonallyIdentifiableInformation" in classifiers
    assert "PublicWorkforceTaskPrice" not in private["HumanTaskConfig"]


def test_a_job_is_stopped_by_ground_truth_where_the_settings_say(
    runs: dict[str, CaseRun],
) -> None:
    (limited,), (unlimited,) = (
        requests_of(runs["gt-stopped"]),
        requests_of(runs["gt-completed"]),
    )
    assert limited["StoppingConditions"] == {
        "MaxHumanLabeledObjectCount": 1, "MaxPercentageOfInputDatasetLabeled": 50,
    }  # fmt: skip
    assert "StoppingConditions" not in unlimited


def requests_of(run: CaseRun) -> list[dict[str, Any]]:
    """Return the requests that CreateLabelingJob was given, evaluated as the machine does."""
    entered, grouped = "ChooseService → CreateLabelingJob (default)", "GroupImages → "
    inputs = [step["input"] for step in run.steps if step["transition"] == entered]
    (result,) = (step["input"] for step in run.steps if step["transition"].startswith(grouped))
    arguments = SHARD_STATES["CreateLabelingJob"]["Arguments"]
    return [evaluate(arguments, {"input": shard}, grouped=result) for shard in inputs]

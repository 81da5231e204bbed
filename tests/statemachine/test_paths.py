"""Every way through the machine is gone on the local stack, and none is only drawn."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from scripts.expressions import SHARD_STATES, evaluate
from tessera.runs.executions import Ending
from tests.statemachine.holding import states_of
from tests.statemachine.paths import WAYS, Way
from tests.statemachine.service_model import problems
from tests.statemachine.stage import KMS_KEY, Stage
from tests.statemachine.tracing import transitions

pytestmark = [pytest.mark.stack, pytest.mark.slow]

AT_ONCE = 3
"""Ways gone at the same time: more only wait for each other's processors."""


@dataclass(frozen=True)
class Gone:
    """A way that was gone: how it ended, and every transition with the input that was handed on."""

    end: Ending
    steps: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        return [step["transition"] for step in self.steps]


@pytest.fixture(scope="session")
def gone(stage: Stage) -> dict[str, Gone]:
    """All ways, some of them at the same time."""
    for way in WAYS.values():
        way.set_up(stage)
    executions: dict[str, str] = {}

    def go(way: Way) -> Ending:
        executions[way.name] = stage.start(way.name, case=way.name)
        return stage.end(executions[way.name])

    with stage.workers(), ThreadPoolExecutor(AT_ONCE) as pool:
        ends = dict(zip(WAYS, pool.map(go, WAYS.values()), strict=True))
    told = stage.listen()
    return {name: Gone(ends[name], told.get(executions[name], [])) for name in WAYS}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_a_way_ends_as_it_must(gone: dict[str, Gone], way: Way) -> None:
    end = gone[way.name].end
    assert (end.status, end.error) == (way.status, way.error), end.cause
    assert way.says in end.cause
    assert {key: end.output.get(key) for key in way.figures} == way.figures


def test_every_transition_of_the_machine_is_gone(stage: Stage, gone: dict[str, Gone]) -> None:
    drawn = transitions(stage.definition)
    seen = {name for way in gone.values() for name in way.names}
    print(coverage_report(drawn, gone))
    assert states_in(seen) == states_of(stage.definition)
    assert sorted(drawn - seen) == []
    assert sorted(seen - drawn) == []


def coverage_report(drawn: set[str], gone: dict[str, Gone]) -> str:
    """A line for each transition, with the ways that took it; the shares of them and of states."""
    ways = {name: [way for way, went in gone.items() if name in went.names] for name in drawn}
    taken = sum(bool(by) for by in ways.values())
    lines = [
        f"{len(ways[name]):4d}  {name:70}  {', '.join(ways[name][:3])}" for name in sorted(drawn)
    ]
    states = states_in(drawn)
    entered = states_in(name for name, by in ways.items() if by)
    lines += [
        f"{taken} of {len(drawn)} transitions: {taken / len(drawn):.0%}",
        f"{len(entered)} of {len(states)} states: {len(entered) / len(states):.0%}",
    ]
    return "\n".join(["", *lines])


def states_in(names: Iterable[str]) -> set[str]:
    """The states at either end of transitions.

    >>> sorted(states_in(["AskAgain → Announce (choice 2)", "CloseJob → end"]))
    ['Announce', 'AskAgain', 'CloseJob']
    """
    return {state for name in names for state in name.partition(" (")[0].split(" → ")} - {"end"}


@pytest.mark.parametrize("name", [name for name in WAYS if name.startswith("gt-")])
def test_the_request_that_ground_truth_gets_is_one_that_it_takes(
    gone: dict[str, Gone], name: str
) -> None:
    (request,) = requests_of(gone[name])
    assert problems(request) == []
    human = request["HumanTaskConfig"]
    assert human["PreHumanTaskLambdaArn"].endswith("prepare-task")
    consolidation = human["AnnotationConsolidationConfig"]
    assert consolidation["AnnotationConsolidationLambdaArn"].endswith("collect-answers")
    assert request["LabelingJobName"] == WAYS[name].job
    assert request["OutputConfig"]["KmsKeyId"] == KMS_KEY
    assert {tag["Key"] for tag in request["Tags"]} >= {"tessera:run", "tessera:project"}


def test_only_the_public_crowd_is_paid_and_promised_content_without_persons(
    gone: dict[str, Gone],
) -> None:
    (public,), (private,) = requests_of(gone["gt-public"]), requests_of(gone["gt-completed"])
    price = public["HumanTaskConfig"]["PublicWorkforceTaskPrice"]["AmountInUsd"]
    assert price == {"Dollars": 0, "Cents": 3, "TenthFractionsOfACent": 6}
    assert public["HumanTaskConfig"]["TaskAvailabilityLifetimeInSeconds"] <= 43_200
    classifiers = public["InputConfig"]["DataAttributes"]["ContentClassifiers"]
    assert "FreeOfPersonallyIdentifiableInformation" in classifiers
    assert "PublicWorkforceTaskPrice" not in private["HumanTaskConfig"]


def test_a_job_is_stopped_by_ground_truth_where_the_settings_say(gone: dict[str, Gone]) -> None:
    (limited,), (unlimited,) = requests_of(gone["gt-stopped"]), requests_of(gone["gt-completed"])
    assert limited["StoppingConditions"] == {
        "MaxHumanLabeledObjectCount": 1, "MaxPercentageOfInputDatasetLabeled": 50,
    }  # fmt: skip
    assert "StoppingConditions" not in unlimited


def requests_of(gone: Gone) -> list[dict[str, Any]]:
    """What CreateLabelingJob was asked, by what it and the variable `grouped` were given."""
    entered, grouped = "ChooseService → CreateLabelingJob (default)", "GroupImages → "
    inputs = [step["input"] for step in gone.steps if step["transition"] == entered]
    (result,) = (step["input"] for step in gone.steps if step["transition"].startswith(grouped))
    arguments = SHARD_STATES["CreateLabelingJob"]["Arguments"]
    return [evaluate(arguments, {"input": shard}, grouped=result) for shard in inputs]

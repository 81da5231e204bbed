"""Try in each state: the same drop a second time, and `kill -9` of the whole stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tessera.runs.executions import Ending
from tessera.stack.local_stack import ROOT, LocalStack, free_port
from tests.statemachine.cases import Case, mock_config
from tests.statemachine.holding import (
    ALREADY_RUNNING,
    DONE,
    REFUSED,
    SCENES,
    TAKES_OVER,
    Holds,
    Scene,
    states_of,
    with_holds,
)
from tests.statemachine.stage import Stage, wait_until

MACHINE = json.loads((ROOT / "statemachine" / "labeling.asl.json").read_text("utf-8"))
STATES = {state: scene for scene in SCENES for state in scene.states}
# The first of these tests waits for the trials of all states: two minutes, many on a busy machine.
slow = (pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1200))
each_state = pytest.mark.parametrize("state", [pytest.param(state, marks=slow) for state in STATES])
Result = TypeVar("Result")
OUTPUT_MANIFEST = "manifests/output/output.manifest"
"""File of a job that is written last."""
AT_ONCE = 4
"""Executions that are brought to their states at the same time."""


def test_every_state_of_the_machine_is_tried() -> None:
    assert set(STATES) == states_of(MACHINE)
    assert len(STATES) == sum(len(scene.states) for scene in SCENES)


@dataclass(frozen=True)
class Doubled:
    """Run whose drop came twice: both endings, and its files before and after the second."""

    first: Ending
    second: Ending
    before: dict[str, bytes]
    after: dict[str, bytes]


@dataclass(frozen=True)
class Killed:
    """Run whose stack was killed: its files at that time, how its redrop ended, its files."""

    before: dict[str, bytes]
    end: Ending
    after: dict[str, bytes]


@dataclass(frozen=True)
class Trials:
    """Outcomes of every state's two runs."""

    doubled: dict[str, Doubled]
    killed: dict[str, Killed]


def in_parallel(work: Callable[[str], Result]) -> dict[str, Result]:
    """Do the work of every state, some at the same time, and return the results."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(STATES, pool.map(work, STATES), strict=True))


@dataclass
class HoldingStack:
    """Stack whose executions can be held in each state, with a case a kind and state."""

    stage: Stage
    mocks: Path
    cases: dict[tuple[str, str], Case]

    def start(self) -> None:
        """Start the stack; what was deployed to it is there again."""
        self.stage.local.start(extra={"SFN_MOCK_CONFIG": str(self.mocks), "SFN_WAIT_SCALE": "0"})

    def set_up(self) -> None:
        """Deploy the machine with holds, and lay out every case's manifest."""
        self.mocks.write_text(json.dumps(mock_config(tuple(self.cases.values()))))
        self.start()
        self.stage.set_up()
        machine = with_holds(self.stage.definition, self.stage.queue)
        self.stage.workflows.update_state_machine(
            stateMachineArn=self.stage.machine_arn, definition=json.dumps(machine)
        )
        self.stage.local.stop()  # an orderly stop saves what is deployed
        self.start()
        for case in self.cases.values():
            case.set_up(self.stage)

    def drop_twice(self) -> dict[str, Doubled]:
        """In each state: drop the same manifest while an execution is held there."""
        holds = Holds(self.stage)

        def double(state: str) -> Doubled:
            case = self.cases["twice", state]
            first = holds.hold(case, state)
            if STATES[state].is_beside:  # what else the execution does is over
                uri = f"{case.home}round-1/jobs/{case.job}/{OUTPUT_MANIFEST}"
                wait_until(lambda: self.stage.cloud.storage.exists(uri), f"the end of {case.job}")
            before = self.stage.files(case.home)
            second = self.stage.end(self.stage.start(case.name))
            after = self.stage.files(case.home)
            holds.release(first)
            return Doubled(self.stage.end(first), second, before, after)

        with self.stage.workers():
            return in_parallel(double)

    def kill_and_drop_again(self) -> dict[str, Killed]:
        """Hold an execution in each state, kill the stack, start it, and drop all again."""
        holds = Holds(self.stage)
        with self.stage.workers():
            in_parallel(lambda state: holds.hold(self.cases["killed", state], state))
        homes = {state: self.cases["killed", state].home for state in STATES}
        before = {state: self.stage.files(home) for state, home in homes.items()}
        self.stage.local.stop(hard=True)
        self.start()

        def drop_again(state: str) -> Ending:
            case = self.cases["killed", state]
            # what the labeling service holds is still there; other faults were of that moment
            return self.stage.end(
                self.stage.start(case.name, case=case.name if case.output else "")
            )

        with self.stage.workers():
            ends = in_parallel(drop_again)
        return {
            state: Killed(before[state], ends[state], self.stage.files(home))
            for state, home in homes.items()
        }


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """Try all states on one stack, which is killed once, with an execution held in each."""
    folder = tmp_path_factory.mktemp("each-state")
    cases = {
        (kind, state): STATES[state].of(kind, state)
        for kind in ("twice", "killed")
        for state in STATES
    }
    stage = Stage(LocalStack(folder / "stack", free_port()), folder / "faults")
    holding = HoldingStack(stage, folder / "mocks.json", cases)
    try:
        holding.set_up()
        yield Trials(holding.drop_twice(), holding.kill_and_drop_again())
    finally:
        stage.local.stop(hard=True)


@each_state
def test_the_same_drop_again_asks_nobody_twice(trials: Trials, state: str) -> None:
    run, scene = trials.doubled[state], STATES[state]
    if scene.second == ALREADY_RUNNING:
        assert run.second.output["outcome"] == "already-running"
        assert run.after == run.before
    else:
        assert scene.second == TAKES_OVER
        assert_whole(run.second, run.after, scene)
    assert (run.first.status, run.first.error) == (scene.case.status, scene.case.error)


@each_state
def test_after_the_stack_was_killed_a_redrop_loses_nothing(trials: Trials, state: str) -> None:
    run, scene = trials.killed[state], STATES[state]
    if scene.redrop == REFUSED:
        assert (run.end.status, run.end.error) == ("FAILED", scene.case.error)
    elif scene.redrop == DONE:
        # whether Step Functions still knows the execution that broke off decides which
        assert run.end.status == "SUCCEEDED", run.end.cause
        assert run.end.output["outcome"] in {"already-running", "done"}
        assert_outputs_whole(run.after, scene)
    else:
        assert_whole(run.end, run.after, scene)
    answers = {name for name in run.before if "worker-response" in name}
    assert {name: run.after.get(name) for name in answers} == {
        name: run.before[name] for name in answers
    }


def assert_whole(end: Ending, files: dict[str, bytes], scene: Scene) -> None:
    """Every picture has its label, and just as many answers as an undisturbed run asks for."""
    labeled = len(scene.case.pictures)
    assert (end.status, end.output["labeled"]) == ("SUCCEEDED", labeled), end.cause
    assert_outputs_whole(files, scene)


def assert_outputs_whole(files: dict[str, bytes], scene: Scene) -> None:
    """Every picture has a line, and just as many answers as an undisturbed run asks for."""
    case = scene.case
    assert len(files["training.manifest"].splitlines()) == len(case.pictures)
    rows = [row.split(",") for row in files["answers.csv"].decode().splitlines()[1:]]
    asked = case.settings.get("answers_per_image", 1)
    expected = {
        (str(task), asked + picture.startswith("unsure"))
        for task, picture in enumerate(case.pictures)
    }
    assert {(task, sum(row[0] == task for row in rows)) for task, *_ in rows} == expected
    assert len({(task, worker) for task, worker, *_ in rows}) == len(rows)
    if not case.output:  # else Ground Truth's own
        assert sum("worker-response" in name for name in files) == len(rows)

"""Kill the whole local stack with `kill -9` in each state: a redrop takes the run over."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tessera.stack.local_stack import LocalStack, free_port
from tests.statemachine.faults import KILLS
from tests.statemachine.stage import Stage, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PICTURES = ["cat-0.png", "dog-1.png", "cow-2.png"]
UNSURE = ["cat-0.png", "unsure-1.png", "dog-2.png"]
ROUNDS = {"answers_per_image": 2, "max_answers": 3}
NO_WAITING = {"SFN_WAIT_SCALE": "0"}


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run a stack to be killed; what is deployed to it was saved by an orderly stop."""
    folder = tmp_path_factory.mktemp("doomed")
    stage = Stage(LocalStack(folder / "stack", free_port()), folder / "faults")
    stage.local.start(extra=NO_WAITING)
    try:
        stage.set_up()
        stage.local.stop()
        stage.local.start(extra=NO_WAITING)
        yield stage
    finally:
        stage.local.stop(hard=True)


def killed_in(stage: Stage, state: str, name: str) -> str:
    """Kill the stack while the manifest's run is in the state; return the answer saved by then."""
    rounds = state == "GroupUnsure"
    stage.lay_out(name, UNSURE if rounds else PICTURES, **(ROUNDS if rounds else {}))
    worker = stage.worker(0)
    function = KILLS[state]
    if function and not rounds:
        stage.plan(function, name, "hang")
    stage.start(name)
    saved = ""
    if state != "GroupImages":
        worker.sign_in()
        job = str(
            wait_until(lambda: [j for j in worker.open_jobs() if j.startswith(name)], "the job")[0]
        )
        worker.answer_next(job)
        (saved,) = stage.answers(job)
        if rounds:  # the first round was grouped: what hangs now is the second one's grouping
            stage.plan(function, name, "hang")
            with stage.workers():
                wait_until(lambda: not stage.planned(function, name), f"{state} to hang")
        elif function:
            wait_until(lambda: not worker.answer_next(job), f"the last answer of {job}")
    if function:
        wait_until(lambda: not stage.planned(function, name), f"{state} to hang")
    stage.local.stop(hard=True)
    return saved


@pytest.mark.parametrize("state", KILLS)
def test_a_run_whose_stack_was_killed_is_taken_over_with_all_its_answers(
    doomed: Stage, state: str
) -> None:
    name = f"killed-in-{state.lower()}"
    saved = killed_in(doomed, state, name)
    doomed.local.start(extra=NO_WAITING)
    with doomed.workers():
        end = doomed.end(doomed.start(name))
    assert (end.status, end.output["labeled"]) == ("SUCCEEDED", 3)
    files = doomed.files(end.output["home"])
    rows = files["answers.csv"].decode().splitlines()[1:]
    asked = ["0", "0", "1", "1", "1", "2", "2"] if state == "GroupUnsure" else ["0", "1", "2"]
    assert sorted(row.partition(",")[0] for row in rows) == asked
    answers = [json.loads(body) for file, body in files.items() if "worker-response" in file]
    assert len(answers) == len(rows)
    if saved:
        assert json.loads(saved) in answers

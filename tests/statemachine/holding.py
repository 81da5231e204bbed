"""Executions that are held in front of a state, so that what happens, happens just there.

Before each state stands a choice, on the stack of these tests alone: an execution whose input says
`"hold": "CloseJob"` waits there for a token. In front of a state is after all that came before it,
so that to hold in front of every state is to hold before and after everything that is done.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from typing import Any

from tests.statemachine.paths import TEAM, Way, grouped, payload, returns, throws
from tests.statemachine.stage import Stage, until
from tests.statemachine.tracing import edges, levels


def states_of(machine: dict[str, Any]) -> set[str]:
    """The names of all states, those inside maps too."""
    return {name for level in levels(machine) for name in level["States"]}


def holding(machine: dict[str, Any], queue: str) -> dict[str, Any]:
    """The machine with a place to wait in front of each state."""
    machine = copy.deepcopy(machine)
    for level in list(levels(machine)):
        states, names = level["States"], list(level["States"])
        for _, holder, key in list(edges(states)):
            if key != "End":
                holder[key] = f"before {holder[key]}"
        level["StartAt"] = f"before {level['StartAt']}"
        for name in names:
            held = {
                "Condition": f"{{% $states.context.Execution.Input.hold = '{name}' %}}",
                "Next": f"hold {name}",
            }
            states[f"before {name}"] = {"Type": "Choice", "Choices": [held], "Default": name}
            states[f"hold {name}"] = {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Arguments": {
                    "QueueUrl": queue,
                    "MessageBody": {
                        "execution": "{% $states.context.Execution.Id %}",
                        "token": "{% $states.context.Task.Token %}",
                    },
                },
                "Output": "{% $states.input %}",
                "TimeoutSeconds": 3600,
                "Next": name,
            }
    return machine


@dataclass
class Holds:
    """The executions that are held, by the tokens that let them go."""

    stage: Stage
    tokens: dict[str, list[str]] = field(default_factory=dict)

    def hold(self, way: Way, state: str) -> str:
        """Start the way, and wait until its execution waits in front of the state."""
        execution = self.stage.start(way.name, case=way.name, hold=state)

        def there() -> bool:
            if self.held(execution):
                return True
            end = self.stage.workflows.describe_execution(executionArn=execution)
            assert end["status"] == "RUNNING", f"{way.name} never came to {state}: {end}"
            return False

        until(there, f"{way.name} to come to {state}")
        return execution

    def held(self, execution: str) -> bool:
        """Whether the execution waits."""
        sqs = self.stage.cloud.client("sqs")
        answer = sqs.receive_message(QueueUrl=self.stage.queue, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            said = json.loads(message["Body"])
            self.tokens.setdefault(said["execution"], []).append(said["token"])
            sqs.delete_message(QueueUrl=self.stage.queue, ReceiptHandle=message["ReceiptHandle"])
        return bool(self.tokens.get(execution))

    def go_on(self, execution: str) -> None:
        """Let the execution go, each time that it comes by its state, until it has ended."""

        def ended() -> bool:
            if self.held(execution):
                token = self.tokens[execution].pop()
                self.stage.workflows.send_task_success(taskToken=token, output="{}")
            described = self.stage.workflows.describe_execution(executionArn=execution)
            return bool(described["status"] != "RUNNING")

        until(ended, f"{execution} to end after it was held")


# --- the ways to each state -----------------------------------------------------------------------

FOUND = "the second ends `AlreadyRunning`, the first goes on"
TAKES = "the second labels the run, whole"
WHOLE = "a redrop takes the run over, whole"
REFUSED = "a redrop is refused as well; nobody was asked"


@dataclass(frozen=True)
class Scene:
    """How an execution gets to some states, and what then becomes of the same drop."""

    states: tuple[str, ...]
    way: Way
    """How it ends if it is left alone; its name is another for each state."""
    second: str = FOUND
    """While the execution is there."""
    redrop: str = WHOLE
    """When the stack was killed while it was there."""

    def of(self, kind: str, state: str) -> Way:
        """The way of one state's run, under a name of its own."""
        return _named(self.way, f"{kind}-{state.lower()}")


def _named(way: Way, name: str) -> Way:
    renamed = replace(way, name=name)
    mocks = json.dumps(dict(way.mocks)).replace(way.run, renamed.run)
    return replace(renamed, mocks=json.loads(mocks))


def _at_ground_truth(status: str) -> Way:
    shape = Way(
        f"at-ground-truth-{status.lower()}",
        settings={"workforce": TEAM},
        output={0: "cat", 1: "dog"},
    )
    described = returns(shape.described("InProgress"), shape.described(status))
    taken = throws("SageMaker.AmazonSageMakerException", "Labeling job already exists")
    return replace(shape, mocks={"CreateLabelingJob": taken, "DescribeLabelingJob": described})


def _failing(error: str, **mocks: dict[str, Any]) -> Way:
    return Way(error.lower(), "FAILED", error, mocks=mocks)


_CRASH = throws("Runtime.ExitError", "the process ended")
_REFUSED = throws("Invalid", "the job request has no TaskTitle")
_OVER = throws("States.Timeout", "the job's time is over")

SCENES = [
    Scene(("GroupImages",), Way("first"), TAKES),
    Scene(
        (
            "GroupingOutcome", "LabelShards", "ChooseService", "OpenJob", "CloseJob",
            "ConsolidateLabels", "AskAgain", "Announce", "PublishReady", "Done",
        ),
        Way("labeled"),
    ),
    Scene(
        ("GroupUnsure", "RegroupingOutcome"),
        Way(
            "rounds",
            pictures=("cat-0.png", "unsure-1.png"),
            settings={"answers_per_image": 2, "max_answers": 3},
        ),
    ),
    Scene(
        ("CreateLabelingJob", "DescribeLabelingJob", "JobOutcome", "WaitForJob", "JobCompleted"),
        _at_ground_truth("Completed"),
    ),
    Scene(("JobIncomplete",), _at_ground_truth("Stopped")),
    Scene(("JobNotClosed",), Way("not-closed", mocks={"CloseJob": _CRASH})),
    Scene(("JobNotOpened", "JobsRefused"), _failing("JobsRefused", OpenJob=_REFUSED)),
    Scene(("NothingLabeled",), _failing("NothingLabeled", OpenJob=_OVER)),
    Scene(
        ("ConsolidationFailed",), _failing("ConsolidationFailed", ConsolidateLabels=_CRASH)
    ),
    Scene(("GroupingFailed",), _failing("GroupingFailed", GroupImages=_CRASH), TAKES),
    Scene(
        ("LabelingFailed",),
        _failing("LabelingFailed", GroupImages=grouped(shards="many")),
        TAKES,
    ),
    Scene(
        ("AlreadyRunning",),
        Way("found", mocks={"GroupImages": payload(outcome="already-running", run="x")}),
        TAKES,
    ),
    Scene(
        (
            "DescribeFailure", "AnnounceFailure", "PublishFailure", "FailByName",
            "ManifestRejected",
        ),
        Way("refused", "FAILED", "NoUsableLine", pictures=("!", "!")),
        redrop=REFUSED,
    ),
]  # fmt: skip

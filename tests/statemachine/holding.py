"""Hold executions in front of a state, so that what a test does happens just then.

On the stack of these tests alone a choice precedes each state: an execution whose input has
`"hold": "CloseJob"` waits there for a token. In front of a state is after everything before it, so
to hold in front of every state is to hold before and after everything that is done.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from typing import Any

from tests.statemachine.cases import TEAM, Case, grouped, payload, returns, throws
from tests.statemachine.stage import EMBEDDING, Stage, wait_until
from tests.statemachine.tracing import edges, levels


def states_of(machine: dict[str, Any]) -> set[str]:
    """Return the names of all states, those inside maps too."""
    return {name for level in levels(machine) for name in level["States"]}


def with_holds(machine: dict[str, Any], queue: str) -> dict[str, Any]:
    """Return the machine with a place to wait in front of each state."""
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
    """Executions that are held, with the tokens that release them."""

    stage: Stage
    tokens: dict[str, list[str]] = field(default_factory=dict)

    def hold(self, case: Case, state: str) -> str:
        """Start the case, wait until its execution is held at the state, and return its ARN."""
        execution = self.stage.start(case.name, case=case.name, hold=state)

        def held() -> bool:
            if self.held(execution):
                return True
            end = self.stage.workflows.describe_execution(executionArn=execution)
            assert end["status"] == "RUNNING", f"{case.name} never came to {state}: {end}"
            return False

        wait_until(held, f"{case.name} to come to {state}")
        return execution

    def held(self, execution: str) -> bool:
        """Tell whether the execution waits."""
        sqs = self.stage.cloud.client("sqs")
        answer = sqs.receive_message(QueueUrl=self.stage.queue, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            hold = json.loads(message["Body"])
            self.tokens.setdefault(hold["execution"], []).append(hold["token"])
            sqs.delete_message(QueueUrl=self.stage.queue, ReceiptHandle=message["ReceiptHandle"])
        return bool(self.tokens.get(execution))

    def release(self, execution: str) -> None:
        """Release the execution each time that it comes to its state, until it has ended."""

        def ended() -> bool:
            if self.held(execution):
                token = self.tokens[execution].pop()
                self.stage.workflows.send_task_success(taskToken=token, output="{}")
            described = self.stage.workflows.describe_execution(executionArn=execution)
            return bool(described["status"] != "RUNNING")

        wait_until(ended, f"{execution} to end after it was held")


# --- a case for each state ------------------------------------------------------------------------

ALREADY_RUNNING = "the second ends `AlreadyRunning`, the first goes on"
TAKES_OVER = "the second labels the run, whole"
WHOLE = "a redrop takes the run over, whole"
DONE = "the run is done, whole; a redrop announces it, or ends `AlreadyRunning`"
REFUSED = "a redrop is refused as well; nobody was asked"


@dataclass(frozen=True)
class Scene:
    """Case that passes through some states, and what then becomes of the same drop."""

    states: tuple[str, ...]
    case: Case
    """How it ends if it is left alone; each state's run has a name of its own."""
    second: str = ALREADY_RUNNING
    """End of the same drop while the execution is held."""
    redrop: str = WHOLE
    """End of the same drop after the stack was killed while the execution was held."""
    is_beside: bool = False
    """Whether workers label the shards while the execution is held."""

    def of(self, kind: str, state: str) -> Case:
        """Return the case of one state's run, under a name of its own."""
        return _named(self.case, f"{kind}-{state.lower()}")


def _named(case: Case, name: str) -> Case:
    renamed = replace(case, name=name)
    mocks = json.dumps(dict(case.mocks)).replace(case.run, renamed.run)
    return replace(renamed, mocks=json.loads(mocks))


def _at_ground_truth(status: str) -> Case:
    shape = Case(
        f"at-ground-truth-{status.lower()}",
        settings={"workforce": TEAM},
        output={0: "cat", 1: "dog"},
    )
    described = returns(shape.described("InProgress"), shape.described(status))
    taken = throws("SageMaker.AmazonSageMakerException", "Labeling job already exists")
    return replace(shape, mocks={"CreateLabelingJob": taken, "DescribeLabelingJob": described})


def _failing(error: str, **mocks: dict[str, Any]) -> Case:
    return Case(error.lower(), "FAILED", error, mocks=mocks)


def _in_parts(part: dict[str, Any] | None = None) -> Case:
    """Return a run that is asked for a part of which nothing comes, and then labeled."""
    ask = {"Payload": {"outcome": "by-parts", "parts": {"stage": "", "items": 1}}}
    mocks = {"ConsolidateLabels": returns(ask), "ConsolidatePart": part or payload()}
    if part:
        return Case("part-fails", "FAILED", "ConsolidationFailed", mocks=mocks)
    return Case("parted", mocks=mocks)


_CRASH = throws("Runtime.ExitError", "the process ended")
_REFUSED = throws("Invalid", "the job request has no TaskTitle")
_OVER = throws("States.Timeout", "the job's time is over")

SCENES = [
    Scene(("GroupImages",), Case("first"), TAKES_OVER),
    Scene(
        (
            "GroupingOutcome", "LabelShards", "ChooseService", "OpenJob", "CloseJob",
            "ConsolidateLabels",
        ),
        Case("labeled"),
    ),
    Scene(("AskAgain", "Announce", "PublishReady", "Done"), Case("consolidated"), redrop=DONE),
    Scene(
        ("GroupUnsure", "RegroupingOutcome"),
        Case(
            "rounds",
            pictures=("cat-0.png", "unsure-1.png"),
            settings={"answers_per_image": 2, "max_answers": 3},
        ),
    ),
    Scene(
        ("CreateLabelingJob", "DescribeLabelingJob", "JobOutcome", "WaitForJob", "JobCompleted"),
        _at_ground_truth("Completed"),
    ),
    Scene(
        ("EmbedBlocks", "EmbedImages", "JoinEmbeddings", "PicturesEmbedded"),
        Case("embedded", settings=EMBEDDING),
        is_beside=True,
    ),
    Scene(
        ("BlockFailed",),
        Case("block-fails", settings=EMBEDDING, mocks={"EmbedImages": _CRASH}),
        is_beside=True,
    ),
    Scene(("ConsolidateParts", "ConsolidatePart", "PartsOutcome"), _in_parts()),
    Scene(("PartFailed",), _in_parts(_CRASH)),
    Scene(("JobIncomplete",), _at_ground_truth("Stopped")),
    Scene(("JobNotClosed",), Case("not-closed", mocks={"CloseJob": _CRASH})),
    Scene(("JobNotOpened", "JobsRefused"), _failing("JobsRefused", OpenJob=_REFUSED)),
    Scene(("NothingLabeled",), _failing("NothingLabeled", OpenJob=_OVER)),
    Scene(
        ("ConsolidationFailed",), _failing("ConsolidationFailed", ConsolidateLabels=_CRASH)
    ),
    Scene(("GroupingFailed",), _failing("GroupingFailed", GroupImages=_CRASH), TAKES_OVER),
    Scene(
        ("LabelingFailed",),
        _failing("LabelingFailed", GroupImages=grouped(shards="many")),
        TAKES_OVER,
    ),
    Scene(
        ("AlreadyRunning",),
        Case("found", mocks={"GroupImages": payload(outcome="already-running", run="x")}),
        TAKES_OVER,
    ),
    Scene(
        (
            "DescribeFailure", "AnnounceFailure", "PublishFailure", "FailByName",
            "ManifestRejected",
        ),
        Case("refused", "FAILED", "NoUsableLine", pictures=("!", "!")),
        redrop=REFUSED,
    ),
]  # fmt: skip

"""The end of a run is told to people and to machines, in the words of docs/events.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tessera.stack.local_stack import INBOX
from tests.statemachine.stage import Stage, manifest_key, until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PAGE = (Path(__file__).parent.parent.parent / "docs" / "events.md").read_text("utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
READY, FAILED = EXAMPLES


class Ears:
    """A queue that hears the topic, and one that hears the event bus."""

    def __init__(self, stage: Stage) -> None:
        """Subscribe both."""
        self.sqs = stage.cloud.client("sqs")
        events, sns = stage.cloud.client("events"), stage.cloud.client("sns")
        self.queues = {
            name: self.sqs.create_queue(QueueName=f"hears-{name}")["QueueUrl"]
            for name in ("topic", "bus")
        }
        topic, bus = (
            self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            for url in self.queues.values()
        )
        sns.subscribe(TopicArn=stage.cloud.outputs["Topic"], Protocol="sqs", Endpoint=topic)
        events.put_rule(Name="hears", EventPattern=json.dumps({"source": ["Tessera"]}))
        events.put_targets(Rule="hears", Targets=[{"Id": "bus", "Arn": bus}])

    def heard(self, name: str, execution: str) -> dict[str, Any]:
        """What a queue was told of an execution."""

        def found() -> dict[str, Any] | None:
            answer = self.sqs.receive_message(QueueUrl=self.queues[name], MaxNumberOfMessages=10)
            for message in answer.get("Messages", ()):
                body: dict[str, Any] = json.loads(message["Body"])
                if execution in message["Body"]:
                    return body
            return None

        told: dict[str, Any] = until(found, f"the {name} to tell of {execution}")
        return told


@pytest.fixture(scope="module")
def ears(stage: Stage) -> Ears:
    return Ears(stage)


def test_a_training_manifest_is_told_of(stage: Stage, ears: Ears) -> None:
    stage.lay_out("labeled-before", [])
    labeled = {"source-ref": "s3://inbox/cat-0.png", "label": 0, "label-metadata": {}}
    lines = json.dumps(labeled) + "\n" + json.dumps(labeled) + "\n"
    stage.put(f"s3://{INBOX}/{manifest_key('labeled-before')}", lines.encode())
    execution = stage.start("labeled-before")
    end = stage.end(execution)
    event, message = ears.heard("bus", execution), ears.heard("topic", execution)
    assert (event["source"], event["detail-type"]) == ("Tessera", "Training Manifest Ready")
    assert event["detail"].keys() == READY.keys()
    assert event["detail"]["version"] == READY["version"]
    assert json.loads(message["Message"]) == event["detail"]
    assert message["Subject"] == f"Labeled: 2 of 2 images of {end.output['run']}"
    assert end.output["message"] == event["detail"]["message"] == "2 of 2 images are labeled."


def test_a_failure_is_told_of(stage: Stage, ears: Ears) -> None:
    execution = stage.start("consolidating-breaks", case="consolidating-breaks")
    stage.end(execution)
    event, message = ears.heard("bus", execution), ears.heard("topic", execution)
    assert (event["source"], event["detail-type"]) == ("Tessera", "Labeling Failed")
    assert event["detail"].keys() == FAILED.keys()
    assert event["detail"]["error"] == "ConsolidationFailed"
    assert json.loads(message["Message"]) == event["detail"]
    assert message["Subject"] == "Labeling failed: ConsolidationFailed"


def test_a_manifest_that_another_execution_has_is_not_told_of(stage: Stage) -> None:
    end = stage.end(stage.start("known", case="known"))
    assert end.status == "SUCCEEDED"
    assert "message" not in end.output

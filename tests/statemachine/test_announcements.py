"""Ends of runs are announced to people and to machines as docs/events.md describes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tessera.stack.local_stack import INBOX
from tests.statemachine.stage import Stage, manifest_key, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PAGE = (Path(__file__).parent.parent.parent / "docs" / "events.md").read_text("utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
READY, FAILED = EXAMPLES


class Subscribers:
    """Queues that subscribe to the topic and to the event bus."""

    def __init__(self, stage: Stage) -> None:
        """Make and subscribe both."""
        self.sqs = stage.cloud.client("sqs")
        events, sns = stage.cloud.client("events"), stage.cloud.client("sns")
        self.queues = {
            name: self.sqs.create_queue(QueueName=f"subscriber-{name}")["QueueUrl"]
            for name in ("topic", "bus")
        }
        topic, bus = (
            self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            for url in self.queues.values()
        )
        sns.subscribe(TopicArn=stage.cloud.outputs["Topic"], Protocol="sqs", Endpoint=topic)
        events.put_rule(Name="subscriber", EventPattern=json.dumps({"source": ["Tessera"]}))
        events.put_targets(Rule="subscriber", Targets=[{"Id": "bus", "Arn": bus}])

    def receive(self, execution: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the event on the bus and the message of the topic about an execution."""
        return self._receive("bus", execution), self._receive("topic", execution)

    def _receive(self, name: str, execution: str) -> dict[str, Any]:
        def matching() -> dict[str, Any] | None:
            response = self.sqs.receive_message(QueueUrl=self.queues[name], MaxNumberOfMessages=10)
            for message in response.get("Messages", ()):
                body: dict[str, Any] = json.loads(message["Body"])
                if execution in message["Body"]:
                    return body
            return None

        body: dict[str, Any] = wait_until(matching, f"the {name}'s message about {execution}")
        return body


@pytest.fixture(scope="module")
def subscribers(stage: Stage) -> Subscribers:
    return Subscribers(stage)


def test_a_training_manifest_is_announced(stage: Stage, subscribers: Subscribers) -> None:
    stage.lay_out("labeled-before", [])
    labeled = {"source-ref": "s3://inbox/cat-0.png", "label": 0, "label-metadata": {}}
    lines = json.dumps(labeled) + "\n" + json.dumps(labeled) + "\n"
    stage.put(f"s3://{INBOX}/{manifest_key('labeled-before')}", lines.encode())
    execution = stage.start("labeled-before")
    end = stage.end(execution)
    event, message = subscribers.receive(execution)
    assert (event["source"], event["detail-type"]) == ("Tessera", "Training Manifest Ready")
    assert event["detail"].keys() == READY.keys()
    assert event["detail"]["version"] == READY["version"]
    assert json.loads(message["Message"]) == event["detail"]
    assert message["Subject"] == f"Labeled: 2 of 2 images of {end.output['run']}"
    assert end.output["message"] == event["detail"]["message"] == "2 of 2 images are labeled."


def test_a_failure_is_announced(stage: Stage, subscribers: Subscribers) -> None:
    execution = stage.start("consolidating-breaks", case="consolidating-breaks")
    stage.end(execution)
    event, message = subscribers.receive(execution)
    assert (event["source"], event["detail-type"]) == ("Tessera", "Labeling Failed")
    assert event["detail"].keys() == FAILED.keys()
    assert event["detail"]["error"] == "ConsolidationFailed"
    assert json.loads(message["Message"]) == event["detail"]
    assert message["Subject"] == "Labeling failed: ConsolidationFailed"


def test_a_manifest_that_another_execution_has_is_not_announced(stage: Stage) -> None:
    end = stage.end(stage.start("known", case="known"))
    assert end.status == "SUCCEEDED"
    assert "message" not in end.output

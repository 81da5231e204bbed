"""A run that began under an earlier release ends under today's: events, objects and items of then.

Each file here is what one release handed from part to part (`scripts/release.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from events import record
from tessera.stack import samples

RELEASES = sorted(Path(__file__).parent.glob("*.json"))
STEPS = [
    "2-group-images", "3-open-job", "4-prepare-task", "5-collect-answers", "6-close-job",
    "7-consolidate-labels", "8-serve-portal",
]  # fmt: skip


class Release:
    """What a release handed from part to part, in today's world."""

    def __init__(self, path: Path) -> None:
        kept = json.loads(path.read_text("utf-8"))
        self.machine, self.events, self.results = kept["machine"], kept["events"], kept["results"]
        self.objects: dict[str, str] = kept["objects"]
        self.items: list[dict[str, Any]] = kept["items"]

    def restore(self) -> None:
        """Put the release's objects and items in the place of today's."""
        s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
        for key in record.objects():
            if key.startswith("runs/"):
                s3.delete_object(Bucket=samples.NAME, Key=key)
        for key, content in self.objects.items():
            s3.put_object(Bucket=samples.NAME, Key=key, Body=content.encode("latin-1"))
        for item in self.items:
            dynamodb.put_item(TableName=samples.NAME, Item=item)

    def answer(self, step: str) -> Any:
        """Return what today's function answers to the release's event."""
        return record._invoke(f"arn::tessera-{step.partition('-')[2]}", self.events[step])


@pytest.fixture(params=RELEASES, ids=lambda path: path.stem)
def release(request: pytest.FixtureRequest) -> Iterator[Release]:
    release = Release(request.param)
    with record.world():
        release.restore()
        yield release


def lost(before: Any, now: Any, place: str = "") -> list[str]:
    """Return what is not as it was: keys that are gone, values that differ.

    New keys are no loss, and a sentence may be worded anew.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            loss
            for key, value in before.items()
            for loss in (
                lost(value, now[key], f"{place}.{key}")
                if key in now
                else [f"{place}.{key} is gone"]
            )
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [loss for at, pair in pairs for loss in lost(*pair, f"{place}[{at}]")]
    if isinstance(before, str) and isinstance(now, str) and " " in before:
        return []
    return [] if before == now else [f"{place} was {before!r} and is {now!r}"]


def test_there_is_a_release_to_go_on_from() -> None:
    assert RELEASES


@pytest.mark.thorough
@pytest.mark.parametrize("step", STEPS)
def test_a_function_answers_an_event_of_then_with_all_that_it_answered_then(
    release: Release, step: str
) -> None:
    assert lost(release.results[step], release.answer(step)) == []


@pytest.mark.thorough
def test_the_machine_of_then_makes_the_same_of_today_s_results(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = {step: release.answer(step) for step in STEPS}
    states = release.machine["States"]
    monkeypatch.setattr(record, "STATES", states)
    monkeypatch.setattr(record, "SHARD_STATES", states["LabelShards"]["ItemProcessor"]["States"])
    monkeypatch.setattr(record, "event", release.events.get)
    monkeypatch.setattr(record, "result", results.get)
    for step, make_event in record.NEXT_EVENTS.items():
        assert lost(release.events[step], make_event(), step) == []
    assert lost(release.results["1-manifest-uploaded"], record.ended()) == []


def test_what_is_lost_is_noticed() -> None:
    before = {"outcome": "ask", "jobs": [1, 2], "text": "a sentence"}
    assert lost(before, before | {"more": 1, "text": "another one"}) == []
    assert lost(before, {"outcome": "asked", "jobs": [1], "text": "a sentence"}) == [
        ".outcome was 'ask' and is 'asked'", ".jobs was [1, 2] and is [1]",
    ]  # fmt: skip
    assert lost(before, {"outcome": "ask", "jobs": [1, 2]}) == [".text is gone"]

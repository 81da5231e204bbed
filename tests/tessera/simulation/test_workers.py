"""Simulated workers: what they hand in is what a page of people's would."""

from __future__ import annotations

import json
import random
import re
from statistics import mean, median
from typing import Any

import pytest

from tessera.commands.preview import render_page
from tessera.simulation.example import EXAMPLE, Example
from tessera.simulation.workers import Account, SimulatedWorker
from tessera.stack.local_stack import ROOT
from tessera.tiling.answers.submission import split_meta
from tessera.tiling.estimate import page_seconds
from tessera.tiling.settings import Settings

TRUTH = Example(EXAMPLE).truth
LABELS = tuple(sorted(set(TRUTH.values())))
SETTINGS = Settings(labels=LABELS, question="Which digit?", instructions="")


def worker(seed: str, error_rate: float = 0.3) -> SimulatedWorker:
    account = Account("simulated@example.com", "")
    return SimulatedWorker(account, "", TRUTH, LABELS, error_rate=error_rate, seed=seed)


def page(names: list[str]) -> str:
    images = [{"source-ref": name, "index": at} for at, name in enumerate(names)]
    return render_page(SETTINGS, images, lambda name: f"https://bucket/{name}?signed")


def test_a_simulated_worker_tells_its_seconds_as_the_page_does() -> None:
    names = list(TRUTH)[:20]
    answer = worker("1-0").label_page(page(names))
    log = json.loads(answer["meta"])
    rest, seconds, _ = split_meta(answer)
    source = (ROOT / "ui" / "tiles.liquid.html").read_text("utf-8")

    assert list(rest) == list(seconds) == [str(at) for at in range(20)]
    assert all(0.1 < value < 30 for value in seconds.values())
    assert log["submitMs"] == pytest.approx(1000 * sum(seconds.values()))
    for key in log | log["tiles"][0]:  # none that the page does not have
        assert re.search(rf"\b{key}\b", source), key
    for tile in log["tiles"]:
        assert rest[tile["id"]][tile["label"]] is True


def test_the_seconds_follow_from_the_seed_and_leave_the_answers_alone() -> None:
    names = list(TRUTH)[:20]
    turned = random.Random(1).sample(names, len(names))

    def answers(seed: str, names: list[str]) -> dict[str, Any]:
        answer, seconds, _ = split_meta(worker(seed).label_page(page(names)))
        return {name: (answer[str(at)], seconds[str(at)]) for at, name in enumerate(names)}

    assert answers("1-0", names) == answers("1-0", names) == answers("1-0", turned)
    assert answers("1-0", names) != answers("1-1", names)


def test_a_worker_sits_out_a_portal_that_does_not_answer() -> None:
    someone = worker("1-0")
    someone.portal = "http://127.0.0.1:9/"  # where nobody listens

    assert someone.open_jobs() == []
    assert someone.answer_next("pets-r1-000") is False


@pytest.mark.thorough
@pytest.mark.parametrize(("images", "pages"), [(1, 200), (20, 40)])
def test_seconds_are_in_the_mean_what_a_page_of_that_size_takes(images: int, pages: int) -> None:
    html = page(list(TRUTH)[:images])
    spent = [
        seconds
        for number in range(pages)
        for seconds in split_meta(worker(f"9-{number}").label_page(html))[1].values()
    ]

    assert mean(spent) == pytest.approx(page_seconds(images), rel=0.1)
    assert median(spent) < mean(spent)  # a few pictures take long, as they do people

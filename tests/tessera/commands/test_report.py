"""`tessera report`: a run's report as one file, its doubtful pictures in it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tessera.commands.report import report_command
from tessera.exits import Exit
from tests.tiling.report.small_run import figures


def test_a_report_has_its_pictures_in_it_and_says_which_are_missing(
    labels: Any, tessera: Any
) -> None:
    name = labels.run(images=4)
    doubtful = [
        {"index": index, "source": source, "label": "cat", "confidence": 0.5, "said": {"cat": 1}}
        for index, source in ((3, "s3://inbox/pets/3.png"), (9, "s3://inbox/pets/9.png"))
    ]
    labels.put(
        "labels", f"runs/{name}/report.json", json.dumps(figures(doubtful=doubtful)).encode()
    )

    done = tessera(report_command, "--out", "report.html")

    assert done.exit_code == Exit.PARTIAL
    assert "s3://inbox/pets/9.png" in done.output
    assert Path("report.html").read_text("utf-8").count("data:image/png;base64,") == 1


def put_report(labels: Any, name: str, **changed: Any) -> dict[str, Any]:
    """Put a report with a sheet for each label, and return its figures."""
    sheets = {
        label: [{"index": index, "source": f"s3://inbox/pets/{index}.png", "confidence": 0.5}]
        for index, label in enumerate(("cat", "dog"))
    }
    made = figures(doubtful=[], sheets=sheets, **changed)
    labels.put("labels", f"runs/{name}/report.json", json.dumps(made).encode())
    return made


def test_a_report_has_the_pictures_of_each_label_and_a_sentence_to_repeat(
    labels: Any, tessera: Any
) -> None:
    put_report(labels, labels.run(images=4))
    done = tessera(report_command, "--out", "report.html")
    assert done.exit_code == 0, done.output
    assert "10 of 10 labeled by 1 person in " in done.output
    assert "; about 93 % right." in done.output
    page = Path("report.html").read_text("utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "Project pets" in page


def test_the_pictures_of_a_large_run_are_for_the_portal_to_show(labels: Any, tessera: Any) -> None:
    name = labels.run(images=4)
    counts = figures()["images"] | {"lines": 5000, "training": 5000}
    put_report(labels, name, images=counts)
    tessera(report_command, "--out", "report.html")
    page = Path("report.html").read_text("utf-8")
    assert "data:image/jpeg" not in page
    assert f"tessera review {name} --label LABEL" in page


def test_workers_are_named_by_their_account_or_by_a_number(
    labels: Any, place: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ann,) = figures()["workers"]
    worker = ann | {"worker": "private.eu-west-1.1f0a"}
    contradicting = {"worker": worker["worker"], "answers": 3, "upheld": 2}
    guesses = {"used": True, "labeled": 0, "contradicted_by": [contradicting]}
    put_report(labels, labels.run(images=4), workers=[worker], guesses=guesses)
    account = SimpleNamespace(worker="1f0a", email="ann@example.org")
    accounts = SimpleNamespace(list=lambda: iter([account]))
    monkeypatch.setattr(type(place.cloud), "users", accounts)
    for words, name, other in (
        ((), "ann@example.org", "1f0a"),
        (("--hide-names",), "worker 1", "example.org"),
    ):
        tessera(report_command, "--out", "report.html", *words)
        page = Path("report.html").read_text("utf-8")
        assert name in page
        assert other not in page

"""`tessera estimate`: what a manifest will cost, with every assumption printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tessera.commands.estimate import estimate_command
from tessera.exits import Exit
from tessera.runs.fitting import Staff
from tessera.stack.cloud import NotDeployed
from tests.tessera.conftest import FakeCloud


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Forty images, two bad lines and their settings."""
    lines = [json.dumps({"source-ref": f"s3://bkt/{number}.jpg"}) for number in range(40)]
    path = tmp_path / "pets.manifest"
    path.write_text("\n".join([*lines, "?", "{}"]) + "\n")
    (tmp_path / "labeling.json").write_text('{"labels": ["cat", "dog"]}')
    return path


def test_estimate_prints_every_assumption(manifest: Path, tessera: Any) -> None:
    done = tessera(estimate_command, str(manifest))

    assert done.exit_code == Exit.OK, done.output
    assert "40 images to label" in done.output
    assert "2 rejected" in done.output
    for option in ("--seconds", "--seconds-alone", "--like", "--answer-price", "--picture-kb"):
        assert option in done.output


def test_estimate_refuses_what_the_run_would_refuse(manifest: Path, tessera: Any) -> None:
    manifest.write_text("?\n")

    done = tessera(estimate_command, str(manifest))

    assert done.exit_code == Exit.REFUSED
    assert "NoUsableLine" in done.output


def test_settings_are_refused_with_every_problem(manifest: Path, tessera: Any) -> None:
    manifest.with_name("labeling.json").write_text(
        '{"labels": ["cat", "dog"], "images_per_tsk": 5, "gain": 2}'
    )

    done = tessera(estimate_command, str(manifest))

    assert done.exit_code == Exit.REFUSED
    assert "did you mean images_per_task?" in done.output
    assert "gain: 2 is above 1" in done.output


def test_an_earlier_run_tells_speed_and_rounds(manifest: Path, labels: Any, tessera: Any) -> None:
    labels.run("pets-april-0123456789ab")
    report = {
        "run": "pets-april-0123456789ab",
        "time": {"measured": True, "seconds_per_image": 1.5},
        "rounds": [{"images": 100}, {"images": 10}],
    }
    key = "runs/pets-april-0123456789ab/report.json"
    labels.put("labels", key, json.dumps(report).encode())

    done = tessera(estimate_command, str(manifest), "--like", "pets-april", "--json")

    result = json.loads(done.stdout)
    assert result["assumed"]["seconds"] == 1.5
    assert result["estimate"]["rounds"][1]["images"] == pytest.approx(4)


def test_an_estimate_takes_the_settings_and_people_that_a_drop_would_take(
    manifest: Path, tessera: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(*arguments: str) -> float:
        done = tessera(estimate_command, str(manifest), "--json", *arguments)
        assert done.exit_code == Exit.OK, done.output
        return float(json.loads(done.stdout)["estimate"]["tiled"]["answers"])

    settings = manifest.with_name("labeling.json")
    own = '{"labels": ["cat", "dog"], "answers_per_image": 1, "max_answers": 1}'
    settings.write_text(own)
    assert answers() == answers("--labels", "cat,dog") == 40
    settings.unlink()
    assert answers("--labels", "cat,dog") > 80
    # the project was dropped before, for one person
    place.cloud.aws.files.put(f"s3://inbox/{manifest.parent.name}/labeling.json", own.encode())
    assert answers("--labels", "cat,dog") == answers() == 40
    assert answers("--labels", "cat,cow") > 80
    monkeypatch.setattr(Staff, "of", lambda cloud, *_: Staff(cloud, 1))
    assert answers("--labels", "cat,cow") == 40


def test_an_estimate_needs_no_stack(
    manifest: Path, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_: Any) -> Any:
        raise NotDeployed("no stack runs")

    monkeypatch.setattr(FakeCloud, "outputs", property(absent))
    assert tessera(estimate_command, str(manifest)).exit_code == Exit.OK
    manifest.with_name("labeling.json").unlink()
    done = tessera(estimate_command, str(manifest))
    assert "--labels A,B" in " ".join(done.output.split())


def test_gold_per_task_without_gold_lines_is_told(manifest: Path, tessera: Any) -> None:
    manifest.with_name("labeling.json").write_text('{"labels": ["cat", "dog"], "gold_per_task": 2}')
    assert "gold_per_task: 2 has no effect" in " ".join(
        tessera(estimate_command, str(manifest)).output.split()
    )
    gold = json.dumps({"source-ref": "s3://bkt/gold.jpg", "gold": "cat"})
    manifest.write_text(manifest.read_text() + gold + "\n")
    assert "no effect" not in tessera(estimate_command, str(manifest)).output


def test_labels_alone_are_estimated_as_a_settings_file_of_them_would_be(
    manifest: Path, tessera: Any
) -> None:
    beside = tessera(estimate_command, str(manifest), "--json")
    other = tessera(estimate_command, str(manifest), "--labels", "cat,owl")
    assert other.exit_code == Exit.USAGE
    manifest.with_name("labeling.json").unlink()
    alone = tessera(estimate_command, str(manifest), "--labels", "cat, dog", "--json")
    assert alone.stdout == beside.stdout

"""`tessera again`, `tessera fetch`, and a manifest that lies in S3."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest

from tessera.cli import main
from tessera.commands.again import again_command
from tessera.commands.drop import drop_command
from tessera.commands.fetch import fetch_command
from tessera.exits import Exit
from tessera.runs.executions import RunError
from tessera.tiling.report.next_steps import next_steps
from tests.tiling.report.small_run import figures

REASONS = ("no answer", "did not load", "unreadable", "page could not be shown")
SETTINGS = b'{"labels": ["cat", "dog"]}'


@pytest.fixture
def run(labels: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with an image of every reason to have no label; a drop ends once it is uploaded."""

    def stop_there(*_: Any, **__: Any) -> str:
        raise RunError("dropped")

    monkeypatch.setattr("tessera.runs.start.list_executions", lambda *_: [])
    monkeypatch.setattr("tessera.runs.start.wait_for_execution", stop_there)
    name: str = labels.run(images=4)
    lines = [f'{{"source-ref":"s3://inbox/pets/{number}.png"}}' for number in range(len(REASONS))]
    rows = [
        f"{number},{reason},s3://inbox/pets/{number}.png" for number, reason in enumerate(REASONS)
    ]
    home = f"runs/{name}"
    labels.put("labels", f"{home}/unlabeled.manifest", "".join(f"{x}\n" for x in lines).encode())
    text = "".join(f"{row}\n" for row in ["index,reason,source", *rows])
    labels.put("labels", f"{home}/unlabeled.csv", text.encode())
    labels.put("labels", f"{home}/uncertain.manifest", b"")
    labels.put("labels", f"{home}/report.json", json.dumps(figures()).encode())
    labels.put("inbox", "pets/labeling.json", SETTINGS)
    return name


def numbers(labels: Any, key: str) -> list[str]:
    content = labels.files.objects[f"s3://inbox/{key}"].decode()
    return re.findall(r"(\d)\.png", content)


@pytest.mark.parametrize(
    ("words", "asked"), [((), ["0", "2", "3"]), (("--mended",), ["0", "1", "2", "3"])]
)
def test_images_without_a_label_are_asked_again_but_for_those_that_load_for_nobody(
    run: str, labels: Any, tessera: Any, words: tuple[str, ...], asked: list[str]
) -> None:
    done = tessera(again_command, run, "--unlabeled", *words)
    assert "dropped" in done.stderr
    assert numbers(labels, "pets/may-unlabeled.manifest") == asked
    assert labels.files.objects["s3://inbox/pets/labeling.json"] == SETTINGS


@pytest.mark.parametrize(
    ("words", "says"),
    [((), "Say which images"), (("--uncertain",), "There is nothing to ask again")],
)
def test_nothing_to_ask_is_refused(
    run: str, tessera: Any, words: tuple[str, ...], says: str
) -> None:
    done = tessera(again_command, run, *words)
    assert done.exit_code != 0
    assert says in done.stderr


def test_the_files_of_a_run_are_fetched(run: str, tessera: Any) -> None:
    done = tessera(fetch_command, run, "--out", "files", "--json")
    assert done.exit_code == 0, done.output
    assert Path("files/training.manifest").read_bytes().count(b"\n") == 4
    assert "run.json" not in json.loads(done.stdout)["files"]


@pytest.mark.thorough
def test_a_manifest_in_s3_is_dropped_with_the_settings_beside_it(
    run: str, labels: Any, tessera: Any
) -> None:
    labels.put("inbox", "archive/june.manifest", b'{"source-ref":"s3://inbox/pets/1.png"}\n')
    labels.put("inbox", "archive/labeling.json", SETTINGS)
    done = tessera(drop_command, "s3://inbox/archive/june.manifest", "--project", "zoo")
    assert "dropped" in done.stderr, done.output
    assert numbers(labels, "zoo/june.manifest") == ["1"]
    assert labels.files.objects["s3://inbox/zoo/labeling.json"] == SETTINGS


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://inbox/pets/none.manifest", "There is no s3://inbox/pets/none.manifest"),
        ("s3://inbox/pets/1.png", "is no manifest"),
        ("s3://labels/runs/RUN/unlabeled.manifest", "tessera again RUN --unlabeled"),
        ("s3://labels/runs/RUN/uncertain.manifest", "tessera again RUN --uncertain"),
    ],
)
def test_what_is_no_manifest_in_s3_is_refused_with_what_to_do(
    run: str, tessera: Any, uri: str, says: str
) -> None:
    done = tessera(drop_command, uri.replace("RUN", run))
    assert done.exit_code in {Exit.REFUSED, Exit.NOT_FOUND}
    assert says.replace("RUN", run) in done.stderr


def test_each_command_that_a_report_advises_is_one_of_the_tool() -> None:
    counts = {"unlabeled": 4, "rejected": 1, "uncertain": 3}
    unloaded = {"times": 3, "images": 1, "given_up": 1, "blocked_workers": ["{x}"], "workers": [],
                "pictures": [{"index": 3, "source": "s3://a/{b}.jpg", "times": 3}]}  # fmt: skip
    steps = next_steps(
        figures(
            images=figures()["images"] | counts,
            unlabeled=dict.fromkeys(REASONS, 1),
            unloaded=unloaded,
        )
    )
    actions = "\n".join(step["do"] for step in steps)
    commands = re.findall(r"tessera (\w+) (.*)$", actions, re.MULTILINE)
    assert {name for name, _ in commands} == {"again", "fetch", "review", "export"}
    for name, words in commands:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        command.make_context(name, words.split())

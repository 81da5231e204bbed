"""Embeddings beside a manifest are checked and taken along by the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tessera.commands.drop import drop_command
from tessera.commands.estimate import estimate_command
from tessera.commands.manifest import manifest_command
from tessera.exits import Exit
from tessera.runs.executions import RunError
from tessera.runs.own_embeddings import find_own_embeddings
from tests.tessera.conftest import png


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A drop ends once it is uploaded."""

    def stop_there(*_: Any, **__: Any) -> str:
        raise RunError("dropped")

    monkeypatch.setattr("tessera.runs.start.list_executions", lambda *_: [])
    monkeypatch.setattr("tessera.runs.start.wait_for_execution", stop_there)
    (tmp_path / "labeling.json").write_text('{"labels": ["cat", "dog"]}')


def write_manifest(name: str, lines: int) -> None:
    text = "".join(f'{{"source-ref": "s3://inbox/pets/{i}.png"}}\n' for i in range(lines))
    Path(name).write_text(text)


def write_rows(name: str, rows: int) -> None:
    np.save(name, np.random.default_rng(0).normal(size=(rows, 5)).astype(np.float16))


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("explicit", [False, True])
def test_a_drop_uploads_the_embeddings_before_the_manifest(
    labels: Any, tessera: Any, explicit: bool
) -> None:
    write_manifest("may.jsonl", 4)
    name = "elsewhere.npy" if explicit else "may.embeddings.npy"
    write_rows(name, 4)
    more = ("--embeddings", name) if explicit else ()
    done = tessera(drop_command, "may.jsonl", "--project", "pets", *more)
    assert "dropped" in done.stderr, done.output
    objects = labels.files.objects
    assert objects["s3://inbox/pets/may.embeddings.npy"] == Path(name).read_bytes()
    order = sorted(objects, key=lambda uri: labels.files.modified[uri])
    assert order.index("s3://inbox/pets/may.embeddings.npy") < order.index(
        "s3://inbox/pets/may.manifest"
    )


@pytest.mark.usefixtures("started")
def test_embeddings_of_other_lines_are_refused_before_anything_is_uploaded(
    labels: Any, tessera: Any
) -> None:
    write_manifest("may.manifest", 4)
    write_rows("may.embeddings.npy", 5)
    for command in (drop_command, estimate_command):
        done = tessera(command, "may.manifest")
        assert done.exit_code == Exit.REFUSED, done.output
        assert "5 rows, and the manifest 4 lines" in " ".join(done.stderr.split())
    assert not labels.files.objects


@pytest.mark.usefixtures("started")
def test_a_folders_embeddings_lie_within_it_under_its_name(labels: Any, tessera: Any) -> None:
    folder = Path("zoo")
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(png(number + 1, 2))
    (folder / "labeling.json").write_text('{"labels": ["cat", "dog"]}')
    write_rows("zoo/zoo.embeddings.npy", 3)
    assert find_own_embeddings(folder) == folder / "zoo.embeddings.npy"
    assert "dropped" in tessera(drop_command, "zoo").stderr
    assert "s3://inbox/zoo/zoo.embeddings.npy" in labels.files.objects
    write_rows("zoo/zoo.embeddings.npy", 4)
    assert "4 rows, and the manifest 3 lines" in " ".join(
        tessera(drop_command, "zoo").stderr.split()
    )


def test_an_estimate_names_the_embeddings(tessera: Any) -> None:
    write_manifest("may.manifest", 4)
    write_rows("may.embeddings.npy", 4)
    Path("labeling.json").write_text('{"labels": ["cat", "dog"]}')
    assert "5 numbers an image" in tessera(estimate_command, "may.manifest").stdout
    document = json.loads(tessera(estimate_command, "may.manifest", "--json").stdout)
    assert document["embeddings"].endswith("may.embeddings.npy")


def test_a_new_manifest_beside_embeddings_of_another_is_warned_of(tessera: Any) -> None:
    Path("pets").mkdir()
    Path("pets/1.png").write_bytes(png(2, 2))
    write_rows("may.embeddings.npy", 4)
    done = tessera(manifest_command, "pets", "--out", "may.manifest", "--at", "s3://inbox/pets")
    assert done.exit_code == Exit.OK, done.output
    assert "4 rows, and the manifest 1 lines" in " ".join(done.stderr.split())

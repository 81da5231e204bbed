"""`tessera group` and `tessera manifest`, from files to files."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tessera.commands.group import group_command
from tessera.commands.manifest import manifest_command
from tessera.exits import Exit
from tests.tessera.conftest import png
from tests.tiling.folder import manifest


def call(command: Any, *arguments: object, place: Any = None) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], obj=place)


@pytest.fixture
def may(tmp_path: Path) -> Path:
    path = tmp_path / "may.manifest"
    path.write_bytes(manifest(45) + b"oops\n" + manifest(2))
    (tmp_path / "labeling.json").write_text('{"labels": ["cat", "dog"], "images_per_task": 10}')
    return path


def test_group_writes_a_runs_files_and_says_what_became_of_the_lines(
    may: Path, tmp_path: Path
) -> None:
    result = call(group_command, may, "--out", tmp_path / "out", "--json")
    assert result.exit_code == Exit.OK, result.output
    assert json.loads(result.stdout) == {
        "out": str(tmp_path / "out"),
        "shards": [{"tasks": 5, "images": 45}],
        "lines": 48,
        "images": 45,
        "gold": 0,
        "gold_left_out": 0,
        "gold_unused": False,
        "prelabeled": 0,
        "repeats": 2,
        "labeled": 0,
        "rejected": 1,
    }
    written = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert written == {
        "round-1/tasks-000.manifest",
        "round-1/tasks-000.offsets",
        "rejected.jsonl",
        "repeats.csv",
    }


def test_group_sorts_by_the_embeddings_beside_a_manifest(may: Path, tmp_path: Path) -> None:
    command = (group_command, may, "--order", "similar", "--out", tmp_path / "out", "--json")
    assert "tessera embed" in call(*command).output
    rows = np.tile(np.eye(2, dtype=np.float16), (24, 1))
    np.save(tmp_path / "may.embeddings.npy", rows)
    assert call(*command).exit_code == Exit.OK
    tasks = (tmp_path / "out/round-1/tasks-000.manifest").read_text().splitlines()
    kinds = [{image["index"] % 2 for image in json.loads(json.loads(t)["source"])} for t in tasks]
    assert sum(len(kind) > 1 for kind in kinds) <= 1  # 45 images do not fill pages of one kind
    np.save(tmp_path / "may.embeddings.npy", rows[:40])
    assert "40 rows, and the manifest 48 lines" in " ".join(call(*command).output.split())


def test_group_takes_options_before_settings(may: Path, tmp_path: Path) -> None:
    options = ("--images-per-task", 20, "--order", "as-given", "--out", tmp_path / "out")
    result = call(group_command, may, *options)
    assert result.exit_code == Exit.OK, result.output
    assert "rejected 1" in " ".join(result.stdout.split())
    first = (tmp_path / "out/round-1/tasks-000.manifest").read_text().splitlines()[0]
    images = json.loads(json.loads(first)["source"])
    assert [image["index"] for image in images] == list(range(15))


def test_group_needs_no_settings(may: Path, tmp_path: Path) -> None:
    may.with_name("labeling.json").unlink()
    result = call(group_command, may, "--out", tmp_path / "out")
    assert result.exit_code == Exit.OK
    assert "labels are taken to be yes and no" in " ".join(result.stderr.split())


def test_group_refuses_what_a_run_would_refuse(may: Path, tmp_path: Path) -> None:
    may.write_text("oops\n")
    result = call(group_command, may, "--out", tmp_path / "out")
    assert result.exit_code == Exit.REFUSED
    assert "none of the 1 lines can be used" in result.stderr
    may.with_name("labeling.json").write_text('{"lables": ["cat"]}')
    assert call(group_command, may, "--out", tmp_path / "out").exit_code == Exit.REFUSED


PICTURE = png(2, 2)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "Pets of May"
    for name in ("cat/2.jpg", "cat/10.PNG", "dog/old/1.webp", "a.gif", "z.bmp", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PICTURE)
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_name_that_no_key_can_be_is_left_out_by_name_and_alone_refuses_the_folder(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "cat.png").write_bytes(b"")
    (folder / os.fsdecode(b"d\xff.png")).write_bytes(b"")
    made = tmp_path / "pets.manifest"
    done = call(manifest_command, folder, "--out", made)
    assert (done.exit_code, made.exists()) == (Exit.REFUSED, False)
    assert r"not UTF-8, as keys in S3 must be (rename them): d\xff.png." in done.stderr
    (folder / "good.png").write_bytes(PICTURE)
    assert call(manifest_command, folder, "--out", made).exit_code == 0
    assert len(lines(made)) == 1


def test_manifest_lists_a_folders_images_in_order(pictures: Path, tmp_path: Path) -> None:
    made = tmp_path / "pets.manifest"
    result = call(manifest_command, pictures, "--out", made, "--at", "s3://zoo/pets")
    assert result.exit_code == Exit.OK, result.output
    assert [line["source-ref"] for line in lines(made)] == [
        f"s3://zoo/pets/{name}"
        for name in ("a.gif", "cat/10.PNG", "cat/2.jpg", "dog/old/1.webp", "z.bmp")
    ]


def test_manifest_leaves_out_what_browsers_do_not_show_and_warns_of_it(
    pictures: Path, tmp_path: Path
) -> None:
    (pictures / "b.tiff").write_bytes(b"x")
    made = tmp_path / "pets.manifest"
    result = call(manifest_command, pictures, "--out", made)
    assert "1 tif left out: browsers do not show them" in result.stderr
    assert len(lines(made)) == 5


def test_manifest_says_which_bucket_it_expects(pictures: Path, tmp_path: Path) -> None:
    made = tmp_path / "pets.manifest"
    result = call(manifest_command, pictures, "--out", made)
    assert "s3://pets-of-may/" in result.stderr
    assert lines(made)[0] == {"source-ref": "s3://pets-of-may/a.gif"}


@pytest.mark.parametrize(
    ("settings", "options", "warning"),
    [
        ('{"labels": ["cat", "dog"], "order": "by-prelabel"}', (), "order: by-prelabel has no"),
        (
            '{"labels": ["cat", "dog"]}',
            ("--gold-from-folder",),
            "gold: 'old' is none of the labels",
        ),
        ('{"labels": ["cat", "dog", "old"]}', ("--gold-from-folder",), "gold_per_task: 0, so"),
        ('{"labels": ["cat"]}', (), "fewer than the 2 needed"),
    ],
)
def test_manifest_warns_of_what_the_settings_beside_it_make_of_it(
    pictures: Path, tmp_path: Path, settings: str, options: tuple[str, ...], warning: str
) -> None:
    (tmp_path / "labeling.json").write_text(settings)
    result = call(manifest_command, pictures, "--out", tmp_path / "pets.manifest", *options)
    assert result.exit_code == Exit.OK, result.output
    assert warning in " ".join(result.stderr.split())


def test_folders_may_be_guesses_or_known_labels(pictures: Path, tmp_path: Path) -> None:
    made = tmp_path / "pets.manifest"
    for option, key in (("--prelabel-from-folder", "prelabel"), ("--gold-from-folder", "gold")):
        call(manifest_command, pictures, "--out", made, option, "--at", "s3://zoo/pets")
        assert [line.get(key) for line in lines(made)] == [None, "cat", "cat", "old", None]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    made = tmp_path / "none.manifest"
    assert call(manifest_command, tmp_path, "--out", made).exit_code == Exit.REFUSED
    assert not made.exists()
    assert call(manifest_command, tmp_path / "x", "--out", made).exit_code == Exit.NOT_FOUND


def test_manifest_lists_a_prefix_of_a_bucket(tmp_path: Path, place: Any, labels: Any) -> None:
    for key in ("pets/cat/1.jpg", "pets/dog/ä +%.png", "pets/readme.md", "wild/lion/1.jpg"):
        labels.put("zoo", key, b"x")
    for key in ("pets/cat/._1.jpg", "pets/cat/2.jpg"):
        labels.put("zoo", key, b"")
    made = tmp_path / "zoo.manifest"
    result = call(
        manifest_command, "s3://zoo/pets", "--out", made, "--gold-from-folder", place=place
    )
    assert result.exit_code == Exit.OK, result.output
    assert lines(made) == [
        {"source-ref": "s3://zoo/pets/cat/1.jpg", "gold": "cat"},
        {"source-ref": "s3://zoo/pets/dog/ä +%.png", "gold": "dog"},
    ]
    assert "Left out, of 0 bytes: pets/cat/2.jpg." in result.stderr
    assert "Left out, hidden or of other programs: pets/cat/._1.jpg." in result.stderr

"""Known labels and guesses of a folder's pictures, from CSV files by the pictures' names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.drop import drop_command
from tessera.runs.executions import RunError
from tessera.runs.known_pictures import picture_finder
from tests.tessera.conftest import png

SETTINGS = b'{"labels": ["cat", "dog"]}'


@pytest.fixture
def pets(tmp_path: Path, labels: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Drops a folder of three pictures with options; returns the result and the dropped lines."""

    def stop(*_: Any, **__: Any) -> str:
        raise RunError("dropped")

    monkeypatch.setattr("tessera.runs.start.list_executions", lambda *_: [])
    monkeypatch.setattr("tessera.runs.start.wait_for_execution", stop)
    monkeypatch.setattr("tessera.stack.cloud.Cloud.default_settings", b"")
    for gray, name in enumerate(("a/1.png", "a/2.png", "b/2.png")):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(png(4, 3, gray))

    def drop(*options: str, **files: str) -> tuple[Result, list[dict[str, Any]]]:
        for name, content in files.items():
            Path(f"{name}.csv").write_text(content, encoding="utf-8")
            options = (*options, f"--{name}", f"{name}.csv")
        done = tessera(drop_command, "pets", *options)
        dropped = labels.files.objects.get("s3://inbox/pets/pets.manifest", b"")
        return done, [json.loads(line) for line in dropped.splitlines()]

    return drop


def flat(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_gold_and_guesses_come_into_the_lines_of_their_pictures(pets: Any, labels: Any) -> None:
    done, lines = pets(
        "--labels", "cat, dog",
        gold="image,label\na/1.png,cat\n",
        prelabels="image,label,confidence\na\\2.png,dog,0.9\nb/2.png,cat,1\n",
    )  # fmt: skip

    assert "dropped" in done.stderr
    for line in lines:
        line.pop("source-ref")
    assert lines == [
        {"gold": "cat"},
        {"prelabel": "dog", "prelabel-confidence": 0.9},
        {"prelabel": "cat", "prelabel-confidence": 1.0},
    ]
    own = json.loads(labels.files.objects["s3://inbox/pets/labeling.json"])
    assert own == {"labels": ["cat", "dog"], "gold_per_task": 1}


def test_a_name_alone_is_enough_where_one_picture_has_it_and_other_rows_are_told(pets: Any) -> None:
    done, lines = pets("--labels", "cat,dog", gold="file,label\n1.png,dog\n2.png,cat\n9.png,cat\n")

    assert [line.get("gold") for line in lines] == ["dog", None, None]
    assert "gold.csv: 2 rows of no image here passed over (the first on line 3)" in flat(done)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"gold": "image,label\nx.png,cat\n"}, "0 of 1 row match an image of pets"),
        ({"gold": "image,label\na/1.png,horse\n"}, "its labels are none of 'cat', 'dog'"),
        ({"gold": "image,label\na/1.png,cat\n1.png,dog\n"}, "line 3"),
        ({"prelabels": "image,label,confidence\na/1.png,cat,90%\n"}, "no confidence between"),
        ({"gold": "name,class\na/1.png,cat\n"}, "no column 'label'"),
        ({"gold": ""}, "gold.csv is empty"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_drop_before_anything_is_uploaded(
    pets: Any, labels: Any, files: dict[str, str], words: str
) -> None:
    done, lines = pets("--labels", "cat,dog", **files)

    assert done.exit_code == 4
    assert words in flat(done)
    assert not lines
    assert not labels.files.objects


def test_two_known_labels_of_one_content_are_refused(pets: Any, tmp_path: Path) -> None:
    (tmp_path / "pets/copy.png").write_bytes((tmp_path / "pets/a/1.png").read_bytes())
    done, _ = pets("--labels", "cat,dog", gold="image,label\na/1.png,cat\ncopy.png,dog\n")

    assert done.exit_code == 4
    assert "the same picture" in flat(done)


def test_gold_per_task_without_gold_is_told_for_a_folder_too(pets: Any, tmp_path: Path) -> None:
    (tmp_path / "pets/labeling.json").write_text(
        '{"labels": ["cat", "dog"], "gold_per_task": 1}', encoding="utf-8"
    )
    done, lines = pets()

    assert "gold_per_task: 1 has no effect" in flat(done)
    assert "--gold gold.csv" in flat(done)
    assert len(lines) == 3


def test_labels_beside_a_settings_file_and_gold_beside_a_manifest_are_refused(
    pets: Any, tessera: Any, tmp_path: Path
) -> None:
    (tmp_path / "pets/labeling.json").write_bytes(SETTINGS)
    (tmp_path / "may.manifest").write_text('{"source-ref": "s3://inbox/1.png"}\n')
    (tmp_path / "gold.csv").write_text("image,label\n1.png,cat\n")

    assert pets("--labels", "cat,cow")[0].exit_code == 2
    both = tessera(drop_command, "may.manifest", "--gold", "gold.csv")
    assert both.exit_code == 2
    assert '"gold"' in both.stderr


paths = st.lists(st.sampled_from(["a", "b", "1.png", "é", "é"]), min_size=1, max_size=3)


@given(st.sets(paths.map("/".join), max_size=6), paths.map("/".join))
def test_a_picture_is_found_by_its_path_and_by_its_name_only_if_that_is_one(
    names: set[str], name: str
) -> None:
    numbers = {other: number for number, other in enumerate(sorted(names))}
    find = picture_finder(numbers)

    assert all(find(other) == number for other, number in numbers.items())
    last = [other for other in names if other.rpartition("/")[2] == name]
    if name not in names and "/" not in name and len(last) > 1:
        assert find(name) is None

"""CSV files of images as spreadsheets, pandas and our own export write them."""

from __future__ import annotations

import csv
import io
import json
import string
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tessera.commands.import_job import import_command
from tessera.exits import Exit, Refused
from tessera.exports.dataset import Sample, samples
from tessera.exports.formats import Export, write_csv
from tessera.exports.set_formats import FACTS, write_set_csv
from tessera.exports.tool_formats import write_label_studio
from tessera.option_lists import as_option, listed
from tessera.sources.csv_list import HAS, IMAGE_COLUMNS, LABEL_COLUMNS, read_csv
from tessera.sources.label_studio import read_label_studio
from tessera.sources.labeled import LABELS_AS, LeftOut, manifest_lines
from tessera.tiling.errors import TesseraError
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.lines import Labeled as LabeledLine
from tessera.tiling.settings import Settings, read_settings
from tests.fakes import Files

NAMES = st.one_of(
    st.text(st.sampled_from("ab,;|\t'\"=+-@ \\/.01éßñ漢🐈"), min_size=1, max_size=8),
    st.text(min_size=1, max_size=8),
    st.sampled_from([*FACTS, *(f"label {fact}" for fact in FACTS), *LABEL_COLUMNS]),
    st.sampled_from([*IMAGE_COLUMNS, "class_id", "agreement", "Image", "1.0", "NaN", "sep=;"]),
)
"""Names of labels, some of which mean something else in the header of a CSV file."""


@st.composite
def settings_of(draw: st.DrawFn, task: str) -> Settings:
    labels = draw(st.lists(NAMES, min_size=2, max_size=6, unique=True))
    try:
        return read_settings(json.dumps({"labels": labels, "task": task}).encode())
    except TesseraError:
        assume(False)
        raise


def exported(
    lines: list[dict[str, Any]],
    settings: Settings,
    folder: Path,
    write: Callable[[Export], None] = write_csv,
) -> Path:
    """Write a run's labeled lines as `tessera export` does."""
    raw = [json.dumps(line).encode() for line in lines]
    kept = [s for s in samples(raw, settings, group_key=None) if isinstance(s, Sample)]
    assert len(kept) == len(lines)
    class_ids = {name: settings.labels.index(name) for name in settings.classes}
    write = write_set_csv if settings.is_multi else write
    write(Export("run", "csv", folder, settings.labels, class_ids, {"": kept}, [], Files()))
    return folder / "labels.csv"


def line_of(number: int, label: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    kind = "groundtruth/image-classification"
    kind += "-multilabel" if isinstance(label, list) else ""
    facts = {"type": kind, "confidence": 0.9, "answers": 1}
    return {
        "source-ref": f"s3://pets/{number}, ü;.jpg",
        "label": label,
        "label-metadata": metadata | facts,
    }


def single_labels(
    settings: Settings, data: st.DataObject
) -> tuple[list[str], list[dict[str, Any]]]:
    """Draw the label of each image, and make the lines that have them."""
    assume(settings.classes)
    names = data.draw(st.lists(st.sampled_from(settings.classes), min_size=1, max_size=5))
    lines = [
        line_of(number, settings.labels.index(name), {"class-name": name})
        for number, name in enumerate(names)
    ]
    return names, lines


def resaved(path: Path, delimiter: str, encoding: str) -> None:
    """Write a CSV file again as a spreadsheet does."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


SPREADSHEETS = st.sampled_from(
    [(",", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8-sig"), ("\t", "utf-8")]
)


@given(settings_of("multi"), st.data(), SPREADSHEETS)
def test_sets_of_labels_survive_export_import_and_drop(
    tmp_path_factory: Any, settings: Settings, data: st.DataObject, sheet: tuple[str, str]
) -> None:
    assume(settings.classes)
    chosen = st.lists(st.sampled_from(settings.classes), unique=True)
    sets = data.draw(st.lists(chosen, min_size=1, max_size=5))
    lines = []
    for number, names in enumerate(sets):
        numbers = {str(settings.labels.index(name)): name for name in names}
        lines.append(line_of(number, [*map(int, numbers)], {"class-map": numbers}))
    path = exported(lines, settings, tmp_path_factory.mktemp("sets"))
    resaved(path, *sheet)
    contents = read_csv(path)
    made = manifest_lines(contents.images, "label", contents.names, are_sets=contents.are_sets)
    assert made.is_multi
    assert tuple(made.names) == settings.classes
    read = list(read_manifest(made.lines.splitlines(), settings))
    for line, before in zip(read, lines, strict=True):
        assert isinstance(line, LabeledLine)
        record = json.loads(line.raw)
        assert record["source-ref"] == before["source-ref"]
        assert sorted(record["label"]) == sorted(before["label"])


@given(settings_of("tiles"), st.data(), SPREADSHEETS, st.sampled_from(LABELS_AS))
def test_single_labels_survive_export_import_and_drop(
    tmp_path_factory: Any,
    settings: Settings,
    data: st.DataObject,
    sheet: tuple[str, str],
    labels_as: Any,
) -> None:
    names, lines = single_labels(settings, data)
    path = exported(lines, settings, tmp_path_factory.mktemp("labels"))
    resaved(path, *sheet)
    contents = read_csv(path)
    made = manifest_lines(contents.images, labels_as, contents.names)
    assert listed(as_option(made.names)) == tuple(made.names)
    for line, name in zip(read_manifest(made.lines.splitlines(), settings), names, strict=True):
        if labels_as == "label":
            assert isinstance(line, LabeledLine)
            assert json.loads(line.raw)["label"] == settings.labels.index(name)
        else:
            assert isinstance(line, Image)
            assert (line.gold, line.prelabel) == (
                (name, None) if labels_as == "gold" else (None, name)
            )


@given(settings_of("tiles"), st.data())
def test_label_studios_tasks_have_the_same_labels_when_they_come_back(
    tmp_path_factory: Any, settings: Settings, data: st.DataObject
) -> None:
    names, lines = single_labels(settings, data)
    folder = tmp_path_factory.mktemp("studio")
    exported(lines, settings, folder, write_label_studio)
    path = folder / "tasks.json"
    images = read_label_studio(path, None, LeftOut(path), guesses=False)
    assert [image.labels for image in images] == [(name,) for name in names]
    assert [image.image for image in images] == [line["source-ref"] for line in lines]


@pytest.fixture
def made(tessera: Any) -> Any:
    """Import a CSV file of this content and return lines and facts."""

    def make(content: str | bytes, *arguments: str) -> tuple[list[dict[str, Any]], Any]:
        raw = content if isinstance(content, bytes) else content.encode()
        Path("list.csv").write_bytes(raw)
        result = tessera(
            import_command, "--csv", "list.csv", "--out", "p.manifest", "--json", *arguments
        )
        assert result.exit_code == Exit.OK, result.output
        facts = json.loads(result.stdout)
        return [json.loads(line) for line in Path("p.manifest").read_bytes().splitlines()], facts

    return make


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_what_excel_writes_anywhere_is_read(made: Any, delimiter: str, encoding: str) -> None:
    rows = [["Bild", "URL", "Label"], ["1", "s3://käse/1.jpg", "Käse, alt"], ["2", "s3://k/2", ""]]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    lines, _ = made(text.getvalue().encode(encoding))
    assert lines == [
        {"source-ref": "s3://käse/1.jpg", "gold": "Käse, alt"},
        {"source-ref": "s3://k/2"},
    ]


def test_a_semicolon_that_is_a_label_separates_no_columns(made: Any) -> None:
    lines, facts = made("image\t;\t0\tconfidence\tanswers\ns3://pets/1\t1\t0\t\t\n")
    assert facts["labels"] == [";", "0"]
    assert lines == [{"source-ref": "s3://pets/1", "gold": ";"}]


def test_missing_values_of_pandas_are_no_labels_and_whole_numbers_stay_whole(made: Any) -> None:
    text = ",image,label\n0,s3://pets/1,1.0\n1,s3://pets/2,NaN\n2,s3://pets/3,nan\n3,NaN,2.0\n"
    lines, facts = made(text)
    assert [line.get("gold") for line in lines] == ["1", None, None]
    assert facts["labeled"] == 1
    assert "without an image left out" in " ".join(facts["warnings"])
    lines, _ = made("image,label\ns3://pets/1,1.0\ns3://pets/2,2.5\n")
    assert [line["gold"] for line in lines] == ["1.0", "2.5"]


def test_labels_that_differ_in_case_or_blanks_are_one_as_a_page_could_not_offer_both(
    made: Any,
) -> None:
    text = "image,label\n" + "".join(
        f"s3://pets/{number},{label}\n"
        for number, label in enumerate(("Cat", "cat ", "cat", "dog"))
    )
    lines, facts = made(text)
    assert [line["gold"] for line in lines] == ["cat", "cat", "cat", "dog"]
    assert facts["labels"] == ["cat", "dog"]
    assert "'Cat' as 'cat'" in " ".join(facts["warnings"])


def test_rows_that_name_an_image_again_add_their_labels(made: Any) -> None:
    text = "image,label\ns3://pets/1,cat\ns3://pets/2,dog\ns3://pets/1,dog\ns3://pets/2,dog\n"
    lines, facts = made(text, "--labels-as", "label")
    assert [(line["source-ref"], line["label"]) for line in lines] == [
        ("s3://pets/1", [0, 1]), ("s3://pets/2", [1]),
    ]  # fmt: skip
    assert "2 rows added to an earlier one" in " ".join(facts["warnings"])
    lines, _ = made(text)
    assert lines == [{"source-ref": "s3://pets/1"}, {"source-ref": "s3://pets/2", "gold": "dog"}]


def test_columns_of_0_and_1_are_labels_where_none_is_called_so(made: Any) -> None:
    text = "image_id,filename,rust,scab\n5,s3://leaf/1,1,False\n6,s3://leaf/2,1.0,TRUE\n"
    lines, facts = made(text, "--labels-as", "label")
    assert [line["label"] for line in lines] == [[0], [0, 1]]
    assert (facts["labels"], facts["task"]) == (["rust", "scab"], "multi")
    assert "'rust', 'scab'" in " ".join(facts["warnings"])
    assert {value.lower() for value in HAS} == set(HAS)


def test_addresses_of_all_kinds_stay_as_they_are(made: Any) -> None:
    places = ["s3://p/a b%20c.jpg", "https://p.test/ä b.jpg?x=1&y=%2F", "S3://p/1", "sub/é 1.png"]
    lines, facts = made("".join(f"{place}\n" for place in ["image", *places]))
    assert [line["source-ref"] for line in lines[:3]] == places[:3]
    assert lines[3]["source-ref"] == str(Path("sub/é 1.png").absolute())
    assert "1 path without a file" in " ".join(facts["warnings"])


def test_paths_as_windows_writes_them_name_the_files_beside_the_list(made: Any) -> None:
    Path("sub").mkdir()
    Path("sub/1.png").touch()
    lines, facts = made("image\nsub\\1.png\n")
    assert lines == [{"source-ref": str(Path("sub/1.png").resolve())}]
    assert facts["warnings"] == []


def test_without_a_column_of_images_or_labels_the_columns_that_there_are_are_named(
    made: Any, tessera: Any, tmp_path: Path
) -> None:
    Path("list.csv").write_text("picture;tags\n1;2\n")
    with pytest.raises(Refused) as refused:
        read_csv(Path("list.csv"))
    assert all(word in str(refused.value) for word in ("'picture', 'tags'", "image", "file_name"))
    _, facts = made("image,tags\ns3://pets/1,cat\n")
    assert "among 'tags'" in facts["warnings"][0]
    twice = tmp_path / "twice.csv"
    twice.write_text("image,label,Label\ns3://pets/1,cat,dog\n")
    with pytest.raises(Refused, match="2 columns are called 'label'"):
        read_csv(twice)


def test_gold_images_take_a_place_of_each_page_by_the_command_that_follows(tessera: Any) -> None:
    arguments = ("--csv", "list.csv", "--out", "p.manifest")
    Path("list.csv").write_text("image,label\ns3://pets/1,cat\ns3://pets/2,\n")
    output = tessera(import_command, *arguments).stdout
    assert """'{"gold_per_task": 1, "labels": ["cat", "B"]}' > labeling.json && """ in output
    Path("list.csv").write_text("image,label\ns3://pets/1,cat\ns3://pets/2,dog\n")
    output = " ".join(tessera(import_command, *arguments).output.split())
    assert "every image has a known label" in output
    assert "p.manifest --labels cat,dog" in output
    Path("list.csv").write_text("image\ns3://pets/1\n")
    assert "p.manifest --labels A,B" in tessera(import_command, *arguments).stdout
    Path("labeling.json").write_text("{}")
    assert "--labels" not in tessera(import_command, *arguments).stdout


def test_the_command_that_follows_works_in_a_shell_whatever_labels_hold(
    made: Any, tessera: Any
) -> None:
    names = ["it's", 'say "a", b', "$HOME `x`", string.punctuation]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["image", "label"], *(("s3://p/1", name) for name in names)])
    Path("list.csv").write_text(text.getvalue())
    arguments = ("--csv", "list.csv", "--out", "p.manifest", "--labels-as")
    result = tessera(import_command, *arguments, "label")
    command = result.stdout.rpartition("Have it labeled: ")[2]
    assert command.startswith("printf '%s\\n' ")
    assert "> labeling.json && " in command
    subprocess.run(["sh", "-c", command.partition(" && ")[0]], check=True)
    assert json.loads(Path("labeling.json").read_text()) == {"task": "multi", "labels": names}

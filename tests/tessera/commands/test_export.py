"""Every form is read back the way its readers read it, with their own library where it is there."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tessera.cli import main
from tessera.commands.export import ALL_FORMATS, WITHOUT_PICTURES, export
from tessera.exits import Exit
from tessera.exports.box_formats import BOX_FORMATS
from tessera.exports.dataset import Sample, file_name, folder_names
from tessera.exports.pictures import HEAD, kind_of
from tessera.exports.set_formats import SET_FORMATS


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_a_picture(labels: Any, tessera: Any) -> None:
    labels.run()

    assert tessera(export, "pets", "--to", "csv", "--out", "made").exit_code == Exit.OK

    rows = rows_of(Path("made/labels.csv"))
    assert rows[3] == {
        "image": "s3://inbox/pets/3.png",
        "label": "dog",
        "class_id": "1",
        "confidence": "0.515",
        "agreement": "1.0",
        "answers": "2",
    }
    assert len(rows) == 10


def test_image_folder_has_a_folder_a_label_and_a_part(labels: Any, tessera: Any) -> None:
    labels.run(images=20)

    tessera(export, "--to", "imagefolder", "--out", "made", "--split", "80/10/10")

    pictures = sorted(str(path.relative_to("made")) for path in Path("made").rglob("*.png"))
    counts = {
        f"{part}/{label}": sum(name.startswith(f"{part}/{label}/") for name in pictures)
        for part in ("train", "validation", "test")
        for label in ("cat", "dog")
    }
    assert counts == {
        "train/cat": 8, "train/dog": 8,
        "validation/cat": 1, "validation/dog": 1,
        "test/cat": 1, "test/dog": 1,
    }  # fmt: skip


def test_a_label_that_nobody_gave_has_no_folder_which_readers_would_refuse(
    labels: Any, tessera: Any
) -> None:
    labels.run(images=1)

    done = tessera(export, "--to", "imagefolder", "--out", "made")

    assert [path.name for path in Path("made").iterdir() if path.is_dir()] == ["cat"]
    assert "no picture has the label dog" in done.output


def test_coco_has_a_box_around_each_picture(labels: Any, tessera: Any) -> None:
    labels.run(images=4)

    tessera(export, "--to", "coco", "--out", "made")

    document = json.loads(Path("made/annotations/instances.json").read_text())
    assert [c["name"] for c in document["categories"]] == ["cat", "dog"]
    assert [(i["width"], i["height"]) for i in document["images"]] == [(4 + n, 3) for n in range(4)]
    assert [a["category_id"] for a in document["annotations"]] == [1, 2, 1, 2]
    assert document["annotations"][1]["bbox"] == [0, 0, 5, 3]
    for image in document["images"]:
        assert (Path("made/images") / image["file_name"]).exists()


def test_coco_is_what_pycocotools_reads(labels: Any, tessera: Any) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    labels.run(images=6)
    tessera(export, "--to", "coco", "--out", "made", "--split", "50/50")

    read = coco.COCO("made/annotations/instances_train.json")

    (dog,) = read.getCatIds(catNms=["dog"])
    (image, *_) = read.loadImgs(read.getImgIds(catIds=[dog]))
    (annotation,) = read.loadAnns(read.getAnnIds(imgIds=[image["id"]]))
    assert annotation["category_id"] == dog
    assert int(image["coco_url"].rpartition("/")[2][0]) % 2 == 1
    assert (Path("made/train") / image["file_name"]).exists()


def test_hugging_face_has_metadata_and_a_card_with_the_classes_in_order(
    labels: Any, tessera: Any
) -> None:
    labels.run(images=4)

    tessera(export, "--to", "huggingface", "--out", "made")

    rows = [json.loads(line) for line in Path("made/train/metadata.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == ["cat", "dog", "cat", "dog"]
    assert all((Path("made/train") / row["file_name"]).exists() for row in rows)
    assert 'names=["cat", "dog"]' in Path("made/README.md").read_text("utf-8")


@pytest.mark.thorough
def test_hugging_face_is_what_datasets_reads(
    labels: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    labels.run(images=20)
    tessera(export, "--to", "huggingface", "--out", "made", "--split", "80/10/10")

    code = re.search(r"```python\n(.*)```", Path("made/README.md").read_text("utf-8"), re.DOTALL)
    assert code is not None
    monkeypatch.chdir("made")
    names: dict[str, Any] = {}
    exec(code[1], names)  # what the card tells its reader to do

    read = names["images"]
    assert {part: len(rows) for part, rows in read.items()} == {
        "train": 16, "validation": 2, "test": 2,
    }  # fmt: skip
    assert read["train"].features["label"].names == ["cat", "dog"]
    row = read["test"][0]
    number = int(row["source"].rpartition("/")[2].removesuffix(".png"))
    assert (row["label"], row["class_id"]) == (number % 2, number % 2)
    assert row["image"].size == (4 + number, 3)


def test_web_dataset_keeps_a_picture_beside_its_class(labels: Any, tessera: Any) -> None:
    labels.run(images=3)

    tessera(export, "--to", "webdataset", "--out", "made")

    with tarfile.open("made/train-000000.tar") as tar:
        assert tar.getnames()[:3] == ["000000.png", "000000.cls", "000000.json"]
        member = tar.extractfile("000001.cls")
        assert member is not None
        assert member.read() == b"1"


def test_web_dataset_is_what_webdataset_reads(labels: Any, tessera: Any) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    labels.run(images=5)
    tessera(export, "--to", "webdataset", "--out", "made")

    with open("made/train-000000.tar", "rb") as file:
        files = webdataset.tariterators.tar_file_expander([{"url": "train", "stream": file}])
        read = list(webdataset.tariterators.group_by_keys(files))

    assert [int(sample["cls"]) for sample in read] == [0, 1, 0, 1, 0]
    assert Image.open(io.BytesIO(read[2]["png"])).size == (6, 3)
    assert json.loads(read[1]["json"])["label"] == "dog"


def test_custom_labels_gets_the_keys_it_asks_for_and_no_others(labels: Any, tessera: Any) -> None:
    labels.run(line=lambda index: {"shelf": index})

    tessera(export, "--to", "custom-labels", "--out", "made")

    line = json.loads(Path("made/labels.manifest").read_text().splitlines()[1])
    assert line.keys() == {"source-ref", "label", "label-metadata"}
    assert line["label"] == 1
    assert line["label-metadata"].keys() == {
        "confidence", "class-name", "human-annotated", "creation-date", "type", "job-name",
    }  # fmt: skip


def test_custom_labels_is_warned_of_pictures_in_two_buckets(labels: Any, tessera: Any) -> None:
    labels.run(line=lambda index: {"source-ref": f"s3://b{index % 2}/{index}.webp"})

    done = tessera(export, "--to", "custom-labels", "--out", "made", "--json")

    warnings = json.loads(done.stdout)["warnings"]
    assert len(warnings) == 2
    assert "2 buckets" in warnings[0]
    assert "webp" in warnings[1]


@pytest.mark.parametrize("form", ALL_FORMATS)
def test_the_documentation_has_a_row_for_every_form(form: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operator.md").read_text("utf-8")
    assert f"\n| `{form}` |" in page


def test_the_tool_offers_the_forms_that_have_a_writer_and_no_others() -> None:
    option = next(one for one in export.params if one.name == "form")
    assert isinstance(option.type, click.Choice)
    assert {*option.type.choices} == ALL_FORMATS.keys() | SET_FORMATS.keys() | BOX_FORMATS.keys()
    assert {*WITHOUT_PICTURES} <= ALL_FORMATS.keys()


@pytest.mark.parametrize("form", BOX_FORMATS)
def test_the_documentation_has_a_row_for_every_form_of_boxes(form: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "boxes.md").read_text("utf-8")
    assert f"\n| `tessera export RUN --to {form}` |" in page


@pytest.mark.parametrize("form", ALL_FORMATS)
def test_a_picture_that_is_gone_is_left_out_and_listed(
    labels: Any, tessera: Any, form: str
) -> None:
    labels.run(images=4)
    del labels.files.objects["s3://inbox/pets/2.png"]

    done = tessera(export, "--to", form, "--out", "made", "--json")

    if form in WITHOUT_PICTURES:  # they only say where pictures are
        assert done.exit_code == Exit.OK
        return
    assert done.exit_code == Exit.PARTIAL
    assert json.loads(done.stdout)["parts"]["all"]["images"] == 3
    (row,) = rows_of(Path("made/left-out.csv"))
    assert (row["line"], row["image"]) == ("3", "s3://inbox/pets/2.png")
    assert "NoSuchKey" in row["reason"]


@pytest.mark.parametrize("form", ALL_FORMATS)
def test_the_same_export_again_writes_the_same_bytes(labels: Any, tessera: Any, form: str) -> None:
    labels.run(images=6)

    made = []
    for folder in ("one", "two"):
        done = tessera(export, "--to", form, "--out", folder, "--split", "50/25/25")
        assert done.exit_code == Exit.OK, done.output
        made.append(
            {
                str(path.relative_to(folder)): path.read_bytes()
                for path in Path(folder).rglob("*")
                if path.is_file()
            }
        )

    assert made[0] == made[1]


def test_an_interrupted_export_goes_on_without_fetching_again(labels: Any, tessera: Any) -> None:
    labels.run(images=6)
    tessera(export, "--to", "imagefolder", "--out", "made")
    fetched = sorted(Path("made").rglob("*.png"))
    fetched[0].unlink()
    for index in range(6):
        if f"-{index}." not in fetched[0].name:
            del labels.files.objects[f"s3://inbox/pets/{index}.png"]

    done = tessera(export, "--to", "imagefolder", "--out", "made")

    assert done.exit_code == Exit.OK, done.output
    assert sorted(Path("made").rglob("*.png")) == fetched


def test_an_export_does_not_mix_with_another(labels: Any, tessera: Any) -> None:
    labels.run()
    tessera(export, "--to", "csv", "--out", "made")

    done = tessera(export, "--to", "csv", "--out", "made", "--split", "50/50", "--seed", "3")

    assert done.exit_code == Exit.REFUSED
    assert "different options: seed, split" in done.output


def test_copies_of_a_picture_and_members_of_a_group_stay_in_one_part(
    labels: Any, tessera: Any
) -> None:
    labels.run(images=40, line=lambda index: {"shelf": f"s{index % 5}"})

    tessera(export, "--to", "csv", "--out", "made", "--split", "60/20/20", "--group-by", "shelf")

    shelves: dict[str, set[int]] = {}
    for part in ("train", "validation", "test"):
        for row in rows_of(Path(f"made/{part}.csv")):
            number = int(row["image"].rpartition("/")[2].removesuffix(".png"))
            shelves.setdefault(part, set()).add(number % 5)
    assert sorted(len(of_part) for of_part in shelves.values()) == [1, 1, 3]
    assert set.union(*shelves.values()) == set(range(5))


def test_labels_less_sure_than_asked_are_left_out(labels: Any, tessera: Any) -> None:
    labels.run()

    done = tessera(export, "--to", "csv", "--out", "made", "--min-confidence", "0.53", "--json")

    assert done.exit_code == Exit.PARTIAL
    assert json.loads(done.stdout)["left_out"] == 6


def test_labels_from_before_the_run_are_read_by_name_and_by_number(
    labels: Any, tessera: Any
) -> None:
    labels.run(
        images=4,
        line=lambda index: {"pet": ["cat", 1, "1", "bird"][index], "pet-metadata": {}},
    )

    tessera(export, "--to", "csv", "--out", "made")

    assert [row["label"] for row in rows_of(Path("made/labels.csv"))] == ["cat", "dog", "dog"]
    (row,) = rows_of(Path("made/left-out.csv"))
    assert "'bird' is none of the classes" in row["reason"]


def test_a_run_that_is_not_there_is_named_with_the_nearest(labels: Any, tessera: Any) -> None:
    labels.run("pets-may-0123456789ab")

    done = tessera(export, "pets-mai", "--to", "csv")

    assert done.exit_code == Exit.NOT_FOUND
    assert "Did you mean pets-may-0123456789ab?" in done.output


@given(st.lists(st.text(min_size=1, max_size=300), unique=True, max_size=20))
def test_folders_are_different_and_fit_every_file_system(names: list[str]) -> None:
    folders = list(folder_names(names).values())

    assert len({folder.casefold() for folder in folders}) == len(names)
    for folder in folders:
        assert len(folder.encode()) < 200
        assert folder not in (".", "..")
        assert not set(folder) & set('/\\:*?"<>|\0\n')


@given(st.text(max_size=400))
def test_a_file_name_fits_and_has_one_dot(key: str) -> None:
    sample = Sample(3, f"s3://bkt/{key}", 0, "cat", 0.9, None, 2, "", "", "yes", "")

    name = file_name(sample, "png", digits=6)

    assert name.startswith("000003-")
    assert name.count(".") == 1
    assert "/" not in name
    assert len(name.encode()) < 200


def drawn(form: str) -> bytes:
    """A picture four pixels wide and three high."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), "teal").save(file, form)
    return file.getvalue()


FORMS = {
    "jpg": "JPEG",
    "png": "PNG",
    "gif": "GIF",
    "bmp": "BMP",
    "webp": "WEBP",
    "tif": "TIFF",
    "avif": "AVIF",
}
PICTURES = {kind: drawn(form) for kind, form in FORMS.items()}


@pytest.mark.parametrize("kind", PICTURES)
def test_a_pictures_kind_is_told_by_its_first_bytes(kind: str) -> None:
    assert kind_of(PICTURES[kind][:HEAD]) == kind


def test_the_help_of_export_fits_a_terminal_and_names_every_format() -> None:
    done = CliRunner().invoke(main, ["export", "--help"], terminal_width=80)
    assert max(map(len, done.output.splitlines())) <= 80
    text = re.sub(r"\s+", "", done.output)  # lines break after hyphens, too
    assert all(name in text for name in ALL_FORMATS)

"""`tessera import` of other tools' images: files as those tools write them become manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.export import export
from tessera.commands.import_job import import_command
from tessera.exits import Exit
from tessera.sources.labeled import LABELS_AS, Labeled, manifest_lines
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.lines import Labeled as LabeledLine
from tessera.tiling.settings import read_settings
from tests.tessera.conftest import png


def lines_of(path: str = "pets.manifest") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def make(tessera: Any, *arguments: str) -> Any:
    result = tessera(import_command, *arguments, "--out", "pets.manifest", "--json")
    assert result.exit_code == Exit.OK, result.output
    return json.loads(result.stdout)


IMAGES = st.lists(
    st.tuples(
        st.sampled_from(["s3://pets/1.jpg", "s3://pets/2.jpg"]),
        st.lists(st.sampled_from(["cat", "dog", "é"]), max_size=3, unique=True),
    ),
    min_size=1,
)


@given(IMAGES, st.sampled_from(LABELS_AS))
def test_every_image_is_a_line_that_a_run_reads_with_the_label_it_had(
    images: list[tuple[str, list[str]]], labels_as: Any
) -> None:
    given_images = [Labeled(image, tuple(labels)) for image, labels in images]
    made = manifest_lines(given_images, labels_as, ["cat", "dog", "é"])
    task = "multi" if made.is_multi else "tiles"
    settings = read_settings(json.dumps({"labels": made.names, "task": task}).encode())
    lines = list(read_manifest(made.lines.splitlines(), settings))
    for line, (image, labels) in zip(lines, images, strict=True):
        record = json.loads(line.raw)  # type: ignore[union-attr]  # none is rejected
        assert record["source-ref"] == image
        if labels_as == "label" and (len(labels) == 1 or made.is_multi):
            assert isinstance(line, LabeledLine)
            numbers = record["label"] if made.is_multi else [record["label"]]
            assert [made.names[number] for number in numbers] == labels
        else:
            assert isinstance(line, Image)
            others = {tuple(given) for name, given in images if name == image and given}
            is_known = len(labels) == 1 and (labels_as != "gold" or len(others) == 1)
            own = labels[0] if is_known else None
            assert line.gold == (own if labels_as == "gold" else None)
            assert line.prelabel == (own if labels_as == "prelabel" else None)


def test_coco_as_our_own_export_and_its_reader_have_it(labels: Any, tessera: Any) -> None:
    labels.run(images=4)
    assert tessera(export, "--to", "coco", "--out", "made").exit_code == Exit.OK
    coco = pytest.importorskip("pycocotools.coco", reason="the reader is not installed")
    instances = coco.COCO("made/annotations/instances.json")
    assert len(instances.getImgIds()) == 4
    facts = make(tessera, "--coco", "made/annotations/instances.json", "--images", "made/images")
    assert (facts["images"], facts["labels"]) == (4, ["cat", "dog"])
    lines = lines_of()
    assert [line["gold"] for line in lines] == ["cat", "dog", "cat", "dog"]
    assert Path(lines[0]["source-ref"]).read_bytes().startswith(b"\x89PNG")
    make(tessera, "--coco", "made/annotations/instances.json")
    assert lines_of()[0]["source-ref"] == "s3://inbox/pets/0.png"


def test_coco_boxes_of_several_categories_are_several_labels(tessera: Any) -> None:
    document = {
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
        "images": [{"id": 1, "file_name": "a.jpg", "coco_url": "https://pictures.test/a.jpg"}],
        "annotations": [{"image_id": 1, "category_id": number} for number in (7, 3, 7)],
    }
    Path("coco.json").write_text(json.dumps(document))
    facts = make(tessera, "--coco", "coco.json", "--labels-as", "label")
    assert facts["task"] == "multi"
    (line,) = lines_of()
    assert line["label"] == [1, 0]
    assert line["label-metadata"]["class-map"] == {"1": "dog", "0": "cat"}
    facts = make(tessera, "--coco", "coco.json")
    assert lines_of() == [{"source-ref": "https://pictures.test/a.jpg"}]
    assert "several labels" in facts["warnings"][0]


def choices(*names: str, **more: Any) -> dict[str, Any]:
    value = {"type": "choices", "from_name": "c", "to_name": "i", "value": {"choices": [*names]}}
    return {"result": [value]} | more


def test_label_studio_as_it_documents_its_export(tessera: Any) -> None:
    tasks = [
        {"id": 1, "data": {"image": "s3://pets/1.jpg"},
         "annotations": [choices("dog", updated_at="2026-01-02"),
                         choices("cat", updated_at="2026-01-03"),
                         choices("fox", was_cancelled=True, updated_at="2026-02-01")],
         "predictions": [choices("cow", score=0.75)]},
        {"id": 2, "data": {"image": "https://pictures.test/2.jpg"},
         "annotations": [choices("dog", ground_truth=True), choices("cat")]},
        {"id": 3, "data": {"image": "/data/upload/4/3.png"}, "annotations": []},
        {"id": 4, "data": {"image": "/data/local-files/?d=pets/4.png"}, "annotations": []},
    ]  # fmt: skip
    Path("studio.json").write_text(json.dumps(tasks))
    Path("pictures").mkdir()
    for name in ("3.png", "4.png"):
        Path("pictures", name).write_bytes(png(3, 3))
    make(tessera, "--label-studio", "studio.json", "--images", "pictures")
    lines = lines_of()
    assert [line.get("gold") for line in lines] == ["cat", "dog", None, None]
    assert lines[3]["source-ref"] == str(Path("pictures/4.png").resolve())
    make(
        tessera, "--label-studio", "studio.json", "--images", "pictures", "--labels-as", "prelabel"
    )
    assert lines_of()[0] == {
        "source-ref": "s3://pets/1.jpg", "prelabel": "cow", "prelabel-confidence": 0.75,
    }  # fmt: skip
    result = tessera(import_command, "--label-studio", "studio.json", "--out", "x.manifest")
    assert result.exit_code == Exit.REFUSED
    assert "--images FOLDER" in result.output


def test_label_studios_short_form_has_a_choice_or_several(tessera: Any) -> None:
    tasks = [
        {"id": 1, "image": "s3://pets/1.jpg", "choice": "cat"},
        {"id": 2, "image": "s3://pets/2.jpg", "choice": {"choices": ["cat", "dog"]}},
    ]
    Path("studio.json").write_text(json.dumps(tasks))
    make(tessera, "--label-studio", "studio.json", "--labels-as", "label")
    assert [line["label"] for line in lines_of()] == [[0], [0, 1]]


WRITTEN_BY_LABEL_STUDIO = """[
{
  "image": "s3:\\/\\/inbox\\/pets\\/0.png",
  "confidence": 0.9,
  "id": 1,
  "label": "cat",
  "annotator": null,
  "annotation_id": 11,
  "created_at": null,
  "updated_at": null,
  "lead_time": null
},
{
  "image": "s3:\\/\\/inbox\\/pets\\/1.png",
  "confidence": 0.9,
  "id": 2,
  "label": {
    "choices": [
      "cat",
      "dog"
    ]
  },
  "annotator": null,
  "annotation_id": 12,
  "created_at": null,
  "updated_at": null,
  "lead_time": null
}
]
"""
"""JSON-MIN of what `tessera export --to label-studio` wrote, by the converter of label-studio-sdk
2.1.2 (`Converter(config, …).convert(tasks, …, "JSON_MIN")`), to the byte."""


def test_label_studios_own_converter_wrote_what_is_read(tessera: Any) -> None:
    Path("studio.json").write_text(WRITTEN_BY_LABEL_STUDIO)
    make(tessera, "--label-studio", "studio.json", "--labels-as", "label")
    assert [line["label"] for line in lines_of()] == [[0], [0, 1]]
    assert [line["source-ref"] for line in lines_of()] == [f"s3://inbox/pets/{n}.png" for n in "01"]


def test_a_csv_of_addresses_and_paths_with_labels_or_without(tessera: Any) -> None:
    Path("sub").mkdir()
    text = "\ufeffURL, Label\nhttps://pictures.test/1.jpg, cat\na b.png,'=dog\ns3://x/1,\n,\n"
    Path("sub/images.csv").write_text(text.replace(", ", ","), encoding="utf-8")
    make(tessera, "--csv", "sub/images.csv", "--labels-as", "prelabel")
    assert lines_of() == [
        {"source-ref": "https://pictures.test/1.jpg", "prelabel": "cat"},
        {"source-ref": str(Path("sub/a b.png").resolve()), "prelabel": "=dog"},
        {"source-ref": "s3://x/1"},
    ]


@pytest.mark.thorough
def test_hugging_faces_own_library_wrote_what_is_read(tessera: Any) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra huggingface is not installed")
    Path("raw").mkdir()
    for number in range(3):
        Path(f"raw/{number}.png").write_bytes(png(3 + number, 3))
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"image": [f"raw/{number}.png" for number in range(3)], "label": [1, 0, -1]}
    made = datasets.Dataset.from_dict(rows, features=features)
    Path("data").mkdir()
    made.to_parquet("data/train.parquet")
    facts = make(tessera, "--huggingface", "data")
    lines = lines_of()
    assert [line.get("gold") for line in lines] == ["dog", "cat", None]
    assert facts["labels"] == ["cat", "dog"]
    assert Path(lines[2]["source-ref"]).read_bytes() == png(5, 3)


@pytest.mark.thorough
def test_missing_labels_of_a_data_set_by_pandas_are_none(tessera: Any) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra huggingface is not installed")
    for number in range(3):
        Path(f"{number}.png").write_bytes(png(3 + number, 3))
    images = datasets.Image()
    for labels, names in (([1.0, float("nan"), 0.0], ["1", None, "0"]), (["a", None, "b"], None)):
        features = {"image": images, "label": datasets.Value("float" if names else "string")}
        rows = {"image": [f"{number}.png" for number in range(3)], "label": labels}
        made = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
        made.to_parquet("set.parquet")
        make(tessera, "--huggingface", "set.parquet")
        assert [line.get("gold") for line in lines_of()] == (names or labels)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_was_exported_for_hugging_face_is_read_back_as_it_was(
    labels: Any, tessera: Any
) -> None:
    pytest.importorskip("datasets", reason="the extra huggingface is not installed")
    sets = [["cat"], [], ["cat", "9"]]
    settings = {"task": "multi", "labels": ["cat", "invalid image", "9"]}

    def line(index: int) -> dict[str, Any]:
        numbers = {str(settings["labels"].index(name)): name for name in sets[index]}
        return {"pet": [*map(int, numbers)], "pet-metadata": {"class-map": numbers}}

    labels.run(images=3, line=line, settings=settings)
    assert tessera(export, "--to", "huggingface", "--out", "several").exit_code == Exit.OK
    make(tessera, "--huggingface", "several", "--labels-as", "label")
    maps = [record["label-metadata"]["class-map"].values() for record in lines_of()]
    assert [[*names] for names in maps] == sets
    days = ["2026-11-23", "invalid image", "2026-11-24"]
    labels.run(
        images=3, settings={"labels": days},
        line=lambda index: {"pet": 2 * (index % 2),
                            "pet-metadata": {"class-name": days[2 * (index % 2)]}},
    )  # fmt: skip
    assert tessera(export, "--to", "huggingface", "--out", "days").exit_code == Exit.OK
    make(tessera, "--huggingface", "days")
    assert [record["gold"] for record in lines_of()] == [days[0], days[2], days[0]]


def test_one_bad_row_or_task_is_left_out_alone(tessera: Any) -> None:
    tasks = [
        {"id": 1, "data": {"image": "s3://pets/1.jpg"}, "annotations": [choices("cat")]},
        {"id": 2, "data": {}}, None, {"data": 3}, {"id": 4, "data": {"image": "\ud800"}},
        {"id": 5, "data": {"image": "s3://pets/5.jpg"},
         "annotations": [{"result": [{"type": "choices"}]}]},
    ]  # fmt: skip
    Path("studio.json").write_text(json.dumps(tasks))
    arguments = ("--label-studio", "studio.json", "--out", "pets.manifest", "--json")
    result = tessera(import_command, *arguments)
    assert result.exit_code == Exit.PARTIAL, result.output
    assert lines_of() == [{"source-ref": "s3://pets/1.jpg", "gold": "cat"}]
    warnings = " ".join(json.loads(result.stdout)["warnings"])
    assert all(f"({number})" in warnings for number in (2, 3, 4, 6))


def test_a_picture_whose_labels_contradict_each_other_is_no_gold(tessera: Any) -> None:
    tasks = [
        {"id": number, "data": {"image": "s3://pets/1.jpg"}, "annotations": [choices(name)]}
        for number, name in enumerate(["cat", "dog", "cat"])
    ]
    Path("studio.json").write_text(json.dumps(tasks), encoding="utf-16")
    facts = make(tessera, "--label-studio", "studio.json")
    assert lines_of() == [{"source-ref": "s3://pets/1.jpg"}] * 3
    assert (facts["labeled"], facts["labels"]) == (0, ["cat", "dog"])
    assert "(s3://pets/1.jpg): each comes without" in facts["warnings"][0]
    facts = make(tessera, "--label-studio", "studio.json", "--labels-as", "label")
    assert [line["label"] for line in lines_of()] == [0, 1, 0]
    assert "different labels" in facts["warnings"][0]


def test_results_that_are_no_choices_are_told(tessera: Any) -> None:
    box = {"type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["cat"]}}
    remark = {"type": "textarea", "value": {"text": ["blurred"]}}
    chosen = choices("cat")
    chosen["result"].append(remark)
    tasks = [
        {"id": 7, "data": {"image": "s3://pets/1.jpg"}, "annotations": [{"result": [box]}]},
        {"id": 8, "data": {"image": "s3://pets/2.jpg"}, "annotations": [chosen]},
    ]
    Path("studio.json").write_text(json.dumps(tasks))
    arguments = ("--label-studio", "studio.json", "--out", "pets.manifest", "--json")
    result = tessera(import_command, *arguments)
    assert result.exit_code == Exit.PARTIAL
    (warning,) = json.loads(result.stdout)["warnings"]
    assert "1 (7): rectanglelabels, of which only choices are read" in warning


def test_names_of_categories_lose_the_blanks_that_settings_refuse(tessera: Any) -> None:
    document = {
        "categories": [{"id": 1, "name": " cat\t"}, {"id": 2, "name": "Cat"}, {"id": 3, "name": 7}],
        "images": [
            {"id": n, "file_name": "x", "coco_url": f"https://p.test/{n} ü.jpg"} for n in range(3)
        ],
        "annotations": [{"image_id": n, "category_id": max(n, 1)} for n in range(3)],
    }
    Path("coco.json").write_text(json.dumps(document))
    facts = make(tessera, "--coco", "coco.json")
    assert facts["labels"] == ["cat", "7"]
    assert {line["gold"] for line in lines_of()} == {"cat"}
    assert "'Cat' as 'cat'" in facts["warnings"][0]


@pytest.mark.parametrize("source", ["--coco", "--label-studio", "--csv"])
def test_what_is_no_such_file_is_refused_and_one_source_is_needed(
    tessera: Any, source: str
) -> None:
    Path("bad").write_text("[7]")
    result = tessera(import_command, source, "bad", "--out", "x.manifest")
    assert result.exit_code == Exit.REFUSED, result.output
    assert "bad" in result.output
    assert tessera(import_command).exit_code == Exit.USAGE
    assert tessera(import_command, source, "bad", "--ground-truth", "x").exit_code == Exit.USAGE
    assert tessera(import_command, source, "bad").exit_code == Exit.REFUSED

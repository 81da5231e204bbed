"""Labels of Ground Truth jobs as they write them: as gold, as guesses, as finished lines, boxes."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.import_job import import_command
from tessera.exits import Exit, Refused
from tessera.runs.ground_truth_job import OUTPUT, label_keys
from tessera.sources.ground_truth import Output, read_ground_truth, read_ground_truth_boxes
from tessera.sources.labeled import LABELS_AS, LeftOut, manifest_lines
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.lines import Image, Rejected, read_manifest
from tessera.tiling.manifest.lines import Labeled as LabeledLine
from tessera.tiling.manifest.stream import manifest_lines as split_lines
from tessera.tiling.settings import read_settings

Record = dict[str, Any]
CLASSES = ["cat", "dog, large", "Käse \"alt\"; x|y"]  # fmt: skip
FAILED = {
    "retry-count": 1,
    "failure-reason": "ClientError: Annotation tasks expired.  Probable Reasons are 1) …",
    "human-annotated": "true",
}


def metadata_of(kind: str, job: str, human: str = "yes", **more: Any) -> Record:
    return {
        "type": f"groundtruth/{kind}",
        "job-name": f"labeling-job/{job}",
        "human-annotated": human,
        "creation-date": "2019-04-18T16:40:59.217995",
        **more,
    }


def single(number: int, human: str, spelling: Any, job: str, kind: str) -> Record:
    """Return what a job of one label adds to a line, the number in one of its spellings."""
    sure = {"class-name": CLASSES[number], "confidence": 0.75}
    return {job: spelling(number), f"{job}-metadata": metadata_of(kind, job, human, **sure)}


def several(numbers: list[int], human: str, spelling: Any, job: str, kind: str) -> Record:
    """Return what a job of several labels adds to a line."""
    sure = {
        "class-map": {str(number): CLASSES[number] for number in numbers},
        "confidence-map": {str(number): 0.5 for number in numbers},
    }
    metadata = metadata_of(kind, job, human, **sure)
    return {job: [spelling(number) for number in numbers], f"{job}-metadata": metadata}


NUMBERS = st.integers(0, len(CLASSES) - 1)
HUMAN = st.sampled_from(["yes", "no"])
SPELLING = st.sampled_from([int, str, float])
STATE = st.sampled_from(["labeled", "labeled", "failed", "untouched"])
LINE = st.tuples(STATE, st.lists(NUMBERS, unique=True), HUMAN, SPELLING, st.booleans())


@given(
    st.lists(LINE, min_size=1, max_size=8),
    st.sampled_from(["image-classification", "label-verification"]),
    st.booleans(),
    st.sampled_from(LABELS_AS),
)
def test_every_line_of_a_job_is_read_as_what_the_job_made_of_it(
    lines: list[Any], kind: str, are_sets: bool, labels_as: Any
) -> None:
    records, expected = [], []
    for index, (state, numbers, human, spelling, is_chained) in enumerate(lines):
        record: Record = {"source-ref": f"s3://pets/{index}, ü.jpg", "camera": index}
        if is_chained:  # the job before may have failed for the line, too
            before = single(0, "yes", int, "label", "image-classification")
            record |= before if index % 2 else {"label-metadata": FAILED}
        numbers = numbers if are_sets else (numbers or [0])[:1]
        if state == "labeled" and are_sets:
            form = "image-classification-multilabel"
            record |= several(numbers, human, spelling, "pets", form)
        elif state == "labeled":
            record |= single(numbers[0], human, spelling, "pets", kind)
        elif state == "failed":
            record["pets-metadata"] = FAILED
        is_known = state == "labeled" and not (labels_as == "gold" and human == "no")
        expected.append([CLASSES[number] for number in numbers] if is_known else None)
        records.append(record)
    text = "".join(json.dumps(record) + "\r\n" for record in records).encode()
    # a line that the job labeled at the end, as a manifest of no labels has no key
    last = several([0, 1], "yes", int, "pets", "image-classification-multilabel") if are_sets else (
        single(1, "yes", int, "pets", kind))  # fmt: skip
    text += json.dumps({"source-ref": "s3://pets/z.jpg", **last}).encode()
    expected.append([CLASSES[0], CLASSES[1]] if are_sets else [CLASSES[1]])
    left_out = LeftOut("pets")

    contents = read_ground_truth(Output("out/pets", text), left_out, as_gold=labels_as == "gold")
    made = manifest_lines(contents.images, labels_as, contents.names, are_sets=contents.are_sets)

    assert not left_out.is_loss
    assert made.is_multi == (are_sets and labels_as == "label")
    task = {"task": "multi" if made.is_multi else "tiles", "labels": CLASSES}
    settings = read_settings(json.dumps(task).encode())
    read = list(read_manifest(made.lines.splitlines(), settings))
    assert not [line for line in read if isinstance(line, Rejected)]
    for index, (line, names) in enumerate(zip(read, expected, strict=True)):
        if labels_as == "label" and names is not None:
            assert isinstance(line, LabeledLine)
            record = json.loads(line.raw)
            label = record["label"]
            numbers = label if made.is_multi else [label]
            assert [CLASSES[number] for number in sorted(numbers)] == sorted(
                names, key=CLASSES.index
            )
            human = lines[index][2] if index < len(lines) else "yes"
            assert record["label-metadata"]["human-annotated"] == human
        else:
            assert isinstance(line, Image)
            own = names[0] if names and len(names) == 1 else None
            assert line.gold == (own if labels_as == "gold" else None)
            assert line.prelabel == (own if labels_as == "prelabel" else None)
        if index < len(lines):
            assert json.loads(line.raw)["camera"] == index


def box(number: int, left: float) -> Record:
    return {"class_id": number, "left": left, "top": 3, "width": 20, "height": 10}


def detection(boxes: list[Record], job: str = "found") -> Record:
    size = [{"width": 100, "height": 80, "depth": 3}]
    sure: Record = {"objects": [{"confidence": 0.09} for _ in boxes],
            "class-map": {str(number): name for number, name in enumerate(CLASSES)}}  # fmt: skip
    return {
        job: {"annotations": boxes, "image_size": size},
        f"{job}-metadata": metadata_of("object-detection", job, **sure),
    }


@given(st.lists(st.lists(st.builds(box, NUMBERS, st.integers(0, 70)), max_size=3), min_size=1))
def test_boxes_of_a_detection_job_become_lines_of_boxes_to_verify(pictures: Any) -> None:
    records = [detection(boxes) | {"source-ref": f"s3://pets/{index}.jpg"}
               for index, boxes in enumerate(pictures)]  # fmt: skip
    records[0] |= single(1, "yes", int, "checked", "label-verification")
    records.append({"source-ref": "s3://pets/failed.jpg", "found-metadata": FAILED})
    text = "\n".join(map(json.dumps, records)).encode()
    left_out = LeftOut("checked")
    lines, _, _ = read_ground_truth_boxes(Output("checked", text), left_out)
    settings = read_settings(b'{"task": "verify"}')
    chunks = box_lines([b"".join(json.dumps(line).encode() + b"\n" for line in lines)], settings)
    read = list(read_manifest(split_lines(chunks), settings))
    assert [
        (line.source_ref, line.box.name, line.box.left)
        for line in read
        if isinstance(line, Image) and line.box
    ] == [
        (f"s3://pets/{index}.jpg", CLASSES[each["class_id"]], each["left"])
        for index, boxes in enumerate(pictures)
        for each in boxes
    ]
    assert left_out.is_loss
    assert any("Annotation tasks expired" in notice for notice in left_out.notices())


def test_the_newest_jobs_key_is_found_in_lines_that_a_stopped_job_left_as_they_were() -> None:
    first = {"source-ref": "s3://pets/1"} | single(0, "yes", int, "pets", "image-classification")
    second = first | single(1, "yes", int, "breed", "image-classification")
    assert [*label_keys([first, second, first], "out/other")] == ["pets", "breed"]
    assert [*label_keys([first, second], "out/pets/")] == ["breed", "pets"]
    assert [*label_keys([first, second], f"out/pets/{OUTPUT}")] == ["breed", "pets"]
    failed = first | {"breed-metadata": FAILED}
    assert label_keys([failed], "x") == {"pets": "image-classification", "breed": ""}


def write_job(records: list[Record], folder: str = "pets") -> None:
    path = Path(folder, OUTPUT)
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def test_a_folder_a_file_and_an_address_give_the_same_manifest(tessera: Any, place: Any) -> None:
    write_job([{"source-ref": "s3://pets/1"} | single(1, "yes", int, "pets", "custom")])
    place.cloud.aws.files.put(f"s3://old/pets/{OUTPUT}", Path("pets", OUTPUT).read_bytes())
    made = set()
    for where in ("pets", f"pets/{OUTPUT}", "s3://old/pets", f"s3://old/pets/{OUTPUT}"):
        result = tessera(import_command, "--ground-truth", where, "--out", "p.manifest")
        assert result.exit_code == Exit.OK, result.output
        made.add(Path("p.manifest").read_bytes())
    assert made == {b'{"source-ref":"s3://pets/1","gold":"dog, large"}\n'}
    for where in ("nowhere", "s3://old/none", "s3://old/none.manifest"):
        result = tessera(import_command, "--ground-truth", where, "--out", "p.manifest")
        assert result.exit_code == Exit.REFUSED
        assert where in result.output


def test_what_a_job_does_not_say_can_be_given_and_what_it_lacks_is_told(tessera: Any) -> None:
    record = single(1, "yes", int, "pets", "image-classification")
    record["source-ref"] = "s3://pets/1"
    del record["pets-metadata"]["class-name"]
    write_job([record, {"source-ref": "s3://pets/2", "pets-metadata": FAILED}, {"source": "text"}])
    arguments = ("--ground-truth", "pets", "--out", "p.manifest", "--json")
    result = tessera(import_command, *arguments)
    assert result.exit_code == Exit.PARTIAL
    warnings = " ".join(json.loads(result.stdout)["warnings"])
    for words in ("Annotation tasks expired", "--labels A,B", "a text (source), no picture"):
        assert words in warnings
    tessera(import_command, *arguments, "--labels", 'cat,"dog, large"')
    lines = [json.loads(line) for line in Path("p.manifest").read_bytes().splitlines()]
    assert [line.get("gold") for line in lines] == ["dog, large", None]


REFUSALS = {
    "--labels-as boxes": detection([box(0, 1)]),
    "--labels-as gold, prelabel or label": single(0, "yes", int, "p", "image-classification"),
    "masks": {"m-ref": "s3://x/1", "m-ref-metadata": metadata_of("semantic-segmentation", "m")},
    "without --out": {"q": {"all": []}, "q-metadata": metadata_of("custom", "q")},
    "not its input": {},
}


@pytest.mark.parametrize("advice", REFUSALS)
def test_labels_of_another_kind_are_refused_with_what_goes(advice: str) -> None:
    text = json.dumps({"source-ref": "s3://pets/1"} | REFUSALS[advice]).encode()
    output, left_out = Output("pets", text), LeftOut("pets")
    read: Any = partial(read_ground_truth, output, left_out, as_gold=True)
    if "prelabel" in advice:
        read = partial(read_ground_truth_boxes, output, left_out)
    with pytest.raises(Refused) as refused:
        read()
    assert advice in str(refused.value)


def test_jobs_below_a_folder_and_keys_of_a_chain_are_named(tessera: Any) -> None:
    record = {"source-ref": "s3://pets/1"} | single(0, "yes", int, "pets", "image-classification")
    write_job([record], "out/pets")
    write_job([record | single(1, "yes", int, "breed", "image-classification")], "out/breed")
    result = tessera(import_command, "--ground-truth", "out", "--out", "p.manifest")
    assert "out/breed, out/pets" in result.output
    arguments = ("--ground-truth", "out/breed", "--out", "p.manifest", "--label-attribute")
    assert "pets, breed" in tessera(import_command, *arguments, "no").output
    assert tessera(import_command, *arguments, "pets").exit_code == Exit.OK
    assert json.loads(Path("p.manifest").read_bytes())["gold"] == "cat"
    result = tessera(import_command, *arguments[:-1])
    assert "--label-attribute pets" in result.output
    result = tessera(import_command, "--ground-truth", "out/breed", "--labels-as", "gold")
    assert "--out NAME.manifest" in result.output

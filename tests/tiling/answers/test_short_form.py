"""Answers in short are read as the full ones would be, or the full ones are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.output_reader import OutputReader, Task
from tessera.tiling.answers.pack import pack
from tessera.tiling.answers.submission import OddAnswer

LABELS, ESCAPE = ("cat", 'dog "Rex"', "größe"), "cannot see"
CHOICES = (*LABELS, ESCAPE)
Label = dict[str, Any]


def form(labels: dict[int, str], **more: Any) -> str:
    answers = {
        str(image): {name: name == label for name in CHOICES} for image, label in labels.items()
    }
    return json.dumps(answers | more)


def log(**seconds: float) -> str:
    tiles = [{"id": image[1:], "dwell": 1000 * spent} for image, spent in seconds.items()]
    return json.dumps({"tiles": tiles})


def packed(images: list[int], *forms: str, workers: str = "abcdefgh") -> Label:
    annotations = [
        {"workerId": worker, "annotationData": {"content": content}}
        for worker, content in zip(workers, forms, strict=False)
    ]
    task = {
        "datasetObjectId": "0",
        "dataObject": {"content": source(images)},
        "annotations": annotations,
    }
    (entry,), _ = pack([task], "label", lambda _: b"")
    label: Label = entry["consolidatedAnnotation"]["content"]["label"]
    return label


def source(images: list[int]) -> str:
    return json.dumps([{"source-ref": f"s3://b/{image}", "index": image} for image in images])


def line(images: list[int], label: Label, end: bytes = b"") -> bytes:
    return msgspec.json.encode({"source": source(images), "label": label}) + end


def in_full(label: Label) -> Label:
    return {"responses": label["responses"]}


def columns(*lines: bytes) -> tuple[list[Any], list[OddAnswer], list[Task]]:
    kept_out: list[OddAnswer] = []
    book = AnswerBook(kept_out.append)
    reader = OutputReader(book, LABELS, ESCAPE, "label")
    short = list(reader.read("job", lines, round_=2, wanted=3))
    arrays = (book.image, book.label, book.worker, book.round, book.size)
    seconds = ["" if spent != spent else spent for spent in book.seconds]
    return [*map(list, arrays), seconds, book.workers, book.noted], kept_out, short


rows = st.lists(st.sampled_from(CHOICES), min_size=3, max_size=3)


@given(
    st.permutations([7, 12, 1003]),
    st.permutations([7, 12, 1003]),
    st.lists(rows, min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([b"", b"\n", b"\r\n"]),
)
def test_usual_answers_read_the_same_in_short_and_in_full(
    images: list[int], order: list[int], answers: list[list[str]], timed: bool, end: bytes
) -> None:
    more = {"meta": log(i7=1.5, i12=0.25, i1003=70)} if timed else {}
    forms = [form(dict(zip(order, each, strict=True)), **more) for each in answers]
    label = packed(images, *forms, form(dict(zip(order, answers[0], strict=True))))
    assert len(label["compact"]["said"]) == 3 * (len(answers) + 1)
    read, odd, short = columns(line(images, label, end))
    full, none, also_short = columns(line(images, in_full(label), end))
    assert read == full
    assert odd == none == []
    assert [task.workers for task in short] == [task.workers for task in also_short]
    # the responses are not looked at where the short form adds up
    assert columns(line(images, label | {"responses": []}, end))[0] == full


@pytest.mark.parametrize(
    "content",
    [
        form({1: "cat"}),
        form({1: "cat", 2: "cat", 3: "cat"}),
        form({1: "cat", 3: "cat"}),
        form({1: "cat", 2: "none of them"}),
        json.dumps({"1": {"cat": True, ESCAPE: True}, "2": {"cat": True}}),
        json.dumps({"1": {"cat": True}, " 2": {"cat": True}}),
        json.dumps({"1": {"cat": True}, "2": None}),
        form({1: "cat", 2: "cat"}, meta=log(i1=1)),
        form({2: "cat", 1: "cat"}),
    ],
)
def test_a_task_with_anything_odd_has_no_short_form(content: str) -> None:
    usual = form({1: "cat", 2: "größe"})
    assert "compact" in packed([1, 2], usual, usual)
    label = packed([1, 2], usual, content)
    assert "compact" not in label
    assert len(label["responses"]) == 2


def test_a_worker_twice_in_a_task_or_a_task_that_tells_nothing_has_no_short_form() -> None:
    usual = form({1: "cat"})
    assert "compact" not in packed([1], usual, usual, workers="aa")
    assert "compact" not in packed([1])
    payload = [{"datasetObjectId": "0", "dataObject": {"s3Uri": "s3://b/k"}, "annotations": []}]
    (entry,), odd = pack(payload, "label", lambda _: b"")
    assert entry["consolidatedAnnotation"]["content"] == {"label": {"responses": []}}
    assert odd == []


SPOILED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "too short": lambda short: short.update(said=short["said"][:-1]),
    "no such choice": lambda short: short.update(said="9" * len(short["said"])),
    "no symbol": lambda short: short.update(said="é" * (len(short["said"]) // 2)),
    "not in the list": lambda short: short.update(choices=["wolf"] * 4),
    "no list": lambda short: short.update(choices={"cat": 0}),
    "an image less": lambda short: short["images"].pop(),
    "no image": lambda short: short.update(images=[], said=""),
    "an image that is none": lambda short: short.update(images=[-1, 2]),
    "a worker less": lambda short: short["workers"].pop(),
    "a worker twice": lambda short: short.update(workers=["a", "a"]),
    "no seconds": lambda short: short.update(seconds="none"),
    "seconds of one": lambda short: short.update(seconds=[[1.0], None]),
    "seconds of a third": lambda short: short.update(seconds=[[1.0, 2.0]] * 3),
    "nothing": dict.clear,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_short_form_that_does_not_add_up_gives_way_to_the_full_one(
    spoil: Callable[[dict[str, Any]], Any],
) -> None:
    label = packed([1, 2], form({1: "cat", 2: "größe"}), form({1: ESCAPE, 2: "cat"}))
    full = columns(line([1, 2], in_full(label)))
    spoil(label["compact"])
    read, odd, _ = columns(line([1, 2], label))
    assert (read, odd) == full[:2]


def test_a_line_that_was_cut_off_is_not_believed() -> None:
    whole = line([1], packed([1], form({1: "cat"})))
    read, odd, short = columns(whole[:-10])
    assert read[0] == []
    assert [entry.reason.split(":")[0] for entry in odd] == [
        "a line of the output manifest cannot be read"
    ]
    assert len(short) == 1


def test_what_a_task_quotes_is_no_short_form() -> None:
    label = packed([1], form({1: "cat"}))
    quoting = {"source": source([1]), "other": {"label": label}, "label": in_full(label)}
    assert columns(msgspec.json.encode(quoting))[0] == columns(line([1], in_full(label)))[0]


def test_answers_keep_their_order_of_arrival_among_lines_of_both_kinds() -> None:
    labels = [packed([image], form({image: "cat"}), workers=f"w{image}") for image in range(9)]
    full = columns(*(line([i], in_full(label)) for i, label in enumerate(labels)))
    mixed = [line([i], in_full(label) if i % 3 else label) for i, label in enumerate(labels)]
    assert columns(*mixed)[0] == full[0]

"""A picture that did not load is no answer: it is counted for whom and which, and nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.output_reader import OutputReader
from tessera.tiling.answers.pack import pack
from tessera.tiling.answers.table import AnswerTable, answer_table, unsure_rows

CHOICES = ("cat", "dog", "cannot see")
WORKERS = ("ann", "bob", "cid")
IMAGES = 4

# what became of one image in one worker's hands: a choice, or how the form hands in a failure
CHOSEN = dict(zip(CHOICES, (0, 1, -1), strict=True))
FAILURES = ("radios off", "all false", "by itself")
handed_in = st.sampled_from([*CHOICES, *FAILURES, "left out"])
pages = st.lists(
    st.lists(handed_in, min_size=IMAGES, max_size=IMAGES), min_size=1, max_size=len(WORKERS)
)


def content(page: list[str]) -> bytes:
    """What a page's form submits."""
    answer: dict[str, object] = {}
    tiles = []
    for image, outcome in enumerate(page):
        failed = outcome in FAILURES
        tiles.append(
            {
                "id": str(image),
                "dwell": 0 if failed else 1000,
                "load": "error" if failed else "ok",
                "by": "auto-error" if outcome == "by itself" else "key",
            }
        )
        chosen = "cannot see" if outcome == "by itself" else outcome
        if outcome not in ("radios off", "left out"):
            answer[str(image)] = {name: name == chosen for name in CHOICES}
    return msgspec.json.encode(answer | {"meta": msgspec.json.encode({"tiles": tiles}).decode()})


def read(pages: list[list[str]], *, rescued: bool) -> tuple[AnswerBook, AnswerTable]:
    """Read the pages as the post-annotation Lambda packs them, or from the workers' responses."""
    source = msgspec.json.encode([{"index": image} for image in range(IMAGES)]).decode()
    answers = list(zip(WORKERS, map(content, pages), strict=False))
    annotations = [
        {"workerId": worker, "annotationData": {"content": text.decode()}}
        for worker, text in answers
    ]
    task = {"datasetObjectId": "0", "dataObject": {"content": source}, "annotations": annotations}
    packed, odd = pack([task], "label", lambda uri: b"")
    assert odd == []
    line = {"source": source} | ({} if rescued else packed[0]["consolidatedAnnotation"]["content"])
    book = AnswerBook()
    reader = OutputReader(book, CHOICES[:2], CHOICES[2], "label")
    for task_read in reader.read("job", [msgspec.json.encode(line)], round_=1, wanted=9):
        for worker, text in answers if rescued else ():
            entry = {"workerId": worker, "answerContent": msgspec.json.decode(text)}
            reader.rescue(task_read, msgspec.json.encode({"answers": [entry]}))
    return book, answer_table(book, images=IMAGES, classes=2)


@pytest.mark.parametrize("rescued", [False, True])
@given(pages)
def test_what_was_chosen_is_an_answer_and_what_failed_is_counted(
    rescued: bool, pages: list[list[str]]
) -> None:
    book, table = read(pages, rescued=rescued)
    outcomes = {
        (image, worker): outcome
        for worker, page in zip(WORKERS, pages, strict=False)
        for image, outcome in enumerate(page)
    }
    names, crowd = table.names, table.crowd
    answers = {
        (image, names[worker]): label
        for image, worker, label in zip(
            crowd.image.tolist(), crowd.worker.tolist(), crowd.label.tolist(), strict=True
        )
    }
    unloaded = {
        (image, names[worker])
        for image, worker in zip(
            table.unloaded.image.tolist(), table.unloaded.worker.tolist(), strict=True
        )
    }
    assert answers == {pair: CHOSEN[one] for pair, one in outcomes.items() if one in CHOSEN}
    assert unloaded == {pair for pair, outcome in outcomes.items() if outcome in FAILURES}
    left_out = sum(outcome == "left out" for outcome in outcomes.values())
    assert +book.noted == ({"images left out of a submission": left_out} if left_out else {})


@given(pages)
def test_an_image_is_asked_again_of_nobody_whom_it_failed(pages: list[list[str]]) -> None:
    _, table = read(pages, rescued=False)
    text = b"".join(unsure_rows(range(IMAGES), table.crowd, table.unloaded, table.names)).decode()
    for image, row in enumerate(text.splitlines()[1:]):
        asked = {
            worker
            for worker, page in zip(WORKERS, pages, strict=False)
            if page[image] != "left out"
        }
        assert set(row.partition(",")[2].split()) == asked


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_no_list_of_failures_stops_the_reading(unloaded: object) -> None:
    response = {"workerId": "ann", "annotation": {"0": {"cat": True}}, "unloaded": unloaded}
    line = {"source": '[{"index": 0}, {"index": 1}]', "label": {"responses": [response]}}
    book = AnswerBook()
    reader = OutputReader(book, CHOICES[:2], CHOICES[2], "label")
    assert not list(reader.read("job", [msgspec.json.encode(line)], round_=1, wanted=1))
    assert list(book.label) == [0]
    assert set(book.unloaded_image) <= {1}

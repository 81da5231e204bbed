"""A manifest's way into tasks: every line in one place, the same bytes again."""

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import NoUsableLine, TesseraError, TooManyBadLines
from tessera.tiling.grouping import first_round, limits
from tessera.tiling.grouping.first_round import (
    ENOUGH_REJECTED,
    ENOUGH_UNUSABLE,
    group_manifest,
)
from tessera.tiling.manifest.lines import Image, Labeled, Rejected, read_manifest
from tessera.tiling.settings import Settings
from tests.tiling.folder import Folder, grouped, manifest, settings
from tests.tiling.manifests import CHOSEN, MANIFESTS, physical_lines


@given(text=MANIFESTS, chosen=CHOSEN, piece=st.integers(1, 300))
def test_every_line_is_in_one_place_however_it_is_spelled(
    text: bytes, chosen: Settings, piece: int
) -> None:
    """The grouping reads many lines at a time; it must see what a reader of single lines sees."""
    read = list(read_manifest(physical_lines(text), chosen))
    images = {line.index: line for line in read if isinstance(line, Image)}
    if all(isinstance(line, Rejected) for line in read):
        with pytest.raises(NoUsableLine):
            grouped(text, chosen, piece)
        return
    summary, folder = grouped(text, chosen, piece)
    assert [line["line"] - 1 for line in folder.rejected()] == [
        line.index for line in read if isinstance(line, Rejected)
    ]
    firsts: dict[str, int] = {}
    for index, image in images.items():
        firsts.setdefault(image.source_ref, index)
    duplicates = {
        index: firsts[image.source_ref]
        for index, image in images.items()
        if chosen.repeats == "once" and firsts[image.source_ref] != index
    }
    assert dict(folder.duplicates()) == duplicates
    asked = [image for shard in range(len(summary.shards)) for image in folder.images(shard)]
    assert sorted(record["index"] for record in asked) == sorted(images.keys() - duplicates.keys())
    for record in asked:
        image = images[record["index"]]
        assert record["source-ref"] == image.source_ref
        assert record.get("prelabel") == image.prelabel
        if image.prelabel is not None:
            assert record.get("prelabel-confidence") == image.prelabel_confidence
        assert "gold" not in record
    assert summary.labeled == sum(isinstance(line, Labeled) for line in read)
    assert (summary.lines, summary.repeats) == (len(read), len(duplicates))


@pytest.mark.thorough
@given(text=MANIFESTS, chosen=CHOSEN, pieces=st.tuples(st.integers(1, 99), st.integers(1, 999)))
def test_the_same_manifest_is_the_same_bytes_however_it_arrives(
    text: bytes, chosen: Settings, pieces: tuple[int, int]
) -> None:
    try:
        first, second = (grouped(text, chosen, piece) for piece in pieces)
    except NoUsableLine:
        return
    assert first[0] == second[0]
    assert first[1].files == second[1].files


@given(text=st.binary(max_size=400), piece=st.integers(1, 50))
def test_any_bytes_end_well_or_under_a_name(text: bytes, piece: int) -> None:
    folder = Folder()
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    with suppress(TesseraError):
        group_manifest(lambda: pieces, settings(), folder.create, io.BytesIO)


def test_what_cannot_be_used_has_its_number_and_its_reason() -> None:
    text = manifest(30) + b'oops\n{"source-ref": 7}\n{"prelabel": "cat"}'
    summary, folder = grouped(text, settings(bad_lines=0.5))
    assert [bad["line"] for bad in folder.rejected()] == [31, 32, 33]
    assert folder.rejected()[2] == {
        "line": 33,
        "reason": "no source-ref",
        "content": '{"prelabel": "cat"}',
    }
    assert (summary.lines, summary.images, summary.rejected) == (33, 30, 3)


def test_a_labeled_line_passes_through() -> None:
    text = b'{"source-ref": "s3://bkt/k", "label": 0}\n'
    summary, folder = grouped(text, settings())
    assert (summary.labeled, summary.images, summary.shards) == (1, 0, ())
    assert folder.files == {}


def test_a_manifest_with_too_little_to_use_is_refused() -> None:
    with pytest.raises(NoUsableLine):
        grouped(b"", settings())
    with pytest.raises(NoUsableLine, match="none of the 2 lines"):
        grouped(b"x\ny\n", settings())
    with pytest.raises(TooManyBadLines, match=r"2 of 12 lines .* more than the 10%"):
        grouped(manifest(10) + b"x\ny\n", settings())


def test_a_refused_manifest_has_its_bad_lines_listed_and_no_task_written() -> None:
    folder = Folder()
    with pytest.raises(TooManyBadLines):
        group_manifest(lambda: [manifest(3) + b"x\n"], settings(), folder.create, io.BytesIO)
    assert set(folder.files) == {"rejected.jsonl"}


@pytest.mark.thorough
@pytest.mark.parametrize("order", ["spread", "as-given", "shuffle", "by-prelabel", "similar"])
def test_a_manifest_larger_than_a_shard_becomes_several(
    monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(first_round, "MAX_SHARD_IMAGES", 100)
    summary, folder = grouped(manifest(250), settings(order=order), piece=700)
    assert [shard.images for shard in summary.shards] == [100, 100, 50]
    assert [shard.tasks for shard in summary.shards] == [5, 5, 3]
    for shard, start in enumerate((0, 100, 200)):
        indexes = [index for task in folder.indexes(shard) for index in task]
        assert sorted(indexes) == list(range(start, min(start + 100, 250)))
    if order == "spread":
        assert folder.indexes(1)[2] == list(range(102, 200, 5))


def test_the_text_of_a_shard_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_round, "MAX_SHARD_BYTES", 4000)
    summary, _ = grouped(manifest(250), settings(), piece=500)
    assert len(summary.shards) >= 2
    assert summary.images == 250


def test_no_job_gets_more_tasks_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_TASKS", 10)
    summary, folder = grouped(manifest(55), settings(images_per_task=4))
    assert all(shard.tasks <= 10 for shard in summary.shards)
    long = b"".join(b'{"source-ref":"s3://bkt/%s%d"}\n' % (b"x" * 1000, i) for i in range(400))
    summary, folder = grouped(long, settings(images_per_task=100))
    assert all(shard.tasks <= 10 for shard in summary.shards)
    times_asked = Counter(
        index
        for shard in range(len(summary.shards))
        for task in folder.indexes(shard)
        for index in task
    )
    assert times_asked == Counter(range(400))


@pytest.mark.thorough
@pytest.mark.parametrize("order", ["spread", "as-given", "shuffle", "by-prelabel", "similar"])
@pytest.mark.parametrize("answers", range(1, 10))
def test_no_job_of_the_portal_gets_more_answers_than_can_be_collected_in_time(
    monkeypatch: pytest.MonkeyPatch, answers: int, order: str
) -> None:
    monkeypatch.setattr(limits, "MAX_SUBMISSIONS", 18)
    chosen = settings(order=order, answers_per_image=answers, max_answers=9, images_per_task=3)
    summary, folder = grouped(manifest(200), chosen)
    assert all(shard.tasks * answers <= 18 for shard in summary.shards)
    times_asked = Counter(
        index
        for shard in range(len(summary.shards))
        for task in folder.indexes(shard)
        for index in task
    )
    assert times_asked == Counter(range(200))
    # as few jobs as possible: each is a state of its own, and a thousand of them a run's most
    assert len(summary.shards) == -(-200 // (18 // answers * 3))


def test_a_job_of_ground_truth_is_cut_by_its_quota_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SUBMISSIONS", 18)
    team = "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/pets"
    summary, _ = grouped(manifest(200), settings(images_per_task=3, workforce=team))
    assert [shard.tasks for shard in summary.shards] == [67]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("start", "kind", "listed"),
    [(b"", NoUsableLine, ENOUGH_UNUSABLE), (manifest(5), TooManyBadLines, ENOUGH_REJECTED)],
)
def test_a_manifest_of_nothing_but_line_ends_is_read_no_further_than_it_takes(
    start: bytes, kind: type[TesseraError], listed: int
) -> None:
    folder = Folder()
    pieces_read: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(16):
            pieces_read.append(number)
            yield (start if number == 0 else b"") + b"\n" * 1_000_000

    with pytest.raises(kind, match=r"the first: .* no more lines were read"):
        group_manifest(pieces, settings(), folder.create, io.BytesIO)
    assert len(pieces_read) <= 3
    assert len(folder.rejected()) == listed


@pytest.mark.thorough
def test_bad_lines_that_the_settings_allow_do_not_stop_the_reading() -> None:
    text = b"?\n" * (ENOUGH_UNUSABLE - 1) + manifest(10)
    summary, _ = grouped(text, settings(bad_lines=1))
    assert (summary.images, summary.rejected) == (10, ENOUGH_UNUSABLE - 1)

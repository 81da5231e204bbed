"""A manifest's way into tasks: every line somewhere, nothing over a cap, the same bytes again."""

import io
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import NoUsableLine, TooManyBadLines
from tessera.tiling.grouping import first_round
from tessera.tiling.grouping.first_round import group_manifest
from tessera.tiling.manifest.lines import Image, Labeled, Rejected, read_manifest
from tessera.tiling.settings import Settings
from tests.tiling.folder import Folder, grouped, manifest, settings

# What lines may look like: the forms that are read together, and those that are read alone.
KEYS = st.one_of(
    st.integers(0, 60).map("{}.jpg".format),
    st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=40),
    st.sampled_from(["a" * 1024, "ä" * 512, "🐈" * 256, "a" * 1025, "ä" * 513, '"\\\n\r\t', " "]),
)
URIS = st.builds("s3://{}/{}".format, st.sampled_from(["pets", "zoo"]), KEYS)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "prelabel": st.sampled_from(["cat", "dog", "cannot see", "cow", 7, None]),
        "prelabel-confidence": st.sampled_from([0, 0.5, 1, 1.5, "high", None]),
        "gold": st.sampled_from(["cat", "dog", "cow", None]),
        "label": st.sampled_from([0, "cat", {"a": [1]}, None]),
        "shelter": st.text(max_size=5) | st.integers() | st.lists(st.none(), max_size=3),
    },
)
RECORDS = st.builds(lambda uri, extra: {"source-ref": uri} | extra, URIS, EXTRAS)
BARE = st.builds(lambda uri: {"source-ref": uri}, URIS)


def spelled(record: dict[str, Any], compact: bool, plain: bool) -> bytes:
    separators = (",", ":") if compact else None
    text = json.dumps(record, separators=separators, ensure_ascii=plain)
    return text.encode("utf-8", "replace")


LINES = st.one_of(
    st.builds(spelled, BARE, st.booleans(), st.booleans()),
    st.builds(spelled, RECORDS, st.booleans(), st.booleans()),
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ")),
    st.sampled_from(
        [
            b"",
            b"{",
            b'"source-ref": "s3://pets/1"}',
            b'{"source-ref": "s3://pets/1"}{"source-ref": "s3://pets/2"}',
            b'{"source-ref": "s3://pets/\\ud800"}',
            b'{"source-ref": "s3://pets/\xff"}',
            b'{"source-ref": "s3://pets/1", "x": "\xff"}',
            b'{"source-ref": "s3://pets/1\0"}',
            b"s3://pets/1",
            b' {"source-ref": "s3://pets/9"} ',
            b'{"source-ref": "s3://pets/1", "source-ref": "s3://pets/2"}',
            b'{"source-ref": "s3:///1"}',
            b'{"source-ref": "s3://pets/"}',
            b'{"source-ref": "https://pets/1"}',
        ]
    ),
)
MANIFESTS = st.one_of(
    st.lists(LINES, min_size=1, max_size=60),
    st.lists(st.builds(spelled, BARE, st.just(True), st.booleans()), min_size=1, max_size=60),
    st.lists(st.builds(spelled, RECORDS, st.just(False), st.just(False)), min_size=1, max_size=60),
).flatmap(
    lambda lines: st.sampled_from(
        [b"\n".join(lines), b"\n".join(lines) + b"\n", b"\r\n".join(lines) + b"\r\n"]
    )
)
CHOSEN = st.builds(
    lambda **keys: settings(bad_lines=1, **keys),
    images_per_task=st.integers(1, 7),
    order=st.sampled_from(["spread", "as-given", "shuffle", "by-prelabel"]),
    repeats=st.sampled_from(["once", "each"]),
    seed=st.integers(0, 3),
)


def physical_lines(text: bytes) -> list[bytes]:
    return text.removesuffix(b"\n").split(b"\n")


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
    repeats = {
        index: firsts[image.source_ref]
        for index, image in images.items()
        if chosen.repeats == "once" and firsts[image.source_ref] != index
    }
    assert dict(folder.repeats()) == repeats
    asked = [image for shard in range(len(summary.shards)) for image in flat(folder, shard)]
    assert sorted(shown["index"] for shown in asked) == sorted(images.keys() - repeats.keys())
    for shown in asked:
        said = images[shown["index"]]
        assert shown["source-ref"] == said.source_ref
        assert shown.get("prelabel") == said.prelabel
        if said.prelabel is not None:
            assert shown.get("prelabel-confidence") == said.prelabel_confidence
        assert "gold" not in shown
    assert summary.labeled == sum(isinstance(line, Labeled) for line in read)
    assert (summary.lines, summary.repeats) == (len(read), len(repeats))


def flat(folder: Folder, shard: int) -> list[dict[str, Any]]:
    return [image for task in folder.tasks(shard) for image in task]


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


@given(
    count=st.integers(1, 400),
    size=st.integers(1, 100),
    order=st.sampled_from(["spread", "as-given", "shuffle", "by-prelabel"]),
)
def test_tasks_are_as_few_and_as_even_as_can_be(count: int, size: int, order: str) -> None:
    summary, folder = grouped(manifest(count), settings(images_per_task=size, order=order))
    sizes = [len(task) for task in folder.tasks()]
    assert summary.shards[0].tasks == len(sizes) == -(-count // size)
    assert max(sizes) - min(sizes) <= 1


ALPHABETS = st.sampled_from(["a", "ä", "猫", "🐈", '"', "\\", "\x01"])


@given(
    names=st.lists(st.tuples(ALPHABETS, st.integers(1, 1000)), min_size=1, max_size=120),
    size=st.integers(1, 100),
    order=st.sampled_from(["spread", "as-given", "shuffle", "by-prelabel"]),
    gold=st.integers(0, 9),
)
def test_no_mix_of_lengths_and_scripts_exceeds_a_cap(
    names: list[tuple[str, int]], size: int, order: str, gold: int
) -> None:
    records = []
    for index, (letter, length) in enumerate(names):
        key = f"{index:03d}{letter * length}".encode()[:1000].decode("utf-8", "ignore")
        known = {"gold": "cat"} if index % 5 == 4 else {}
        records.append({"source-ref": f"s3://pets/{key}"} | known)
    text = "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode()
    chosen = settings(images_per_task=size, order=order, gold_per_task=min(gold, size - 1))
    if chosen.gold_per_task and len(records) < 5:
        return
    try:
        _, folder = grouped(text, chosen)
    except NoUsableLine:
        return
    raw = folder.files["round-1/tasks-000.manifest"].decode()
    for line, task in zip(raw.splitlines(), folder.lines(), strict=True):
        assert len(line.encode("utf-16-le")) // 2 <= 100_000
        assert len(task["source"].encode("utf-16-le")) // 2 <= 20_000
        assert len(json.loads(task["source"])) <= size


def test_long_names_cost_only_the_tasks_they_are_in() -> None:
    names = ["x" * 1000 if 400 <= i < 500 else str(i) for i in range(2000)]
    text = b"".join(
        b'{"source-ref":"s3://b/%s-%d"}\n' % (n.encode(), i) for i, n in enumerate(names)
    )
    spread, _ = grouped(text, settings(images_per_task=100))
    assert spread.shards[0].tasks == 20  # five long names to a task fit
    in_a_row, folder = grouped(text, settings(images_per_task=100, order="as-given"))
    assert in_a_row.shards[0].tasks == 25  # a hundred long names need six tasks, the others nothing
    assert folder.dealt()[0] == list(range(100))


def test_a_character_counts_once_whatever_bytes_it_takes() -> None:
    text = b"".join(
        b'{"source-ref":"s3://b/%s"}\n' % (f"{i:02d}" + "ä" * 500).encode() for i in range(37)
    )
    summary, folder = grouped(text, settings(images_per_task=40))
    assert summary.shards[0].tasks == 1
    assert len(folder.files["round-1/tasks-000.manifest"]) > 38_000


def test_spread_is_the_posts_deal() -> None:
    summary, folder = grouped(manifest(41), settings())
    assert folder.dealt() == [list(range(group, 41, 3)) for group in range(3)]
    assert folder.tasks()[0][0] == {"source-ref": "s3://pets/0.jpg", "index": 0}
    assert (summary.lines, summary.images, summary.shards[0].tasks) == (41, 41, 3)


def test_as_given_keeps_neighbors_together() -> None:
    _, folder = grouped(manifest(41), settings(order="as-given"))
    assert folder.dealt() == [list(range(14)), list(range(14, 28)), list(range(28, 41))]


def test_shuffle_follows_the_seed() -> None:
    first, again, other = (
        grouped(manifest(400), settings(order="shuffle", seed=seed))[1].dealt()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert first != grouped(manifest(400), settings(order="as-given"))[1].dealt()


def test_by_prelabel_puts_alike_together_and_the_least_sure_first() -> None:
    guesses = [("dog", 0.9), ("cat", 0.8), ("dog", 0.2), (None, None), ("cat", None), ("cat", 0.1)]
    text = b"".join(
        json.dumps(
            {"source-ref": f"s3://b/{i}", "prelabel": name, "prelabel-confidence": sure}
        ).encode()
        + b"\n"
        for i, (name, sure) in enumerate(guesses)
    )
    _, folder = grouped(text, settings(order="by-prelabel", images_per_task=3))
    assert folder.dealt() == [[5, 1, 4], [2, 0, 3]]
    assert folder.tasks()[0][0] == {
        "source-ref": "s3://b/5",
        "index": 5,
        "prelabel": "cat",
        "prelabel-confidence": 0.1,
    }


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


def test_a_repeated_image_is_asked_once() -> None:
    summary, folder = grouped(manifest(3) + manifest(3), settings())
    assert (summary.images, summary.repeats) == (3, 3)
    assert folder.files["repeats.csv"] == b"index,first\n3,0\n4,1\n5,2\n"
    assert grouped(manifest(3) + manifest(3), settings(repeats="each"))[0].images == 6


def test_a_labeled_line_passes_through() -> None:
    text = b'{"source-ref": "s3://b/k", "label": 0}\n'
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


@pytest.mark.parametrize("order", ["spread", "as-given", "shuffle", "by-prelabel"])
def test_a_manifest_larger_than_a_shard_becomes_several(
    monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(first_round, "MAX_SHARD_IMAGES", 100)
    summary, folder = grouped(manifest(250), settings(order=order), piece=700)
    assert [shard.images for shard in summary.shards] == [100, 100, 50]
    assert [shard.tasks for shard in summary.shards] == [5, 5, 3]
    for shard, start in enumerate((0, 100, 200)):
        dealt = [index for task in folder.dealt(shard) for index in task]
        assert sorted(dealt) == list(range(start, min(start + 100, 250)))
    if order == "spread":
        assert folder.dealt(1)[2] == list(range(102, 200, 5))


def test_a_shards_text_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_round, "MAX_SHARD_BYTES", 4000)
    summary, _ = grouped(manifest(250), settings(), piece=500)
    assert len(summary.shards) >= 2
    assert summary.images == 250


def test_no_job_gets_more_tasks_than_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_round, "MAX_TASKS", 10)
    summary, folder = grouped(manifest(55), settings(images_per_task=4))
    assert all(shard.tasks <= 10 for shard in summary.shards)
    long = b"".join(b'{"source-ref":"s3://b/%s%d"}\n' % (b"x" * 1000, i) for i in range(400))
    summary, folder = grouped(long, settings(images_per_task=100))
    assert all(shard.tasks <= 10 for shard in summary.shards)
    dealt = Counter(
        index
        for shard in range(len(summary.shards))
        for task in folder.dealt(shard)
        for index in task
    )
    assert dealt == Counter(range(400))


@given(
    indexes=st.lists(st.integers(0, 40), min_size=1, max_size=200),
    most=st.integers(1, 60),
)
def test_a_repeat_is_found_in_any_earlier_shard(indexes: list[int], most: int) -> None:
    text = b"".join(b'{"source-ref":"s3://pets/%d"}\n' % i for i in indexes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_round, "MAX_SHARD_IMAGES", most)
        summary, folder = grouped(text, settings(images_per_task=3), piece=77)
    firsts = {value: indexes.index(value) for value in indexes}
    expected = [(i, firsts[v]) for i, v in enumerate(indexes) if firsts[v] != i]
    assert folder.repeats() == expected
    assert summary.images == len(firsts)


GOLD = b"".join(b'{"source-ref":"s3://known/%d.jpg","gold":"cat"}\n' % i for i in range(7))


def test_control_images_are_mixed_in_evenly_and_look_like_others() -> None:
    summary, folder = grouped(manifest(90) + GOLD, settings(images_per_task=12, gold_per_task=3))
    assert (summary.images, summary.gold, summary.shards[0].tasks) == (90, 7, 10)
    shown = Counter(image["index"] for image in flat(folder, 0) if image["index"] >= 90)
    assert set(shown) == set(range(90, 97))
    assert max(shown.values()) - min(shown.values()) <= 1
    places = set()
    for task in folder.tasks():
        assert len({image["index"] for image in task}) == 12
        assert {frozenset(image) for image in task} == {frozenset({"source-ref", "index"})}
        places |= {place for place, image in enumerate(task) if image["index"] >= 90}
    assert len(places) > 6  # anywhere on the page
    rest = [[index for index in task if index < 90] for task in folder.dealt()]
    assert rest == [list(range(group, 90, 10)) for group in range(10)]


def test_control_images_follow_the_seed() -> None:
    first, again, other = (
        grouped(manifest(90) + GOLD, settings(gold_per_task=3, seed=seed))[1].dealt()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_fewer_control_images_than_a_task_should_have_are_each_in_it_once() -> None:
    _, folder = grouped(manifest(90) + GOLD, settings(images_per_task=20, gold_per_task=10))
    assert all(len({*task}) == len(task) <= 20 for task in folder.dealt())
    assert all(sum(index >= 90 for index in task) == 7 for task in folder.dealt())


def test_the_known_labels_of_control_images_lie_beside_the_tasks() -> None:
    _, folder = grouped(manifest(90) + GOLD, settings(images_per_task=12, gold_per_task=3))
    rows = folder.files["round-1/gold.csv"].decode().splitlines()
    assert rows == ["index,label", *(f"{index},cat" for index in range(90, 97))]


def test_lines_with_gold_are_asked_like_others_where_none_are_mixed_in() -> None:
    summary, folder = grouped(manifest(10) + GOLD, settings())
    assert (summary.images, summary.gold) == (17, 0)
    assert all("gold" not in image for image in flat(folder, 0))


def test_a_manifest_of_control_images_alone_has_nothing_to_ask() -> None:
    summary, _ = grouped(GOLD, settings(gold_per_task=1))
    assert (summary.gold, summary.images, summary.shards) == (7, 0, ())

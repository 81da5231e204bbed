"""Gold images: inserted evenly, and looking like all others."""

from collections import Counter

from tests.tiling.folder import grouped, manifest, settings

GOLD = b"".join(b'{"source-ref":"s3://known/%d.jpg","gold":"cat"}\n' % i for i in range(7))


def test_gold_images_are_inserted_evenly_and_look_like_others() -> None:
    summary, folder = grouped(manifest(90) + GOLD, settings(images_per_task=12, gold_per_task=3))
    assert (summary.images, summary.gold, summary.shards[0].tasks) == (90, 7, 10)
    times_asked = Counter(image["index"] for image in folder.images() if image["index"] >= 90)
    assert set(times_asked) == set(range(90, 97))
    assert max(times_asked.values()) - min(times_asked.values()) <= 1
    places = set()
    for task in folder.tasks():
        assert len({image["index"] for image in task}) == 12
        assert {frozenset(image) for image in task} == {frozenset({"source-ref", "index"})}
        places |= {place for place, image in enumerate(task) if image["index"] >= 90}
    assert len(places) > 6  # anywhere on the page
    rest = [[index for index in task if index < 90] for task in folder.indexes()]
    assert [sorted(task) for task in rest] == [list(range(group, 90, 10)) for group in range(10)]
    assert rest != [sorted(task) for task in rest]  # places say nothing


def test_gold_images_follow_the_seed() -> None:
    first, again, other = (
        grouped(manifest(90) + GOLD, settings(gold_per_task=3, seed=seed))[1].indexes()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_fewer_gold_images_than_a_task_should_have_are_each_in_it_once() -> None:
    _, folder = grouped(manifest(90) + GOLD, settings(images_per_task=20, gold_per_task=10))
    assert all(len({*task}) == len(task) <= 20 for task in folder.indexes())
    assert all(sum(index >= 90 for index in task) == 7 for task in folder.indexes())


def test_the_known_labels_of_gold_images_lie_beside_the_tasks() -> None:
    _, folder = grouped(manifest(90) + GOLD, settings(images_per_task=12, gold_per_task=3))
    rows = folder.files["round-1/gold.csv"].decode().splitlines()
    assert rows == ["index,label", *(f"{index},cat" for index in range(90, 97))]


def test_lines_with_gold_are_asked_like_others_where_none_are_inserted() -> None:
    summary, folder = grouped(manifest(10) + GOLD, settings())
    assert (summary.images, summary.gold) == (17, 0)
    assert all("gold" not in image for image in folder.images())


def test_a_manifest_of_gold_images_alone_has_nothing_to_ask() -> None:
    summary, _ = grouped(GOLD, settings(gold_per_task=1))
    assert (summary.gold, summary.images, summary.shards) == (7, 0, ())

"""Guessers of gold images: nothing on a page is a better guess than chance."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest

from tessera.portal.page_names import hide_indexes, page_names
from tests.tiling.folder import grouped, settings

Images = list[dict[str, Any]]
Guesser = Callable[[Images], list[float]]
"""Returns how suspicious each image of a page is."""

ORDERS = ["spread", "as-given", "shuffle", "by-prelabel"]
GUESSES = ["on none", "on all", "on some", "on all but gold", "on gold alone"]
IMAGES, GOLD, PER_TASK = 4000, 80, 2


def made_manifest(guesses: str, order: str) -> tuple[bytes, set[str]]:
    """A manifest whose gold images may be anywhere, and their addresses."""
    chance = random.Random(f"{guesses} {order}")
    gold = set(chance.sample(range(IMAGES), GOLD))
    lines, sources = [], set()
    for number in range(IMAGES):
        line: dict[str, Any] = {"source-ref": f"s3://pictures/{chance.getrandbits(64):016x}.jpg"}
        if number in gold:
            line["gold"] = chance.choice(["cat", "dog"])
            sources.add(line["source-ref"])
        has_guess = {
            "on none": False,
            "on all": True,
            "on some": chance.random() < 0.4,
            "on all but gold": number not in gold,
            "on gold alone": number in gold,
        }[guesses]
        if has_guess:
            line["prelabel"] = chance.choice(["cat", "dog"])
            # The model knew these pictures: it is surer of gold than of others.
            sure = chance.random() ** (0.2 if number in gold else 1)
            line["prelabel-confidence"] = round(sure, 3)
        lines.append(json.dumps(line))
    return ("\n".join(lines) + "\n").encode(), sources


def rarity(images: Images, key: str) -> list[float]:
    """How rare each image's value of a key is on the page."""
    values = Counter(image.get(key) for image in images)
    return [-float(values[image.get(key)]) for image in images]


def distance(images: Images) -> list[float]:
    """How far each image's confidence is from the page's median; one without is farthest."""
    sure = sorted(image.get("prelabel-confidence", 0.0) for image in images)
    median = sure[len(sure) // 2]
    return [
        abs(image["prelabel-confidence"] - median) if "prelabel-confidence" in image else 2.0
        for image in images
    ]


def out_of_order(images: Images) -> list[float]:
    """How much each image's confidence breaks the row of its neighbors."""
    sure = [image.get("prelabel-confidence", 0.0) for image in images]
    around = zip([sure[0], *sure], sure, [*sure[1:], sure[-1]], strict=False)
    return [abs(own - before) + abs(own - after) for before, own, after in around]


def jumps(images: Images) -> list[float]:
    """How much each image's name breaks the row of numbers in the names."""
    numbers = [int(image["index"].replace("-", "")) for image in images]
    around = zip([numbers[0], *numbers], numbers, [*numbers[1:], numbers[-1]], strict=False)
    return [float(abs(own - before) + abs(own - after)) for before, own, after in around]


GUESSERS: dict[str, Guesser] = {
    "its keys are rare": lambda images: rarity([{"keys": str(sorted(i))} for i in images], "keys"),
    "its guess is rare": lambda images: rarity(images, "prelabel"),
    "its confidence is far off": distance,
    "its confidence is high": lambda images: [i.get("prelabel-confidence", 0.0) for i in images],
    "its confidence breaks the row": out_of_order,
    "its name breaks the row": jumps,
    "it is in front": lambda images: [-float(place) for place in range(len(images))],
    "it is at the end": lambda images: [float(place) for place in range(len(images))],
    "it is in the middle": lambda images: [
        -abs(place - len(images) / 2) for place in range(len(images))
    ],
}


@pytest.mark.thorough
@pytest.mark.parametrize("guesses", GUESSES)
@pytest.mark.parametrize("order", ORDERS)
def test_no_guess_at_gold_images_is_better_than_their_share_of_the_page(
    order: str, guesses: str
) -> None:
    manifest, gold = made_manifest(guesses, order)
    _, folder = grouped(manifest, settings(order=order, gold_per_task=PER_TASK))
    pages = []
    for number, task in enumerate(folder.tasks()):
        names = page_names(number, [str(image["index"]) for image in task])
        pages.append(hide_indexes({"images": task}, names)["images"])
    share = sum(i["source-ref"] in gold for page in pages for i in page) / sum(map(len, pages))
    chance = random.Random(1)
    for name, guesser in GUESSERS.items():
        hits = guessed = 0
        for page in pages:
            scores = [(score, chance.random()) for score in guesser(page)]
            ranked = sorted(range(len(page)), key=scores.__getitem__, reverse=True)
            hits += sum(page[place]["source-ref"] in gold for place in ranked[:PER_TASK])
            guessed += PER_TASK
        # A guess at random stays below this in 9,999 of 10,000 tests of so many guesses.
        bound = share + 3.72 * sqrt(share * (1 - share) / guessed)
        assert hits / guessed <= bound, f"{name}: {hits / guessed:.3f} of {guessed}, {bound:.3f}"


def test_gold_images_are_inserted_wherever_they_can_have_a_guess_as_others_have() -> None:
    manifest, gold = made_manifest("on all", "by-prelabel")
    summary, folder = grouped(manifest, settings(order="by-prelabel", gold_per_task=PER_TASK))
    assert summary.gold_left_out == 0
    for task in folder.tasks():
        assert sum(image["source-ref"] in gold for image in task) == PER_TASK
        assert all("prelabel" in image for image in task)


def test_gold_images_without_a_guess_stay_out_of_pages_whose_images_all_have_one() -> None:
    manifest, gold = made_manifest("on all but gold", "spread")
    summary, folder = grouped(manifest, settings(gold_per_task=PER_TASK))
    assert summary.gold_left_out == PER_TASK * summary.shards[0].tasks
    assert not any(image["source-ref"] in gold for image in folder.images())

"""What a run will cost, before it costs anything: answers, pages, hours, fees; and one by one.

Every number that is not counted is an assumption with a source; `Assumptions` has them all, so
that whoever knows better says so.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log

import msgspec

from tessera.tiling.settings import Settings

SECONDS_AN_IMAGE, SECONDS_A_PAGE = 2.23, 5.87
"""What an image and a page take: 8.1 s for a page of one, 2.52 s an image on a page of 20.

From the post that measured both on the same 1,000 images; between and beyond, a straight line."""

ASKED_AGAIN = (
    (0.01, 0.46, 0.92),
    (0.02, 0.40, 0.82),
    (0.03, 0.36, 0.75),
    (0.05, 0.29, 0.59),
    (0.08, 0.20, 0.28),
    (0.12, 0.08, 0.21),
)
"""By `gain`: the share of images asked again after two answers, and of those after each more.

Measured on nine public sets of images that crowds labeled (benchmarks/adaptive.py), hard ones."""


class Again(msgspec.Struct, frozen=True):
    """The share of images asked again after two answers, and of those after each further one."""

    share: float
    further: float


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is not counted but believed; dollars are US dollars."""

    seconds: float
    """An answer to an image on a page of the run's size takes so long."""
    seconds_alone: float
    """The same where each page has one image."""
    again: Again
    object_price: float = 0.08
    """Ground Truth's fee for a page, however many workers answer it."""
    answer_price: float = 0.0
    """What a vendor or the public gets for one worker's answer to a page."""
    hour_price: float = 0.0
    """What an hour of a worker's costs."""
    picture_kilobytes: float = 100.0


class Round(msgspec.Struct, frozen=True):
    """One asking: so many images, on so many pages, each answered by so many workers."""

    round: int
    images: float
    tasks: int
    answers: float


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """What one way to have the images labeled costs."""

    tasks: int
    answers: float
    hours: float
    object_fees: float
    answer_fees: float
    wages: float

    @property
    def total(self) -> float:
        """All dollars together, but for AWS itself."""
        return self.object_fees + self.answer_fees + self.wages


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a run will take, beside the same answers given one image at a time."""

    rounds: tuple[Round, ...]
    answers_an_image: float
    tiled: Way
    alone: Way
    saved_hours: float
    saved_fees: float
    aws: dict[str, float]
    """Dollars by service."""


def page_seconds(images: int) -> float:
    """Seconds an image on a page of so many, if nobody has measured.

    >>> page_seconds(1), round(page_seconds(20), 2)
    (8.1, 2.52)
    """
    return SECONDS_AN_IMAGE + SECONDS_A_PAGE / images


def asked_again(gain: float) -> Again:
    """How many images are asked again where an answer more must be worth `gain`.

    >>> asked_again(0.05)
    Again(share=0.29, further=0.59)
    >>> asked_again(0)
    Again(share=1.0, further=1.0)
    """
    if gain <= 0:
        return Again(1.0, 1.0)
    if gain <= ASKED_AGAIN[0][0]:
        return Again(*ASKED_AGAIN[0][1:])
    for (low, *at_low), (high, *at_high) in pairwise(ASKED_AGAIN):
        if gain <= high:
            part = log(gain / low) / log(high / low)
            return Again(
                *(round(a + part * (b - a), 4) for a, b in zip(at_low, at_high, strict=True))
            )
    return Again(*(round(share * ASKED_AGAIN[-1][0] / gain, 4) for share in ASKED_AGAIN[-1][1:]))


def share_after(answers: int, again: Again) -> float:
    """The share of images that get one answer more after they have so many.

    >>> [round(share_after(n, Again(0.23, 0.64)), 2) for n in (1, 2, 3)]
    [0.36, 0.23, 0.15]
    """
    return min(1.0, again.share * again.further ** (answers - 2)) if again.share else 0.0


def rounds(*, images: int, tasks: int, settings: Settings, again: Again) -> tuple[Round, ...]:
    """Every round that is to be expected, the first as it was counted."""
    first = settings.answers_per_image
    asked = [Round(1, images, tasks, images * first)]
    room = max(1, settings.images_per_task - settings.gold_per_task)
    for had in range(first, settings.max_answers):
        expected = images * share_after(had, again)
        if expected < 0.5:
            break
        asked.append(Round(len(asked) + 1, expected, ceil(expected / room), expected))
    return tuple(asked)


def estimate(
    *, images: int, tasks: int, shards: int, settings: Settings, assumed: Assumptions
) -> Estimate:
    """What the run takes; `images`, `tasks` and `shards` are counted in its manifest."""
    asked = rounds(images=images, tasks=tasks, settings=settings, again=assumed.again)
    controls = settings.gold_per_task / settings.images_per_task
    pages = [_pages_answered(entry, settings) for entry in asked]
    answers = sum(entry.answers for entry in asked)
    tiled = _way(
        tasks=sum(entry.tasks for entry in asked),
        pages_answered=sum(pages),
        answers=answers,
        seconds=answers * assumed.seconds / (1 - controls),
        ground_truth=settings.workforce != "portal",
        assumed=assumed,
    )
    alone = _way(
        tasks=round(sum(entry.images for entry in asked)),
        pages_answered=answers,
        answers=answers,
        seconds=answers * assumed.seconds_alone,
        ground_truth=settings.workforce != "portal",
        assumed=assumed,
    )
    return Estimate(
        rounds=asked,
        answers_an_image=answers / images if images else 0.0,
        tiled=tiled,
        alone=alone,
        saved_hours=_saved(tiled.hours, alone.hours),
        saved_fees=_saved(tiled.total, alone.total),
        aws=aws_dollars(
            images=images,
            answers=answers,
            pages=sum(pages),
            jobs=shards + len(asked) - 1,
            rounds=len(asked),
            portal=settings.workforce == "portal",
            kilobytes=assumed.picture_kilobytes,
        ),
    )


def _pages_answered(entry: Round, settings: Settings) -> int:
    """Pages times the workers who answer each."""
    return entry.tasks * (settings.answers_per_image if entry.round == 1 else 1)


def _way(
    *,
    tasks: int,
    pages_answered: float,
    answers: float,
    seconds: float,
    ground_truth: bool,
    assumed: Assumptions,
) -> Way:
    hours = seconds / 3600
    return Way(
        tasks=tasks,
        answers=answers,
        hours=hours,
        object_fees=tasks * assumed.object_price if ground_truth else 0.0,
        answer_fees=pages_answered * assumed.answer_price,
        wages=hours * assumed.hour_price,
    )


def _saved(now: float, before: float) -> float:
    """The share that is saved.

    >>> _saved(1, 4), _saved(0, 0)
    (0.75, 0.0)
    """
    return 1 - now / before if before else 0.0


# --- AWS itself -----------------------------------------------------------------------------

LIST_PRICES = {
    "Lambda request": 0.20e-6,
    "Lambda GB-second": 16.6667e-6,
    "Step Functions transition": 25e-6,
    "S3 put": 5e-6,
    "S3 get": 0.4e-6,
    "DynamoDB write": 0.625e-6,
    "DynamoDB read": 0.125e-6,
    "HTTP API request": 1e-6,
    "GB to the internet": 0.09,
}
"""Dollars each, as listed for us-east-1; no free tier is taken off."""

REQUESTS_A_PAGE = 3
"""To the portal, for a page that a worker answers: the claim, the answer, and what is around."""
WRITES_A_PAGE, READS_A_PAGE = 16, 12
"""Units of the portal's table for the same, transactions counted double."""
LAMBDA_A_REQUEST = 0.05
"""GB-seconds of the portal for a request: half a GB for a tenth of a second."""
LAMBDA_AN_IMAGE = 100e-6
"""GB-seconds to group and consolidate, an image and round."""
TRANSITIONS_A_JOB, TRANSITIONS_A_ROUND = 4, 6


def aws_dollars(
    *,
    images: int,
    answers: float,
    pages: float,
    jobs: int,
    rounds: int,
    portal: bool,
    kilobytes: float,
) -> dict[str, float]:
    """What AWS itself takes for a run, in dollars by service."""
    price = LIST_PRICES
    requests = pages * REQUESTS_A_PAGE if portal else 2 * pages
    seconds = requests * LAMBDA_A_REQUEST + images * rounds * LAMBDA_AN_IMAGE + 5 * rounds
    dollars = {
        "Lambda": requests * price["Lambda request"] + seconds * price["Lambda GB-second"],
        "Step Functions": (jobs * TRANSITIONS_A_JOB + rounds * TRANSITIONS_A_ROUND)
        * price["Step Functions transition"],
        "S3": (pages + 20 * rounds) * price["S3 put"] + (answers + pages) * price["S3 get"],
        "pictures to workers": answers * kilobytes / 1e6 * price["GB to the internet"],
    }
    if portal:
        dollars["DynamoDB"] = pages * (
            WRITES_A_PAGE * price["DynamoDB write"] + READS_A_PAGE * price["DynamoDB read"]
        )
        dollars["HTTP API"] = requests * price["HTTP API request"]
    return dollars

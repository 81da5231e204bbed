"""Estimate what a run will cost before it costs anything, and what the same would cost one by one.

Every number that is not counted is an assumption with a source: `Assumptions` holds those that an
operator can replace. Why these defaults: docs/decisions/operator-one-by-one.md.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log

import msgspec
from msgspec import UNSET

from tessera.tiling.settings import MIN_SEED_IMAGES, Settings

SECONDS_AN_IMAGE, SECONDS_A_PAGE = 2.23, 5.87
"""Seconds that an image and a page take: 8.1 for a page of one, 2.52 an image on a page of 20.

From the post that measured both on the same 1,000 images; elsewhere, a straight line through both.
"""

OBJECT_PRICE = 0.08
"""US dollars that Ground Truth charges for a page, its "data object", whoever answers it.

List price of its first tier; lower tiers exist but are not published in a readable form.
"""

ASKED_AGAIN = (
    (0.01, 0.46, 0.92),
    (0.02, 0.40, 0.82),
    (0.03, 0.36, 0.75),
    (0.05, 0.29, 0.59),
    (0.08, 0.20, 0.28),
    (0.12, 0.08, 0.21),
)
"""By `gain`: the share of images asked again after two answers, and of those after each more.

Measured on nine public sets of images that crowds labeled (benchmarks/adaptive.py), hard ones.
"""


class AskedAgain(msgspec.Struct, frozen=True):
    """Share of images asked again after two answers, and of those after each further answer."""

    share: float
    further: float


class Assumptions(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"seconds_one_by_one": "seconds_alone", "asked_again": "again"},
):
    """Everything that is not counted but assumed; prices are US dollars.

    `rename` keeps the keys that `tessera estimate --json` has always printed.
    """

    seconds: float
    """Seconds that an answer to one image takes on a page of the run's size."""
    seconds_one_by_one: float
    """The same where each page has one image."""
    asked_again: AskedAgain
    object_price: float = OBJECT_PRICE
    answer_price: float = 0.0
    """What a vendor or the public gets for one worker's answer to a page."""
    hour_price: float = 0.0
    """What an hour of a worker costs."""
    picture_kilobytes: float = 100.0


class Round(msgspec.Struct, frozen=True):
    """One asking: how many images, on how many pages, and how many answers to an image in all."""

    round: int
    images: float
    tasks: int
    answers: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Pages, answers, hours and dollars of one way to have the images labeled."""

    tasks: int
    answers: float
    hours: float
    object_fees: float
    answer_fees: float
    wages: float

    @property
    def total(self) -> float:
        """Return all dollars together, except those for AWS itself."""
        return self.object_fees + self.answer_fees + self.wages


class Estimate(msgspec.Struct, frozen=True, kw_only=True, rename={"one_by_one": "alone"}):
    """Cost of a run on pages of many images, beside the same answers given one image at a time."""

    rounds: tuple[Round, ...]
    answers_an_image: float
    tiled: Cost
    one_by_one: Cost
    saved_hours: float
    saved_fees: float
    aws: dict[str, float]
    """Dollars by service."""


LEFT_TO_MODEL = 0.4
"""Share of the images outside the seed that go unasked where the settings allow it: 0.25 to 0.6 on
the measured sets (benchmarks/guesses.py)."""
ASKED_WITH_MODEL = (0.13, 0.04)
"""Shares of all images asked in the third and fourth round of a run with a model; together 0.11 to
0.24 on the measured sets (benchmarks/guesses.py)."""


def page_seconds(images: int) -> float:
    """Return the seconds an image takes on a page of so many, if nobody has measured.

    >>> page_seconds(1), round(page_seconds(20), 2)
    (8.1, 2.52)
    """
    return SECONDS_AN_IMAGE + SECONDS_A_PAGE / images


def asked_again(gain: float) -> AskedAgain:
    """Return how many images are asked again where one more answer must be worth `gain`.

    Between measured gains the shares are interpolated on a logarithmic scale; above the largest
    they fall in proportion.

    >>> asked_again(0.05)
    AskedAgain(share=0.29, further=0.59)
    >>> asked_again(0)
    AskedAgain(share=1.0, further=1.0)
    """
    if gain <= 0:
        return AskedAgain(1.0, 1.0)
    if gain <= ASKED_AGAIN[0][0]:
        return AskedAgain(*ASKED_AGAIN[0][1:])
    for (low, *at_low), (high, *at_high) in pairwise(ASKED_AGAIN):
        if gain <= high:
            part = log(gain / low) / log(high / low)
            return AskedAgain(
                *(round(a + part * (b - a), 4) for a, b in zip(at_low, at_high, strict=True))
            )
    return AskedAgain(
        *(round(share * ASKED_AGAIN[-1][0] / gain, 4) for share in ASKED_AGAIN[-1][1:])
    )


def share_after(answers: int, again: AskedAgain) -> float:
    """Return the share of images that get one more answer after they have so many.

    >>> [round(share_after(n, AskedAgain(0.23, 0.64)), 2) for n in (1, 2, 3)]
    [0.36, 0.23, 0.15]
    """
    return min(1.0, again.share * again.further ** (answers - 2)) if again.share else 0.0


def expected_rounds(
    images: int, tasks: int, settings: Settings, again: AskedAgain
) -> tuple[Round, ...]:
    """Return every round to be expected; the first is as it was counted."""
    first = settings.answers_per_image
    room = max(1, settings.images_per_task - settings.gold_per_task)
    if settings.guesses is not UNSET:
        seed = min(images, max(ceil(settings.guesses.seed * images), MIN_SEED_IMAGES))
        asked = 1.0 if settings.guesses.least else 1 - LEFT_TO_MODEL
        later = [(images - seed) * asked, *(images * share for share in ASKED_WITH_MODEL)]
        later = [expected for expected in later[: settings.max_answers] if expected >= 0.5]
        return (
            Round(1, seed, tasks, seed * first),
            *(Round(n, each, ceil(each / room), each) for n, each in enumerate(later, 2)),
        )
    rounds = [Round(1, images, tasks, images * first)]
    for had in range(first, settings.max_answers):
        expected = images * share_after(had, again)
        if expected < 0.5:  # rounds to no image
            break
        rounds.append(Round(len(rounds) + 1, expected, ceil(expected / room), expected))
    return tuple(rounds)


def estimate(
    *,
    images: int,
    tasks: int,
    shards: int,
    settings: Settings,
    assumed: Assumptions,
    has_embeddings: bool = False,
) -> Estimate:
    """Return what the run takes; `images`, `tasks` and `shards` are counted in its manifest.

    `has_embeddings` says whether they lie beside it, so that the run makes none itself.
    """
    rounds = expected_rounds(images, tasks, settings, assumed.asked_again)
    pages = sum(_pages_answered(entry, settings) for entry in rounds)
    answers = sum(entry.answers for entry in rounds)
    # answers to gold images take time, too, and are none of the images' answers
    gold_share = settings.gold_per_task / settings.images_per_task
    tiled = _cost(
        tasks=sum(entry.tasks for entry in rounds),
        pages_answered=pages,
        answers=answers,
        seconds=answers * assumed.seconds / (1 - gold_share),
        settings=settings,
        assumed=assumed,
    )
    one_by_one = _cost(
        tasks=round(sum(entry.images for entry in rounds)),
        pages_answered=answers,
        answers=answers,
        seconds=answers * assumed.seconds_one_by_one,
        settings=settings,
        assumed=assumed,
    )
    return Estimate(
        rounds=rounds,
        answers_an_image=answers / images if images else 0.0,
        tiled=tiled,
        one_by_one=one_by_one,
        saved_hours=_saved_share(tiled.hours, one_by_one.hours),
        saved_fees=_saved_share(tiled.total, one_by_one.total),
        aws=aws_dollars(
            images=images,
            answers=answers,
            pages=pages,
            jobs=shards + len(rounds) - 1,  # a later round is small: one shard
            rounds=len(rounds),
            portal=settings.on_portal,
            kilobytes=assumed.picture_kilobytes,
            encoder=None if has_embeddings else settings.own_encoder,
        ),
    )


def _pages_answered(entry: Round, settings: Settings) -> int:
    """Return a round's pages times the workers who answer each."""
    return entry.tasks * (settings.answers_per_image if entry.round == 1 else 1)


def _cost(
    *,
    tasks: int,
    pages_answered: float,
    answers: float,
    seconds: float,
    settings: Settings,
    assumed: Assumptions,
) -> Cost:
    hours = seconds / 3600
    return Cost(
        tasks=tasks,
        answers=answers,
        hours=hours,
        object_fees=0.0 if settings.on_portal else tasks * assumed.object_price,
        answer_fees=pages_answered * assumed.answer_price,
        wages=hours * assumed.hour_price,
    )


def _saved_share(cost: float, before: float) -> float:
    """Return the share that is saved of what it cost before.

    >>> _saved_share(1, 4), _saved_share(0, 0)
    (0.75, 0.0)
    """
    return 1 - cost / before if before else 0.0


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
"""US dollars each, from the services' price pages for us-east-1; no free tier is taken off."""

# Orders of magnitude, read off the portal's code and its benchmark; a run of 200 images costs about
# a cent, so that a factor of two in any of them changes nothing for whoever reads the sum.
REQUESTS_A_PAGE = 3
"""Requests to the portal for a page that a worker answers: claim, answer, and one more."""
WRITES_A_PAGE, READS_A_PAGE = 16, 12
"""Units of the portal's table for the same, transactions counted double."""
LAMBDA_A_REQUEST = 0.05
"""GB-seconds of the portal for a request: half a GB for a tenth of a second."""
LAMBDA_AN_IMAGE = 100e-6
"""GB-seconds to group and consolidate one image in one round."""
LAMBDA_A_ROUND = 5
"""GB-seconds that a round takes however few images it asks: cold starts and the first reads."""
OBJECTS_A_ROUND = 20
"""Files that a round writes besides a page's answers: tasks, manifests, report."""
TRANSITIONS_A_JOB, TRANSITIONS_A_ROUND = 4, 6
LAMBDA_A_PICTURE = {"efficientnet-lite0": 0.055, "pixels": 0.015}
"""GB-seconds to read, decode and encode a picture, by encoder: 32 and 9 ms of 1,769 MB, which are
those of docs/decisions/encoders.md with 7 ms for reading and a larger picture's decoding."""


def aws_dollars(
    *,
    images: int,
    answers: float,
    pages: float,
    jobs: int,
    rounds: int,
    portal: bool,
    kilobytes: float,
    encoder: str | None = None,
) -> dict[str, float]:
    """Return what AWS itself charges for a run, in US dollars by service.

    With an `encoder` the run embeds its pictures itself, which is told apart.
    """
    price = LIST_PRICES
    # Ground Truth calls one function before a page and one after it
    requests = pages * (REQUESTS_A_PAGE if portal else 2)
    seconds = (
        requests * LAMBDA_A_REQUEST + images * rounds * LAMBDA_AN_IMAGE + LAMBDA_A_ROUND * rounds
    )
    dollars = {
        "Lambda": requests * price["Lambda request"] + seconds * price["Lambda GB-second"],
        "Step Functions": (jobs * TRANSITIONS_A_JOB + rounds * TRANSITIONS_A_ROUND)
        * price["Step Functions transition"],
        "S3": (pages + OBJECTS_A_ROUND * rounds) * price["S3 put"]
        + (answers + pages) * price["S3 get"],
        "pictures to workers": answers * kilobytes / 1e6 * price["GB to the internet"],
    }
    if encoder:
        dollars["embedding"] = embedding_dollars(images, encoder)
    if portal:
        dollars["DynamoDB"] = pages * (
            WRITES_A_PAGE * price["DynamoDB write"] + READS_A_PAGE * price["DynamoDB read"]
        )
        dollars["HTTP API"] = requests * price["HTTP API request"]
    return dollars


def embedding_dollars(pictures: int, encoder: str) -> float:
    """Return what AWS charges, in US dollars, for reading and embedding so many pictures.

    >>> round(embedding_dollars(1_000_000, "efficientnet-lite0"), 2)
    1.32
    """
    seconds = pictures * LAMBDA_A_PICTURE[encoder]
    return seconds * LIST_PRICES["Lambda GB-second"] + pictures * LIST_PRICES["S3 get"]

"""Tell of settings that can have no effect on a manifest, or less of it than they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import UNSET

from tessera.tiling.class_shares import FROM_GOLD, MIN_RANDOM_GOLD
from tessera.tiling.grouping.first_round import Summary
from tessera.tiling.method_names import DEFAULT_METHOD
from tessera.tiling.settings import GOLD_UNUSED, PUBLIC_TEAM, Settings, setting_defaults

Need = Callable[[Settings, Summary], str]
"""Says why a setting has no effect on what was counted, and what to do; nothing if it has one."""


def without_effect(settings: Settings, summary: Summary) -> list[str]:
    """Return a sentence for each setting that is not at its default and changes nothing here.

    The tool and the pipeline tell the same sentences. A manifest that asks nothing has none: it is
    told as such.
    """
    if not summary.images:
        return []
    return [sentence for need in NEEDS.values() if (sentence := need(settings, summary))]


def _order(settings: Settings, summary: Summary) -> str:
    if settings.order != "by-prelabel" or summary.prelabeled:
        return ""
    effect = "only shuffles each page" if _gold_is_placed(settings, summary) else "has no effect"
    return (
        f"order: by-prelabel {effect}, because no image that is asked has a guess, so pages are "
        'dealt as given; give lines a "prelabel" key, or drop a folder with a file: --prelabels '
        "guesses.csv"
    )


def _gold_is_placed(settings: Settings, summary: Summary) -> bool:
    """Return whether pages have gold images, at places that the seed says."""
    return bool(settings.gold_per_task and summary.gold)


def _seed(settings: Settings, summary: Summary) -> str:
    if not settings.seed or settings.order == "shuffle" or _gold_is_placed(settings, summary):
        return ""
    return (
        f"seed: {settings.seed} has no effect, because only a shuffle and the places of gold "
        "images follow it; set order to shuffle, or leave seed out"
    )


def _gain(settings: Settings, _: Summary) -> str:
    asks_again = settings.max_answers > settings.answers_per_image or settings.guesses is not UNSET
    if settings.gain == _default("gain") or asks_again:
        return ""
    return (
        f"gain: {settings.gain:g} has no effect, because no image is asked again: max_answers is "
        f"{settings.max_answers}, as is answers_per_image; raise max_answers, or leave gain out"
    )


def _gold_per_task(settings: Settings, summary: Summary) -> str:
    if not settings.gold_per_task:
        if settings.is_multi and summary.gold_unused:
            return (
                "gold: known labels have no effect, because a multi-label run has no gold images, "
                'so that these are asked as others are; take the key "gold" out of the lines'
            )
        # Labels that are known cost somebody work, and are passed over here.
        return "" if not summary.gold_unused else (
            f"{GOLD_UNUSED} and their images are asked as others are; to see how workers do, set "
            "gold_per_task to 1"
        )  # fmt: skip
    if not summary.gold:
        return (
            f"gold_per_task: {settings.gold_per_task} has no effect, because no line has a known "
            'label; give some lines a "gold" key, or drop a folder with a file: --gold gold.csv'
        )
    if summary.gold < settings.gold_per_task:
        return (
            f"gold_per_task: {settings.gold_per_task} is {summary.gold} here, because no more "
            'lines have a known label; give more lines a "gold" key'
        )
    if summary.gold_left_out:
        return (
            f"gold_per_task: {summary.gold_left_out:,} gold images are left out of pages, because "
            "they would be told by the guess that the other images have; give more gold lines a "
            '"prelabel", one of each label'
        )
    return ""


def _job_days(settings: Settings, _: Summary) -> str:
    if PUBLIC_TEAM not in settings.workforce or settings.job_days == _default("job_days"):
        return ""
    return (
        f"job_days: {settings.job_days} has no effect, because a job for the public team stays "
        "open for half a day; leave job_days out"
    )


def _content_classifiers(settings: Settings, _: Summary) -> str:
    if not settings.content_classifiers or not settings.on_portal:
        return ""
    return (
        "content_classifiers: no effect on the portal, because they are declared to Ground Truth; "
        "leave them out"
    )


def _stop_after_pages(settings: Settings, summary: Summary) -> str:
    # All pages, not a shard's: those of a later round's job may come from several shards.
    pages = sum(shard.tasks for shard in summary.shards)
    if not settings.stop_after_pages or settings.stop_after_pages < pages:
        return ""
    return (
        f"stop_after_pages: {settings.stop_after_pages:,} has no effect, because there are no more "
        f"than {pages:,} pages; lower it, or leave it out"
    )


def _stop_after_percent(settings: Settings, _: Summary) -> str:
    if settings.stop_after_percent != 100:
        return ""
    return "stop_after_percent: 100 has no effect, because that is every page; leave it out"


def _offer_to(settings: Settings, _: Summary) -> str:
    again = settings.max_answers > settings.answers_per_image or settings.guesses is not UNSET
    if settings.offer_to == _default("offer_to") or again or settings.offer_first_round:
        return ""
    return (
        f"offer_to: {settings.offer_to} has no effect, because there is no later round: "
        f"max_answers is {settings.max_answers}, as is answers_per_image; raise max_answers, or "
        "leave offer_to out"
    )


def _offer_minutes(settings: Settings, _: Summary) -> str:
    if settings.offer_minutes == _default("offer_minutes") or settings.offer_share:
        return ""
    return (
        f"offer_minutes: {settings.offer_minutes} has no effect, because pages are for anyone at "
        "once; set offer_to to upper half, or leave offer_minutes out"
    )


def _offer_first_round(settings: Settings, _: Summary) -> str:
    if not settings.offer_first_round or settings.offer_share:
        return ""
    return (
        "offer_first_round: no effect, because pages are for anyone at once; set offer_to to upper "
        "half, or leave offer_first_round out"
    )


def _remember_workers(settings: Settings, _: Summary) -> str:
    if not settings.remember_workers or settings.method == DEFAULT_METHOD:
        return ""
    return (
        f"remember_workers: no effect, because method {settings.method} learns nothing of workers "
        f"that is kept; leave it out, or set method to {DEFAULT_METHOD}"
    )


def _shares(settings: Settings, summary: Summary) -> str:
    if settings.shares != FROM_GOLD or summary.gold >= MIN_RANDOM_GOLD:
        return ""
    return (
        f"shares: gold has no effect, because {summary.gold} lines with a known label are mixed in "
        f"and {MIN_RANDOM_GOLD} are needed; give more lines a gold label, or state the shares"
    )


NEEDS: Final[Mapping[str, Need]] = {
    "order": _order,
    "seed": _seed,
    "gain": _gain,
    "gold_per_task": _gold_per_task,
    "job_days": _job_days,
    "content_classifiers": _content_classifiers,
    "stop_after_pages": _stop_after_pages,
    "stop_after_percent": _stop_after_percent,
    "shares": _shares,
    "offer_to": _offer_to,
    "offer_minutes": _offer_minutes,
    "offer_first_round": _offer_first_round,
    "remember_workers": _remember_workers,
}
"""Needs of the settings that do not do something on every manifest."""

ALWAYS_EFFECTIVE: Final = frozenset({
    # What workers see, and who they are and how long they have.
    "labels", "question", "instructions", "unreadable", "images_per_task", "workforce", "team",
    "task_minutes", "language", "practice",
    # Refused where they are not both there.
    "qualify", "qualification",
    # Refused without gold images.
    "stop_below",
    # How many are asked, and what becomes of their answers.
    "answers_per_image", "max_answers", "method", "label_attribute",
    # Limits, which hold whether they are reached or not.
    "bad_lines",
    # Refused where it names nothing that can be used.
    "embeddings", "near_repeats", "guesses", "audit", "pre_annotation", "post_annotation",
    "box_attribute",
    # What kind of task it is, and on which page.
    "task", "page",
    # What answers are weighed by.
    "weigh_seconds",
    # Refused where there are several answers at first.
    "ask_slowest",
    # Whether lines repeat is looked for only where they are to be asked once.
    "repeats",
})  # fmt: skip
"""Settings that change something on every manifest, or of which nobody can say that they do not."""


def _default(name: str) -> object:
    return setting_defaults()[name]

"""Split samples into training, validation and test: stratified, seeded, groups kept whole."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from functools import partial

NAMES = ("train", "validation", "test")


def read_shares(text: str) -> dict[str, float]:
    """Read the share of each part out of `80/10/10` or `90/10`; ValueError if it makes no sense.

    >>> read_shares("80/10/10")
    {'train': 0.8, 'validation': 0.1, 'test': 0.1}
    >>> read_shares("3/1")
    {'train': 0.75, 'validation': 0.25}
    """
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        raise ValueError(f"{text!r} should be numbers with slashes, such as 80/10/10") from None
    if not 2 <= len(numbers) <= 3:
        raise ValueError(f"{text!r} should have two or three parts, such as 80/10/10")
    if min(numbers) < 0 or not 0 < sum(numbers) < float("inf"):
        raise ValueError(f"{text!r}: no part may be negative, and not all of them zero")
    return {name: number / sum(numbers) for name, number in zip(NAMES, numbers, strict=False)}


def split(
    classes: Sequence[int],
    groups: Sequence[Hashable],
    shares: dict[str, float],
    *,
    seed: int,
) -> list[str]:
    """Return the name of the part that each sample goes to.

    Samples of the same group stay together. Large groups are placed first, then the others in a
    seeded random order; each goes to the part that lacks most of its classes, and of samples.

    >>> split([0] * 10, range(10), {"train": 0.8, "test": 0.2}, seed=1).count("train")
    8
    """
    members: dict[Hashable, list[int]] = defaultdict(list)
    for sample, group in enumerate(groups):
        members[group].append(sample)
    order = list(members.values())
    random.Random(seed).shuffle(order)
    order.sort(key=len, reverse=True)
    parts = [name for name, share in shares.items() if share > 0]
    total_lack = dict.fromkeys(parts, 0.0)
    class_lack: defaultdict[int, dict[str, float]] = defaultdict(lambda: dict.fromkeys(parts, 0.0))
    chosen = [""] * len(classes)
    for group_members in order:
        counts = Counter(classes[sample] for sample in group_members)
        for name in parts:
            total_lack[name] += shares[name] * len(group_members)
            for number, count in counts.items():
                class_lack[number][name] += shares[name] * count
        best = max(parts, key=partial(_lack, total_lack, class_lack, counts))
        total_lack[best] -= len(group_members)
        for number, count in counts.items():
            class_lack[number][best] -= count
        for sample in group_members:
            chosen[sample] = best
    return chosen


def _lack(
    total_lack: Mapping[str, float],
    class_lack: Mapping[int, Mapping[str, float]],
    counts: Mapping[int, int],
    name: str,
) -> float:
    """Return how much a part lacks samples at all, and of these classes in the mean."""
    of_classes = sum(class_lack[number][name] * count for number, count in counts.items())
    return total_lack[name] + of_classes / sum(counts.values())

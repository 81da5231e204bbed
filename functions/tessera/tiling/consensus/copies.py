"""Find workers who hand in one another's answers, and weigh each such group as one person.

People who look at a picture err apart: two of them agree about as often as their agreement with
everybody else lets expect. Copies agree always, whatever others say. Over the images that workers
`j` and `k` both answered, with `A` agreements and `D` disagreements, and `a` for how often any two
workers agree,

    evidence[j, k] = A log(0.98 / a) + D log(0.02 / (1 - a))

is how much likelier copies are than any two workers. A group grows from the pair with most of it,
by the worker whose evidence with all its members is largest, while that is above log(workers) + 3,
since the largest of many is large by chance. Experts agree nearly always, too, but also with
everybody else. If skills were all there is, a group that agrees with the others at rate `o`, who
agree with one another at rate `q`, would agree within itself at o^2 / q (all above chance, the sum
of the squared shares of the labels). A group is one of copies if what it does is likelier than that
by as much for each of its members. `o` and `q` are known from so many pairs alone: `o` is taken two
standard errors higher and `q` as much lower, since in a crowd that errs often two experts would
otherwise be named for an `o` that is too low by chance. Where the others share mistakes, `q` is not
skill alone; but experts agree with others more often than those do with one another, so a group
counts as one of copies only if its `o`, a standard error higher, is below its `q`, as much lower.
Groups that only these two allowances spare are named, and weighed as the people they may be.
Measured in docs/decisions/consensus-copies.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Crowd, EqualDepth, Floats
from tessera.tiling.consensus.em import EPSILON, vote_shares
from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES, Rules

COPIED = 0.98
"""Agreement of copies, who may slip (docs/decisions/consensus-copies.md)."""
MIN_AGREEMENT, MAX_AGREEMENT = 0.5, 0.9
"""Bounds of the agreement of any two workers: where it is lower, copies may be why it is not lower
still, and where it is higher, agreement says nothing (docs/decisions/consensus-copies.md)."""
MARGIN = 3.0
"""Nats beyond the chance of the largest of so many workers: one in twenty by chance
(docs/decisions/consensus-copies.md)."""
MAX_WORKERS = 1_000
"""Busiest workers that are compared: tables of pairs grow with their square."""
SAMPLE_IMAGES = 200_000
"""Images that pairs are counted in, at most."""
ONE_LABEL = 0.9
"""Share of a group's answers from which on they are of one label: who gives it to every image needs
to copy from nobody (docs/decisions/consensus-copies.md)."""
SEEDS = 50
"""Pairs that groups are grown from, those with most evidence first."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Images that two workers both answered, and those answered alike (both workers x workers)."""

    both: Floats
    alike: Floats

    def evidence(self) -> Floats:
        """Return how much likelier each two are copies than any two workers, in nats."""
        rate = self.alike.sum() / max(float(self.both.sum()), 1.0)
        agreement = min(max(rate, MIN_AGREEMENT), MAX_AGREEMENT)
        return _evidence(self.alike, self.both - self.alike, agreement)


def _evidence(alike: Floats, apart: Floats, expected: float) -> Floats:
    """Return how much likelier copies are than workers who agree at the expected rate, in nats."""
    evidence: Floats = alike * np.log(COPIED / expected)
    evidence += apart * np.log((1 - COPIED) / (1 - expected))
    return evidence


class Alike(NamedTuple):
    """Groups of workers who hand in the same answers.

    `copies` do so more than any skill lets expect; `experts` may do so because they are right,
    unlike the others.
    """

    copies: list[list[int]]
    experts: list[list[int]]


def find_alike(
    by_depth: list[EqualDepth],
    workers: int,
    classes: int,
    rules: Rules = RULES[NEWEST_RULES],
) -> Alike:
    """Return the groups of workers whose answers are the same."""
    alike = Alike([], [])
    if workers < 2:
        return alike
    answers = np.zeros(workers, np.int64)
    for part in by_depth:
        answers += np.bincount((part.codes // classes).ravel(), minlength=workers)
    busiest = np.sort(np.argsort(-answers, kind="stable")[:MAX_WORKERS])
    place = np.full(workers, -1, np.int64)
    place[busiest] = np.arange(len(busiest))
    chance = float((vote_shares(by_depth, classes) ** 2).sum())
    pairs = count_pairs(by_depth, place, len(busiest), classes)
    evidence, free = pairs.evidence(), np.ones(len(busiest), np.bool_)
    least = np.log(len(busiest)) + MARGIN
    upper = np.triu(evidence, 1)
    likely = np.flatnonzero(upper > 0)
    most = np.argsort(-upper.ravel()[likely], kind="stable")[:SEEDS]
    for seed in likely[most].tolist():
        one, other = divmod(seed, len(busiest))
        if not free[one] or not free[other]:
            continue
        group = _grow(evidence, [one, other], free, least)
        if len(group) == 2 and upper[one, other] <= least:
            continue
        if not _is_copied(pairs, group, chance, least):
            continue
        free[group] = False
        is_spared = not _is_copied(
            pairs, group, chance, least, rules.copy_errors
        ) or _may_be_experts(pairs, group, chance, rules.expert_errors)
        groups = alike.experts if is_spared else alike.copies
        groups.append(sorted(busiest[group].tolist()))
    return Alike(sorted(alike.copies), sorted(alike.experts))


def count_pairs(
    by_depth: list[EqualDepth], place: NDArray[np.int64], workers: int, classes: int
) -> Pairs:
    """Count what each two workers answered both, by their place among those compared, else -1."""
    both, alike = np.zeros((2, workers * workers))
    images = sum(len(part.ids) for part in by_depth)
    for part in by_depth:
        sample = part.every(max(images // SAMPLE_IMAGES, 1))
        worker, label = place[sample.codes // classes], sample.labels(classes)
        for first in range(sample.depth):
            for second in range(first):
                kept = (worker[first] >= 0) & (worker[second] >= 0)
                pair = worker[first, kept] * workers + worker[second, kept]
                same = label[first, kept] == label[second, kept]
                both += np.bincount(pair, minlength=len(both))
                alike += np.bincount(pair[same], minlength=len(both))
    tables = [table.reshape(workers, workers) for table in (both, alike)]
    for table in tables:
        table += table.T.copy()
        np.fill_diagonal(table, 0)  # several answers of one worker to one image
    return Pairs(*tables)


def _grow(evidence: Floats, group: list[int], free: NDArray[np.bool_], least: float) -> list[int]:
    """Return the group with all workers that there is evidence for, the clearest first."""
    support = evidence[group].sum(axis=0)
    while True:
        outside = free.copy()
        outside[group] = False
        candidates = np.where(outside, support, -np.inf)
        best = int(candidates.argmax())
        if candidates[best] <= least:
            return group
        group = [*group, best]
        support = support + evidence[best]


def _sums(table: Floats, group: list[int]) -> Floats:
    """Return the sums of a table of pairs: within a group, between it and others, among others.

    Tables are symmetric and hold whole numbers, so what is left of their sums is exact.
    """
    within, rows = table[np.ix_(group, group)].sum(), table[group].sum()
    return np.array([within, rows - within, table.sum() - 2 * rows + within])


def _rates(pairs: Pairs, group: list[int], chance: float, errors: float) -> tuple[float, float]:
    """Return how often a group agrees with the others, and they with one another, above chance.

    The first is so many standard errors higher, the second as much lower.
    """
    both, alike = _sums(pairs.both, group)[1:], _sums(pairs.alike, group)[1:]
    rates = (alike + chance) / (both + 1)  # one image more, at chance: a rate of nothing is none
    counts = both / (1, 2)  # each pair of others is in the sum twice
    rates += np.array([errors, -errors]) * np.sqrt(rates * (1 - rates) / (counts + 1))
    with_others, others = np.clip(rates - chance, 0.0, 1 - chance) / max(1 - chance, EPSILON)
    return float(with_others), float(others)


def _is_copied(
    pairs: Pairs, group: list[int], chance: float, least: float, errors: float = 0.0
) -> bool:
    """Return whether a group agrees more than its agreement with the others lets expect."""
    within, seen, between = _sums(pairs.both, group)
    with_others, others = _rates(pairs, group, chance, errors)
    if not seen or not between or not others:  # nobody to compare them with
        return False
    expected = min(with_others**2 / others, 1.0) * (1 - chance) + chance
    if expected >= MAX_AGREEMENT:
        return False
    agreed = _sums(pairs.alike, group)[0] / 2
    return bool(_evidence(agreed, within / 2 - agreed, expected) >= least * len(group))


def _may_be_experts(pairs: Pairs, group: list[int], chance: float, errors: float | None) -> bool:
    """Return whether a group may agree with the others as often as those do with one another."""
    if errors is None:
        return False
    with_others, others = _rates(pairs, group, chance, errors)
    return with_others >= others


def only_label(crowd: Crowd, group: list[int]) -> tuple[int, float] | None:
    """Return the label of nearly all answers of a group, and its share; None where none is."""
    labels = crowd.label[np.isin(crowd.worker, group) & (crowd.label >= 0)]
    counts = np.bincount(labels, minlength=crowd.classes)
    share = float(counts.max() / max(counts.sum(), 1))
    return (int(counts.argmax()), share) if share >= ONE_LABEL else None


def merge_copies(crowd: Crowd, groups: list[list[int]]) -> Crowd:
    """Return the crowd with one answer an image from each group, by its first worker.

    Of several that differ, that of the worker with the lowest number is kept.
    """
    person = np.arange(crowd.workers, dtype=crowd.worker.dtype)
    for group in groups:
        person[group] = group[0]
    merged = person[crowd.worker]
    copies = np.isin(merged, [group[0] for group in groups]) & (crowd.label >= 0)
    rows = np.flatnonzero(copies)
    order = rows[np.lexsort((crowd.worker[rows], merged[rows], crowd.image[rows]))]
    image, worker = crowd.image[order], merged[order]
    again = np.zeros(len(order), np.bool_)
    again[1:] = (image[1:] == image[:-1]) & (worker[1:] == worker[:-1])
    kept = np.ones(len(crowd), np.bool_)
    kept[order[again]] = False
    return replace(crowd, worker=merged).answers(kept)

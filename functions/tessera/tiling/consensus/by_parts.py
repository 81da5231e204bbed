"""Consolidate a crowd that one machine cannot hold, in parts of its images.

A part is a range of images with all answers to them; workers have one numbering in all parts. The
default method looks at everything only twice, so that parts can be worked on one after the other or
side by side, and hand each other nothing but small tables:

    tally    part → images by number of answers           ┐ added up: what to sample
    sample   part → every so manieth image                ┘ put together
    fit      samples → Fit, the model so far              on some 100,000 images
    count    part, Fit → expected counts                  added up
    learn    Fit, counts → Learned, the final model
    judge    part, Learned → labels of its images

Expected counts are sums over images, and samples are those that the whole crowd would be sampled
by, so labels are those of `consolidate`, whatever the parts; confidences differ by the rounding of
sums in another order. Copies of answers (`copies`) are not looked for here. What a state machine
would do with it: docs/limits.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import class_prior, em, hierarchical, worker_shrinkage
from tessera.tiling.consensus.class_prior import ClassPrior, estimate_prior
from tessera.tiling.consensus.confidence import RHO, fit_rho
from tessera.tiling.consensus.crowd import Crowd, EqualDepth, Floats, split_by_depth
from tessera.tiling.consensus.em import EM, Evidence, ExpectedCounts, Model, vote_shares
from tessera.tiling.consensus.methods import finish, label_by, start, to_predict
from tessera.tiling.consensus.result import Consensus
from tessera.tiling.consensus.worker_shrinkage import estimate_shrinkage
from tessera.tiling.consolidation_rules import Rules

NOTHING_BESIDE = Evidence()
"""Evidence where nothing is known beside the answers."""
NO_CLASS = -1
"""Known class of an image of which none is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Answers to a range of images, numbered from zero, and their known classes, else -1."""

    crowd: Crowd
    known: NDArray[np.int16] | None = None

    def known_classes(self) -> NDArray[np.int16]:
        """Return the known class of each image."""
        if self.known is None:
            return np.full(self.crowd.images, NO_CLASS, np.int16)
        return self.known


Tally = Counter[int]
"""Number of images by how many readable answers they have."""


@dataclass(frozen=True, slots=True)
class Strides:
    """Every so manieth image that is sampled, for the model, the class prior and the shrinkage."""

    model: int
    prior: int
    shrinkage: int


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Images sampled from one part or several, with their known classes by number in the sample."""

    by_depth: list[EqualDepth]
    known: NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples that a fit needs: one for each stride, and all gold images with readable answers.

    `answered_gold` counts gold images with any answer.
    """

    model: Sample
    prior: Sample
    shrinkage: Sample
    gold: Sample
    answered_gold: int


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """State of the fit on samples: the model so far, and one without the gold labels.

    `whole` says that nothing was left out of the sample, so that nothing is to be counted.
    """

    workers: int
    classes: int
    shrinkage: float
    prior: ClassPrior
    model: Model
    blind: Model | None
    gold: Sample
    answered_gold: int
    whole: bool
    rules: Rules

    def em(self, evidence: Evidence) -> EM:
        """Return the expectation maximization of the fit."""
        m_step = partial(hierarchical.m_step, shrinkage=self.shrinkage, class_prior=self.prior)
        return EM(m_step, self.workers, self.classes, evidence)


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Expected counts of parts, as sums: those by the model, and those by the blind one.

    `model` and `blind` are of answers (classes x workers x labels), `model_sums` and `blind_sums`
    (classes) of the images' probabilities.
    """

    images: int
    vote_sums: Floats
    model: Floats
    model_sums: Floats
    blind: Floats | None
    blind_sums: Floats | None

    def __add__(self, other: Counts) -> Counts:
        """Add the counts of other parts."""
        return Counts(
            self.images + other.images,
            self.vote_sums + other.vote_sums,
            self.model + other.model,
            self.model_sums + other.model_sums,
            _sum(self.blind, other.blind),
            _sum(self.blind_sums, other.blind_sums),
        )


def _sum(one: Floats | None, other: Floats | None) -> Floats | None:
    return None if one is None or other is None else one + other


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Model that labels every image, and the correlation that tempers its confidences."""

    model: Model
    rho: float
    calibrated_on: int
    skew: float = 0.0
    later_power: float = 1.0


def tally(part: Part) -> Tally:
    """Count a part's images by their readable answers."""
    return Counter({each.depth: len(each.ids) for each in split_by_depth(part.crowd)})


def plan_strides(total: Tally) -> Strides:
    """Return which images are sampled, by the tally of all parts."""
    images, several = total.total(), total.total() - total[1]
    # the rule of `EM.fit`, so that parts get the model that one piece would get
    whole = images <= 2 * em.SAMPLE_IMAGES
    return Strides(
        model=1 if whole else images // em.SAMPLE_IMAGES,
        prior=max(images // class_prior.SAMPLE_IMAGES, 1),
        shrinkage=max(several // worker_shrinkage.SAMPLE_IMAGES, 1),
    )


def sample(part: Part, before: Tally, strides: Strides) -> Samples:
    """Sample a part; `before` is the tally of all parts before it, so that strides go on."""
    by_depth, known = split_by_depth(part.crowd), part.known_classes()
    # an image's only answer says nothing of how workers differ
    several = [each for each in by_depth if each.depth > 1]

    def draw(rectangles: list[EqualDepth], stride: int) -> Sample:
        # a stride goes on where the parts before ended, so that the sample is that of one piece
        return _pick(
            ((each, slice(-before[each.depth] % stride, None, stride)) for each in rectangles),
            known,
        )

    answered = np.bincount(part.crowd.image, minlength=part.crowd.images) > 0
    # all of them: gold images are few, and rho rests on them alone
    gold = ((each, np.flatnonzero(known[each.ids] != NO_CLASS)) for each in by_depth)
    return Samples(
        draw(by_depth, strides.model),
        draw(by_depth, strides.prior),
        draw(several, strides.shrinkage),
        _pick(gold, known),
        int((answered & (known != NO_CLASS)).sum()),
    )


def _pick(
    columns: Iterable[tuple[EqualDepth, slice | NDArray[np.intp]]], known: NDArray[np.int16]
) -> Sample:
    """Return these columns of each rectangle, with images renumbered in their order."""
    picked = [EqualDepth(each.ids[chosen], each.codes[:, chosen]) for each, chosen in columns]
    return _renumbered(picked, [known[each.ids] for each in picked])


def _renumbered(rectangles: list[EqualDepth], known: list[NDArray[np.int16]]) -> Sample:
    by_depth, first = [], 0
    for each in rectangles:
        ids = np.arange(first, first + len(each.ids), dtype=np.int32)
        by_depth.append(EqualDepth(ids, each.codes))
        first += len(each.ids)
    return Sample(by_depth, np.concatenate([*known, np.empty(0, np.int16)]))


def put_together(parts: Sequence[Samples]) -> Samples:
    """Return the samples of all parts as one."""
    return Samples(
        _join([part.model for part in parts]),
        _join([part.prior for part in parts]),
        _join([part.shrinkage for part in parts]),
        _join([part.gold for part in parts]),
        sum(part.answered_gold for part in parts),
    )


def _join(samples: Sequence[Sample]) -> Sample:
    """Join samples, so that images of equal depth are one rectangle, in the parts' order."""
    columns: dict[int, list[tuple[EqualDepth, NDArray[np.int16]]]] = {}
    for each in samples:
        for rectangle in each.by_depth:
            pair = rectangle, each.known[rectangle.ids]
            columns.setdefault(rectangle.depth, []).append(pair)
    # in the order of one piece, by depth: sums of floats depend on it
    joined = [
        EqualDepth(
            np.concatenate([rectangle.ids for rectangle, _ in columns[depth]]),
            np.concatenate([rectangle.codes for rectangle, _ in columns[depth]], axis=1),
        )
        for depth in sorted(columns)
    ]
    known = [np.concatenate([known for _, known in columns[depth]]) for depth in sorted(columns)]
    return _renumbered(joined, known)


def fit(
    samples: Samples,
    strides: Strides,
    workers: int,
    classes: int,
    beside: Evidence = NOTHING_BESIDE,
) -> Fit:
    """Fit the default method to samples of the whole crowd.

    `beside` is what is known of the crowd as a whole; its known images are in the samples.
    """
    gold = samples.gold.known
    prior = estimate_prior(samples.prior.by_depth, classes, beside, gold)
    shrinkage = estimate_shrinkage(samples.shrinkage.by_depth, workers, classes)
    m_step = partial(hierarchical.m_step, shrinkage=shrinkage, class_prior=prior)
    whole = EM(m_step, workers, classes, Evidence())

    def run(evidence: Evidence) -> Model:
        rounds = whole.max_iterations
        return replace(whole, evidence=evidence).iterate(samples.model.by_depth, None, rounds)

    # the blind model has not seen the gold labels: one that has is sure of them, and rho too low
    return Fit(
        workers,
        classes,
        float(shrinkage),
        prior,
        run(Evidence(samples.model.known)),
        run(Evidence()) if samples.answered_gold >= beside.rules.min_gold else None,
        samples.gold,
        samples.answered_gold,
        strides.model == 1,
        beside.rules,
    )


def count(part: Part, so_far: Fit) -> Counts:
    """Count a part's answers by what the models say of its images."""
    by_depth, classes = split_by_depth(part.crowd), part.crowd.classes
    images = sum(len(each.ids) for each in by_depth)
    shares = vote_shares(by_depth, classes)

    def expected(model: Model, evidence: Evidence) -> ExpectedCounts:
        return so_far.em(evidence).e_step(by_depth, model, shares)[0]

    model = expected(so_far.model, Evidence(part.known))
    blind = None if so_far.blind is None else expected(so_far.blind, Evidence())
    return Counts(
        images,
        shares * images,
        model.answers,
        model.class_means * images,
        None if blind is None else blind.answers,
        None if blind is None else blind.class_means * images,
    )


def learn(so_far: Fit, counts: Counts | None) -> Learned:
    """Return the final model from the counts of all parts; without counts, that of the samples."""
    expected = blind_expected = None
    if counts is not None:
        expected = _expected(counts, counts.model, counts.model_sums)
        blind_expected = _expected(counts, counts.blind, counts.blind_sums)
    model = _learned(so_far, so_far.model, expected)
    rho, calibrated_on = RHO, 0
    if so_far.blind is not None:
        blind = _learned(so_far, so_far.blind, blind_expected)
        beside = Evidence(rules=so_far.rules)
        rho = fit_rho(so_far.gold.by_depth, blind, beside, so_far.gold.known)
        calibrated_on = so_far.answered_gold
    return Learned(model, rho, calibrated_on, so_far.prior.skew, so_far.rules.later_power)


def _expected(counts: Counts, answers: Floats | None, sums: Floats | None) -> ExpectedCounts | None:
    """Return the counts of all parts as an E-step over the whole crowd returns them."""
    if answers is None or sums is None:
        return None
    images = max(counts.images, 1)
    return ExpectedCounts(answers, sums / images, counts.vote_sums / images, counts.images)


def _learned(so_far: Fit, model: Model, counts: ExpectedCounts | None) -> Model:
    """Return the model as images are labeled by it, after the pass over all parts."""
    if counts is not None:  # none where the sample was the whole crowd
        model = replace(so_far.em(Evidence()).m_step(counts), converged=model.converged)
    return to_predict(model, so_far.prior, so_far.rules)


def judge(part: Part, learned: Learned) -> Consensus:
    """Label a part's images."""
    state = start(part.crowd, Evidence(part.known))
    state.result.rho, state.result.calibrated_on = learned.rho, learned.calibrated_on
    state.result.skew, state.result.later_power = learned.skew, learned.later_power
    label_by(state, learned.model, learned.rho)
    return finish(state)


def consolidate_by_parts(
    parts: Sequence[Callable[[], Part]],
    workers: int,
    classes: int,
    beside: Evidence = NOTHING_BESIDE,
) -> Iterator[Consensus]:
    """Yield the labels of each part, by the default method; memory holds one part at a time.

    Each part is loaded four times. `beside` is as for `fit`.
    """
    tallies: list[Tally] = [tally(load()) for load in parts]
    strides = plan_strides(sum(tallies, Counter()))
    before: Mapping[int, int] = Counter()
    drawn = []
    for load, own in zip(parts, tallies, strict=True):
        drawn.append(sample(load(), Counter(before), strides))
        before = Counter(before) + own
    so_far = fit(put_together(drawn), strides, workers, classes, beside)
    counts: Counts | None = None
    for load in () if so_far.whole else parts:
        own_counts = count(load(), so_far)
        counts = own_counts if counts is None else counts + own_counts
    learned = learn(so_far, counts)
    yield from (judge(load(), learned) for load in parts)

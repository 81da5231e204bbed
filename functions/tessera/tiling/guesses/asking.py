"""Decide after each round whom to ask next, where a model has guessed every image.

    every image ─┬─ gain above the setting, no label yet ────────────────→ asked once more
                 └─ the model is sure, nobody was asked ─┬─ least 1 ─────→ asked once
                                                         └─ least 0 ─┬───→ audited: asked
                                                                     └───→ the model labels it,
                                                                           if the audit is passed

Without a model that knows anything, every image is asked as if there were none: of
`answers_per_image` workers, and then by gain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tessera.tiling.consensus import Consensus, Crowd, Evidence
from tessera.tiling.consensus.result import NO_LABEL
from tessera.tiling.guesses.annotator import Guesses
from tessera.tiling.guesses.audit import (
    Audit,
    Bools,
    Indexes,
    draw_audit,
    measure_audit,
    unsettled,
    weigh_audit,
)
from tessera.tiling.settings import Settings

MIN_CLASS_ANSWERS = 10
"""People's answers of a class, below which no image that the model takes for it goes unasked: of a
class that the model has hardly met it is sure for no reason (docs/decisions/guesses-audit.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Answers so far and what they add up to, with a model's guesses or without.

    `beside` is what else is known of the images; `consensus` has the guesses weighed if they are
    used, and then a label for every image that has one.
    """

    crowd: Crowd
    beside: Evidence
    guesses: Guesses | None
    consensus: Consensus

    @property
    def uses_guesses(self) -> bool:
        """Return whether the model's guesses are weighed."""
        return self.guesses is not None and self.guesses.used


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Labels that are given, and the images to ask again (images).

    `consensus` has no label for images that nobody answered, but for those `by_model` (images).
    `unsure` labels may change with an answer more; `audit` is there if the model may label alone,
    and `audited` are images to ask although nothing is unsure about them.
    """

    consensus: Consensus
    unsure: Bools
    by_model: Bools
    audited: Indexes
    audit: Audit | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ModelResult:
    """Result of a round's model: what was judged and decided with it, or why there was none."""

    judged: Judged
    decision: Decision
    failure: str = ""


def decide(
    judged: Judged,
    settings: Settings,
    *,
    images: Bools | None = None,
    audit: Indexes | None = None,
    may_ask: bool = True,
) -> Decision:
    """Return what becomes of every image after a round.

    `images` (rows) are those that people may still be asked, by default all; `audit` those that an
    earlier round has drawn. `may_ask` says whether there may be another round.
    """
    consensus = judged.consensus
    answers = consensus.answers
    open_ = (consensus.label < 0) & ~consensus.unreadable
    # one person who cannot see a picture does not settle it, as in a run without a model
    open_ |= consensus.unreadable & (answers < settings.answers_per_image)
    unsure = (consensus.gain > settings.gain) | open_
    nobody = np.zeros(len(unsure), np.bool_)
    if not judged.uses_guesses:
        unsure |= answers < settings.answers_per_image
        return Decision(consensus, unsure, nobody, np.empty(0, np.int64))
    sure = (answers == 0) & (consensus.label >= 0) & ~unsure & ~_is_rare(judged)
    audited, result, is_passed = np.empty(0, np.int64), None, False
    if settings.audited is not None:
        askable = np.ones(len(sure), np.bool_) if images is None else images
        result, audited = _audit(judged, settings, sure, askable, audit, may_ask=may_ask)
        is_pending = may_ask and not result.is_settled
        is_passed = is_pending or result.accuracy >= settings.audited.right
        is_passed &= bool(len(result.images))
    by_model = sure if is_passed else nobody
    unanswered = (answers == 0) & ~by_model
    unsure |= unanswered
    return Decision(_without_labels(consensus, unanswered), unsure, by_model, audited, result)


def _is_rare(judged: Judged) -> Bools:
    """Return the images whose label is a class that people have hardly named."""
    crowd, label = judged.crowd, judged.consensus.label
    named = np.bincount(crowd.label[crowd.label >= 0], minlength=crowd.classes)
    rare: Bools = (named < MIN_CLASS_ANSWERS)[label]
    return rare


def _without_labels(consensus: Consensus, images: Bools) -> Consensus:
    """Return the consensus without the labels of these images."""
    keep = ~images
    label = np.where(keep, consensus.label, np.int16(NO_LABEL))
    confidence, gain = consensus.confidence * keep, consensus.gain * keep
    return replace(consensus, label=label, confidence=confidence, gain=gain)


def _audit(
    judged: Judged,
    settings: Settings,
    sure: Bools,
    askable: Bools,
    drawn: Indexes | None,
    *,
    may_ask: bool,
) -> tuple[Audit, Indexes]:
    """Return the audit so far, and those of its images that need an answer more."""
    wanted, consensus = settings.audited, judged.consensus
    assert wanted is not None
    assert judged.guesses is not None
    if drawn is None:
        # nobody would answer what is drawn after the last round
        count = wanted.images if may_ask else 0
        drawn = draw_audit(consensus.label, sure & askable, count)
    open_ = unsettled(judged.crowd, drawn, settings.max_answers) & askable[drawn]
    audit = Audit(drawn, is_settled=not open_.any())
    if may_ask and not audit.is_settled:
        return audit, drawn[open_]
    weighed = judged.guesses.evidence(judged.beside)
    machine, people, compared = measure_audit(
        judged.crowd, judged.beside, weighed, drawn, settings.gain
    )
    unasked = consensus.label[sure & askable]
    accuracy, effective = weigh_audit(
        machine.label, people.label, compared, unasked, judged.crowd.classes
    )
    result = replace(audit, compared=len(compared), accuracy=accuracy, effective=effective)
    return result, np.empty(0, np.int64)

"""Build the report's figures, and the result of the state, from what a round came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence
from tessera.tiling.consensus.copies import only_label
from tessera.tiling.consensus.gold_doubts import contradicted_images, find_gold_doubts
from tessera.tiling.consensus.unloaded import Unloaded
from tessera.tiling.guesses.asking import ModelResult
from tessera.tiling.live_control import stopped_workers
from tessera.tiling.method_names import DEFAULT_METHOD
from tessera.tiling.report.agreement import agreement_figures, common_label
from tessera.tiling.report.announcement import state_result
from tessera.tiling.report.confidence import (
    answer_figures,
    calibration_figures,
    confidence_figures,
    doubtful_figures,
    gold_doubt_figures,
    gold_figures,
    most_doubtful,
)
from tessera.tiling.report.figures import run_figures
from tessera.tiling.report.guesses import contest_figures, guess_figures, most_contested
from tessera.tiling.report.headline import headline
from tessera.tiling.report.next_steps import next_steps
from tessera.tiling.report.pace import pace_figures
from tessera.tiling.report.rounds import EarlierLabels, round_figures
from tessera.tiling.report.sheets import sheet_figures, sheet_images
from tessera.tiling.report.time_and_cost import cost_figures, embedding_figures, time_figures
from tessera.tiling.report.unloaded import most_unloaded, unloaded_figures
from tessera.tiling.report.what_helps import help_figures
from tessera.tiling.report.wording import pluralize
from tessera.tiling.report.workers import page_figures, worker_figures
from tessera.tiling.run.run import Run
from tessera.tiling.training.line_counts import (
    SET_ASIDE_REASON,
    UNANSWERED_REASON,
    UNLOADED_REASON,
    LineOutcomes,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """Answers, labels and counts that a run has after its newest round.

    `seconds`, `submission` and `round_` have a row for each answer of the crowd: how long it took
    (not a number if nobody measured), which submission and which round it came in. `names` are the
    workers', `noted` counts by reason the answers that could not be used, `unloaded` are the images
    that did not load. `earlier` has the labels after earlier rounds where they are known already,
    `reviewed` the classes that reviewers decided, by image.
    """

    run: Run
    crowd: Crowd
    names: Sequence[str]
    seconds: NDArray[np.float32]
    submission: NDArray[np.int32]
    round_: NDArray[np.int8]
    noted: Mapping[str, int]
    evidence: Evidence
    consensus: Consensus
    lines: LineOutcomes
    unloaded: Unloaded
    model: ModelResult | None = None
    earlier: Mapping[int, EarlierLabels] = field(default_factory=dict)
    reviewed: Mapping[int, int] = field(default_factory=dict)

    @property
    def known(self) -> NDArray[np.int16]:
        """Return the class of each gold image, -1 for the others."""
        known = self.evidence.known
        return np.full(self.crowd.images, -1, np.int16) if known is None else known

    def label_of(self, image: int) -> str:
        """Return the name of the label that an image has; empty where it has none."""
        settings = self.run.settings
        if not 0 <= image < self.crowd.images:
            return ""
        if self.consensus.unreadable[image]:
            return settings.escape
        label = int(self.known[image]) if self.known[image] >= 0 else self.consensus.label[image]
        return settings.classes[label] if label >= 0 else ""

    @property
    def weighed(self) -> Evidence:
        """Return what is known beside the answers, with the guesses of a model if there is one."""
        guesses = self.model.judged.guesses if self.model else None
        return self.evidence if guesses is None else guesses.evidence(self.evidence)

    @property
    def images_to_ask_again(self) -> Sequence[int]:
        """Return the images that are worth one more answer, and may be asked again."""
        if self.model is None or not self.run.may_ask_again:
            return images_to_ask_again(self.run, self.lines)
        retry = self.lines.retry if self.run.may_retry else ()
        unsure = self._below_most_answers(
            [*self.lines.unsure, *self.model.decision.audited.tolist()]
        )
        return sorted({*unsure, *retry}) if retry else unsure

    def _below_most_answers(self, images: Sequence[int]) -> list[int]:
        """Return the images that may get an answer more: with a model each is at its own count."""
        indexes = np.unique(np.asarray(images, np.int64))
        room = self.consensus.answers[indexes] < self.run.settings.max_answers
        return [int(index) for index in indexes[room]]

    @property
    def outcome(self) -> str:
        """Return how the state machine goes on: `nothing-labeled`, `again` or `done`."""
        counts = self.lines.counts
        # gold images are mixed into tasks of others, and alone they are not asked
        asked = counts.lines - counts.rejected - counts.labeled_before - counts.gold
        may_load_elsewhere = self.run.may_retry and len(self.lines.retry)
        if asked and not len(self.crowd) and not may_load_elsewhere:
            return "nothing-labeled"
        return "again" if self.images_to_ask_again else "done"

    @property
    def partial(self) -> bool:
        """Return whether some of what was asked was not answered."""
        # a completed job may lack answers too: tasks expire, and single answers cannot be used
        reasons = self.lines.reasons
        causes = (UNANSWERED_REASON, UNLOADED_REASON, SET_ASIDE_REASON)
        unanswered = sum(reasons[cause] for cause in causes)
        return not self.run.all_jobs_completed or unanswered > 0


def images_to_ask_again(run: Run, lines: LineOutcomes) -> Sequence[int]:
    """Return which of the written lines are worth one more answer in the run, in their order."""
    unsure = lines.unsure if run.may_ask_again else ()
    retry = lines.retry if run.may_retry else ()
    return sorted({*unsure, *retry}) if retry else unsure


def images_in_report(
    crowd: Crowd,
    consensus: Consensus,
    known: NDArray[np.int16] | None,
    unloaded: Unloaded,
    classes: int,
    model: ModelResult | None = None,
) -> list[int]:
    """Return the images that a report names with their URIs.

    `known` has the class of each image that is known, else -1; None is none of them.
    """
    unknown = without_known(consensus, known)
    sheets = np.concatenate([*sheet_images(unknown, classes), most_doubtful(unknown)])
    contradicted = contradicted_images(crowd, known)
    return sorted({
        *sheets.tolist(), *contradicted.tolist(), *most_unloaded(unloaded),
        *most_contested(model).tolist(),
    })  # fmt: skip


def without_known(consensus: Consensus, known: NDArray[np.int16] | None) -> Consensus:
    """Return the consensus without answers to images that are known, as gold is.

    What workers say of these is not their label, however doubtful it is.
    """
    if known is None:
        return consensus
    return replace(consensus, answers=np.where(known >= 0, 0, consensus.answers))


def build_report(
    result: RunResult,
    qualification: Mapping[str, Any] | None = None,
    flagged: Mapping[str, Any] | None = None,
    *,
    final: bool = True,
) -> dict[str, Any]:
    """Return everything that report.json says, in the order in which a person would ask.

    `qualification` has the figures of the project's, where workers are tested, `flagged` those of
    flags, where there are any. A report that is not `final` says which round follows, if one does.
    `docs/report.md` describes the keys.
    """
    run, crowd, consensus, lines = result.run, result.crowd, result.consensus, result.lines
    settings, classes = run.settings, run.settings.classes
    answers, rounds = _answer_figures(result), _round_figures(result)
    unknown = without_known(consensus, result.evidence.known)
    figures = {
        **run_figures(run, lines),
        "labels": {name: lines.labels[number] for number, name in enumerate(classes)},
        **_labels_before(lines, classes),
        **_box_figures(lines),
        **({"notices": run.notices} if run.notices else {}),
        "answers": answers,
        "confidence": confidence_figures(consensus),
        "gold": gold_figures(consensus, result.known),
        **_gold_doubts(result),
        **({"reviewed": lines.reviewed} if lines.reviewed else {}),
        **common_label(consensus, classes),
        **_worker_figures(result),
        **_remembered(result),
        **_alike(result),
        **_unloaded_figures(result),
        **({"flagged": dict(flagged)} if flagged else {}),
        "jobs": run.jobs,
        "manifest": run.manifest_uri,
        "started": run.started,
        **_guess_figures(result, answers),
        "calibration": calibration_figures(consensus, result.known),
        "agreement": agreement_figures(crowd, consensus, classes),
        "rounds": rounds,
        **_help_figures(result),
        "time": time_figures(len(crowd), answers["seconds_per_image"], settings),
        **pace_figures(crowd, result.seconds, result.known),
        "cost": cost_figures(rounds, settings) | embedding_figures(run),
        "doubtful": doubtful_figures(crowd, unknown, (*classes, settings.escape), lines.sources),
        "sheets": sheet_figures(unknown, classes, lines.sources),
    }
    figures |= _stopped_figures(result, figures)
    figures |= _qualification_figures(qualification, figures)
    if not final:
        figures |= next_round_figures(run, result.images_to_ask_again)
    return figures | {"headline": headline(figures), "next": next_steps(figures)}


def next_round_figures(run: Run, again: Sequence[int]) -> dict[str, Any]:
    """Return the number of the round that asks these images again; nothing without any."""
    return {"next_round": {"round": run.round + 1, "images": len(again)}} if len(again) else {}


def _stopped_figures(result: RunResult, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return who got no more pages, and a notice of it; nothing where nobody may be stopped."""
    rule = result.run.settings.stop_below
    if rule is UNSET:
        return {}
    stopped = stopped_workers(rule, figures["workers"])
    if not stopped:
        return {"stopped": []}
    notice = (
        f"{pluralize(len(stopped), 'worker')} got no more pages, because their answers to gold "
        f"images are surely right less often than {rule.right:.0%}: {', '.join(stopped)}. Their "
        "answers are kept, and weighed by how often they are right."
    )
    return {"stopped": stopped, "notices": [*figures.get("notices", ()), notice]}


def _qualification_figures(
    qualification: Mapping[str, Any] | None, figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Return who has qualified, and a notice of it; nothing where nobody is tested."""
    if qualification is None:
        return {}
    workers = pluralize(qualification["tried"], "worker")
    notice = (
        f"{workers} tried to qualify for this project, and {qualification['passed']} passed, with "
        f"{qualification['needed']:.0%} of the pictures right at least; nobody else got a page."
    )
    return {
        "qualification": dict(qualification),
        "notices": [*figures.get("notices", ()), notice],
    }


def _labels_before(lines: LineOutcomes, classes: Sequence[str]) -> dict[str, Any]:
    """Return the lines of each label that were labeled before the run; nothing without any."""
    if not lines.labels_before:
        return {}
    return {
        "labels_before": {name: lines.labels_before[place] for place, name in enumerate(classes)}
    }


def _box_figures(lines: LineOutcomes) -> dict[str, Any]:
    """Return how many boxes of each class were confirmed and refused; nothing without boxes."""
    if not lines.boxes:
        return {}
    rows = [
        {
            "class": name,
            "boxes": labels.total(),
            "confirmed": labels[0],
            "refused": labels[1],
            "undecided": labels[-1],
        }
        for name, labels in lines.boxes.items()
    ]
    return {"boxes": sorted(rows, key=lambda row: (-row["boxes"], row["class"]))}


def _answer_figures(result: RunResult) -> dict[str, Any]:
    return answer_figures(
        result.crowd,
        seconds=result.seconds,
        submission=result.submission,
        round_=result.round_,
        noted=result.noted,
    )


def _help_figures(result: RunResult) -> dict[str, Any]:
    """Return what would have helped a run that is over; nothing while it goes on."""
    if result.model or result.images_to_ask_again:
        return {}
    return help_figures(result.crowd, result.round_, result.evidence, result.run.settings)


def _worker_figures(result: RunResult) -> dict[str, Any]:
    crowd = result.crowd, result.consensus, result.names
    return {
        "workers": worker_figures(*crowd, seconds=result.seconds, known=result.known),
        "pages_to_look_at": page_figures(
            *crowd, submission=result.submission, seconds=result.seconds
        ),
    }


def _alike(result: RunResult) -> dict[str, Any]:
    """Name the workers whose answers are the same; nothing where there are none.

    Some count as one person, who hand in one another's answers or all give one label to nearly
    every image; those who may be experts count as they are.
    """
    copies, one_label = [], []
    for group in result.consensus.copies:
        names = _names(result, group)
        if only := only_label(result.crowd, group):
            label, share = result.run.settings.classes[only[0]], round(only[1], 4)
            one_label.append({"workers": names, "label": label, "share": share})
        else:
            copies.append(names)
    experts = [_names(result, group) for group in result.consensus.experts]
    groups = {"copies": copies, "one_label": one_label, "same_answers": experts}
    return {key: value for key, value in groups.items() if value}


def _names(result: RunResult, group: list[int]) -> list[str]:
    return [result.names[worker] for worker in group]


def _remembered(result: RunResult) -> dict[str, Any]:
    """Count the workers who were known from earlier runs; nothing where nobody is remembered."""
    settings, earlier = result.run.settings, result.evidence.earlier
    if not settings.remember_workers or settings.method != DEFAULT_METHOD:
        return {}
    answered = np.bincount(result.crowd.worker, minlength=result.crowd.workers) > 0
    known = np.zeros_like(answered) if earlier is None else earlier.any(axis=(0, 2)) & answered
    return {"remembered": {"workers": int(known.sum()), "of": int(answered.sum())}}


def _gold_doubts(result: RunResult) -> dict[str, Any]:
    """Describe the gold images whose label may be wrong; nothing where there are none."""
    known = result.known.copy()
    # what a reviewer decided was looked at already
    known[[image for image in result.reviewed if image < len(known)]] = -1
    doubts = find_gold_doubts(result.crowd, replace(result.evidence, known=known))
    if not len(doubts):
        return {}
    settings = result.run.settings
    choices = (*settings.classes, settings.escape)
    images = gold_doubt_figures(doubts, result.crowd, known, choices, result.lines.sources)
    return {"gold_in_doubt": {"count": len(doubts), "images": images}}


def _unloaded_figures(result: RunResult) -> dict[str, Any]:
    if not len(result.unloaded):  # every picture came, as they should: not worth a key
        return {}
    figures = unloaded_figures(
        result.unloaded, result.crowd, result.names, sources=result.lines.sources
    )
    return {"unloaded": figures}


def _guess_figures(result: RunResult, answers: Mapping[str, Any]) -> dict[str, Any]:
    if result.model is None:  # nobody asked for one
        return {}
    settings = result.run.settings
    seconds = answers["seconds_per_image"]
    figures = guess_figures(
        result.model,
        settings,
        round_=result.round_,
        known=result.known,
        by_model=result.lines.by_model,
        seconds=time_figures(0, seconds, settings)["seconds_per_image"],
    )
    contest = contest_figures(result.model, settings.classes, result.lines.sources, result.names)
    return {"guesses": figures | contest}


def _round_figures(result: RunResult) -> list[dict[str, Any]]:
    return round_figures(
        result.crowd,
        result.consensus,
        result.round_,
        method=result.run.settings.method,
        evidence=result.weighed,
        tasks=result.run.tasks,
        known_already=result.earlier,
    )


def summarize(result: RunResult) -> dict[str, Any]:
    """Return the result of the state ConsolidateLabels: counts, URIs, and what to announce."""
    return state_result(
        result.run,
        result.lines.counts,
        result.outcome,
        again=len(result.images_to_ask_again),
        partial=result.partial,
        unloaded=result.lines.reasons[UNLOADED_REASON],
    )

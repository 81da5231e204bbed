"""Advise what to do next with a run's labels, from the figures of its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from tessera.tiling.method_names import DEFAULT_METHOD, WEIGHING_METHODS
from tessera.tiling.report.headline import next_round_sentence
from tessera.tiling.report.wording import pluralize
from tessera.tiling.run.jobs import COMPLETED
from tessera.tiling.run.run import MAX_UNLOADED
from tessera.tiling.settings import GOLD_UNUSED
from tessera.tiling.training.line_counts import UNLOADED_REASON, UNREADABLE_REASON

RELIABLE_ALPHA = 0.8
"""Krippendorff's alpha from which data count as reliable; below 0.667 they allow not even tentative
conclusions. Source: Krippendorff (2004), Content Analysis: An Introduction to Its Methodology."""
GOLD_WANTED = 100
"""Images with known labels to ask for: twice as many as the correction of confidences is fitted
from at all, and enough to know an accuracy of 90 % to 6 points either way."""
GOLD_NEEDED = 20
"""Images with known labels and answers from which on confidences are fitted to them."""
NAMED_WORKERS = 3
"""Workers named in a sentence at most; the table below it has the others."""

NAMED_REASONS = 3
"""Reasons of flags named in a sentence at most, the commonest first."""

NAMED_GOLD = 3
"""Gold images named in a sentence at most; the pictures below it have the others."""

Step = tuple[str, str]
"""Finding, and the action that mends it: `found` and `do` in report.json.

An action may have `{tool}` and `{run}`; its other braces are doubled."""


def next_steps(figures: Mapping[str, Any], tool: str = "tessera") -> list[dict[str, str]]:
    """Return the steps, most urgent first; the last is to train, unless a round follows.

    Commands begin with `tool`: its name, with the options that lead to the run's stack.
    """
    following = figures.get("next_round")
    wait = [_wait(following)] if following else []
    train = [] if following else [_train(figures)]
    steps = chain(wait, _missing(figures), _flagged(figures), _doubts(figures), train)
    return [
        {"found": finding, "do": action.format(tool=tool, run=figures["run"])}
        for finding, action in steps
    ]


def _flagged(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on pictures that workers flagged: the question may be at fault."""
    if flagged := figures.get("flagged"):
        reasons = list(flagged["reasons"])[:NAMED_REASONS]
        why = "; ".join(reasons)
        yield (
            f"{pluralize(flagged['images'], 'image')} flagged by workers: {why}.",
            "Look at them in flagged.csv: {tool} fetch {run}",
        )


def _missing(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on images that have no label."""
    # a stopped job comes first: it explains the images without a label that follow
    images, jobs = figures["images"], figures["jobs"]
    incomplete = [job for job in jobs if job["status"] != COMPLETED]
    if incomplete:
        yield (
            f"{len(incomplete)} of {pluralize(len(jobs), 'job')} ended before the last answer.",
            "What they had is used.",
        )
    yield from _unloaded(figures)
    # Pictures that did not load have their own remedy: asking once more shows them to nobody.
    reasons = {k: count for k, count in figures["unlabeled"].items() if k != UNLOADED_REASON}
    if unseen := reasons.pop(UNREADABLE_REASON, 0):
        yield (
            f"{pluralize(unseen, 'image')} could not be seen, as most workers say.",
            "Have somebody who knows decide: {tool} review {run}",
        )
    if reasons:
        why = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items())
        yield (
            f"{pluralize(sum(reasons.values()), 'image')} without a label ({why}).",
            "Ask for them again: {tool} again {run} --unlabeled",
        )
    yield from _model(figures)
    if images["rejected"]:
        yield (
            f"{pluralize(images['rejected'], 'line')} could not be used.",
            "rejected.jsonl says of each why; mend them and drop them again. To get the file: "
            "{tool} fetch {run}",
        )


def _model(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on a model that was no use, or that an audit found wrong."""
    model = figures.get("guesses")
    if not model:
        return
    if not model["used"]:
        yield (
            f"The model was not used: {model['why_not']}.",
            "Images were asked as without it. See whether row i of the embeddings is line i, and "
            "what the encoder was made for.",
        )
    audit = model.get("audit")
    if audit and audit["compared"] and not audit["passed"]:
        yield (
            f"Of the audited images the model has {audit['right']:.1%} right, and "
            f"{audit['wanted']:.1%} are wanted.",
            "The rest was asked. Next time set least to 1, or gain lower.",
        )


def _unloaded(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on pictures that did not load, by whether it was the workers' network or theirs."""
    unloaded = figures.get("unloaded")
    if not unloaded:
        return
    pictures = pluralize(unloaded["images"], "picture")
    blocked = unloaded["blocked_workers"]
    if blocked:
        people = "worker's network" if len(blocked) == 1 else "networks of these workers"
        yield (
            f"Most pictures did not load for {_named(blocked)}.",
            f"Look at the {people}: a firewall, proxy or browser extension keeps the pictures' "
            "address away.",
        )
    if unloaded["given_up"]:
        example = next((entry["source"] for entry in unloaded["pictures"]), "")
        yield (
            f"{pluralize(unloaded['given_up'], 'picture')} did not load for {MAX_UNLOADED} people.",
            f"Open one, such as {_plain(example)}: it is gone, damaged, or no type that browsers "
            "show. When they are mended: {tool} again {run} --unlabeled --mended",
        )
    elif left := figures["unlabeled"].get(UNLOADED_REASON, 0):
        yield (
            f"{pluralize(left, 'picture')} did not load for those who were asked.",
            "Ask somebody else: {tool} again {run} --unlabeled --mended",
        )
    elif not blocked:
        yield (
            f"{pictures} did not load at first, {unloaded['times']} times in all.",
            "Somebody else was asked. If that happens often, look at the workers' connections.",
        )


def _gold_doubts(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on gold labels that the answers contradict, and name the surest."""
    doubts = figures.get("gold_in_doubt")
    if not doubts:
        return
    named = [
        f"line {image['index'] + 1:,} is given as {image['gold']!r}, and "
        f"{image['said'][image['label']]:,} of {sum(image['said'].values()):,} workers say "
        f"{image['label']!r}"
        for image in doubts["images"][:NAMED_GOLD]
    ]
    more = "; and others" if doubts["count"] > len(named) else ""
    noun = "gold label" if doubts["count"] == 1 else "gold labels"
    yield (
        f"{doubts['count']:,} {noun} may be wrong: {'; '.join(named)}{more}.",
        "Look at them below, and mend wrong ones in the manifest before it is used again: "
        "they make workers and confidences look worse than they are. To decide them for this run, "
        "whose training manifest has the gold labels: {tool} review {run}",
    )


def _doubts(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on labels that may be wrong."""
    yield from _gold_doubts(figures)
    if figures["images"]["uncertain"]:
        yield (
            f"{pluralize(figures['images']['uncertain'], 'label')} may change with an answer more.",
            "Have somebody who knows decide: {tool} review {run}",
        )
    yield from _agreement(figures)
    if figures["confidence"].get("converged") is False:
        yield (
            "The consolidation stopped while its estimates still moved.",
            "Labels of low confidence are less certain than they look: look at the doubtful ones.",
        )
    yield from _skew(figures)
    yield from _pace(figures)
    yield from _alike(figures)
    yield from _weak_workers(figures)
    if figures["pages_to_look_at"]:
        yield (
            f"{pluralize(len(figures['pages_to_look_at']), 'page')} with answers that took very "
            "long or disagree.",
            "Look at them below: often the images are the hard ones, not the worker.",
        )
    yield from _calibration(figures)


def _calibration(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on gold where none says how far to believe the confidence, by what the run lacks."""
    if figures["confidence"].get("calibrated_by") != "default" or not figures["answers"]["used"]:
        return
    gold, method = figures.get("gold") or {}, figures.get("method", DEFAULT_METHOD)
    images, answered = gold.get("images", 0), gold.get("answered", 0)
    if any(notice.startswith(GOLD_UNUSED) for notice in figures.get("notices", ())):
        yield (
            "The manifest's gold labels were not used, since gold_per_task is 0, and so none says "
            "how far to believe the confidence.",
            "Set gold_per_task to 1 in labeling.json of the next run.",
        )
    elif not images:
        yield (
            "No image with a known label says how far to believe the confidence.",
            f"Give about {GOLD_WANTED} lines a gold label, and set gold_per_task to 1.",
        )
    elif method != DEFAULT_METHOD:
        yield (
            f"Confidence by the method {method} follows no known labels, and {images:,} are known.",
            f'Only {DEFAULT_METHOD} fits it to them: "method": "{DEFAULT_METHOD}" in labeling.json '
            "of the next run.",
        )
    else:
        yield (
            f"{answered:,} of {pluralize(images, 'gold image')} got an answer, and {GOLD_NEEDED} "
            "are needed to say how far to believe the confidence.",
            f"Give about {GOLD_WANTED - images} lines more a gold label."
            if images < GOLD_WANTED
            else "Set gold_per_task higher, so that more of them are on the pages.",
        )


def _agreement(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on instructions where workers agree too little, as far as they can be why.

    Where one label is common, alpha is low by nature, so it is that of equally common labels.
    """
    agreement, common = figures.get("agreement") or {}, figures.get("common_label")
    alpha, confused = agreement.get("alpha"), agreement.get("confused")
    even = agreement.get("even_alpha") if common else None
    # without a pair that is confused there is nothing that the instructions could say
    if alpha is None or max(alpha, even or alpha) >= RELIABLE_ALPHA or not confused:
        return
    finding = f"Workers agree less than labels need (alpha {alpha:.2f}, wanted {RELIABLE_ALPHA})."
    if common and even is not None:
        finding = (
            f"Workers agree less than labels need: alpha {alpha:.2f} is low also because "
            f"{common['share']:.0%} of the images are {common['label']!r}, but with labels equally "
            f"common it would be about {even:.2f}, and {RELIABLE_ALPHA} is wanted."
        )
    worst = confused[0]
    yield (
        finding,
        "Say in the instructions how "
        f"{_plain(repr(worst['label']))} and {_plain(repr(worst['taken_for']))} differ.",
    )


def _weak_workers(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on workers who are right less often than the others."""
    # the method weighs them down already, so this is about the people, not about the labels
    weak = clearly_below_average(figures)
    if weak:
        common = figures.get("common_label")
        even = ", with every label counted alike" if common else ""
        yield (
            f"{pluralize(len(weak), 'worker')} clearly below the others{even} ({_named(weak)}).",
            "Look at their pages below, and talk to them; their answers already count for less.",
        )


def _alike(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise on workers whose answers are alike."""
    for group in figures.get("copies", ()):
        yield (
            f"{len(group)} workers gave the same answers ({_named(group)}), right or wrong.",
            "They count as one person. Ask them how they work; it may be one person, or a program.",
        )
    for group in figures.get("one_label", ()):
        workers, label = group["workers"], _plain(repr(group["label"]))
        yield (
            f"{len(workers)} workers gave nearly all images one label ({_named(workers)}).",
            f"It is {label}, for {group['share']:.0%} of them. They count as one person. Look at "
            "their pages: they may not look.",
        )
    for group in figures.get("same_answers", ()):
        yield (
            f"{len(group)} workers gave the same answers ({_named(group)}).",
            "They may be experts, or one person, so each counts as one. Images of known label tell "
            "which; without, ask them how they work.",
        )


def _named(workers: Sequence[str]) -> str:
    """Return the first workers' names, and whether there are others."""
    others = " and others" if len(workers) > NAMED_WORKERS else ""
    return ", ".join(workers[:NAMED_WORKERS]) + others


def _pace(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise to weigh answers by their seconds where gold images say that slow ones are worse."""
    pace, settings = figures.get("pace", {}), figures.get("settings", {})
    # Settings refuse the advice with a method that counts each answer as one vote.
    can_weigh = settings.get("method", DEFAULT_METHOD) in WEIGHING_METHODS
    if pace.get("slow_is_worse") and can_weigh and not settings.get("weigh_seconds"):
        fast, *_, slow = [quarter["right"] for quarter in pace["quarters"]]
        yield (
            f"Answers that took somebody longer than usual are right less often: {slow:.0%} of the "
            f"slowest quarter on gold images, {fast:.0%} of the fastest.",
            'They need not be believed as much: "weigh_seconds": true in labeling.json of the '
            "next run.",
        )


def _skew(figures: Mapping[str, Any]) -> Iterator[Step]:
    """Advise to state the labels' shares where votes alone tell that one label is common."""
    if figures["confidence"].get("skew") and "shares" not in figures.get("settings", {}):
        common = max(figures["labels"], key=lambda name: int(figures["labels"][name]))
        yield (
            f"Most answers say {common!r}, so labels of the others are often false.",
            'If you know about how common each is, state it: "shares" in labeling.json.',
        )


def _wait(following: Mapping[str, int]) -> Step:
    return next_round_sentence(following), "Wait for the run's end: {tool} watch {run}"


def _train(figures: Mapping[str, Any]) -> Step:
    return (
        f"{pluralize(figures['images']['training'], 'image')} ready for training.",
        "{tool} export {run} --to imagefolder --split 80/10/10",
    )


def _plain(text: str) -> str:
    """Return a text of the requester's as it stands in an action."""
    return text.replace("{", "{{").replace("}", "}}")


def clearly_below_average(figures: Mapping[str, Any]) -> list[str]:
    """Return the workers whose accuracy is, with its whole interval, below the mean by answers.

    Where one label is common, that is the accuracy for which every label counts alike: whoever
    always gives the common one would else be among the best.
    """
    balanced = "common_label" in figures
    right = "balanced_accuracy" if balanced else "accuracy"
    highest = "balanced_high" if balanced else "accuracy_high"
    # by answers, so that a crowd of many short visitors does not set the mean
    measured = [worker for worker in figures["workers"] if worker[right] is not None]
    answers = sum(worker["answers"] for worker in measured)
    total = sum(float(worker[right]) * worker["answers"] for worker in measured)
    mean = total / answers if answers else 0.0
    return [
        worker["worker"]
        for worker in measured
        if worker[highest] is not None and worker[highest] < mean
    ]

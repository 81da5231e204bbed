"""Word what a run announces at its end: the subject, the notice, or why nothing is labeled.

The state machine publishes the notice as it is, to people over SNS and to machines over
EventBridge; docs/events.md describes its keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tessera.tiling.report.wording import pluralize
from tessera.tiling.run.jobs import COMPLETED, NOT_CLOSED, NOT_OPENED
from tessera.tiling.run.run import Run
from tessera.tiling.training.line_counts import Counts

VERSION = 1
"""Version of the notice: it rises when a key changes its meaning or goes away."""

NOTICE_JOBS = 10
"""Jobs listed in a notice at most: with causes of up to 1,000 characters each, ten stay far below
the 256 KiB that SNS, EventBridge and Step Functions take."""

Job = Mapping[str, Any]
"""One labeling job's `name` and `status`, and its `error` and `cause` if it did not complete."""


def state_result(
    run: Run, counts: Counts, outcome: str, *, again: int, partial: bool, unloaded: int = 0
) -> dict[str, Any]:
    """Return the result of the state ConsolidateLabels: counts, URIs, and what to announce.

    `again` counts the images to ask again, and `unloaded` those without a label because they did
    not load.
    """
    result = {
        "outcome": outcome,
        "run": run.name,
        "home": run.home,
        "round": run.round,
        "images": counts.lines,
        "labeled": counts.training,
        "unlabeled": counts.unlabeled,
        "rejected": counts.rejected,
        "uncertain": counts.uncertain,
        "again": again,
        "partial": partial,
        "training_manifest": f"{run.home}training.manifest",
        "report": f"{run.home}report.html",
    }
    if outcome == "nothing-labeled":
        return result | {"failure": explain_nothing_labeled(run.jobs, run.home, unloaded=unloaded)}
    announcement = announce_labels(
        result,
        manifest=run.manifest_uri,
        jobs=run.jobs,
        execution=run.execution,
        unloaded=unloaded,
    )
    return result | {"announcement": announcement}


def announce_labels(
    result: Mapping[str, Any],
    *,
    manifest: str,
    jobs: Sequence[Job],
    execution: str,
    unloaded: int = 0,
) -> dict[str, Any]:
    """Return the subject line and the notice for a run whose training manifest is written.

    `result` is what ConsolidateLabels returns, `jobs` are those of the last round, and `unloaded`
    counts the images that have no label because they did not load.
    """
    incomplete = _incomplete(jobs)
    kind = "Partly labeled" if result["partial"] else "Labeled"
    labeled, images = result["labeled"], pluralize(result["images"], "image")
    return {
        "subject": f"{kind}: {labeled:,} of {images} of {result['run']}",
        "notice": {
            "version": VERSION,
            "run": result["run"],
            "home": result["home"],
            "manifest": manifest,
            "training_manifest": result["training_manifest"],
            "report": result["report"],
            "images": result["images"],
            "labeled": result["labeled"],
            "unlabeled": result["unlabeled"],
            "rejected": result["rejected"],
            "uncertain": result["uncertain"],
            "rounds": result["round"],
            "partial": result["partial"],
            "jobs": incomplete[:NOTICE_JOBS],
            "message": _message(result, incomplete, unloaded),
            "execution": execution,
        },
    }


def explain_nothing_labeled(jobs: Sequence[Job], home: str, *, unloaded: int = 0) -> dict[str, str]:
    """Return the error and the cause that a run without a single answer ends with.

    `unloaded` counts the images that did not load for those who were asked.
    """
    incomplete = _incomplete(jobs)
    # not the same as unanswered: what is wrong is in the request, and asking again will not help
    if jobs and all(job["status"] == NOT_OPENED for job in jobs):
        first = jobs[0]
        return {
            "error": "JobsRefused",
            "cause": "Not one job could be opened, so nobody was asked and nothing was paid. "
            f"The first, {first['name']}: {first['error']}: {first['cause']}",
        }
    sentences = ["The jobs ended without a single answer."]
    if any(job["status"] == NOT_CLOSED for job in jobs):
        # not the same as unanswered either: what is wrong is where answers are collected
        sentences = [
            "Not one answer could be collected; answers that were given are kept. Drop the "
            "manifest again once this is mended: nobody is asked anything twice."
        ]
    if unloaded:
        sentences.append(f"{pluralize(unloaded, 'picture')} did not load for the workers.")
    if incomplete:
        cause = incomplete[0].get("cause")
        sentences.append(_ended(incomplete[0], f": {cause}" if cause else ""))
    return {"error": "NothingLabeled", "cause": " ".join([*sentences, f"Run: {home}"])}


def _incomplete(jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if job["status"] != COMPLETED]


def _message(result: Mapping[str, Any], incomplete: Sequence[Job], unloaded: int) -> str:
    """Say how many images are labeled; of a partial run also what is missing and what to do."""
    labeled, images, unlabeled = result["labeled"], result["images"], result["unlabeled"]
    # "0 of 1 image is", "1 of 200 images is"
    verb = "is" if 1 in {labeled, images} else "are"
    summary = f"{labeled:,} of {pluralize(images, 'image')} {verb} labeled"
    if not result["partial"]:
        return f"{summary}."
    sentences = [f"{summary}: this is a part of what was asked."]
    if unlabeled:
        # images that nobody could recognize are among them: others may be able to
        has, them = ("has", "it") if unlabeled == 1 else ("have", "them")
        sentences.append(
            f"{pluralize(unlabeled, 'image')} {has} no label; drop unlabeled.manifest to ask for "
            f"{them} again."
        )
    if unloaded:
        sentences.append(
            f"{pluralize(unloaded, 'picture')} did not load for the workers: the report names them "
            "and what to look at first."
        )
    if incomplete:  # one by name: usually all ended for the same reason
        sentences.append(_ended(incomplete[0]))
    if len(incomplete) > 1:
        sentences.append(f"{pluralize(len(incomplete) - 1, 'more job')} did not complete.")
    return " ".join(sentences)


def _ended(job: Job, cause: str = "") -> str:
    return f"Job {job['name']} ended {job['status']}{cause}."

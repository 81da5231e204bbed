"""Say of a run that ended without success why it did, and which command goes on with it."""

from __future__ import annotations

from shlex import quote

from tessera.runs.executions import CUT_OFF, Ending, RunError
from tessera.stack.cloud import Cloud

SAME = "Mend the cause, and go on where it stopped, with every answer so far: {same}"
SETTINGS = "Nobody was asked. Correct the settings, and drop it with them: {same} --settings FILE"
MANIFEST = "Correct the manifest, and drop it: {anew}"

REMEDIES = {
    "SettingsInvalid": SETTINGS,
    "LabelsMissing": SETTINGS,
    "LabelAttributeIllegal": SETTINGS,
    "ManifestUnreadable": MANIFEST,
    "NoUsableLine": MANIFEST,
    "BucketMissing": MANIFEST,
    "TooManyBadLines": MANIFEST,
    "BucketUnreadable": SAME,
    "EmbeddingsUnusable": SAME,
    "PageUnusable": SAME,
    "GroupingFailed": SAME,
    "LabelingFailed": SAME,
    "JobsRefused": SAME,
    "NothingLabeled": SAME,
    "ConsolidationFailed": SAME,
}
"""Remedies by error; `docs/operations.md` says more. After any other, a run goes on."""

CUT = "cut off when the stack stopped"
"""Reason of a run's end, in words, that has no other error than `CUT_OFF`."""

NAME_TAKEN = ("JobsRefused", "NothingLabeled")
"""Errors after which Ground Truth may have jobs of the run, whose names it takes no second time."""


def next_step(end: Ending, cloud: Cloud) -> str:
    """Return what to do about a run that ended without success, with a command to be pasted."""
    if end.error == CUT_OFF:
        return f"Go on with it: {cloud.command('up')}"
    inbox = cloud.outputs["Inbox"].rstrip("/") + "/"
    project = end.manifest.removeprefix(inbox).rpartition("/")[0]
    same = cloud.command(f"drop {quote(end.manifest)}")
    anew = cloud.command(f"drop FILE --project {quote(project)}" if project else "drop FILE")
    remedy = REMEDIES.get(end.error, SAME)
    step = remedy.format(same=same, anew=anew)
    if remedy is not MANIFEST and end.etag and not _is_there(end, cloud):
        return f"{end.manifest} is gone or another one by now: put back what it was. {step}"
    if end.error in NAME_TAKEN and cloud.endpoint is None:
        return f"At Ground Truth, drop it under another name. {step}"
    return step


def _is_there(end: Ending, cloud: Cloud) -> bool:
    """Return whether the manifest lies in the inbox as it was dropped, as far as S3 can tell."""
    etag = cloud.storage.etag(end.manifest)
    if etag is None or not cloud.storage.is_etag_md5(end.manifest):
        return etag is not None  # the same content may have another ETag
    return etag.strip('"') == end.etag.strip('"')


def reason(end: Ending, cloud: Cloud) -> str:
    """Return in a line why a run ended without success, and what to do; empty if it did not."""
    if end.status in ("RUNNING", "SUCCEEDED"):
        return ""
    why = CUT if end.error == CUT_OFF else end.error or end.status
    return f"{why}. {next_step(end, cloud)}"


def failure(end: Ending, cloud: Cloud) -> RunError:
    """Return the error for a run that ended without success, with what to do about it."""
    if end.error == CUT_OFF:
        return RunError(f"The run was {CUT}. {next_step(end, cloud)}")
    why = ": ".join(part for part in (end.status, end.error, end.cause) if part)
    return RunError(f"The run ended {why}\n{next_step(end, cloud)}")


def require_no_failure(end: Ending, cloud: Cloud) -> None:
    """Raise RunError, as `failure` makes it, unless a run is still at work or has succeeded."""
    if end.status not in ("RUNNING", "SUCCEEDED"):
        raise failure(end, cloud)

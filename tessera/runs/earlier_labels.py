"""Reuse labels that finished runs of a project gave to pictures of a folder: nobody is asked twice.

A picture is known by the hash of its content in its key (`tiling.picture_keys`). Its line gets the
label as one that was labeled before, by the one rule for such lines
(`tessera.tiling.manifest.class_rule`). Why: docs/decisions/pictures-remembered.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from tessera.exits import NotFound
from tessera.exports.dataset import ORIGINAL_KEY
from tessera.exports.pictures import in_order
from tessera.runs.folder import RunFolder, list_runs
from tessera.screen import counted, progress
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import TesseraError
from tessera.tiling.manifest.class_rule import NoClass
from tessera.tiling.manifest.set_rule import label_rule
from tessera.tiling.picture_keys import digest_in, pictures_of
from tessera.tiling.run.run_record import project_of
from tessera.tiling.settings import Settings, default_question, multi_question

Members = dict[str, msgspec.Raw]
_decode_members = msgspec.json.Decoder(Members).decode


@dataclass(frozen=True, slots=True)
class LabeledManifest:
    """Manifest with labels of earlier runs in it: how many, and of which runs."""

    lines: bytes
    reused: int
    runs: tuple[str, ...]
    new: tuple[str, ...] = ()
    """Labels of now that one of these runs did not ask about."""

    def notice(self) -> list[str]:
        """Say in one sentence what was reused; nothing if nothing was."""
        if not self.reused:
            return []
        runs = self.runs[0] if len(self.runs) == 1 else f"{len(self.runs)} runs"
        return [
            f"{counted(self.reused, 'picture')} of this folder keep the label that {runs} of this "
            f"project gave the same content, and are not asked again{self._unasked()}; "
            "to ask: --ask-again"
        ]

    def _unasked(self) -> str:
        names = ", ".join(map(repr, self.new))
        return f", although nobody could choose {names} then" if names else ""


def reuse_labels(
    cloud: Cloud, manifest: bytes, project: str, settings: Settings
) -> LabeledManifest:
    """Return a folder's manifest with the labels that its pictures have from the project's runs.

    Of several labels the newest run's counts. Lines that have a label, or a known one, stay.
    """
    prefix = pictures_of(cloud.outputs["Inbox"], project)
    lines = [_decode_members(line) for line in manifest.splitlines()]
    digests = [digest_in(prefix, _original(line)) for line in lines]
    wanted = {
        digest
        for digest, line in zip(digests, lines, strict=True)
        if digest and not line.keys() & {"gold", settings.label_attribute}
    }
    finished = finished_runs(cloud, project, settings)
    labels = _labels_by_digest(finished, prefix, wanted, settings)
    reused, runs = 0, dict[str, None]()
    for digest, line in zip(digests, lines, strict=True):
        if digest in wanted and digest in labels:
            run, members = labels[digest]
            line.pop("prelabel", None)  # a guess at what is known
            line |= members
            runs[run] = None
            reused += 1
    if not reused:
        return LabeledManifest(manifest, 0, ())
    written = msgspec.json.Encoder().encode_lines(lines)
    asked = [set(run.settings.labels) for run in finished if run.name in runs]
    new = tuple(label for label in settings.labels if any(label not in each for each in asked))
    return LabeledManifest(written, reused, tuple(runs), new)


def _original(members: Members) -> str:
    """Return the URI of a line's picture as dropped, whatever the page shows of it."""
    uri = msgspec.json.decode(members.get(ORIGINAL_KEY) or members["source-ref"])
    return uri if isinstance(uri, str) else ""


def asks_the_same(dropped: bytes, lines: bytes, settings: Settings) -> bool:
    """Return whether a manifest that was dropped is this one, but for labels of earlier runs."""
    before, now = dropped.splitlines(), lines.splitlines()
    if len(before) != len(now):
        return False
    attribute = settings.label_attribute
    for line, other in zip(before, now, strict=True):
        if line == other:
            continue
        try:
            members, others = _decode_members(line), _decode_members(other)
        except (msgspec.DecodeError, UnicodeDecodeError):  # somebody else's manifest of this name
            return False
        keys = ("source-ref",) if attribute in members else members.keys() | others.keys()
        if any(bytes(members.get(key, b"")) != bytes(others.get(key, b"")) for key in keys):
            return False
    return True


def finished_runs(cloud: Cloud, project: str, settings: Settings) -> list[RunFolder]:
    """Return the project's runs that have all their labels and asked the same, newest first.

    Those that asked another question are none of them: a label is an answer to its question.
    """
    runs = [run for run, _ in list_runs(cloud)]
    with progress("runs", len(runs)) as advance:
        finished = []
        for run, is_one in in_order(_finished(project, settings), runs):
            advance(1)
            if is_one is True:
                finished.append(run)
    return finished


def _finished(project: str, settings: Settings) -> Callable[[RunFolder], bool]:
    def is_finished(run: RunFolder) -> bool:
        try:
            return _has_all_labels(run)
        except (TesseraError, NotFound, ValueError, KeyError):
            return False  # a folder of an older version, or of somebody's own

    def _has_all_labels(run: RunFolder) -> bool:
        if project_of(run.record["manifest"]) != project:
            return False
        if run.settings.task != settings.task or not run.has("report.json"):
            return False
        if _own_question(run.settings) != _own_question(settings):
            return False
        asked = run.record.get("rounds") or []
        # The last round left nothing to ask again: what was unsure before has been asked since.
        return not asked or (
            not run.has(f"round-{asked[-1]['round']}/unsure.csv")
            and len(run.report["rounds"]) >= len([one for one in asked if one["tasks"]])
        )

    return is_finished


def _own_question(settings: Settings) -> str:
    """Return the question that somebody wrote, or "" for the one that is made from the labels."""
    make = multi_question if settings.is_multi else default_question
    made = settings.question == make(list(settings.labels))
    return "" if made else settings.question


def _labels_by_digest(
    runs: Iterable[RunFolder], prefix: str, wanted: set[str], settings: Settings
) -> dict[str, tuple[str, Members]]:
    """Return the name of the run and the members of the label, by the picture's content hash."""
    labels: dict[str, tuple[str, Members]] = {}
    own, rule = settings.label_attribute, label_rule(settings)
    with progress("labels of earlier runs", None) as advance:
        for run in runs:
            if wanted <= labels.keys():
                break
            theirs = run.settings.label_attribute
            for line in run.lines(run.training):
                advance(1)
                members = _decode_members(line)
                digest = digest_in(prefix, _original(members))
                if digest not in wanted or digest in labels or theirs not in members:
                    continue
                label, metadata = members[theirs], members.get(f"{theirs}-metadata")
                try:
                    rule.read(label, metadata)
                except NoClass:  # of labels that are no more: it is asked again
                    continue
                labels[digest] = (
                    run.name,
                    {own: label} | ({f"{own}-metadata": metadata} if metadata is not None else {}),
                )
    return labels

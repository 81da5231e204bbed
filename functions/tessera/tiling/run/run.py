"""Describe one run in one of its rounds: what its record and the state machine say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from tessera.tiling.consolidation_rules import NEWEST_RULES
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.run.jobs import COMPLETED
from tessera.tiling.run.run_record import decode_record, manifest_uri, project_of, settings_of
from tessera.tiling.settings import Settings

MAX_UNLOADED = 3
"""Workers an image may fail to load for until it is given up: the network of one may be at fault,
and even of two in one office, but three in vain mean the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run whose jobs of the newest round have ended.

    `manifest` is an object in S3 (`bucket`, `key`, maybe `version-id`), `counts` are those of its
    lines when it was grouped, `tasks` has the number of tasks by round and `asked` that of images,
    and `jobs` are the newest round's, each with its `name` and `status`; `pictures` is the rule of
    what lines may name, and `notices` are sentences on the manifest and its settings. `rules` is
    the number of those that answers are consolidated by. `embeds_itself` says whether pictures are
    embedded by the run; `embedding` is why they could not be, empty if all was well.
    """

    name: str
    home: str
    round: int
    started: str
    execution: str
    settings: Settings
    manifest: Mapping[str, str]
    counts: Mapping[str, int]
    tasks: Mapping[int, int] = field(default_factory=dict)
    asked: Mapping[int, int] = field(default_factory=dict)
    jobs: Sequence[Mapping[str, Any]] = ()
    pictures: SourceRule = ANY_SOURCE
    notices: Sequence[str] = ()
    rules: int = NEWEST_RULES
    embeds_itself: bool = False
    embedding: str = ""

    @property
    def manifest_uri(self) -> str:
        """Return the manifest's URI."""
        return manifest_uri(self.manifest)

    @property
    def project(self) -> str:
        """Return the manifest's folder, by which metrics are kept apart."""
        return project_of(self.manifest)

    @property
    def expected_answers(self) -> int:
        """Return how many answers all rounds so far asked for, one an image and worker."""
        if not self.asked:  # a record of a version that did not note it
            return self.counts["lines"] * (self.settings.answers_per_image + self.round - 1)
        first = self.asked.get(1, 0) * (self.settings.answers_per_image - 1)
        return first + sum(self.asked.values())

    @property
    def all_jobs_completed(self) -> bool:
        """Return whether every job got all the answers it asked for."""
        return all(job["status"] == COMPLETED for job in self.jobs)

    @property
    def may_ask_again(self) -> bool:
        """Return whether one more round is allowed.

        It is not beyond the most answers an image may get, nor after a job that was stopped, failed
        or ran out of time: whoever or whatever ended it would end the next one too.
        """
        return self._answers_next <= self.settings.max_answers and self.all_jobs_completed

    @property
    def may_retry(self) -> bool:
        """Return whether images that did not load may be asked of somebody else once more.

        A failure is no answer, so it takes none from `max_answers`: it may cost so many rounds more
        as give an image its `MAX_UNLOADED` workers.
        """
        most = self.settings.max_answers + MAX_UNLOADED
        return self._answers_next < most and self.all_jobs_completed

    @property
    def _answers_next(self) -> int:
        """Return the answers, after one more round, of the images that were asked last of all.

        Without a model those are all images. With one they begin in the second round, and those
        that were left to the model begin when the audit has had all its answers, and has missed.
        """
        settings = self.settings
        if settings.guesses is UNSET:
            return settings.answers_per_image + self.round
        return self.round - (settings.max_answers if settings.audited else 0)


FAILURE = re.compile(r'[^{]*\{"errorMessage": ?("(?:[^"\\]|\\.)*")')
"""Beginning of what Lambda says of a function that failed; the rest may be cut off."""


def sentence_of(failure: str) -> str:
    """Return the function's own sentence in what the state machine caught of it.

    >>> sentence_of('EncoderUnusable: {"errorMessage": "no weights here", "errorTy')
    'no weights here'
    >>> sentence_of("States.Timeout: ")
    'States.Timeout'
    """
    if match := FAILURE.match(failure):
        return str(msgspec.json.decode(match[1]))
    return failure.removesuffix(": ")


def read_run(document: bytes, event: Mapping[str, Any]) -> Run:
    """Return the run of a `run.json` and of an event of the state ConsolidateLabels."""
    record = decode_record(document)
    embedding = sentence_of(event.get("embedding", ""))  # not in events of earlier releases
    notices = list(record.notices or ())
    if embedding:
        notices.append(
            f"Not every picture could be embedded, and a model guesses nothing of the others: "
            f"{embedding}"
        )
    # the event's execution, not the record's: another one may have taken the run over
    return Run(
        name=event["run"],
        home=event["home"],
        round=event["round"],
        started=event["started"],
        execution=event["execution"],
        settings=settings_of(record),
        pictures=record.pictures,
        manifest=record.manifest,
        counts=record.counts,
        tasks={asked.round: asked.tasks for asked in record.rounds},
        asked={asked.round: asked.images for asked in record.rounds},
        jobs=event["jobs"],
        notices=notices,
        rules=record.rules,
        embeds_itself=bool(record.embedding_blocks),
        embedding=embedding,
    )

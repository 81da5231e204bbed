"""Judge a run's answers: consolidate them, with a model that learns from them if the run has one.

A model is a help and no need: whatever becomes of it, the run goes on, and its report says why it
went on without.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol

import msgspec
import numpy as np

from tessera.tiling.consensus import Crowd, Evidence, consolidate
from tessera.tiling.guesses import embeddings, stored
from tessera.tiling.guesses.annotator import learn
from tessera.tiling.guesses.asking import Judged, ModelResult, decide
from tessera.tiling.guesses.audit import Bools, Indexes
from tessera.tiling.guesses.columns import Columns
from tessera.tiling.manifest.blocks import BlockParser
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.run.run import Run


class Files(stored.Files, embeddings.Files, Protocol):
    """Stored objects as they are read and written here."""

    def iter_lines(self, uri: str) -> Iterator[bytes]:
        """Iterate over the object's lines without their line ends."""


ReadImages = Callable[[], Bools]
"""Reads which lines of the manifest are images that people may still be asked (lines)."""


def judge_with_model(
    files: Files, run: Run, crowd: Crowd, beside: Evidence, read_images: ReadImages
) -> ModelResult:
    """Consolidate the answers with what a model learned from them, and decide whom to ask next."""
    judged, failure = _judge(files, run, crowd, beside)
    if run.settings.audited is None or not judged.uses_guesses:
        return ModelResult(judged, decide(judged, run.settings, may_ask=run.may_ask_again), failure)
    drawn = _drawn_before(files, run)
    images = read_images()
    decision = decide(judged, run.settings, images=images, audit=drawn, may_ask=run.may_ask_again)
    if drawn is None and decision.audit is not None and len(decision.audit.images):
        rows = "".join(f"{index}\n" for index in decision.audit.images.tolist())
        uri = f"{run.home}round-{run.round}/{AUDIT_NAME}"
        files.put(uri, f"index\n{rows}".encode(), content_type="text/csv")
    return ModelResult(judged, decision, failure)


AUDIT_NAME = "audit.csv"
"""Name of the file of audited images, in the folder of the round after which they were drawn."""


def _judge(files: Files, run: Run, crowd: Crowd, beside: Evidence) -> tuple[Judged, str]:
    """Return the answers with the model's guesses, or without them and the reason."""
    store = stored.StoredGuesses(files, f"{run.home}round-{run.round}/", crowd)
    before = store.read()
    if isinstance(before, str):
        return _without_model(crowd, beside), before
    if before is not None:
        consensus = consolidate(crowd, evidence=before.evidence(beside))
        return Judged(crowd, beside, before, consensus), ""
    is_own = run.settings.own_encoder is not None
    if is_own and files.size(f"{run.home}{embeddings.COPY_NAME}") is None:
        reason = f"its pictures could not be embedded: {run.embedding or 'nobody knows why'}"
        store.fail(reason)
        return _without_model(crowd, beside), reason
    store.begin()
    try:
        rows = embeddings.open_embeddings(files, f"{run.home}{embeddings.COPY_NAME}")
        guesses, consensus = learn(Columns(rows), crowd, beside)
    except Exception as error:  # whatever it is, answers are there, and labels can be made of them
        reason = f"{type(error).__name__}: {error}"
        store.fail(reason)
        return _without_model(crowd, beside), reason
    store.write(guesses)
    return Judged(crowd, beside, guesses, consensus), ""


def _without_model(crowd: Crowd, beside: Evidence) -> Judged:
    return Judged(crowd, beside, None, consolidate(crowd, evidence=beside))


def _drawn_before(files: Files, run: Run) -> Indexes | None:
    """Return the audited images that this or an earlier round has drawn, or None."""
    for round_ in range(1, run.round + 1):
        uri = f"{run.home}round-{round_}/{AUDIT_NAME}"
        if files.size(uri) is not None:
            rows = [row for row in files.iter_lines(uri) if row.isdigit()]
            return np.array(rows, np.int64)
    return None


def image_lines(chunks: Iterable[bytes], run: Run, others: Collection[int]) -> Bools:
    """Return which lines of the manifest are images that people are asked (lines).

    `others` are images that are not: duplicates of an earlier line, and gold images.
    """
    # duplicates were found when the manifest was grouped, and need no fingerprints here
    settings = msgspec.structs.replace(run.settings, repeats="each")
    parser = BlockParser(settings, frozenset(), lambda _: None, rule=run.pictures)
    asked = np.zeros(run.counts["lines"], np.bool_)
    for block in line_blocks(chunks):
        asked[parser.parse(block).indexes] = True
    asked[np.fromiter(others, np.int64, len(others))] = False
    return asked

"""End the run of a custom task: its jobs' output manifests become the run's, line by line.

Nothing is consolidated here: labels are what the requester's post-annotation Lambda made, or, where
there is none, the addresses of the answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any

import msgspec

from tessera.tiling import label_run
from tessera.tiling.answers.gather import list_shards
from tessera.tiling.kinds.custom_task import Fate, read_lines
from tessera.tiling.kinds.kind_result import Files, KindResult
from tessera.tiling.label_run import manifest_chunks
from tessera.tiling.report.announcement import state_result
from tessera.tiling.report.figures import VERSION
from tessera.tiling.run.jobs import OUTPUT_MANIFEST
from tessera.tiling.run.run import Run
from tessera.tiling.training.line_counts import UNANSWERED_REASON, Counts


def label_custom_run(files: Files, run: Run, home: str) -> KindResult:
    """Write the manifests of a custom task's run into `home`, and return its figures."""
    counts = _write_lines(files, run, home)
    return KindResult(_figures(files, run, counts), _summarize(run, counts))


def _write_lines(files: Files, run: Run, home: str) -> Counts:
    """Write each line of the manifest to one of the manifests at `home`, and count them."""
    counts, attribute = Counts(), run.settings.label_attribute
    create = partial(label_run.create_file, files, home)
    outputs = chain.from_iterable(files.iter_lines(uri) for uri in _output_manifests(files, run))
    with create("training.manifest") as training, create("unlabeled.manifest") as unlabeled:
        for line in read_lines(manifest_chunks(files, run), run.settings, run.pictures):
            counts.lines += 1
            if line.fate is Fate.REJECTED:
                counts.rejected += 1
                continue
            # An output that ends early leaves the rest as it came.
            raw = next(outputs, line.raw) if line.fate is Fate.ASKED else line.raw
            counts.labeled_before += line.fate is Fate.LABELED
            is_labeled = attribute in msgspec.json.decode(raw)
            (training if is_labeled else unlabeled).write(raw + b"\n")
            counts.training += is_labeled
            counts.unlabeled += not is_labeled
    counts.check(run.counts["lines"])
    return counts


def _output_manifests(files: Files, run: Run) -> Iterator[str]:
    """Yield the URI of each job's output; of its tasks if the job has none."""
    for shard in list_shards(files, run):
        uri = f"{shard.job_folder(run)}{OUTPUT_MANIFEST}"
        yield shard.tasks if files.size(uri) is None else uri


def _figures(files: Files, run: Run, counts: Counts) -> dict[str, Any]:
    """Return what report.json says: the keys that runs of tiles have, as far as they apply."""
    workers: Counter[str] = Counter()
    for shard in list_shards(files, run):
        folder = f"{shard.job_folder(run)}annotations/worker-response/iteration-1/"
        for uri in files.list_uris(folder):
            workers[uri.rpartition("/")[2].removesuffix(".json")] += 1
    return {
        "version": VERSION,
        "run": run.name,
        "question": run.settings.question,
        "settings": msgspec.to_builtins(run.settings),
        "images": msgspec.to_builtins(counts),
        "unlabeled": {UNANSWERED_REASON: counts.unlabeled} if counts.unlabeled else {},
        "answers": {"used": workers.total()},
        "confidence": {"mean": None},
        "workers": [
            {"worker": worker, "answers": answers}
            for worker, answers in sorted(workers.items(), key=lambda row: (-row[1], row[0]))
        ],
        "jobs": list(run.jobs),
        "manifest": run.manifest_uri,
        "started": run.started,
    }


def _summarize(run: Run, counts: Counts) -> dict[str, Any]:
    """Return the result of the state ConsolidateLabels, whose rounds are one."""
    asked = counts.lines - counts.rejected - counts.labeled_before
    labeled = counts.training - counts.labeled_before
    return state_result(
        run,
        counts,
        "done" if labeled or not asked else "nothing-labeled",
        again=0,
        partial=not run.all_jobs_completed or counts.unlabeled > 0,
    )

"""Find pictures of a run that are no longer what people were shown.

The portal records ETags as pages are answered (`tessera.portal.picture_record`), or "" where a
picture was put while people had its page; the key of a picture that `drop` uploaded has the hash of
its content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from tessera.exports.pictures import in_order
from tessera.picture_folder import listed
from tessera.runs.folder import RunFolder
from tessera.screen import counted, progress

MOST_TASKS = 100
"""Tasks whose pictures are compared where nothing else reads them: some two thousand requests,
which take seconds; an export of pictures compares all of them on the way."""


@dataclass(frozen=True, slots=True)
class PictureChanges:
    """Pictures that have changed among those that were looked at; all of them, or a sample."""

    changed: tuple[str, ...]
    looked_at: int
    sampled: bool = False

    def warnings(self) -> list[str]:
        """Say how many pictures have changed, and which, in one sentence; none if none has."""
        if not self.changed:
            return []
        of_how_many = f" of {self.looked_at:,} looked at" if self.sampled else ""
        return [
            f"{counted(len(self.changed), 'picture')}{of_how_many} changed after people were shown "
            f"them: {listed(self.changed)}. Their labels are of what they were; to have them "
            "labeled as they are, put them under other names and drop those"
        ]


def recorded_etags(
    run: RunFolder, *, at_most: int | None = None
) -> tuple[dict[str, set[str]], bool]:
    """Return the ETags that pictures had when they were shown, and whether they are a sample.

    A picture that was shown in several rounds may have had several. With `at_most`, so many tasks
    are read, spread evenly.
    """
    records = list(_records(run))
    step = 1 if at_most is None else max(1, -(-len(records) // at_most))
    etags: dict[str, set[str]] = defaultdict(set)
    storage = run.cloud.storage
    with progress("records of pictures", len(records[::step])) as advance:
        for _, content in in_order(storage.get, records[::step]):
            advance(1)
            if isinstance(content, bytes):
                for uri, etag in msgspec.json.decode(content, type=dict[str, str]).items():
                    etags[uri].add(etag)
    return etags, step > 1


def changes_since_shown(run: RunFolder) -> PictureChanges:
    """Compare pictures of a run with what they were when people were shown them.

    Of a large run it is a sample.
    """
    etags, sampled = recorded_etags(run, at_most=MOST_TASKS)
    changed = []
    with progress("pictures compared", len(etags)) as advance:
        for uri, etag in in_order(run.cloud.storage.etag, sorted(etags)):
            advance(1)
            # One that is gone is told where it is read; it has not become another.
            if isinstance(etag, str) and etags[uri] != {etag}:
                changed.append(uri)
    return PictureChanges(tuple(changed), len(etags), sampled)


def _records(run: RunFolder) -> Iterator[str]:
    """Yield the URIs of the records of all jobs of a run."""
    storage = run.cloud.storage
    for asked in run.record.get("rounds") or []:
        for job in storage.list_folders(run.uri(f"round-{asked['round']}/jobs/")):
            yield from storage.list_uris(f"{job}pictures/")

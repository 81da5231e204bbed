"""Read the output tree of a Ground Truth labeling job, finished or stopped.

    manifests/output/output.manifest                        every input line, with its label if any
    annotations/worker-response/iteration-N/OBJECT/*.json   what workers submitted
    annotations/consolidated-annotation/consolidation-request/iteration-N/*.json   the same again
    annotation-tool/data.json                               the label categories, in some jobs

Copies of parts of a tree are read too: `output.manifest` and `worker-response/` without the folders
above them. Answers are taken as they are: what they say is for the core that reads every run's
answers. What cannot be read at all is counted by reason. The layout: docs/from-ground-truth.md.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tessera.exits import Refused
from tessera.tiling.answers.submission import MALFORMED, chosen_label, unwrap
from tessera.tiling.errors import NOT_JSON
from tessera.tiling.run.jobs import OUTPUT_MANIFEST

OUTPUT = OUTPUT_MANIFEST
RESPONSES = "annotations/worker-response/"
REQUESTS = "annotations/consolidated-annotation/consolidation-request/"
CATEGORIES = "annotation-tool/data.json"
TYPE = "groundtruth/"
"""Beginning of the type in a label's metadata."""

MOST_KEYS = 4
"""Keys of answers that a refusal names: enough to see what kind of job it was."""

ITERATION = re.compile(r"/iteration-(\d+)/")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Tree(Protocol):
    """Files of a job by their names in its folder."""

    def names(self) -> Iterator[str]:
        """Yield the names of all files, sorted."""

    def read(self, name: str) -> bytes:
        """Return one file, whole."""


class LocalTree:
    """Output tree in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder."""
        self._folder = folder

    def names(self) -> Iterator[str]:
        """Yield the names of all files, sorted."""
        files = (path for path in self._folder.rglob("*") if path.is_file())
        yield from sorted(path.relative_to(self._folder).as_posix() for path in files)

    def read(self, name: str) -> bytes:
        """Return one file, whole."""
        return (self._folder / name).read_bytes()


class S3Tree:
    """Output tree under an S3 URI; `storage` reads it."""

    def __init__(self, storage: Any, uri: str) -> None:
        """Keep the URI with a slash at its end."""
        self._storage, self._uri = storage, uri.rstrip("/") + "/"

    def names(self) -> Iterator[str]:
        """Yield the names of all files, sorted."""
        for uri in self._storage.list_uris(self._uri):
            yield uri.removeprefix(self._uri)

    def read(self, name: str) -> bytes:
        """Return one file, whole."""
        content: bytes = self._storage.get(self._uri + name)
        return content


def tree_at(place: str, storage: Callable[[], Any]) -> Tree | None:
    """Return the tree in a folder or at an S3 URI, None without a folder.

    `storage` connects to S3.
    """
    if place.startswith("s3://"):
        return S3Tree(storage(), place)
    return LocalTree(Path(place)) if Path(place).is_dir() else None


class WholeTree:
    """Files of a tree by the names that they have in a whole one, in the order of iterations."""

    PARTS = ("worker-response/", "consolidated-annotation/")

    def __init__(self, tree: Tree) -> None:
        """List the tree's files once, without those that an operating system hides in folders."""
        self._tree = tree
        names = [name for name in tree.names() if not name.rpartition("/")[2].startswith(".")]
        self._names = {self._whole_name(name): name for name in names}

    def _whole_name(self, name: str) -> str:
        if name == "output.manifest":
            return OUTPUT
        return f"annotations/{name}" if name.startswith(self.PARTS) else name

    def __contains__(self, name: str) -> bool:
        """Return whether the tree has such a file."""
        return name in self._names

    def under(self, prefix: str) -> list[str]:
        """Return the names under a prefix; iteration-10 comes after iteration-9."""
        names = [name for name in self._names if name.startswith(prefix)]
        return sorted(names, key=lambda name: (_iteration(name), name))

    def read(self, name: str) -> bytes:
        """Return one file, whole."""
        return self._tree.read(self._names[name])

    def without_output(self, where: str) -> str:
        """Say that there is no output manifest, and which folders below have one."""
        jobs = [name.removesuffix(f"/{OUTPUT}") for name in self._names if name.endswith(OUTPUT)]
        if jobs:
            folders = ", ".join(f"{where.rstrip('/')}/{job}" for job in jobs[:MOST_KEYS])
            more = ", …" if len(jobs) > MOST_KEYS else ""
            return (
                f"{where} has no {OUTPUT}, but folders below it have. Give that of one job: "
                f"{folders}{more}"
            )
        return f"{where} has no {OUTPUT}. Give the folder of one job, which has the job's name"


def _iteration(name: str) -> int:
    """Return which iteration a file is of; 0 if its name says none.

    >>> _iteration("annotations/worker-response/iteration-10/3/2019-04-18_16:13:05.json")
    10
    """
    match = ITERATION.search(name)
    return int(match[1]) if match else 0


@dataclass
class GroundTruthJob:
    """Contents of a job's output tree.

    `lines` are the input lines, without the job's own label; `before` has the class name that the
    job gave each labeled line. `answers` has for each line its workers' answers, the first of each:
    `workerId`, `answer` (the form's object, or what could not be read as one) and `seconds` if
    known. `odd` counts by reason what could not be read at all; `latest` is when the last
    answer came.
    """

    attribute: str
    labels: list[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    before: dict[int, str] = field(default_factory=dict)
    answers: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
    odd: Counter[str] = field(default_factory=Counter)
    latest: str = ""

    @property
    def most_answers(self) -> int:
        """Most answers that a line has: as many as the job asked for, unless it was stopped."""
        return max(map(len, self.answers.values()), default=0)


def read_job(
    tree: Tree, where: str, manifest: Path | None = None, attribute: str | None = None
) -> GroundTruthJob:
    """Return what is in a job's output tree; `manifest` is its input where there is no output.

    `attribute` is the key of the job's labels; without it, it is the newest of its lines. Raises
    Refused where there is no manifest, or no answer, or none that is one label for its line.
    """
    files = WholeTree(tree)
    if OUTPUT not in files and manifest is None:
        raise Refused(
            f"{files.without_output(where)}; for a job that failed before it wrote one, add its "
            "input: --manifest FILE"
        )
    job = GroundTruthJob(attribute="", labels=[])
    lines = manifest.read_bytes() if manifest and OUTPUT not in files else files.read(OUTPUT)
    records = list(_records(lines, job))
    if not any(records):
        raise Refused(
            f"{manifest or f'{where}/{OUTPUT}'} has no line that is a JSON object, so there is "
            "nothing to label. Give the job's input manifest: --manifest FILE"
        )
    keys = label_keys(records, where)
    if attribute and attribute not in keys:
        refuse_attribute(where, attribute, keys)
    job.attribute = attribute or next(reversed(keys), "label")
    given = _take_labels(job, records)
    _read_responses(files, job)
    _read_requests(files, job)
    if not job.answers:
        raise Refused(
            f"{where} has no answers under {RESPONSES} to the lines of {manifest or OUTPUT}, so "
            "there is nothing to import. Give the whole folder of the job, annotations/ among it."
        )
    if not any(_label(value) for value in _all_fields(job)):
        raise Refused(
            f"{where} has no answer that is one label for its line: they hold {_held(job)}. Labels "
            "for whole pictures can be imported; boxes, masks, texts and several labels cannot."
        )
    listed = categories(files.read(CATEGORIES)) if CATEGORIES in files else []
    job.labels = list(dict.fromkeys(listed or [*given, *sorted(_answered_labels(job))]))
    return job


def _take_labels(job: GroundTruthJob, records: list[dict[str, Any]]) -> list[str]:
    """Take the job's labels off its lines, and return their names in the order of the classes."""
    by_number: dict[int, str] = {}
    for index, record in enumerate(records):
        metadata = record.pop(f"{job.attribute}-metadata", None)
        label = record.pop(job.attribute, None)
        job.lines.append(record)
        if isinstance(metadata, dict) and isinstance(name := metadata.get("class-name"), str):
            job.before[index] = name
            if isinstance(label, int | str) and str(label).isdecimal():
                by_number[int(label)] = name
    return [by_number[number] for number in sorted(by_number)]


def _records(manifest: bytes, job: GroundTruthJob) -> Iterator[dict[str, Any]]:
    """Yield the lines of a manifest; one that is no object is an empty one, and counted."""
    for line in manifest.splitlines():
        try:
            record = json.loads(line)
        except NOT_JSON:
            record = None
        if not isinstance(record, dict):
            job.odd["lines of the manifest that are no JSON object"] += 1
            record = {}
        yield record


def label_keys(records: Iterable[dict[str, Any]], where: str) -> dict[str, str]:
    """Return the keys that labeling jobs gave labels, with the kind of each; the job's own is last.

    A job appends its key to each line, those of the jobs before it stay. The job's own is the one
    whose metadata names the job's folder, else the last of the line that has most: a stopped job
    leaves lines as they came. The kind is the type without "groundtruth/"; empty if all failed.
    """
    job = where.rstrip("/").removesuffix(f"/{OUTPUT}").rpartition("/")[2]
    kinds: dict[str, str] = {}
    longest, own = list[str](), ""
    for record in records:
        keys = []
        for key, metadata in record.items():
            name = key.removesuffix("-metadata")
            if name == key or not isinstance(metadata, dict):
                continue
            kind = str(metadata.get("type", "")).lower()
            if kind.startswith(TYPE) or "failure-reason" in metadata:
                keys.append(name)
                kinds[name] = kind.removeprefix(TYPE) or kinds.get(name, "")
            if str(metadata.get("job-name", "")).rpartition("/")[2] == job:
                own = name
        longest = max(longest, keys, key=len)
    order = [name for name in [*kinds, *longest] if name in kinds]
    order = [*dict.fromkeys(reversed(order))][::-1]  # the longest line's order, at the end
    if own in kinds:
        order = [*(name for name in order if name != own), own]
    return {name: kinds[name] for name in order}


def refuse_attribute(where: str, attribute: str, keys: Iterable[str]) -> NoReturn:
    """Refuse a key under which no labeling job gave labels, and name those that there are."""
    others = ", ".join(keys) or "none"
    raise Refused(
        f"{where} has no labels of a labeling job under {attribute!r}. Name one of its keys with "
        f"--label-attribute: {others}"
    )


def _read_responses(files: WholeTree, job: GroundTruthJob) -> None:
    """Read `iteration-N/OBJECT/TIME.json` of all iterations, in their order."""
    for name in files.under(RESPONSES):
        parts = name.removeprefix(RESPONSES).split("/")
        if len(parts) != 3 or not parts[1].isdecimal():
            continue
        try:
            entries = list(json.loads(files.read(name))["answers"])
        except MALFORMED:
            job.odd["files of answers that cannot be read"] += 1
            continue
        for entry in entries:
            _add(job, parts[1], entry, "answerContent")


def _read_requests(files: WholeTree, job: GroundTruthJob) -> None:
    """Read what the post-annotation function was asked, for answers that are nowhere else."""
    for name in files.under(REQUESTS):
        try:
            objects = [
                (str(each["datasetObjectId"]), list(each["annotations"]))
                for each in json.loads(files.read(name))
            ]
        except MALFORMED:
            job.odd["requests for consolidation that cannot be read"] += 1
            continue
        for number, entries in objects:
            for annotation in entries:
                data = annotation.get("annotationData") if isinstance(annotation, dict) else None
                if isinstance(data, dict) and "content" in data:
                    _add(job, number, {**annotation, "content": data["content"]}, "content")


def _add(job: GroundTruthJob, number: str, entry: Any, key: str) -> None:
    """Add one worker's answer to a line, unless it is known already."""
    worker = entry.get("workerId") if isinstance(entry, dict) else None
    if not isinstance(worker, str) or not worker:
        job.odd["answers without a worker"] += 1
    elif not number.isdecimal() or int(number) >= len(job.lines):
        job.odd["answers to no line of the manifest"] += 1
    else:
        seconds = entry.get("timeSpentInSeconds")
        answer = {"workerId": worker, "answer": _form(entry.get(key))}
        answer |= {"seconds": seconds} if isinstance(seconds, int | float) else {}
        job.answers.setdefault(int(number), {}).setdefault(worker, answer)
        if isinstance(time := entry.get("submissionTime"), str) and TIME.fullmatch(time):
            job.latest = max(job.latest, time)


def _form(content: Any) -> Any:
    """Return a form's object out of its wrappings, or what there is instead."""
    try:
        return unwrap(content)
    except MALFORMED:
        return content


def choice_of(answer: Any, labels: Mapping[str, Any] | list[str]) -> Any:
    """Return which field of a form chooses a label, as the core reads choices.

    Where none does, or several do, the whole form is returned, which the core tells as odd.

    >>> choice_of({"animal": {"label": "cat"}, "comment": "blurred"}, ["cat", "dog"])
    'cat'
    >>> choice_of({"animal": {"labels": ["cat"]}}, ["cat", "dog"])
    'cat'
    """
    chosen = {label for value in _fields(answer) if (label := _label(value)) in labels}
    return chosen.pop() if len(chosen) == 1 else answer


def _fields(answer: Any) -> list[Any]:
    return list(answer.values()) if isinstance(answer, dict) else [answer]


def _label(value: Any) -> str | None:
    """Return the one label that a field names, or None."""
    if isinstance(value, dict) and isinstance(value.get("labels"), list):
        value = value["labels"][0] if len(value["labels"]) == 1 else None
    try:
        return chosen_label(value)
    except MALFORMED:
        return None


def _all_fields(job: GroundTruthJob) -> Iterator[Any]:
    """Yield every field of every answer's form."""
    for answers in job.answers.values():
        for answer in answers.values():
            yield from _fields(answer["answer"])


def _answered_labels(job: GroundTruthJob) -> set[str]:
    """Return the labels that answers name by an element for labels, not by a field of text."""
    fields = (value for value in _all_fields(job) if isinstance(value, dict))
    return {label for value in fields if (label := _label(value))}


def _held(job: GroundTruthJob) -> str:
    """Name what answers hold that are no labels: the keys of their elements, the commonest first.

    >>> job = GroundTruthJob("boxes", [])
    >>> job.answers[0] = {"ann": {"answer": {"annotatedResult": {"boundingBoxes": []}}}}
    >>> _held(job)
    'boundingBoxes'
    """
    keys = Counter(
        key
        for value in _all_fields(job)
        for key in (value if isinstance(value, dict) else {"text": value})
    )
    return ", ".join(key[:40] for key, _ in keys.most_common(MOST_KEYS)) or "nothing"


def categories(document: bytes) -> list[str]:
    """Return the labels of a label category file; none if it is no such file."""
    try:
        return [str(entry["label"]) for entry in json.loads(document)["labels"]]
    except MALFORMED:
        return []

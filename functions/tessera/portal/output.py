"""Write a closed job's output tree, as Ground Truth leaves it, from the answers in S3.

It needs nothing but the request and S3, so it does the same however the job ended, and the same
bytes when it is done twice. It is written in parts of a thousand tasks, each kept by what was
answered; whoever closes the job again after a broken-off writing goes on with the part after.

    tasks of a part ─ answered before? ─ yes ─> its lines as they were kept ──┐
                            no                                               ├─> output manifest
                            └─> read answers ahead ─> batches ─> labels ─> keep its lines ─┘
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from tessera.portal.corrections import last_corrections
from tessera.portal.ports import PARALLEL_READS, Files, Ports, job_arn
from tessera.portal.records import Job
from tessera.portal.worker_response import decode_response
from tessera.tiling.run.jobs import COMPLETED, OUTPUT_MANIFEST, STOPPED

BATCH_TASKS = 100
"""Tasks of one call of the post-annotation Lambda, and of one stretch of answers read ahead."""

PART_TASKS = 1_000
"""Tasks whose lines are kept together: a put for some four seconds of reading, which is what a
writing that broke off loses (docs/limits.md)."""

STRETCHES_AHEAD = 2
"""Stretches of a batch's tasks whose answers are read at a time: one while another is packed."""

BATCH_BYTES = 2_000_000
"""Bytes of answers of one call: a third of the 6 MB that a Lambda's response may have, since the
post-annotation Lambda wraps the answers in text of its own."""


class AnsweredTask(NamedTuple):
    """Task's line of the manifest and the answers to it, by worker."""

    number: int
    line: bytes
    answers: list[dict[str, Any]]


def write_output(ports: Ports, job: Job) -> dict[str, Any]:
    """Write the job's output manifest, and describe the job as DescribeLabelingJob would.

    Every line of the job's manifest is in the output manifest, in order: with the label where there
    is an answer, else as it came.
    """
    files, counts = ports.files, Counter[str]()
    workers = answered_by(files, job)
    manifest = f"{job.output}/{OUTPUT_MANIFEST}"
    with files.writer(manifest) as output, ThreadPoolExecutor(PARALLEL_READS) as readers:
        writing = OutputWriting(ports, job, workers, readers)
        lines = enumerate(files.iter_lines(job.manifest))
        while part := [(number, line.strip()) for number, line in islice(lines, PART_TASKS)]:
            labeled = writing.label_part(part)
            output.write(b"".join(line + b"\n" for line in labeled))
            counts["total"] += len(part)
            # a line without a label is as it came
            counts["labeled"] += sum(b != a for (_, a), b in zip(part, labeled, strict=True))
            counts["full"] += sum(len(workers.get(n, ())) >= job.workers for n, _ in part)
    return {
        "LabelingJobName": job.name,
        "LabelingJobStatus": COMPLETED if counts["full"] == counts["total"] else STOPPED,
        "LabelCounters": {
            "TotalLabeled": counts["labeled"],
            "HumanLabeled": counts["labeled"],
            "MachineLabeled": 0,
            "FailedNonRetryableError": 0,
            "Unlabeled": counts["total"] - counts["labeled"],
        },
        "LabelingJobOutput": {"OutputDatasetS3Uri": manifest},
    }


class OutputWriting:
    """One writing of a job's output, which goes on where an earlier one broke off."""

    def __init__(
        self,
        ports: Ports,
        job: Job,
        workers: Mapping[int, list[str]],
        readers: ThreadPoolExecutor,
    ) -> None:
        """List the corrections, and the parts that an earlier writing has kept."""
        self._corrections = last_corrections(ports.files, job)
        self._ports, self._job, self._workers, self._readers = ports, job, workers, readers
        self._folder = f"{job.output}/manifests/intermediate/1/"
        self._kept = set(ports.files.list_uris(self._folder))

    def label_part(self, part: list[tuple[int, bytes]]) -> list[bytes]:
        """Return the lines of a part's tasks as the output has them."""
        if not any(self._workers.get(number) for number, _ in part):
            return [line for _, line in part]
        uri = f"{self._folder}{part[0][0] // PART_TASKS:05d}-{self._digest(part)}.manifest"
        files = self._ports.files
        if uri in self._kept:
            return files.get(uri).split(b"\n")
        lines = []
        tasks = read_answers(
            files, self._job, self._workers, self._corrections, iter(part), self._readers
        )
        for batch in batches(tasks):
            answered = [task for task in batch if task.answers]
            labels = call_post_annotation(self._ports, self._job, batch[0].number, answered)
            lines += [output_line(self._job, task, labels.get(str(task.number))) for task in batch]
        files.put(uri, b"\n".join(lines))
        return lines

    def _digest(self, part: list[tuple[int, bytes]]) -> str:
        """Return a name for what the lines are made of: the tasks, and who answered them.

        An answer or a correction is put once and never changed, so its name stands for its content.
        """
        digest = blake2b(digest_size=12)
        for number, line in part:
            workers = sorted(self._workers.get(number, ()))
            corrections = [self._corrections.get((number, worker)) for worker in workers]
            # One without a correction keeps the name that it had before there were any.
            made_of = [workers, len(line), *filter(None, corrections)]
            digest.update(msgspec.json.encode(made_of))
            digest.update(line)
        return digest.hexdigest()


def answered_by(files: Files, job: Job) -> dict[int, list[str]]:
    """Return who answered each task, from the names of the objects alone."""
    workers: dict[int, list[str]] = defaultdict(list)
    names: dict[str, str] = {}  # keeps each worker's name once, not once an answer
    for uri in files.list_uris(job.responses):
        task, _, worker = uri.removeprefix(job.responses).removesuffix(".json").partition("/")
        if task.isdigit():  # whatever else somebody put there is no answer
            workers[int(task)].append(names.setdefault(worker, worker))
    return workers


def read_answers(
    files: Files,
    job: Job,
    workers: Mapping[int, list[str]],
    corrections: Mapping[tuple[int, str], str],
    lines: Iterator[tuple[int, bytes]],
    readers: ThreadPoolExecutor,
) -> Iterator[AnsweredTask]:
    """Yield each task with its answers, which are read a stretch ahead of whoever takes them.

    Of an answer that was corrected the last correction counts, alone.
    """

    def read(number: int, worker: str) -> dict[str, Any] | None:
        uri = corrections.get((number, worker)) or job.response(number, worker)
        try:
            return decode_response(files.get(uri))
        except ValueError:  # left out; whoever makes labels notes it, and why
            return None

    ahead: deque[list[tuple[int, bytes, list[Future[dict[str, Any] | None]]]]] = deque()
    while True:
        # S3 is slow to answer and quick to read in parallel: whole stretches are asked for at once.
        while len(ahead) < STRETCHES_AHEAD and (stretch := list(islice(lines, BATCH_TASKS))):
            ahead.append(
                [
                    # In order of names, so that two writings give the same bytes.
                    (n, line, [readers.submit(read, n, w) for w in sorted(workers.get(n, ()))])
                    for n, line in stretch
                ]
            )
        if not ahead:
            return
        for number, line, reads in ahead.popleft():
            answers = [answer for read in reads if (answer := read.result()) is not None]
            yield AnsweredTask(number, line, answers)


def batches(tasks: Iterable[AnsweredTask]) -> Iterator[list[AnsweredTask]]:
    """Yield the tasks in batches that one call of the post-annotation Lambda can take."""
    batch: list[AnsweredTask] = []
    size = 0
    for task in tasks:
        added = sum(len(msgspec.json.encode(answer["answerContent"])) for answer in task.answers)
        if batch and (len(batch) >= BATCH_TASKS or size + added > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += added
    if batch:
        yield batch


def call_post_annotation(
    ports: Ports, job: Job, first: int, tasks: list[AnsweredTask]
) -> dict[str, dict[str, Any]]:
    """Return the labels that the post-annotation Lambda makes of the tasks' answers, by task.

    Its request and its response are kept in S3, where Ground Truth keeps them, under the number of
    the batch that begins with the task `first`.
    """
    if not tasks:
        return {}
    if not job.collect:  # Ground Truth then leaves the label empty and names the answers
        return {str(task.number): {job.attribute: {}} for task in tasks}
    folder = f"{job.output}/annotations/consolidated-annotation"
    number, rest = divmod(first, BATCH_TASKS)
    # a batch that its bytes cut short leaves the next ones to begin between two hundreds
    name = f"iteration-1/{number:05d}{f'-{rest:02d}' if rest else ''}.json"
    request = f"{folder}/consolidation-request/{name}"
    ports.files.put(request, msgspec.json.encode([_data_object(task) for task in tasks]))
    labels = ports.invoke(
        job.collect,
        {
            "version": "2018-10-16",
            "labelingJobArn": job_arn(ports, job, job.collect),
            "labelCategories": list(job.choices) or None,
            "labelAttributeName": job.attribute,
            "roleArn": job.role,
            "payload": {"s3Uri": request},
        },
    )
    ports.files.put(f"{folder}/consolidation-response/{name}", msgspec.json.encode(labels))
    return _labels_of(labels if isinstance(labels, list) else ())


class _Content(msgspec.Struct):
    """Label of a task as a post-annotation Lambda gives it: keys of the output manifest's line."""

    content: dict[str, Any]


class _Consolidated(msgspec.Struct, rename="camel"):
    """Entry of a post-annotation Lambda's response."""

    dataset_object_id: str | int
    consolidated_annotation: _Content


def _labels_of(entries: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Return the label of each task; a task with two that differ has none, for nobody can choose.

    >>> one, other = ({"datasetObjectId": "1", "consolidatedAnnotation": {"content": {"n": n}}}
    ...     for n in (1, 2))
    >>> _labels_of([one, one]), _labels_of([one, other, one])
    ({'1': {'n': 1}}, {})
    """
    labels: dict[str, dict[str, Any]] = {}
    disputed = set()
    for number, label in filter(None, map(_label_of, entries)):
        if labels.setdefault(number, label) != label:
            disputed.add(number)
    return {number: label for number, label in labels.items() if number not in disputed}


def _label_of(entry: Any) -> tuple[str, dict[str, Any]] | None:
    """Return a task's number and label, or None for an entry of no such form: its task has none."""
    try:
        label = msgspec.convert(entry, _Consolidated)
    except msgspec.ValidationError:
        return None
    # Ground Truth numbers objects in text, and functions may do it in numbers.
    return str(label.dataset_object_id), label.consolidated_annotation.content


def _data_object(task: AnsweredTask) -> dict[str, Any]:
    """Return a task in the form that the post-annotation Lambda reads."""
    record = msgspec.json.decode(task.line)
    data = (
        {"s3Uri": record["source-ref"]}
        if "source-ref" in record
        else {"content": record.get("source", "")}
    )
    return {
        "datasetObjectId": str(task.number),
        "dataObject": data,
        "annotations": [
            {
                "workerId": answer["workerId"],
                "annotationData": {
                    "content": msgspec.json.encode(answer["answerContent"]).decode()
                },
            }
            for answer in task.answers
        ],
    }


def _new_keys(line: bytes, label: dict[str, Any]) -> bytes:
    """Return as JSON what a label adds to its line: a function may not rename the line's picture.

    A key that is there twice would be read as the second by some programs, as the first by others.
    """
    record = msgspec.json.decode(line)
    return msgspec.json.encode({key: value for key, value in label.items() if key not in record})


def output_line(job: Job, task: AnsweredTask, label: dict[str, Any] | None) -> bytes:
    """Return the task's line with its label and Ground Truth's metadata; without one, as it came.

    The label is spliced in, so that the rest of the line stays as it is, byte for byte. The
    creation date is that of the last answer: a clock would make two writings differ.
    """
    if label is None:
        return task.line
    metadata = {
        "type": "groundtruth/custom",
        "job-name": job.name,
        "human-annotated": "yes",
        "creation-date": max(answer["submissionTime"] for answer in task.answers).rstrip("Z"),
    }
    if not job.collect:
        metadata["worker-response-ref"] = f"{job.responses}{task.number}/"
    added = _new_keys(task.line, label | {f"{job.attribute}-metadata": metadata})
    # Before the line's closing brace; an empty object takes no comma.
    head = task.line.rstrip()[:-1].rstrip()
    return head + (b"" if head == b"{" else b",") + added[1:]

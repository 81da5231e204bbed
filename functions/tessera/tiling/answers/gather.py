"""Gather the answers of all jobs of a run: from their outputs, and from responses left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import blake2b
from typing import Protocol

import msgspec

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.flags import FLAGGED, HEADER
from tessera.tiling.answers.output_reader import OutputReader, Task
from tessera.tiling.answers.submission import MALFORMED, OddAnswer, image_indices
from tessera.tiling.page.page_choices import PAGE_CHOICES
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import OUTPUT_MANIFEST, jobs_folder
from tessera.tiling.run.offsets import count_tasks, offsets_name
from tessera.tiling.run.run import Run
from tessera.tiling.run.run_files import CreateFile, LazyFile

READERS = 32
"""Responses read at the same time. A job that was stopped leaves one small object a submission:
waiting for S3 is nearly all of the time, and its client keeps 64 connections."""

PART = 2_000
"""Responses that are read and kept together: five seconds of reading, and as many megabytes. A
rescue of more takes up where an earlier one was when its function ran out of time; one of fewer
keeps nothing (docs/limits.md)."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[bytes]).decode


class Files(Protocol):
    """Stored objects as they are read here; `tessera.aws.storage.Storage` is one."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def iter_lines(self, uri: str) -> Iterator[bytes]:
        """Iterate over the object's lines without their line ends."""

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Iterate over the URIs of the objects under a prefix, in key order."""

    def size(self, uri: str) -> int | None:
        """Return the object's size in bytes, or None if it does not exist."""


class AskedShard(msgspec.Struct, frozen=True):
    """Shard that was asked in a round: the URI of its tasks manifest."""

    round: int
    tasks: str

    def job(self, run: Run) -> str:
        """Return the name of the job that asked it."""
        number = int(self.tasks.removesuffix(".manifest").rsplit("-", 1)[1])
        return job_name(run.name, self.round, number)

    def job_folder(self, run: Run) -> str:
        """Return the URI of the job's folder, with a slash at the end."""
        return f"{jobs_folder(run.home, self.round)}/{self.job(run)}/"


def list_shards(files: Files, run: Run) -> Iterator[AskedShard]:
    """Yield the shards of all rounds so far, in the order in which their answers count."""
    for round_ in range(1, run.round + 1):
        for uri in files.list_uris(f"{run.home}round-{round_}/tasks-"):
            if uri.endswith(".manifest"):  # not the offsets beside it
                yield AskedShard(round_, uri)


def gather_answers(files: Files, run: Run, create: CreateFile) -> AnswerBook:
    """Return every usable answer of all rounds so far; write the others to `odd-answers.jsonl`."""
    return gather_shards(files, run, list_shards(files, run), create)


def gather_shards(
    files: Files, run: Run, shards: Iterable[AskedShard], create: CreateFile
) -> AnswerBook:
    """Return every usable answer to these shards; write the others to `odd-answers.jsonl`.

    Flags on images are written to `flagged.csv`.
    """
    settings = run.settings
    with ExitStack() as stack:
        odd_answers = LazyFile("odd-answers.jsonl", create, stack)
        flagged = LazyFile(FLAGGED, create, stack, HEADER)
        book = AnswerBook(
            lambda odd: odd_answers.write(msgspec.json.encode(odd) + b"\n"),
            lambda flag: flagged.write(flag.row()),
            sets=settings.is_multi,
        )
        reader = OutputReader(book, settings.classes, settings.escape, settings.label_attribute)
        for shard in shards:
            _gather_job(reader, files, run, shard, create)
    return book


def _gather_job(
    reader: OutputReader, files: Files, run: Run, shard: AskedShard, create: CreateFile
) -> None:
    """Read a job's output manifest, and what it lacks from its responses."""
    job, folder, tasks = shard.job(run), shard.job_folder(run), shard.tasks
    # later rounds ask one worker more of each image (docs/rounds.md)
    wanted = run.settings.answers_per_image if shard.round == 1 else 1
    output = f"{folder}{OUTPUT_MANIFEST}"
    # a job that failed has no output: its tasks are read as an output without any answers
    source = tasks if files.size(output) is None else output
    lines = files.iter_lines(source)
    # an output that ends early lacks lines; only the offsets tell, without reading all tasks
    asked = count_tasks(files.size(offsets_name(tasks)) or 0)
    incomplete = list(reader.read(job, lines, round_=shard.round, wanted=wanted, asked=asked))
    if incomplete:
        by_number = _match_tasks(reader, files, tasks, incomplete)
        kept = f"{folder.removeprefix(run.home)}annotations/rescued/"
        parts = KeptParts(files, run.home, kept, create)
        _read_set_aside(reader.book, files, f"{folder}set-aside/", by_number)
        _rescue(reader, files, f"{folder}annotations/worker-response/", by_number, parts)


def _read_set_aside(
    book: AnswerBook, files: Files, folder: str, incomplete: Mapping[int, Task]
) -> None:
    """Note tasks that the portal has set aside because their page could not be shown, and why."""
    for uri in files.list_uris(folder):
        number = uri.removeprefix(folder).removesuffix(".json")
        if not number.isdecimal() or not (task := incomplete.get(int(number))):
            continue  # it was put back, and answered
        try:
            reason = str(msgspec.json.decode(files.get(uri))["reason"])
        except MALFORMED:
            reason = "the record of why cannot be read"
        book.note(OddAnswer(task.job, f"{SET_ASIDE}: {reason}", number))
        book.set_aside.extend(task.images)


SET_ASIDE = "a page could not be shown and was set aside"
"""First words of what is noted of such a page."""


def _match_tasks(
    reader: OutputReader, files: Files, tasks: str, incomplete: Sequence[Task]
) -> dict[int, Task]:
    """Return the tasks by their number in the tasks manifest, by which responses are kept.

    A task is known by its images: nobody promises that an output has the order of its tasks. One
    whose line does not tell its images has its line's number, and is told them, and its labels.
    """
    by_images = {tuple(task.images): task for task in incomplete if task.images}
    unknown = {task.number: task for task in incomplete if not task.images}
    matched = {}
    for number, line in enumerate(files.iter_lines(tasks)):
        record = msgspec.json.decode(line)
        source = record["source"]
        images = image_indices(source)
        if task := by_images.get(tuple(images)):
            task.number = number
        elif task := unknown.get(number):
            task.images = images
        else:
            continue
        task.source, task.asked = source, reader.labels_asked(record.get(PAGE_CHOICES))
        matched[number] = task
    for (
        task
    ) in incomplete:  # a line with images that no task has is taken for the task in its place
        matched.setdefault(task.number, task)
    return matched


class KeptParts:
    """Responses that were read before, many in one object, in a job's folder of the run."""

    def __init__(self, files: Files, home: str, folder: str, create: CreateFile) -> None:
        """Remember the parts that are kept in `folder`, which is named from `home` on."""
        self._files, self._folder, self._create = files, folder, create
        self._kept = {uri.rpartition("/")[2]: uri for uri in files.list_uris(home + folder)}

    def read(self, uris: Sequence[str], readers: ThreadPoolExecutor) -> list[bytes]:
        """Return the contents of a part's objects, in their order; keep those of a full part.

        A response is put once and never changed, so the names stand for the contents.
        """
        name = f"{blake2b(chr(10).join(uris).encode(), digest_size=12).hexdigest()}.msgpack"
        if uri := self._kept.get(name):
            return _unpack(self._files.get(uri))
        contents = list(readers.map(self._files.get, uris))
        if len(uris) == PART:
            with self._create(self._folder + name) as file:
                file.write(_pack(contents))
        return contents


def _newest_first(uris: Iterable[str], first_iteration: str) -> list[str]:
    """Return corrections, the last one first, and then first answers in the order they came in."""
    first: list[str] = []
    later: list[str] = []
    for uri in uris:
        (first if uri.startswith(first_iteration) else later).append(uri)
    return later[::-1] + first


def _rescue(
    reader: OutputReader,
    files: Files,
    folder: str,
    incomplete: Mapping[int, Task],
    parts: KeptParts,
) -> None:
    """Take in responses to tasks that the output manifest has too few answers of.

    The labeling service writes them to ITERATION/TASK/NAME.json as they come in, so that they are
    there even if the job ended before its answers were consolidated. Later iterations hold what
    workers corrected; a worker's newest response is taken in. Memory holds a part of them.
    """
    responses: list[tuple[Task, str]] = []
    for uri in _newest_first(files.list_uris(folder), f"{folder}iteration-1/"):
        _iteration, _, rest = uri.removeprefix(folder).partition("/")
        number = rest.partition("/")[0]
        if number.isdecimal() and int(number) in incomplete:
            responses.append((incomplete[int(number)], uri))
    # fetched in parallel and taken in one by one: the book's columns are in order of arrival
    with ThreadPoolExecutor(READERS) as readers:
        for start in range(0, len(responses), PART):
            part = responses[start : start + PART]
            contents = parts.read([uri for _, uri in part], readers)
            for (task, _), content in zip(part, contents, strict=True):
                reader.book.noted["submissions rescued"] += reader.rescue(task, content)

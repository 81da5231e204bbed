"""Answers are gathered from every job of every round, whatever became of the job."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers import gather
from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.gather import gather_answers
from tessera.tiling.run.offsets import offsets_name, pack_offsets
from tessera.tiling.run.run import Run
from tessera.tiling.settings import settings_from
from tests.fakes import Files
from tests.tiling.folder import Folder

HOME = "s3://labels/runs/pets/"
Labels = dict[str, str]


def run(round_: int = 1) -> Run:
    return Run(
        name="pets",
        home=HOME,
        round=round_,
        started="2026-11-23T01:51:01Z",
        execution="arn:1",
        settings=settings_from({"labels": ["cat", "dog"]}),
        manifest={"bucket": "inbox", "key": "pets.manifest"},
        counts={"lines": 10},
    )


def choices(labels: Labels) -> dict[str, dict[str, bool]]:
    return {
        image: {name: name == label for name in ("cat", "dog")} for image, label in labels.items()
    }


def source(images: list[int]) -> str:
    pictures = [{"source-ref": f"s3://pets/{image}.jpg", "index": image} for image in images]
    return msgspec.json.encode(pictures).decode()


class Job:
    """One shard's job in S3: its tasks, its output, and single responses of workers."""

    def __init__(self, files: Files, *tasks: list[int], round_: int = 1, shard: int = 0) -> None:
        folder = f"{HOME}round-{round_}/"
        self.files, self.tasks = files, tasks
        self.manifest = f"{folder}tasks-{shard:03d}.manifest"
        self.folder = f"{folder}jobs/pets-r{round_}-{shard:03d}/"
        self.put(self.manifest, [{"source": source(images)} for images in tasks])
        files.objects[offsets_name(self.manifest)] = pack_offsets(range(len(tasks) + 1))

    def put(self, uri: str, lines: list[dict[str, object]]) -> None:
        self.files.objects[uri] = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)

    def end(self, *answers: dict[str, Labels]) -> Job:
        """Hand over the answers by worker of each task."""
        lines: list[dict[str, object]] = []
        for images, by_worker in zip(self.tasks, answers, strict=False):
            responses = [
                {"workerId": worker, "annotation": choices(labels)}
                for worker, labels in by_worker.items()
            ]
            lines.append({"source": source(images), "label": {"responses": responses}})
        self.put(f"{self.folder}manifests/output/output.manifest", lines)
        return self

    def respond(self, task: int, worker: str, labels: Labels, iteration: int = 1) -> None:
        """Leave a response of a worker, as the labeling service does when it comes in."""
        answer = {"workerId": worker, "answerContent": choices(labels)}
        self.files.objects[
            f"{self.folder}annotations/worker-response/iteration-{iteration}/{task}/{worker}.json"
        ] = msgspec.json.encode({"answers": [answer]})


def gathered(files: Files, of: Run | None = None) -> tuple[AnswerBook, Folder]:
    folder = Folder()
    return gather_answers(files, of or run(), folder.create), folder


def test_every_shard_of_every_round_is_read() -> None:
    files = Files()
    Job(files, [0]).end({"ann": {"0": "cat"}, "bob": {"0": "dog"}})
    Job(files, [1], shard=1).end({"ann": {"1": "dog"}, "bob": {"1": "dog"}})
    Job(files, [0], round_=2).end({"cid": {"0": "dog"}})
    book, folder = gathered(files, run(round_=2))
    assert list(book.image) == [0, 0, 1, 1, 0]
    assert list(book.label) == [0, 1, 1, 1, 1]
    assert list(book.round) == [1, 1, 1, 1, 2]
    assert not folder.files
    assert not book.noted


def test_a_job_that_has_all_its_answers_is_not_searched_for_more() -> None:
    files = Files()
    job = Job(files, [0]).end({"ann": {"0": "cat"}, "bob": {"0": "cat"}})
    job.respond(0, "cid", {"0": "dog"})
    book, _ = gathered(files)
    assert list(book.workers) == ["ann", "bob"]
    assert files.requests["ListObjectsV2"] == 1


@pytest.mark.parametrize("ended", [True, False])
def test_responses_are_rescued_whether_the_job_handed_over_a_part_or_nothing(ended: bool) -> None:
    files = Files()
    job = Job(files, [0, 1], [2])
    if ended:
        job.end({"ann": {"0": "cat", "1": "cat"}}, {"ann": {"2": "dog"}, "bob": {"2": "dog"}})
    job.respond(0, "bob", {"0": "cat", "1": "dog"}, iteration=2)
    job.respond(7, "bob", {"9": "cat"})  # of no task
    book, _ = gathered(files)
    assert list(book.image)[-2:] == [0, 1]
    assert list(book.label)[-2:] == [0, 1]
    assert book.noted["submissions rescued"] == 1


def test_of_a_worker_who_corrected_their_answer_the_correction_alone_is_rescued() -> None:
    files = Files()
    job = Job(files, [0], [1])
    job.respond(0, "ann", {"0": "cat"})
    job.respond(1, "ann", {"1": "cat"})
    job.respond(0, "ann", {"0": "dog"}, iteration=2)
    book, _ = gathered(files)
    assert dict(zip(book.image, book.label, strict=True)) == {0: 1, 1: 0}
    assert book.noted["submissions rescued"] == 2


def test_tasks_beyond_the_end_of_an_output_get_their_images_from_what_was_asked() -> None:
    files = Files()
    job = Job(files, [0], [1]).end({"ann": {"0": "cat"}, "bob": {"0": "cat"}})
    job.respond(1, "bob", {"1": "dog"})
    book, folder = gathered(files)
    assert (book.image[-1], book.label[-1]) == (1, 1)
    assert book.noted["the output manifest ends early"] == 1
    assert b"after 1 of 2 tasks" in folder.files["odd-answers.jsonl"]


def test_answers_that_cannot_be_used_are_written_down() -> None:
    files = Files()
    Job(files, [0]).end({"ann": {"5": "cat"}, "bob": {"0": "cat"}})
    book, folder = gathered(files)
    assert list(book.image) == [0]
    (line,) = folder.files["odd-answers.jsonl"].splitlines()
    assert msgspec.json.decode(line)["worker"] == "ann"


def test_a_run_that_asked_nothing_has_no_answers() -> None:
    book, folder = gathered(Files())
    assert len(book.image) == 0
    assert not folder.files


@given(order=st.permutations(range(4)), failed=st.sets(st.integers(0, 3)))
def test_responses_are_rescued_in_whatever_order_the_output_has_its_tasks(
    order: list[int], failed: set[int]
) -> None:
    files = Files()
    job = Job(files, *([2 * task, 2 * task + 1] for task in range(4)))
    labels = [{str(2 * task): "cat", str(2 * task + 1): "dog"} for task in range(4)]
    job.tasks = tuple(job.tasks[task] for task in order)
    job.end(
        *({} if task in failed else dict.fromkeys(("ann", "bob"), labels[task]) for task in order)
    )
    for task in failed:
        for worker in ("ann", "bob"):
            job.respond(task, worker, labels[task])
    book, folder = gathered(files)
    assert sorted(book.image) == sorted([*range(8), *range(8)])
    assert all(label == image % 2 for image, label in zip(book.image, book.label, strict=True))
    assert not folder.files


class Unwilling(Files):
    """S3 that gives only so many objects before it breaks off, as a function out of time does."""

    left = 1_000_000

    def get(self, uri: str, version_id: str | None = None) -> bytes:
        if "/worker-response/" in uri:
            self.left -= 1
            if self.left < 0:
                raise TimeoutError("out of time")
        return super().get(uri, version_id)


@pytest.mark.thorough
@given(
    tasks=st.integers(0, 12),
    part=st.integers(1, 5),
    attempts=st.lists(st.integers(0, 9), max_size=5),
)
def test_a_rescue_that_runs_out_of_time_goes_on_where_it_was(
    tasks: int, part: int, attempts: list[int]
) -> None:
    """Whatever the size of the parts and however often it broke off, the answers are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "PART", part)
        files = Unwilling()
        job = Job(files, *([image] for image in range(tasks)))
        for task in range(tasks):
            job.respond(task, "ann", {str(task): "cat"})
            job.respond(task, "bob", {str(task): "dog"})
        whole, _ = gathered(files)
        assert whole.noted.get("submissions rescued", 0) == 2 * tasks
        folder = Folder()
        folder.bucket = files
        read = 0
        for allowed in (*attempts, 1_000_000):
            files.left = allowed
            try:
                book = gather_answers(files, run(), folder.create)
            except TimeoutError:
                continue
            assert list(book.image) == list(whole.image)
            assert list(book.label) == list(whole.label)
            read = allowed - files.left
        # all full parts are kept by now, and none of their responses is read again
        files.left = 1_000_000
        gather_answers(files, run(), folder.create)
        assert 1_000_000 - files.left == 2 * tasks % part
        assert read <= 2 * tasks


@pytest.mark.parametrize(
    "record", [b'{"task": 1, "reason": "KeyError: source"}', b"{", b"[7]", b""]
)
def test_a_page_that_was_set_aside_is_noted_with_its_reason_and_its_images(record: bytes) -> None:
    files = Files()
    tasks: tuple[list[int], ...] = ([0, 1], [2, 3], [4])
    whole = [{w: dict.fromkeys(map(str, task), "cat") for w in ("ann", "bob")} for task in tasks]
    job = Job(files, *tasks).end(whole[0], {}, whole[2])
    files.objects[f"{job.folder}set-aside/1.json"] = record
    files.objects[f"{job.folder}set-aside/0.json"] = b'{"task": 0, "reason": "put back since"}'
    files.objects[f"{job.folder}set-aside/readme.txt"] = b"somebody's own"

    book, folder = gathered(files)

    assert list(book.set_aside) == [2, 3]
    assert book.noted["a page could not be shown and was set aside"] == 1
    if b"KeyError" in record:
        assert b"KeyError: source" in folder.files["odd-answers.jsonl"]

"""A run's answers become its training manifest, and every line ends in one place."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.tiling.errors import ManifestUnreadable
from tessera.tiling.workers.skills import decode_skills
from tests.examples import examples
from tests.fakes import Files
from tests.functions.conftest import Run

CAT, DOG, INVALID = "cat", "dog", "invalid image"
HOME, MANIFEST = "s3://labels/runs/pets/", "s3://inbox/pets.manifest"


def pictures(lines: list[Any]) -> list[str]:
    return [line["source-ref"].removeprefix("s3://pets/") for line in lines]


def responses(**labels: str) -> bytes:
    answers = [
        {"workerId": worker, "answerContent": {"0": {CAT: label == CAT, DOG: label == DOG}}}
        for worker, label in labels.items()
    ]
    return msgspec.json.encode({"answers": answers})


def test_two_workers_who_agree_label_their_images(run: Any) -> None:
    run.images(3)
    labels = {"0": CAT, "1": DOG, "2": CAT}
    run.job(([0, 1, 2], {"ann": labels, "bob": labels}))

    result = run.consolidate()

    assert (result["outcome"], result["labeled"], result["partial"]) == ("done", 3, False)
    line = run.lines("training.manifest")[1]
    assert line["source-ref"] == "s3://pets/1.jpg"
    assert line["label"] == 1
    metadata = line["label-metadata"]
    assert 0.5 < metadata.pop("confidence") < 1
    assert metadata == {
        "class-name": DOG,
        "type": "groundtruth/image-classification",
        "job-name": "labeling-job/pets",
        "human-annotated": "yes",
        "creation-date": "2026-11-23T01:51:01.123",
        "answers": 2,
        "agreement": 1.0,
    }


def test_a_run_s_record_is_read_once_until_its_end_is_noted(run: Any) -> None:
    run.images(2)
    answers = {"0": CAT, "1": DOG}
    run.job(([0, 1], {"ann": answers, "bob": {"0": DOG, "1": CAT}}))
    reads: list[str] = []
    read = run.bucket.get

    def count(uri: str, *version: str | None) -> bytes:
        reads.append(uri)
        return bytes(read(uri, *version))

    run.bucket.get = count
    assert run.consolidate(parts={"stage": ""})["outcome"] == "again"
    assert reads.count(f"{HOME}run.json") == 1


def test_the_report_counts_lines_labeled_before_for_each_label(run: Any) -> None:
    before = [
        {"source-ref": f"s3://old/{number}.jpg", "label": label,
         "label-metadata": {"class-name": name, "type": "groundtruth/image-classification"}}
        for number, (label, name) in enumerate([(0, CAT), (0, DOG), (1, DOG), (7, "horse")])
    ]  # fmt: skip
    run.manifest({"source-ref": "s3://pets/0.jpg"}, *before)
    run.job(([0], {"ann": {"0": CAT}, "bob": {"0": CAT}}))

    run.consolidate()

    report = run.report()
    assert report["labels"] == {CAT: 1, DOG: 0}
    assert report["labels_before"] == {CAT: 1, DOG: 2}
    assert report["images"]["labeled_before"] == 3
    assert b"labeled before</th>" in run.bucket.objects[f"{HOME}report.html"]


@pytest.mark.parametrize("task", ["tiles", "multi"])
def test_what_workers_flagged_is_in_a_file_and_in_the_report(run: Any, task: str) -> None:
    run.settings["task"] = task
    run.images(2)
    run.job(([0, 1], {"ann": {"0": CAT, "1": DOG}, "bob": {"0": CAT, "1": DOG}}))
    run.consolidate()
    assert "flagged" not in run.report()
    assert f"{HOME}flagged.csv" not in run.bucket.objects

    (uri,) = (uri for uri in run.bucket.objects if uri.endswith("output.manifest"))
    line = msgspec.json.decode(run.bucket.objects[uri])
    line["label"].pop("compact", None)
    line["label"]["responses"][0]["flags"] = {"1": "<b>two</b> things"}
    run.bucket.objects[uri] = msgspec.json.encode(line) + b"\n"
    run.consolidate()

    (row,) = csv.DictReader(run.lines("flagged.csv"))
    assert (row["index"], row["worker"], row["reason"]) == ("1", "ann", "<b>two</b> things")
    flagged = run.report()["flagged"]
    assert (flagged["images"], flagged["pictures"][0]["label"]) == (1, DOG)
    assert b"&lt;b&gt;two&lt;/b&gt; things" in run.bucket.objects[f"{HOME}report.html"]


@pytest.mark.thorough
def test_a_line_keeps_its_own_bytes_around_the_label(run: Any) -> None:
    run.manifest(
        b'{ "source-ref" : "s3://pets/0.jpg", "big": 12345678901234567890.0, "a":"\\u00e9" } '
    )
    run.job(([0], {"ann": {"0": CAT}}))
    run.consolidate()
    line = run.bucket.objects[f"{HOME}training.manifest"]
    before = b'{ "source-ref" : "s3://pets/0.jpg", "big": 12345678901234567890.0, "a":"\\u00e9"'
    assert line.startswith(before + b',"label":0,"label-metadata":{')


def test_the_metadata_of_an_earlier_failure_is_not_there_twice(run: Any) -> None:
    failed = {"source-ref": "s3://pets/0.jpg", "label-metadata": {"failure-reason": "expired"}}
    run.manifest(failed)
    run.job(([0], {"ann": {"0": CAT}}))
    run.consolidate()
    raw = run.bucket.objects[f"{HOME}training.manifest"]
    assert raw.count(b'"label-metadata"') == 1
    assert b"expired" not in raw


def test_every_kind_of_line_ends_in_one_place(run: Any) -> None:
    labeled = b'{"source-ref":"s3://pets/2.jpg","label":1,"label-metadata":{}}'
    run.manifest(
        {"source-ref": "s3://pets/0.jpg"},
        b"no JSON",
        labeled,
        {"source-ref": "s3://pets/3.jpg"},
        {"source-ref": "s3://pets/4.jpg", "gold": DOG},
        {"source-ref": "s3://pets/0.jpg"},
        {"source-ref": "s3://pets/6.jpg"},
    )
    run.counts |= {"gold": 1, "repeats": 1}
    run.bucket.objects[f"{HOME}repeats.csv"] = b"index,first\n5,0\n"
    answers = {"0": CAT, "3": INVALID, "4": CAT}
    run.job(([0, 3, 4, 6], {"ann": answers, "bob": answers}))

    result = run.consolidate(2)

    assert pictures(run.lines("training.manifest")) == ["0.jpg", "2.jpg", "4.jpg", "0.jpg"]
    first, passed, gold, repeat = run.lines("training.manifest")
    assert (passed["label"], first["label"], repeat["label"]) == (1, 0, 0)
    assert labeled in run.bucket.objects[f"{HOME}training.manifest"].splitlines()
    assert (gold["label"], gold["label-metadata"]["gold"]) == (1, True)
    assert pictures(run.lines("unlabeled.manifest")) == ["3.jpg", "6.jpg"]
    assert run.lines("unlabeled.csv") == [
        "index,reason,source",
        "3,unreadable,s3://pets/3.jpg",
        "6,no answer,s3://pets/6.jpg",
    ]
    numbers = [result[key] for key in ("images", "labeled", "unlabeled", "rejected")]
    assert numbers == [7, 4, 2, 1]
    assert result["partial"] is True
    assert run.report()["gold"] == {
        "images": 1, "answered": 1, "right": 0, "mean_confidence": pytest.approx(0.8, abs=0.2)
    }  # fmt: skip


@pytest.mark.parametrize(
    "odd",
    [b'{"source-ref":"s3://pets/5.jpg","label":1}', b'{"source-ref":"s3://pets/5.jpg"} ', b"odd"],
)
@pytest.mark.parametrize("end", [b"", b"\r"])
def test_a_line_gets_the_same_label_beside_odd_lines(run: Any, odd: bytes, end: bytes) -> None:
    plain = [b'{"source-ref":"s3://pets/%d.jpg"}%b' % (i, end) for i in range(5)]
    ann = {str(i): (CAT, CAT, DOG, INVALID, DOG)[i] for i in range(5)}
    run.job(([0, 1, 2, 3, 4], {"ann": ann, "bob": ann | {"1": DOG}}))
    names = ("training.manifest", "unlabeled.manifest", "uncertain.manifest")

    def written(*more: bytes) -> list[list[bytes]]:
        run.manifest(*plain, *more)
        run.consolidate(2)
        files = [run.bucket.objects[f"{HOME}{name}"].splitlines() for name in names]
        return [[line for line in file if b"/5.jpg" not in line] for file in files]

    alone = written()
    assert [len(lines) for lines in alone] == [4, 1, 1]
    assert alone == written(odd)


def test_a_run_without_any_answer_says_so_and_loses_no_line(run: Any) -> None:
    run.images(2)
    run.job(([0, 1], {}), status="Stopped", finished=False)

    result = run.consolidate()

    assert result["outcome"] == "nothing-labeled"
    assert result["failure"]["error"] == "NothingLabeled"
    assert "Job pets-r1-000 ended Stopped." in result["failure"]["cause"]
    assert pictures(run.lines("unlabeled.manifest")) == ["0.jpg", "1.jpg"]


def test_a_run_with_nothing_to_ask_is_done(run: Any) -> None:
    run.manifest(b'{"source-ref":"s3://pets/0.jpg","label":1}')
    assert run.consolidate()["outcome"] == "done"


def test_images_that_workers_disagree_on_or_did_not_answer_are_asked_again(run: Any) -> None:
    run.images(12)
    images = list(range(12))
    agreed = {str(i): CAT if i % 2 else DOG for i in range(10)}
    run.job((images, {"ann": agreed | {"10": CAT}, "bob": agreed | {"10": DOG}}))

    result = run.consolidate()

    assert (result["outcome"], result["again"]) == ("again", 2)
    assert run.lines("round-1/unsure.csv") == ["index,workers", "10,ann bob", "11,"]
    report = run.report()
    assert report["next_round"] == {"round": 2, "images": 2}
    assert report["headline"].startswith("Round 2 follows this report and asks 2 images again.")


def test_the_last_round_leaves_what_is_unsure_to_an_expert(run: Any) -> None:
    run.images(12)
    images = list(range(12))
    run.settings["labels"] = [CAT, DOG, "fox", INVALID]
    agreed = {str(i): CAT if i % 2 else DOG for i in range(11)}
    run.job((images, {"ann": agreed | {"11": CAT}, "bob": agreed | {"11": DOG}}))
    run.job(([11], {"cid": {"11": "fox"}}), round_=2)

    result = run.consolidate(2)

    assert (result["outcome"], result["again"], result["uncertain"]) == ("done", 0, 1)
    assert "next_round" not in run.report()
    assert pictures(run.lines("uncertain.manifest")) == ["11.jpg"]
    assert result["labeled"] == 12
    rows = run.lines("answers.csv")
    assert rows[0] == "task,worker,label,seconds,round"
    assert rows[-1] == "11,cid,fox,,2"


def test_a_job_that_was_stopped_is_not_followed_by_another_round(run: Any) -> None:
    run.images(2)
    run.job(([0, 1], {"ann": {"0": CAT, "1": DOG}, "bob": {"0": DOG}}), status="Stopped")
    result = run.consolidate()
    assert (result["outcome"], result["again"], result["partial"]) == ("done", 0, True)
    notice = result["announcement"]["notice"]
    assert notice["manifest"] == MANIFEST
    assert "Job pets-r1-000 ended Stopped." in notice["message"]


def test_answers_that_met_no_consolidation_are_rescued_from_every_iteration(run: Any) -> None:
    run.images(1)
    folder = run.job(([0], {"ann": {"0": CAT}}), status="Stopped")
    run.bucket.objects[f"{folder}iteration-1/0/ann.json"] = responses(ann=CAT)
    run.bucket.objects[f"{folder}iteration-2/0/bob.json"] = responses(bob=CAT)
    run.bucket.objects[f"{folder}iteration-2/7/bob.json"] = responses(bob=CAT)
    run.bucket.objects[f"{folder}iteration-2/0/cid.json"] = b"{"

    run.consolidate()

    assert run.lines("training.manifest")[0]["label-metadata"]["answers"] == 2
    noted = run.report()["answers"]["noted"]
    assert noted["submissions rescued"] == 1
    assert noted["a worker's response cannot be read"] == 1
    assert len(run.lines("odd-answers.jsonl")) == 1


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"source":1}', b"\xff"])
def test_what_a_line_cannot_tell_is_taken_from_the_task_and_its_responses(
    run: Any, broken: bytes
) -> None:
    run.images(2)
    folder = run.job(([0], {"ann": {"0": CAT}}), ([1], {"ann": {"1": DOG}}))
    (output,) = (uri for uri in run.bucket.objects if uri.endswith("output.manifest"))
    whole = run.bucket.objects[output].splitlines()
    run.bucket.objects[output] = b"\n".join([broken, whole[1]]) + b"\n"
    run.bucket.objects[f"{folder}iteration-1/0/ann.json"] = responses(ann=CAT)

    result = run.consolidate()

    assert result["labeled"] == 2
    noted = run.report()["answers"]["noted"]
    assert noted == {"a line of the output manifest cannot be read": 1, "submissions rescued": 1}


def test_a_job_whose_output_ends_early_is_read_on_from_its_workers_responses(run: Any) -> None:
    run.images(3)
    folder = run.job(*(([index], {"ann": {str(index): CAT}}) for index in range(3)))
    (output,) = (uri for uri in run.bucket.objects if uri.endswith("output.manifest"))
    (asked,) = (uri for uri in run.bucket.objects if "/tasks-" in uri)
    run.bucket.objects[asked.removesuffix("manifest") + "offsets"] = bytes(4 * 8)
    run.bucket.objects[output] = run.bucket.objects[output].splitlines(keepends=True)[0]
    run.bucket.objects[f"{folder}iteration-1/1/ann.json"] = responses(ann=CAT).replace(
        b'"0"', b'"1"'
    )

    result = run.consolidate()

    assert (result["labeled"], result["unlabeled"], result["partial"]) == (2, 1, True)
    noted = run.report()["answers"]["noted"]
    assert noted == {"the output manifest ends early": 1, "submissions rescued": 1}


def test_a_job_without_output_is_read_from_its_workers_responses(run: Any) -> None:
    run.images(1)
    folder = run.job(([0], {}), status="Failed", finished=False)
    run.bucket.objects[f"{folder}iteration-1/0/2026.json"] = responses(ann=DOG, bob=DOG)
    assert run.consolidate()["labeled"] == 1


def test_a_worker_who_was_asked_an_image_twice_counts_once(run: Any) -> None:
    run.images(1)
    run.job(([0], {"ann": {"0": CAT}}))
    run.job(([0], {"ann": {"0": DOG}}), round_=2)
    run.consolidate(2)
    line = run.lines("training.manifest")[0]
    assert (line["label"], line["label-metadata"]["answers"]) == (0, 1)


def test_consolidating_again_writes_the_same_bytes(run: Any) -> None:
    run.images(5)
    labels = {str(i): CAT if i % 2 else DOG for i in range(5)}
    run.job((list(range(5)), {"ann": labels, "bob": labels | {"3": DOG}}))
    run.consolidate()
    once = dict(run.bucket.objects)
    run.consolidate()
    assert run.bucket.objects == once


@pytest.mark.thorough
def test_a_packed_manifest_is_read_as_it_was_grouped(run: Any) -> None:
    run.images(2)
    run.bucket.objects[MANIFEST] = gzip.compress(run.bucket.objects[MANIFEST])
    run.job(([0, 1], {"ann": {"0": CAT, "1": DOG}}))
    assert run.consolidate()["labeled"] == 2


def test_a_manifest_that_changed_its_length_is_no_ground_for_labels(run: Any) -> None:
    run.images(2)
    run.counts["lines"] = 3
    run.job(([0, 1], {"ann": {"0": CAT, "1": DOG}}))
    with pytest.raises(AssertionError, match="of 3 lines 2 were read"):
        run.consolidate()


def test_class_ids_are_places_in_the_list_of_labels_even_around_the_escape(run: Any) -> None:
    run.settings["labels"] = [INVALID, CAT, DOG]
    run.images(1)
    run.job(([0], {"ann": {"0": CAT}}))
    run.consolidate()
    assert run.lines("training.manifest")[0]["label"] == 1


def test_workers_and_their_odd_pages_are_reported(run: Any) -> None:
    run.images(40)
    labels = {str(i): CAT if i % 2 else DOG for i in range(40)}
    other = {image: CAT if label == DOG else DOG for image, label in labels.items()}
    run.job((list(range(40)), {"ann": labels, "bob": labels, "cid": labels, "dan": other}))
    run.consolidate()
    report = run.report()
    workers = {worker["worker"]: worker for worker in report["workers"]}
    assert workers["ann"]["agreement"] == 1.0
    assert workers["dan"]["agreement"] == 0.0
    assert workers["dan"]["accuracy"] < 0.5 < workers["ann"]["accuracy"]
    assert [page["worker"] for page in report["pages_to_look_at"]] == ["dan"]


def test_the_training_manifest_is_what_trainers_read(run: Any) -> None:
    """Rekognition's rules: an int, hyphens, a confidence in [0, 1], human-annotated, a date."""
    run.images(3)
    run.job(([0, 1, 2], {"ann": {"0": CAT, "1": DOG, "2": CAT}}))
    run.consolidate()
    for line in run.lines("training.manifest"):
        metadata = line["label-metadata"]
        assert type(line["label"]) is int
        assert 0 <= metadata["confidence"] <= 1
        assert metadata["human-annotated"] == "yes"
        assert metadata["type"] == "groundtruth/image-classification"
        assert {"class-name", "creation-date", "job-name"} <= metadata.keys()
        assert not any("_" in key for key in metadata)


def test_an_answer_about_a_line_that_was_never_asked_stops_nothing(run: Any) -> None:
    run.manifest(b"{", {"source-ref": "s3://pets/1.jpg"})
    run.job(([0, 1], {"ann": {"0": CAT, "1": CAT}, "bob": {"0": DOG, "1": CAT}}))
    assert run.consolidate()["labeled"] == 1
    assert run.bucket.objects[f"{HOME}report.html"]


def test_a_manifest_that_is_gone_is_told_of_and_the_answers_are_there(run: Any) -> None:
    run.images(1)
    run.job(([0], {"ann": {"0": CAT}}))
    del run.bucket.objects[MANIFEST]
    with pytest.raises(ManifestUnreadable, match=r"is gone .* No answer is lost"):
        run.consolidate()
    assert len(run.lines("answers.csv")) == 2


WORKERS = [f"w{number}" for number in range(9)]
FAILED = "did not load"


class Office(NamedTuple):
    """People who are asked for labels, and what becomes of each image in each one's hands."""

    outcomes: list[list[str]]  # by image and worker
    answers_per_image: int
    more_answers: int


offices = st.builds(
    Office,
    st.lists(
        st.lists(st.sampled_from([CAT, CAT, DOG, FAILED, FAILED]), min_size=9, max_size=9),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 2),
    st.integers(0, 2),
)


def hand_in(run: Any, round_: int, shard: int, images: list[int], by_worker: Any) -> None:
    """Let workers hand in a task of these images, some of which failed."""
    uri = f"{HOME}round-{round_}/jobs/pets-r{round_}-{shard:03d}/manifests/output/output.manifest"
    run.job((images, {}), round_=round_, shard=shard)
    line = msgspec.json.decode(run.bucket.objects[uri])
    line["label"]["responses"] = [
        {
            "workerId": worker,
            "annotation": run.choices({i: o for i, o in outcomes.items() if o != FAILED}),
            "unloaded": [image for image, outcome in outcomes.items() if outcome == FAILED],
        }
        for worker, outcomes in by_worker.items()
    ]
    run.bucket.objects[uri] = msgspec.json.encode(line) + b"\n"


def label_all(run: Any, office: Office) -> dict[int, list[str]]:
    """Run all rounds until no image is asked again; return who was asked each image."""
    count = len(office.outcomes)
    first = WORKERS[: office.answers_per_image]
    asked = {image: list(first) for image in range(count)}
    run.images(count)
    run.settings |= {
        "answers_per_image": office.answers_per_image,
        "max_answers": office.answers_per_image + office.more_answers,
    }

    def outcome(image: int, worker: str) -> str:
        return office.outcomes[image][WORKERS.index(worker)]

    hand_in(run, 1, 0, list(range(count)), {
        worker: {str(image): outcome(image, worker) for image in range(count)} for worker in first
    })  # fmt: skip
    round_ = 1
    while run.consolidate(round_)["outcome"] == "again":
        rows = run.lines(f"round-{round_}/unsure.csv")[1:]
        round_ += 1
        for shard, row in enumerate(rows):
            index, _, workers = row.partition(",")
            assert workers.split() == sorted(asked[int(index)]), "asked of nobody twice"
            worker = next(worker for worker in WORKERS if worker not in workers.split())
            asked[int(index)].append(worker)
            answers = {worker: {index: outcome(int(index), worker)}}
            hand_in(run, round_, shard, [int(index)], answers)
    return asked


@pytest.mark.thorough
@settings(max_examples=examples(40), deadline=None)
@given(offices)
def test_an_image_that_did_not_load_is_asked_of_others_until_three_tried_in_vain(
    office: Office,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UI_DIRECTORY", str(Path(__file__).parents[2] / "ui"))
        run = Run(Files())
        asked = label_all(run, office)
    unlabeled = {line.split(",")[0]: line.split(",")[1] for line in run.lines("unlabeled.csv")[1:]}
    for image, workers in asked.items():
        outcomes = [office.outcomes[image][WORKERS.index(worker)] for worker in workers]
        failures = outcomes.count(FAILED)
        answers = len(outcomes) - failures
        assert answers >= office.answers_per_image or failures >= 3
        assert answers <= office.answers_per_image + office.more_answers
        reason = FAILED if not answers else None
        assert unlabeled.get(str(image)) == reason
    rows = run.lines("answers.csv")[1:]
    assert len(rows) == sum(
        office.outcomes[image][WORKERS.index(worker)] != FAILED
        for image, workers in asked.items()
        for worker in workers
    )
    figures = run.report().get("unloaded", {"times": 0})
    assert figures["times"] == sum(map(len, asked.values())) - len(rows)


def rare_defects(run: Any) -> None:
    """Label 120 images by two workers, who each say dog to one in six of cats alone."""
    run.images(120)
    choices = [
        {str(i): DOG if (i * 7 + 31 * worker) % 6 == 0 else CAT for i in range(120)}
        for worker in range(4)
    ]
    run.job(
        (list(range(60)), {f"w{worker}": choices[worker] for worker in (0, 1)}),
        (list(range(60, 120)), {f"w{worker}": choices[worker] for worker in (2, 3)}),
    )


@pytest.mark.thorough
def test_a_run_that_began_under_older_rules_keeps_its_labels(run: Any) -> None:
    rare_defects(run)
    files = {}
    for rules in (None, 1, 2):
        run.rules = rules
        run.consolidate()
        files[rules] = run.lines("training.manifest"), run.report()["confidence"]["skew"]
    assert files[None] == files[1] != files[2]
    assert files[1][1] == 0 < files[2][1]


def test_stated_shares_reach_the_labels(run: Any) -> None:
    rare_defects(run)
    run.consolidate()
    without = run.report()["confidence"]["mean"]
    run.settings |= {"shares": {CAT: 0.99}}
    run.consolidate()
    assert run.report()["confidence"]["mean"] > without
    assert run.report()["settings"]["shares"] == {CAT: 0.99}


def test_where_one_label_is_common_the_report_advises_to_state_shares(run: Any) -> None:
    rare_defects(run)
    run.rules = 2
    run.consolidate()
    assert any("shares" in step["do"] for step in run.report()["next"])


@pytest.mark.parametrize("offer_to", ["anyone", "upper half"])
def test_who_is_likely_to_be_right_is_written_where_pages_are_offered_first(
    run: Any, offer_to: str
) -> None:
    run.images(30)
    run.settings |= {"offer_to": offer_to}
    labels = {str(number): CAT if number % 2 else DOG for number in range(30)}
    wrong = labels | {str(number): DOG for number in range(6, 15)}
    run.job(
        (list(range(15)), {"ann": labels, "bob": wrong}),
        (list(range(5)), {"cy": labels}),
        (list(range(15, 30)), {"ann": labels, "cy": labels}),
    )
    run.consolidate()
    unsure = run.lines("round-1/unsure.csv")[1:]
    skills = run.bucket.objects.get(f"{HOME}round-1/skills.npz")
    assert unsure
    assert (skills is not None) == (offer_to == "upper half")
    if skills:
        decoded = decode_skills(skills)
        assert sorted(decoded.workers) == ["ann", "bob", "cy"]
        assert len(decoded.doubts) == len(unsure)
        right = dict(zip(decoded.workers, decoded.right.mean(axis=1), strict=True))
        assert min(right["ann"], right["cy"]) > right["bob"]

"""Rounds with a model: people are asked where it pays, nothing is lost, and all of it is told."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.tiling.grouping.first_round import choose_seed
from tests.guessed_run import LABELS, GuessedRun, noisy, vectors

IMAGES = 400
TRUTH = np.random.default_rng(1).integers(0, len(LABELS), IMAGES)
few = settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def run_of(**keys: Any) -> GuessedRun:
    return GuessedRun(noisy(TRUTH), vectors(TRUTH), **keys)


def index(line: dict[str, Any]) -> int:
    return int(line["source-ref"].rpartition("/")[2].removesuffix(".jpg"))


def right(run: GuessedRun) -> float:
    """The share of the manifest's images that are labeled right."""
    return sum(bool(line["label"] == TRUTH[index(line)]) for line in run.lines()) / IMAGES


def answers(run: GuessedRun) -> Counter[int]:
    return Counter({index(line): line["label-metadata"]["answers"] for line in run.lines()})


def shuffled() -> GuessedRun:
    """A run whose embeddings are other images'."""
    rows = np.random.default_rng(5).permutation(vectors(TRUTH))
    return GuessedRun(noisy(TRUTH), rows, guesses={})


# --- least 1 --------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_every_image_is_seen_by_a_person_and_most_by_one() -> None:
    plain, taught = run_of(), run_of(guesses={})
    plain.run()
    result = taught.run()
    assert (result["outcome"], result["labeled"], result["partial"]) == ("done", IMAGES, False)
    each = answers(taught)
    assert min(each.values()) == 1
    assert max(each.values()) <= 3
    assert sum(each.values()) < 0.7 * sum(answers(plain).values())
    assert right(taught) >= right(plain)
    assert {line["label-metadata"]["human-annotated"] for line in taught.lines()} == {"yes"}


@pytest.mark.thorough
def test_the_first_round_asks_the_seed_and_no_more() -> None:
    run = run_of(guesses={"seed": 0.3})
    run.run()
    first = msgspec.json.decode(run.files.objects[f"{run.home}run.json"])["rounds"][0]
    assert first["images"] == 0.3 * IMAGES


@pytest.mark.thorough
def test_images_that_are_asked_later_are_dealt_to_pages_as_those_of_a_first_round() -> None:
    gaps = {}
    for order in ("spread", "as-given"):
        run = run_of(guesses={}, order=order)
        run.run()
        tasks = run.files.objects[f"{run.home}round-2/tasks-000.manifest"].splitlines()
        first = msgspec.json.decode(msgspec.json.decode(tasks[0])["source"])
        gaps[order] = int(np.diff(sorted(image["index"] for image in first)).min())
    assert gaps["as-given"] == 1
    assert gaps["spread"] > 5  # some 15 tasks take turns


@given(images=st.integers(0, 3_000), share=st.floats(0.01, 1), least=st.integers(0, 500))
def test_a_seed_is_a_share_of_all_parts_of_the_manifest(
    images: int, share: float, least: int
) -> None:
    seed = choose_seed(np.arange(images), share, least)
    assert len(seed) == min(max(int(np.ceil(share * images)), least), images)
    assert (np.diff(seed) > 0).all()
    halves = np.bincount(seed >= images / 2, minlength=2)
    # six standard deviations of an even draw
    assert abs(int(halves[0]) - int(halves[1])) <= 6 * np.sqrt(len(seed)) + 1


# --- least 0 --------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_where_the_model_is_sure_nobody_is_asked_and_the_line_says_so() -> None:
    run = GuessedRun(noisy(TRUTH, 0.03), vectors(TRUTH), guesses={"least": 0}, audit={"images": 60})
    result = run.run()
    assert (result["outcome"], result["labeled"], result["partial"]) == ("done", IMAGES, False)
    by_model = [line for line in run.lines() if not line["label-metadata"]["answers"]]
    assert len(by_model) > IMAGES / 3
    assert {line["label-metadata"]["human-annotated"] for line in by_model} == {"no"}
    assert all(0 < line["label-metadata"]["confidence"] <= 0.99 for line in by_model)
    figures = run.report()["guesses"]
    assert figures["labeled"] == len(by_model)
    audit = figures["audit"]
    assert (audit["images"], audit["passed"]) == (60, True)
    wrong = sum(line["label"] != TRUTH[index(line)] for line in by_model) / len(by_model)
    assert audit["right_low"] <= 1 - wrong <= audit["right_high"]


@pytest.mark.thorough
def test_if_the_audit_misses_what_is_wanted_the_rest_is_asked() -> None:
    run = GuessedRun(
        noisy(TRUTH), vectors(TRUTH, noise=1.3), guesses={"least": 0},
        audit={"images": 60, "right": 1.0}, gain=0.1,
    )  # fmt: skip
    result = run.run()
    assert (result["outcome"], result["labeled"]) == ("done", IMAGES)
    assert run.report()["guesses"]["audit"]["passed"] is False
    assert min(answers(run).values()) >= 1
    assert run.report()["guesses"]["labeled"] == 0


@pytest.mark.thorough
def test_of_a_class_that_people_have_hardly_named_every_image_is_asked() -> None:
    truth = np.where(TRUTH == 2, 0, TRUTH)
    truth[::67] = 2  # six owls
    run = GuessedRun(noisy(truth, 0.02), vectors(truth), guesses={"least": 0}, audit={"images": 50})
    run.run()
    unasked = [line for line in run.lines() if not line["label-metadata"]["answers"]]
    named = Counter(run.report()["labels"])
    assert unasked
    assert named["owl"] < 10
    assert all(line["label-metadata"]["class-name"] != "owl" for line in unasked)


def test_a_run_that_is_stopped_before_its_audit_labels_nothing_by_the_model() -> None:
    run = run_of(guesses={"least": 0})
    result = run.run(stop_after=1)
    assert (result["outcome"], result["partial"], result["labeled"]) == ("done", True, 100)
    assert len(run.lines("unlabeled.manifest")) == IMAGES - 100


# --- whatever becomes of the model, the run goes on -----------------------------------------------


@pytest.mark.thorough
def test_a_model_that_knows_nothing_is_not_used_and_all_are_asked_as_without_one() -> None:
    run, plain = shuffled(), run_of()
    plain.run()
    result = run.run()
    assert (result["outcome"], result["labeled"]) == ("done", IMAGES)
    assert min(answers(run).values()) == 2
    figures = run.report()["guesses"]
    assert figures["used"] is False
    assert "needs 0.05" in figures["why_not"]
    assert right(run) >= right(plain) - 0.02


@pytest.mark.thorough
@pytest.mark.parametrize("failure", ["gone", "cut", "began"])
def test_if_learning_fails_the_run_goes_on_without_and_says_why(
    failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(guesses={})
    decide = run.consolidate

    def consolidate(asked: dict[str, Any], jobs: list[dict[str, str]]) -> dict[str, Any]:
        uri = f"{asked['home']}embeddings.npy"
        if failure == "gone":
            run.files.objects.pop(uri, None)
        if failure == "cut":
            run.files.objects[uri] = run.files.objects[uri][:-1]
        if failure == "began":  # attempts that ended with their process
            decide(asked, jobs)
            record = f"{asked['home']}round-{asked['round']}/guesses.json"
            begun = msgspec.json.decode(run.files.objects[record]) | {"attempts": 2}
            begun.pop("figures", None)
            run.files.objects[record] = msgspec.json.encode(begun)
        return decide(asked, jobs)

    monkeypatch.setattr(run, "consolidate", consolidate)
    result = run.run()
    assert (result["outcome"], result["labeled"]) == ("done", IMAGES)
    assert min(answers(run).values()) == 2
    figures = run.report()["guesses"]
    expected = {"gone": "does not exist", "cut": "was cut off", "began": "interrupted"}
    assert figures["used"] is False
    assert expected[failure] in figures["why_not"]


@pytest.mark.thorough
@pytest.mark.parametrize("least", [0, 1])
def test_a_run_that_nobody_answers_ends_as_one_without_a_model(least: int) -> None:
    run = run_of(guesses={"least": least})
    run.nobody = True
    for _ in range(2):  # and once more, after a failure
        assert run.run(stop_after=1)["outcome"] == "nothing-labeled"
        assert run.report()["guesses"]["used"] is False
        run.execution = "arn:2"


@pytest.mark.thorough
def test_a_record_of_guesses_that_cannot_be_read_is_made_anew() -> None:
    run = run_of(guesses={})
    run.run(stop_after=1)
    before = run.outputs()
    run.files.objects[f"{run.home}round-1/guesses.json"] = b'{"answers":null}'
    asked = {"run": run.home.split("/")[-2], "home": run.home, "round": 1}
    run.consolidate(asked, run.report()["jobs"])
    assert run.outputs() == before


# --- exactly once, and the same bytes -------------------------------------------------------------


@pytest.mark.thorough
@few
@given(
    lines=st.lists(st.sampled_from(["image", "bad", "labeled", "repeat"]), min_size=0, max_size=40),
    least=st.integers(0, 1),
    seed=st.sampled_from([0.05, 0.2, 1.0]),
)
def test_every_line_ends_in_one_place_and_no_worker_sees_an_image_twice(
    lines: list[str], least: int, seed: float
) -> None:
    texts = [b'{"source-ref":"s3://inbox/pets/%d.jpg"}' % number for number in range(IMAGES)]
    kinds = {
        "image": b'{"source-ref":"s3://inbox/pets/new%d.jpg"}',
        "bad": b"%d is no JSON",
        "labeled": b'{"source-ref":"s3://inbox/pets/l%d.jpg","label":1,"label-metadata":{}}',
        "repeat": b'{"source-ref":"s3://inbox/pets/%d.jpg"}',
    }
    texts += [kinds[kind] % number for number, kind in enumerate(lines)]
    truth = np.concatenate([TRUTH, np.zeros(len(lines), TRUTH.dtype)])
    run = GuessedRun(
        noisy(truth), vectors(truth), lines=texts, guesses={"least": least, "seed": seed},
        bad_lines=1,
    )  # fmt: skip
    result = run.run()
    counts = run.report()["images"]
    assert (
        counts["lines"]
        == len(texts)
        == sum(counts[place] for place in ("training", "unlabeled", "rejected"))
    )
    assert result["unlabeled"] == 0
    assert counts["rejected"] == lines.count("bad")
    pairs = Counter(
        (row.split(",")[0], row.split(",")[1])
        for row in run.files.objects[f"{run.home}answers.csv"].decode().splitlines()[1:]
    )
    assert max(pairs.values()) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("keys", [{}, {"least": 0}])
def test_labels_are_the_same_bytes_for_any_order_of_answers_and_made_again(
    keys: dict[str, Any],
) -> None:
    first, second = (run_of(guesses=keys, audit={"images": 50}) if keys else run_of(guesses={})
                     for _ in range(2))  # fmt: skip
    first.run()
    second.run(reverse=True)
    assert first.outputs()["training.manifest"] == second.outputs()["training.manifest"]
    before = first.outputs()
    # dropped again after its execution was stopped: another one takes the run over
    first.execution = "arn:2"
    first.run()
    assert first.outputs() == before


class Killed(BaseException):
    """The end of a process, which no handler of exceptions sees."""


def killed_once(run: GuessedRun, write: int) -> None:
    """Let the consolidation of each round die at its n-th write, and be called again."""
    consolidate, put, writer = run.consolidate, run.files.put, run.files.writer
    left = write

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    def counted_put(uri: str, data: bytes, *, content_type: str = "") -> None:
        count()
        put(uri, data, content_type=content_type)

    def counted_writer(uri: str, *, content_type: str = "") -> Any:
        count()
        return writer(uri, content_type=content_type)

    def twice(asked: dict[str, Any], jobs: list[dict[str, str]]) -> dict[str, Any]:
        nonlocal left
        left = write
        run.files.put, run.files.writer = counted_put, counted_writer  # type: ignore[method-assign]  # a fault of this bucket alone
        try:
            return consolidate(asked, jobs)
        except Killed:
            return consolidate(asked, jobs)
        finally:
            run.files.put, run.files.writer = put, writer  # type: ignore[method-assign]  # as before

    run.consolidate = twice  # type: ignore[method-assign]  # the same


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, bytes]:
    run = run_of(guesses={"least": 0}, audit={"images": 50})
    run.run()
    return run.outputs()


@pytest.mark.thorough
@pytest.mark.parametrize("write", [1, 2, 3, 4, 5, 6, 10])
def test_a_consolidation_that_dies_at_any_write_is_made_again_with_the_same_labels(
    write: int, undisturbed: dict[str, bytes]
) -> None:
    run = run_of(guesses={"least": 0}, audit={"images": 50})
    killed_once(run, write)
    run.run()
    assert run.outputs() == undisturbed


@pytest.mark.thorough
def test_guesses_are_read_back_rather_than_learned_again() -> None:
    run = run_of(guesses={})
    run.run(stop_after=1)
    before = run.outputs()
    # another processor's linear algebra may differ, so it must not be asked
    del run.files.objects[f"{run.home}embeddings.npy"]
    asked = {"run": run.home.split("/")[-2], "home": run.home, "round": 1}
    run.consolidate(asked, run.report()["jobs"])
    assert run.outputs() == before


# --- what is told of it ---------------------------------------------------------------------------


@pytest.mark.thorough
def test_the_report_tells_what_the_model_knew_saved_and_was_audited_for() -> None:
    run = run_of(guesses={"least": 0}, audit={"images": 50})
    run.run()
    figures = run.report()["guesses"]
    assert figures["used"] is True
    assert figures["same"] / figures["compared"] > 0.9
    assert sum(tenth["images"] for tenth in figures["calibration"]) == figures["compared"]
    saved = figures["saved"]
    assert saved["answers"] == run.report()["answers"]["used"] < saved["answers_without"]
    page = run.files.objects[f"{run.home}report.html"].decode()
    assert "The model that learned from the answers" in page
    assert f"{figures['labeled']} images have its label and no answer" in page


@pytest.mark.thorough
def test_a_run_without_a_model_says_nothing_of_one() -> None:
    run = run_of()
    run.run()
    assert "guesses" not in run.report()
    assert b"model that learned" not in run.files.objects[f"{run.home}report.html"]
    assert not any("guesses" in uri for uri in run.files.objects)


def test_prelabels_are_not_shown_where_guesses_are_weighed() -> None:
    lines = [
        b'{"source-ref":"s3://inbox/pets/%d.jpg","prelabel":"cat"}' % number
        for number in range(IMAGES)
    ]
    run = GuessedRun(noisy(TRUTH), vectors(TRUTH), lines=lines, guesses={})
    refusal = run.ask()
    assert (refusal["outcome"], refusal["error"]) == ("refused", "SettingsInvalid")
    assert "shown to workers or weighed" in refusal["cause"]


def test_guesses_without_anything_to_learn_from_are_refused_before_anybody_is_asked() -> None:
    run = run_of(guesses={})
    del run.files.objects["s3://inbox/pets/may.embeddings.npy"]
    refusal = run.ask()
    assert (refusal["outcome"], refusal["error"]) == ("refused", "EmbeddingsUnusable")
    assert "upload s3://inbox/pets/may.embeddings.npy" in refusal["cause"]


@pytest.mark.thorough
def test_the_report_shows_where_people_contradict_a_model_that_is_sure() -> None:
    run = run_of(guesses={})
    run.run()
    figures = run.report()["guesses"]
    training = {line["source-ref"]: line["label-metadata"] for line in run.lines()}
    assert 0 < figures["upheld"] <= figures["contradicted"]
    workers = figures["contradicted_by"]
    assert sum(worker["answers"] for worker in workers) == figures["contradicted"]
    assert sum(worker["upheld"] for worker in workers) == figures["upheld"]
    assert workers == sorted(workers, key=lambda worker: -worker["upheld"])
    contested = figures["contested"]
    assert contested == sorted(contested, key=lambda image: -image["sure"])
    for image in contested:
        assert image["label"] != image["guess"]
        assert training[image["source"]]["class-name"] == image["label"]
    page = run.files.objects[f"{run.home}report.html"].decode()
    assert ("guessed:" in page) == bool(contested)
    assert "Who contradicted it" in page

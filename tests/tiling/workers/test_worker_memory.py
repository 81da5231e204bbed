"""What a project's runs learned of its workers is used by the next, once, and can be deleted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from click import ClickException
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.runs.forgetting import forget
from tessera.tiling.consensus import Crowd, Evidence, consolidate
from tessera.tiling.consensus.memory import count_answers
from tessera.tiling.consolidation_rules import RULES
from tessera.tiling.run.run import Run
from tessera.tiling.run.run_record import RunRecord, decode_record
from tessera.tiling.settings import settings_from
from tessera.tiling.workers.worker_memory import (
    MOST,
    LabelList,
    Memory,
    MemoryUnusable,
    WorkerCounts,
    add_run,
    decode_memory,
    earlier_counts,
    memory_uri,
    recall,
    remember,
    with_memory,
    with_notice,
)
from tests.fakes import Files
from tests.tiling.consensus.crowds import simulated

PROJECT = "s3://labels/projects/pets/workers.json"
NAMES = tuple(f"w{number}" for number in range(20))
LABELS = ("cat", "dog", "owl", "fox")


def run_called(name: str, files: Files, **settings: Any) -> Run:
    """Return a run of the project with its record in the bucket."""
    home = f"s3://labels/runs/{name}/"
    manifest = {"bucket": "inbox", "key": "pets/may.manifest"}
    keys: dict[str, Any] = {"labels": LABELS, "remember_workers": True} | settings
    files.objects[f"{home}run.json"] = msgspec.json.encode(
        RunRecord(run=name, execution="one", manifest=manifest, settings=keys)
    )
    return Run(
        name=name,
        home=home,
        round=1,
        started="",
        execution="one",
        settings=settings_from(keys),
        manifest=manifest,
        counts={},
    )


def learn(files: Files, name: str, seed: int = 0) -> bool:
    crowd, _ = simulated(200, 20, seed=seed)
    return remember(files, run_called(name, files), crowd, NAMES, Evidence())


def test_a_run_counts_once_and_each_halves_what_was_known() -> None:
    files = Files()
    assert learn(files, "first")
    first = files.objects[PROJECT]
    assert not learn(files, "first", seed=5)
    assert files.objects[PROJECT] == first
    assert learn(files, "second")
    answers = [sum(of.answers for of in decode_memory(document).lists[0].workers.values())
               for document in (first, files.objects[PROJECT])]  # fmt: skip
    assert answers == pytest.approx([300, 450], abs=0.1)
    assert decode_memory(files.objects[PROJECT]).runs == ["first", "second"]


def test_of_two_runs_that_end_together_both_count() -> None:
    files = Files()
    learn(files, "first")

    class Slow(Files):
        """Bucket in which another run writes between a read and its write."""

        raced = False

        def put_if_match(self, uri: str, data: bytes, etag: str, **more: Any) -> bool:
            if not self.raced:
                self.raced = True
                learn(self, "faster")
            return super().put_if_match(uri, data, etag, **more)

    slow = Slow()
    slow.objects |= files.objects
    assert learn(slow, "slower")
    assert decode_memory(slow.objects[PROJECT]).runs == ["first", "faster", "slower"]


def test_a_run_is_consolidated_by_what_was_known_at_first_whatever_comes_later() -> None:
    files = Files()
    learn(files, "first")
    run = run_called("second", files)
    before = with_memory(files, run, Evidence(), NAMES).earlier
    learn(files, "third", seed=3)
    after = with_memory(files, run, Evidence(), NAMES).earlier
    assert before is not None
    np.testing.assert_array_equal(before, after)
    version = decode_record(files.objects[f"{run.home}run.json"]).workers
    assert len(str(version)) == 12


def test_the_first_run_of_a_project_knows_nobody_then_or_later() -> None:
    files = Files()
    run = run_called("first", files)
    assert with_memory(files, run, Evidence(), NAMES).earlier is None
    learn(files, "other")
    assert with_memory(files, run, Evidence(), NAMES).earlier is None


def test_without_the_setting_nothing_is_read_or_noted() -> None:
    files = Files()
    run = run_called("first", files, remember_workers=False)
    before = dict(files.objects)
    evidence = Evidence()
    assert with_memory(files, run, evidence, NAMES) is evidence
    assert files.objects == before


def test_a_worker_is_forgotten_in_the_project_and_in_the_copies_of_runs() -> None:
    files = Files()
    learn(files, "first")
    run = run_called("second", files)
    recall(files, run)
    places = forget(files, "labels", "w3", None)
    assert sorted(places) == sorted([memory_uri(run), f"{run.home}workers.json"])
    assert b'"w3"' not in files.objects[PROJECT] + files.objects[f"{run.home}workers.json"]
    assert b'"w4"' in files.objects[PROJECT]
    assert forget(files, "labels", "w3", None) == []
    assert forget(files, "labels", "w4", "cars") == []
    assert forget(files, "labels", "w4", "pets") == [PROJECT, f"{run.home}workers.json"]


WRITTEN = msgspec.json.encode(
    Memory(1, ["first"], [LabelList([*LABELS], {"w1": WorkerCounts(9, 1, 0, np.eye(4).tolist())})])
)
FIGURES = st.floats() | st.integers() | st.none() | st.text(max_size=3)
JSON_VALUES = st.recursive(
    FIGURES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner)
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a memory that is cut off, changed in a byte, of other figures, or nothing of it."""
    kind = draw(st.sampled_from(["cut", "byte", "value", "table", "sound", "other", "any"]))
    if kind == "cut":
        return WRITTEN[: draw(st.integers(0, len(WRITTEN) - 1))]
    if kind == "byte":
        place = draw(st.integers(0, len(WRITTEN) - 1))
        return WRITTEN[:place] + draw(st.binary(max_size=3)) + WRITTEN[place + 1 :]
    if kind == "any":
        return draw(st.binary(max_size=40))
    if kind == "other":
        return json.dumps(draw(JSON_VALUES)).encode()
    memory = json.loads(WRITTEN)
    of = memory["lists"][0]["workers"]["w1"]
    if kind == "value":
        of[draw(st.sampled_from([*of]))] = draw(JSON_VALUES)
    elif kind == "table":
        rows = st.lists(st.floats(), max_size=5)
        of["counts"] = draw(st.lists(rows, max_size=5))
    else:
        row = st.lists(st.floats(0, MOST), min_size=4, max_size=4)
        of["counts"] = draw(st.lists(row, min_size=4, max_size=4))
    return json.dumps(memory).encode()


def reason_unusable(document: bytes) -> str:
    """Return why a memory cannot be used, or nothing."""
    try:
        decode_memory(document)
    except MemoryUnusable as error:
        return str(error)
    return ""


@given(document=damaged(), answers=st.integers(1, 3))
def test_a_memory_that_cannot_be_used_costs_no_run_its_labels(
    document: bytes, answers: int
) -> None:
    files = Files()
    files.objects[PROJECT] = document
    run = run_called("next", files)
    crowd, _ = simulated(60, 20, answers=answers, seed=1)
    evidence = with_memory(files, run, Evidence(), NAMES)
    assert np.isfinite(consolidate(crowd, evidence=evidence).confidence).all()
    copy = files.objects[f"{run.home}workers.json"]
    notices = with_notice(files, run, evidence).notices
    if reason := reason_unusable(document):
        assert len(notices) == 1
        assert PROJECT in notices[0]
        assert reason in notices[0]
        assert decode_memory(copy).lists == []
    else:
        assert not notices
        assert copy == document
    assert with_notice(files, run, evidence).notices == notices
    kept = remember(files, run, crowd, NAMES, evidence)
    assert not kept or decode_memory(files.objects[PROJECT]).runs[-1] == "next"
    assert files.objects[f"{run.home}workers.json"] == copy
    if kept:
        forget(files, "labels", "w1", None)
        assert "w1" not in decode_memory(files.objects[PROJECT]).names()


def test_a_newer_version_s_memory_is_neither_used_nor_replaced_nor_passed_over() -> None:
    files = Files()
    newer = b'{"version":2,"people":{"w1":1}}'
    files.objects[PROJECT] = newer
    run = run_called("next", files)
    evidence = with_memory(files, run, Evidence(), NAMES)
    assert evidence.earlier is None
    assert "a newer Tessera wrote" in with_notice(files, run, evidence).notices[0]
    assert not learn(files, "next")
    with pytest.raises(ClickException, match=r"projects/pets/workers\.json.* may tell of w1"):
        forget(files, "labels", "w1", None)
    assert files.objects[PROJECT] == newer


def test_of_a_memory_that_cannot_be_read_nothing_is_kept_of_who_is_forgotten() -> None:
    files = Files()
    files.objects[PROJECT] = WRITTEN[:-9]
    assert forget(files, "labels", "w1", "pets") == [PROJECT]
    assert decode_memory(files.objects[PROJECT]) == Memory()


def test_of_other_label_lists_answers_count_where_both_names_are_here() -> None:
    counts = (np.arange(16.0).reshape(4, 4)).tolist()
    run = run_called("first", Files())
    memory = add_run(Memory(), run, {"ann": WorkerCounts(1, 0, 0, counts)})
    here = earlier_counts(memory, ["ben", "ann"], ["owl", "cat", "hen"])
    assert here is not None
    assert here[:, 0].sum() == 0
    # owl is the third of the other list, cat the first; half of what a run counted
    assert here[:, 1].tolist() == [[5, 4, 0], [1, 0, 0], [0, 0, 0]]
    assert earlier_counts(memory, ["ann"], ["owl", "hen"]) is None
    assert earlier_counts(memory, ["ben"], LABELS) is None


def half_clickers(answers: int, seed: int) -> tuple[Crowd, NDArray[np.int64]]:
    """Return a crowd of whom one half is nearly always right, and the other clicks at random."""
    crowd, truth = simulated(600, 20, answers=answers, accuracy=0.95, seed=seed)
    random = np.random.default_rng(100 + seed).integers(0, 4, len(crowd))
    label = np.where(crowd.worker < 10, random, crowd.label).astype(np.int8)
    return replace(crowd, label=label), truth


def test_who_is_known_is_believed_by_what_is_known_of_them() -> None:
    earlier, _ = half_clickers(3, seed=1)
    counts = count_answers(earlier, consolidate(earlier, probabilities=True))
    later, truth = half_clickers(1, seed=2)
    without = consolidate(later)
    known = consolidate(later, evidence=Evidence(earlier=counts / 2))
    clicks = np.zeros(600, np.bool_)
    clicks[later.image] = later.worker < 10
    assert known.confidence[clicks].mean() < without.confidence[clicks].mean()
    assert known.confidence[~clicks].mean() > known.confidence[clicks].mean() + 0.2
    right = known.label == truth
    assert abs(known.confidence.mean() - right.mean()) < 0.1


@given(st.integers(0, 50))
def test_counts_are_as_many_as_the_answers_and_gold_counts_as_it_is(seed: int) -> None:
    crowd, truth = simulated(30, 5, answers=2, seed=seed)
    crowd = replace(crowd, label=np.where(crowd.image % 7 == 0, -1, crowd.label).astype(np.int8))
    known = np.where(np.arange(30) < 9, truth, -1).astype(np.int16)
    counts = count_answers(crowd, consolidate(crowd, probabilities=True), known)
    assert counts.sum() == pytest.approx(int((crowd.label >= 0).sum()), rel=1e-4)
    only_gold = np.flatnonzero((crowd.image < 9) & (crowd.label >= 0))
    for row in only_gold.tolist():
        assert counts[truth[crowd.image[row]], crowd.worker[row], crowd.label[row]] >= 0.999


def test_gains_are_larger_with_memory_but_in_runs_that_began_before() -> None:
    crowd, _ = simulated(200, 20, seed=4)
    earlier = count_answers(crowd, consolidate(crowd, probabilities=True)) / 2
    new, old = (
        consolidate(crowd, evidence=Evidence(earlier=earlier, rules=RULES[number]))
        for number in (3, 2)
    )
    assert np.allclose(new.gain, 1.25 * old.gain)
    assert (new.label == old.label).all()
    without = [consolidate(crowd, evidence=Evidence(rules=RULES[number])).gain for number in (3, 2)]
    assert (without[0] == without[1]).all()

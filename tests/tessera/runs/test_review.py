"""Reviews of every kind of task: boxes and several labels are decided as single labels are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tessera.commands.export import export, read_samples
from tessera.commands.review import review_command
from tessera.portal.reviews import (
    Review,
    close_review,
    decide,
    list_entries,
    open_review,
    read_latest,
    read_review,
)
from tessera.runs.folder import RunFolder
from tessera.runs.review import Selection, finish_review, review_of, select_pictures
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.lines import Labeled, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tests.examples import examples
from tests.fakes import Files
from tests.functions.conftest import HOME, Run
from tests.tessera.commands.test_review import ReviewedCloud
from tests.tessera.exports.test_fiftyone import read_boxes, read_classes
from tests.tessera.exports.test_readers import drawn

IMAGES = 6
LABELS: Mapping[str, tuple[str, ...]] = {
    "tiles": ("cat", "dog"),
    "verify": ("yes", "no"),
    "boxes": ("cat", "dog"),
    "multi": ("cat", "dog", "cow"),
}
ESCAPE = "cannot see"
NO_GOLD: Mapping[int, str] = MappingProxyType({})
Crowd = Sequence[Sequence[Any]]
"""What each worker says of each image: a label, or a list of those that it has."""


def line(kind: str, index: int) -> dict[str, Any]:
    """A line of the manifest: a picture, or one with two boxes."""
    if kind not in ("verify", "boxes"):
        return {"source-ref": f"s3://pets/{index}.jpg"}
    boxes = [{"class_id": at, "left": 10 + 90 * at, "top": 5, "width": 80, "height": 60}
             for at in range(2)]  # fmt: skip
    return {
        "source-ref": f"s3://pets/{index}.jpg",
        "bounding-box": {"annotations": boxes,
                         "image_size": [{"width": 200, "height": 100, "depth": 3}]},
        "bounding-box-metadata": {"class-map": {"0": "cat", "1": "dog"}},
    }  # fmt: skip


class Answered(Run):
    """A run of six images of a kind, that workers answered."""

    def __init__(self, kind: str, crowd: Crowd, gold: Mapping[int, str] = NO_GOLD) -> None:
        super().__init__(Files())
        self.settings = {
            "task": kind, "labels": LABELS[kind], "unreadable": ESCAPE, "question": "Which?",
            "instructions": "", "max_answers": 3,
        }  # fmt: skip
        lines = IMAGES // 2 if kind in ("verify", "boxes") else IMAGES
        known = {index: {"gold": label} for index, label in gold.items()}
        self.manifest(*(line(kind, index) | known.get(index, {}) for index in range(lines)))
        self.counts |= {"lines": IMAGES, "gold": len(gold)}
        answers = {
            f"w{worker}": {str(index): answer for index, answer in enumerate(of_worker)}
            for worker, of_worker in enumerate(crowd)
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("UI_DIRECTORY", "ui")
            self.job((list(range(IMAGES)), answers))
            self.consolidate()
        record = json.loads(self.bucket.objects[f"{HOME}run.json"])
        record["rounds"] = []
        self.bucket.objects[f"{HOME}run.json"] = json.dumps(record).encode()
        labels: Any = SimpleNamespace(files=self.bucket)
        self.cloud = ReviewedCloud(labels)
        self.files = self.cloud.aws.files
        self.folder = RunFolder(self.cloud, HOME)

    def choices(self, labels: Mapping[str, Any]) -> dict[str, Any]:
        """A form's answers, of one choice or of several."""
        names = (*self.settings["labels"], ESCAPE)
        return {
            image: {name: name in answer if isinstance(answer, list | tuple) else name == answer
                    for name in names}
            for image, answer in labels.items()
        }  # fmt: skip

    def open(self) -> Review:
        """Open a review of every image."""
        pictures = {
            picture.index: picture
            for selection in (Selection(share=1.0), Selection())
            for picture in select_pictures(self.folder, selection, {})[0]
        }
        review = review_of(self.folder, [pictures[index] for index in sorted(pictures)], "")
        open_review(self.cloud.ports, review)
        return review

    def decide(self, index: int, label: Any, reviewer: str = "rita") -> None:
        """Decide on an image, some time after the decision before."""
        clock: Any = self.cloud.ports.clock
        clock.wait(1)
        review = read_review(self.files, HOME)
        decide(self.cloud.ports, review, index, label, by=reviewer, name=f"{reviewer}@example.org")

    def finish(self) -> dict[str, bytes]:
        """Write the labels with what was decided, and return the files that came of it."""
        finish_review(self.folder, teach=False)
        folder = f"{HOME}review/"
        return {
            uri: content
            for uri, content in self.files.objects.items()
            if uri.startswith(folder) and not uri.startswith(f"{folder}decisions/")
        }

    def labels(self, name: str = "") -> dict[int, dict[str, Any]]:
        """The labeled lines by the place of their images, of the run's files or those of `name`."""
        content = self.files.objects[f"{HOME}{name}training.manifest"].splitlines()
        return {place_of(each): each for each in map(json.loads, content)}

    def call(self, *words: str) -> Result:
        """Call `tessera review` for the run."""
        return CliRunner().invoke(
            review_command, ["pets", *words], obj=SimpleNamespace(cloud=self.cloud)
        )

    def write(self, form: str) -> None:
        """Export the labels into the folder `made`."""
        words = ["pets", "--to", form, "--out", "made"]
        done = CliRunner().invoke(export, words, obj=SimpleNamespace(cloud=self.cloud))
        assert done.exit_code == 0, done.output


def place_of(line_: Mapping[str, Any]) -> int:
    """The index of a line's image."""
    picture = int(line_["source-ref"].rpartition("/")[2].removesuffix(".jpg"))
    return 2 * picture + line_["box"]["number"] - 1 if "box" in line_ else picture


def names_of(line_: Mapping[str, Any]) -> Any:
    """The label of a line, or the set of its labels."""
    metadata = line_["label-metadata"]
    return (
        set(metadata["class-map"].values()) if "class-map" in metadata else metadata["class-name"]
    )


def answers_of(kind: str) -> st.SearchStrategy[Any]:
    """What a worker says of an image."""
    one = st.sampled_from([*LABELS[kind], ESCAPE])
    if kind != "multi":
        return one
    return st.one_of(st.lists(st.sampled_from(LABELS[kind]), unique=True), st.just([ESCAPE]))


def changes_of(kind: str) -> st.SearchStrategy[Any]:
    """A decision that a reviewer may make of an image."""
    if kind != "multi":
        return st.sampled_from([*LABELS[kind], ESCAPE, None])
    yes_or_no = st.sampled_from([True, False, None])
    of_labels = st.dictionaries(st.sampled_from(LABELS[kind]), yes_or_no, min_size=1)
    return st.one_of(of_labels, st.just({ESCAPE: True}), st.just({ESCAPE: None}), st.none())


@st.composite
def reviewed_runs(draw: st.DrawFn) -> tuple[Answered, list[tuple[int, Any, str]]]:
    """A run of any kind with any answers, and decisions of two reviewers in their order."""
    kind = draw(st.sampled_from(sorted(LABELS)))
    workers = draw(st.integers(1, 3))
    crowd = [draw(st.tuples(*[answers_of(kind)] * IMAGES)) for _ in range(workers)]
    made = st.tuples(
        st.integers(0, IMAGES - 1), changes_of(kind), st.sampled_from(["rita", "rolf"])
    )
    return Answered(kind, crowd), draw(st.lists(made, max_size=10))


def counting(decisions: Sequence[tuple[int, Any, str]]) -> dict[int, Any]:
    """What counts of decisions: of one label the last, of several the last of each."""
    state: dict[int, Any] = {}
    for index, change, _ in decisions:
        if not isinstance(change, dict):
            state[index] = change
            continue
        labels = dict(state.get(index) or {})
        for name, value in change.items():
            labels.pop(name, None)
            if value is not None:
                labels = {} if name == ESCAPE else {k: v for k, v in labels.items() if k != ESCAPE}
                labels |= {k: v for k, v in change.items() if v is not None}
        state[index] = labels
    return {index: label for index, label in state.items() if label}


@limits(max_examples=examples(60), deadline=None)
@given(reviewed_runs())
def test_decisions_are_final_and_whatever_nobody_decided_keeps_its_label(
    reviewed: tuple[Answered, list[tuple[int, Any, str]]],
) -> None:
    run, decisions = reviewed
    review = run.open()
    assert [picture.index for picture in review.pictures] == list(range(IMAGES))
    assert all(picture.box for picture in review.pictures) == run.folder.settings.has_boxes
    before, first = dict(run.files.objects), run.labels()
    for decision in decisions:
        run.decide(*decision)
    once = run.finish()
    assert run.finish() == once  # applying twice is applying once
    assert {uri: run.files.objects[uri] for uri in before} == before
    decided, after = counting(decisions), run.labels("review/")
    latest = read_latest(run.files, HOME, review).decisions
    assert {index: one.label for index, one in latest.items()} == decided
    for index in range(IMAGES):
        check_line(decided.get(index), first.get(index), after.get(index), run.settings["labels"])
    figures = json.loads(once[f"{HOME}review/report.json"])
    assert figures.get("reviewed", 0) == len(decided)
    counts = figures["images"]
    assert counts["training"] == len(after)
    assert counts["training"] + counts["unlabeled"] == IMAGES


def check_line(decided: Any, before: Any, after: Any, labels: Sequence[str]) -> None:
    """Check what became of one image: its line of before, and that of after, if it has one."""
    if decided is None:
        assert after == before
    elif decided == ESCAPE or decided == {ESCAPE: True}:
        assert after is None
    elif isinstance(decided, str):
        assert names_of(after) == decided
        assert after["label-metadata"]["reviewed"] is True
        assert after["label-metadata"]["confidence"] == 1
    elif before is None and len(decided) < len(labels):
        assert after is None  # of the other labels nothing is known
    else:
        kept = (names_of(before) if before else set()) - decided.keys()
        assert names_of(after) == kept | {name for name, has in decided.items() if has}
        assert set(after["label-metadata"]["reviewed"]) == decided.keys()


@limits(max_examples=examples(40), deadline=None)
@given(reviewed_runs())
def test_what_comes_of_a_review_is_read_by_a_later_run_and_by_every_export(
    reviewed: tuple[Answered, list[tuple[int, Any, str]]],
) -> None:
    run, decisions = reviewed
    run.open()
    for decision in decisions:
        run.decide(*decision)
    content = run.finish()[f"{HOME}review/training.manifest"]
    settings = run.folder.settings
    chunks = box_lines([content], settings)
    again = list(read_manifest(manifest_lines(chunks), settings))
    assert all(isinstance(each, Labeled) for each in again)
    assert len(again) == len(run.labels("review/"))
    kept, left_out = read_samples(RunFolder(run.cloud, HOME), None, 0)
    assert (len(kept), left_out) == (len(again), [])
    for sample, each in zip(kept, run.labels("review/").values(), strict=True):
        expected = names_of(each)
        assert (set(sample.labels) if settings.is_multi else sample.class_name) == expected


CROWDS: dict[str, Crowd] = {
    "tiles": [["cat", "dog"] * 3] * 2,
    "verify": [["yes", "no"] * 3] * 2,
    "boxes": [["cat", "dog"] * 3] * 2,
    "multi": [[["cat"], ["cat", "dog"], [], [ESCAPE], ["cow"], ["dog"]]] * 2,
}


@pytest.mark.parametrize("kind", ["verify", "boxes"])
def test_boxes_are_shown_with_their_places_and_exported_as_they_were_decided(
    kind: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Answered(kind, CROWDS[kind])
    first, second = run.open().pictures[:2]
    assert (first.box, second.box) == ("10,5,80,60,200,100", "100,5,80,60,200,100")
    assert (first.box_class, second.box_class) == (("cat", "dog") if kind == "verify" else ("", ""))
    run.decide(0, LABELS[kind][1])
    run.decide(1, LABELS[kind][0])
    done = run.call("--finish")
    assert done.exit_code == 0, done.output
    assert "2 boxes decided" in " ".join(done.output.split())
    assert "tessera export pets --to coco" in " ".join(done.output.split())
    monkeypatch.chdir(tmp_path)
    run.write("coco")
    (tmp_path / "pictures").mkdir()
    for index in range(IMAGES // 2):
        (tmp_path / f"pictures/{index}.jpg").write_bytes(drawn("jpg"))
    made = tmp_path / "made/annotations/instances.json"
    left, right = [0.05, 0.05, 0.4, 0.6], [0.5, 0.05, 0.4, 0.6]
    kept = [(("dog", 1.0), right)]
    if kind == "boxes":
        kept = [(("dog", 1.0), left), (("cat", 1.0), right)]
    assert read_boxes(made, tmp_path / "pictures")["0.jpg"] == kept
    coco = pytest.importorskip("pycocotools.coco", reason="the reader is not installed")
    assert len(coco.COCO(str(made)).getAnnIds(imgIds=[1])) == len(kept)


def test_several_labels_are_exported_as_they_were_decided(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Answered("multi", CROWDS["multi"])
    for index in range(IMAGES):
        run.files.put(f"s3://pets/{index}.jpg", drawn("jpg"))
    run.open()
    run.decide(1, {"cat": False, "cow": True})
    run.decide(3, {name: False for name in LABELS["multi"]})
    run.finish()
    monkeypatch.chdir(tmp_path)
    run.write("fiftyone")
    read: Any = read_classes(tmp_path / "made")
    labels = [dict(read[name]).keys() for name in sorted(read)]
    assert labels == [{"cat"}, {"dog", "cow"}, set(), set(), {"cow"}, {"dog"}]
    assert dict(read["000001-1.jpg"])["cow"] == 1.0


def test_two_reviewers_of_one_picture_keep_what_the_other_decided_of_other_labels() -> None:
    run = Answered("multi", CROWDS["multi"])
    run.open()
    run.decide(0, {"dog": True}, "rita")
    run.decide(0, {"cow": True}, "rolf")
    run.decide(0, {"dog": False}, "rolf")
    run.finish()
    assert names_of(run.labels("review/")[0]) == {"cat", "cow"}


def test_gold_that_workers_contradict_is_reviewed_and_a_decision_is_its_label() -> None:
    crowd = [["cat", "dog", "cat", "dog", "cat", "dog"]] * 8
    run = Answered("tiles", crowd, gold={0: "dog", 1: "dog"})
    report = json.loads(run.bucket.objects[f"{HOME}report.json"])
    (image,) = report["gold_in_doubt"]["images"]
    assert (image["index"], image["gold"], image["label"]) == (0, "dog", "cat")
    assert image["source"] == "s3://pets/0.jpg"

    pictures, total = select_pictures(run.folder, Selection(), {})

    assert ([picture.index for picture in pictures], total) == ([0], 1)
    assert (pictures[0].label, len(pictures[0].answers)) == ("dog", 8)
    run.open()
    run.decide(0, "cat")
    reviewed = json.loads(run.finish()[f"{HOME}review/report.json"])
    assert names_of(run.labels("review/")[0]) == "cat"
    assert names_of(run.labels()[0]) == "dog"
    assert "gold_in_doubt" not in reviewed


def test_a_doubtful_picture_of_several_labels_shows_who_said_what_of_each() -> None:
    crowd = [[["cat"], *[["dog"]] * 5], [["cat", "dog"], *[["dog"]] * 5]]
    picture = Answered("multi", crowd).open().pictures[0]
    assert [answer.label for answer in picture.answers] == [
        {"cat": True, "dog": False, "cow": False}, {"cat": True, "dog": True, "cow": False},
    ]  # fmt: skip
    assert isinstance(picture.label, dict)
    assert picture.label["cat"] is True
    assert picture.sure.keys() == picture.label.keys()
    assert min(picture.sure.values()) == picture.confidence


def test_a_label_is_reviewed_wherever_a_picture_has_it_among_others() -> None:
    run = Answered("multi", CROWDS["multi"])
    pictures, _ = select_pictures(run.folder, Selection(label="dog"), {})
    assert {picture.index for picture in pictures} == {1, 5}


@pytest.mark.parametrize(
    ("kind", "words", "says"),
    [
        ("multi", ("--finish", "--teach"), "--teach is for one label a picture"),
        ("multi", ("--label", "bird"), "none of the run's labels: cat, dog, cow"),
        ("verify", ("--label", "cat"), "none of the run's labels: yes, no"),
        ("verify", ("--finish",), "There is no review of this run: tessera review pets"),
    ],
)
def test_what_a_kind_cannot_do_is_refused_with_what_can(
    kind: str, words: tuple[str, ...], says: str
) -> None:
    done = Answered(kind, CROWDS[kind]).call(*words)
    assert done.exit_code != 0
    assert says in " ".join(done.output.split())


def test_answers_on_a_page_of_the_projects_own_are_refused_before_anything_is_read() -> None:
    run = Answered("tiles", CROWDS["tiles"])
    record = json.loads(run.files.objects[f"{HOME}run.json"])
    record["settings"] = {"task": "custom"}
    run.files.objects[f"{HOME}run.json"] = json.dumps(record).encode()
    done = run.call()
    assert done.exit_code != 0
    assert "tessera fetch pets" in " ".join(done.output.split())


def test_a_picture_that_nobody_could_judge_is_named_until_all_its_labels_are_decided() -> None:
    run = Answered("multi", CROWDS["multi"])
    run.open()
    run.decide(3, {"cat": True})
    done = run.call("--finish")
    assert "stays unlabeled until all of them are: line 4" in " ".join(done.output.split())
    assert 3 not in run.labels("review/")
    run.open()
    run.decide(3, {"dog": False, "cow": False})
    assert json.loads(run.call("--finish", "--json").stdout)["left_open"] == []
    assert names_of(run.labels("review/")[3]) == {"cat"}


def test_decisions_are_kept_when_the_run_is_labeled_anew_and_when_its_review_ends() -> None:
    run = Answered("multi", CROWDS["multi"])
    run.open()
    run.decide(2, {"cow": True, "cat": False, "dog": False})
    run.finish()
    close_review(run.cloud.ports, "pets")
    assert list_entries(run.cloud.ports) == []
    run.bucket.objects = run.files.objects
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UI_DIRECTORY", "ui")
        run.consolidate()
    assert names_of(run.labels()[2]) == {"cow"}
    assert run.labels()[2] == run.labels("review/")[2]

"""Tables in, tables out: `import tessera` does what the commands do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import tessera as package
from tessera import frames
from tessera.commands.consolidate import consolidate_command
from tessera.exits import Refused
from tessera.runs.executions import CUT_OFF, Ending, RunError
from tessera.runs.folder import RunFolder
from tessera.stack.cloud import Cloud
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import read_settings
from tests.tessera.conftest import Labels, Place, png
from tests.tessera.exports.test_box_formats import VERIFY
from tests.tessera.exports.test_box_formats import line as box_line
from tests.tessera.exports.test_set_formats import SETTINGS
from tests.tessera.exports.test_set_formats import line as set_line

ROOT = Path(__file__).parents[2]
ANSWERS = (
    "task,worker,label,seconds,round\n0,ann,cat,1.5,1\n0,ben,dog,,1\n1,ann,NA,2.0,1\n"
    "1,'=ben,'=1+1,2.5,1\n"
)


@pytest.fixture
def run(place: Place, labels: Labels) -> frames.Run:
    name = labels.run(images=4)
    labels.put("labels", f"runs/{name}/answers.csv", ANSWERS.encode())
    report = {"headline": "4 of 4 labeled.", "workers": []}
    labels.put("labels", f"runs/{name}/report.json", json.dumps(report).encode())
    record = json.loads(labels.files.get(f"s3://labels/runs/{name}/run.json"))
    record["execution"] = "arn:first"
    labels.put("labels", f"runs/{name}/run.json", json.dumps(record).encode())
    return frames.Run(RunFolder(place.cloud, f"s3://labels/runs/{name}/"))


def test_importing_the_package_loads_neither_pandas_nor_the_commands() -> None:
    script = (
        "import sys, tessera; print(*sorted({'pandas', 'tessera.frames'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
    assert package.consolidate is frames.consolidate
    assert "drop" in dir(package)
    with pytest.raises(AttributeError, match="no attribute 'lables'"):
        _ = package.lables


def test_labels_are_a_row_an_image_and_what_is_not_sure_is_counted(run: frames.Run) -> None:
    table = run.labels()
    assert table.columns.tolist() == ["image", "label", "confidence", "agreement", "answers"]
    assert table.label.tolist() == ["cat", "dog", "cat", "dog"]
    assert table.image[0] == "s3://inbox/pets/0.png"
    assert len(run.labels(min_confidence=0.51)) == 2
    assert run.labels(min_confidence=0.51).attrs["left_out"] == 2


def test_several_labels_are_lists_in_labels_and_answers(place: Place, labels: Labels) -> None:
    names = {"class-map": {"0": "cat", "1": "dog"}}
    name = labels.run(
        images=1,
        settings={"task": "multi"},
        line=lambda _: {"pet": [0, 1], "pet-metadata": names},
    )
    text = 'task,worker,label,seconds,round\n0,ann,"[""cat"",""dog""]",,1\n0,ben,invalid image,,1\n'
    labels.put("labels", f"runs/{name}/answers.csv", text.encode())
    made = frames.Run(RunFolder(place.cloud, f"s3://labels/runs/{name}/"))
    assert made.labels().label.tolist() == [["cat", "dog"]]
    assert made.answers().label.tolist() == [["cat", "dog"], ["invalid image"]]
    assert made.answers().asked.tolist() == [["cat", "dog"]] * 2  # of a run before there were any
    text += "0,cid,[],,2\n"
    head, *rows = text.splitlines()
    asked = ['"[""cat"",""dog""]"', '"[""cat"",""dog""]"', '"[""dog""]"']
    pairs = zip([head, *rows], ["asked", *asked], strict=True)
    text = "\n".join(f"{row},{of_page}" for row, of_page in pairs)
    labels.put("labels", f"runs/{name}/answers.csv", text.encode())
    assert made.answers().asked.tolist() == [["cat", "dog"], ["cat", "dog"], ["dog"]]


def test_answers_have_the_columns_of_crowd_kit_and_their_text_as_it_was(run: frames.Run) -> None:
    table = run.answers()
    assert table.columns.tolist()[:3] == ["task", "worker", "label"]
    assert table.label.tolist() == ["cat", "dog", "NA", "=1+1"]
    assert table.worker.tolist()[-1] == "=ben"
    assert table.seconds.isna().tolist() == [False, True, False, False]


def test_waiting_ends_with_the_run_or_with_its_reason_or_in_time(
    run: frames.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    endings = [Ending("RUNNING", {}), Ending("SUCCEEDED", {})]
    monkeypatch.setattr(frames, "PAUSE", 0)
    monkeypatch.setattr(frames, "read_ending", lambda *_: endings.pop(0))
    assert run.wait() is run
    monkeypatch.setattr(frames, "read_ending", lambda *_: Ending("FAILED", {}, "X", "no answers"))
    with pytest.raises(RunError, match="X: no answers"):
        run.wait()
    monkeypatch.setattr(frames, "read_ending", lambda *_: Ending("RUNNING", {}))
    with pytest.raises(TimeoutError, match=f"watch {run.name}"):
        run.wait(seconds=-1)


def test_a_table_becomes_a_manifest_with_its_columns_as_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame(
        {
            "image": ["a.png", "https://pictures.test/b.png", "s3://pets/c.png"],
            "gold": ["cat", None, float("nan")],
            "prelabel": [None, "dog", None],
            "prelabel_confidence": [None, 0.5, None],
            "n": [1, 2, 3],
        }
    )
    lines = [json.loads(line) for line in frames.manifest_of(table).splitlines()]
    assert lines == [
        {"source-ref": str(tmp_path / "a.png"), "gold": "cat", "n": 1},
        {"source-ref": "https://pictures.test/b.png", "prelabel": "dog",
         "prelabel-confidence": 0.5, "n": 2},
        {"source-ref": "s3://pets/c.png", "n": 3},
    ]  # fmt: skip
    with pytest.raises(Refused, match="no column image; its columns are: picture"):
        frames.manifest_of(pd.DataFrame({"picture": []}))


COORDINATES = st.integers(0, 40) | st.floats(0, 40, width=16)
BOXES = st.lists(
    st.tuples(st.tuples(*[COORDINATES] * 2, *[st.integers(1, 9)] * 2),
              st.sampled_from(["cat", "dog", "é"])),
    min_size=1, max_size=5,
)  # fmt: skip


@given(BOXES, st.sampled_from([tuple, list, np.array]))
def test_a_table_of_boxes_becomes_boxes_that_a_run_verifies(
    tmp_path_factory: pytest.TempPathFactory, boxes: list[Any], form: Any
) -> None:
    picture = tmp_path_factory.getbasetemp() / "boxes.png"
    picture.write_bytes(png(50, 60))
    table = pd.DataFrame(
        {
            "image": [str(picture)] * len(boxes),
            "box": [form(box) for box, _ in boxes],
            "class": [name for _, name in boxes],
        }
    )
    text = frames.manifest_of(table).replace(b'"source-ref":"/', b'"source-ref":"s3://pets/')
    settings = read_settings(b'{"task": "verify"}')
    read = list(read_manifest(manifest_lines(box_lines([text], settings)), settings))
    assert [
        (each.box[:6], each.box.name) for each in read if isinstance(each, Image) and each.box
    ] == [((*box, 50, 60), name) for box, name in boxes]


def test_a_box_without_its_picture_or_numbers_is_refused_by_its_row() -> None:
    row = {"image": "s3://pets/1.png", "box": (1, 2, 3, 4), "picture_size": (50, 60)}
    (line,) = frames.manifest_of(pd.DataFrame([row])).splitlines()
    assert json.loads(line)["bounding-box"]["image_size"] == [
        {"width": 50, "height": 60, "depth": 3}
    ]
    for change, reason in (
        ({"picture_size": None}, "column picture_size"),
        ({"box": (1, 2, 3)}, "four numbers"),
        ({"box": "1,2,3,4"}, "four numbers"),
    ):
        with pytest.raises(Refused, match=f"Row 1 of the table.*{reason}"):
            frames.manifest_of(pd.DataFrame([row, row | change]))


def test_labels_of_boxes_say_which_box_they_are_of(place: Place, labels: Labels) -> None:
    name = labels.run(images=2, line=box_line, settings=VERIFY)
    table = frames.Run(RunFolder(place.cloud, f"s3://labels/runs/{name}/")).labels()
    assert table.label.tolist() == ["yes", "no"]
    assert table.box.tolist() == [(10, 20, 30, 40), (5.5, 6, 7.25, 8)]
    assert table["class"].tolist() == ["cat", "cat"]
    assert table.image.nunique() == 1


def test_a_drop_refuses_what_the_command_refuses_with_its_sentences(
    place: Place, tmp_path: Path
) -> None:
    cloud: Any = place.cloud
    table = pd.DataFrame({"image": ["s3://pets/1.jpg"]})
    with pytest.raises(Refused, match="project='pets'"):
        frames.drop(table, labels=["cat", "dog"], cloud=cloud)
    with pytest.raises(Refused, match="labels: missing"):
        frames.drop(table, project="pets", settings={"seed": 1}, cloud=cloud)
    with pytest.raises(Refused, match="There is no"):
        frames.drop(table, project="pets", cloud=cloud)


WRONG = [
    ({"path": ["1.jpg"]}, {}, "table.rename"),
    ({"image": []}, {}, "no rows"),
    ({"image": ["1.jpg", None]}, {}, "Row 1 of the table has no image"),
    ({"image": ["s3://pets/1.jpg"]}, {"labels": ()}, r"labels=\['cat', 'dog'\]"),
    ({"image": ["s3://pets/1.jpg"]}, {"labels": [0, 1]}, "What labels= and settings= say"),
    ({"image": ["s3://pets/1.jpg"]}, {"settings": {"answer_per_image": 1}}, "answers_per_image"),
    ({"image": ["s3://pets/1.jpg"], "gold": ["cow"]}, {}, "The table would be refused"),
    ({"image": ["none.jpg"], "gold": ["cow"]}, {}, "The table would be refused"),
    ({"image": ["none.jpg"]}, {}, "The table: 1 picture of 1"),
]


@pytest.mark.parametrize(("columns", "changed", "words"), WRONG)
def test_a_wrong_table_is_refused_in_words_of_the_table(
    place: Place,
    columns: dict[str, Any],
    changed: dict[str, Any],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where the table is written down; not /tmp as a whole, which the checkout may be in.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    usual: dict[str, Any] = {"labels": ["cat", "dog"], "project": "pets", "cloud": place.cloud}
    with pytest.raises(Refused, match=words) as refusal:
        frames.drop(pd.DataFrame(columns), **usual | changed)
    assert str(tmp_path) not in refusal.value.message


@pytest.mark.parametrize("images", [None, ["1.jpg"], 7, "no such folder"])
def test_what_are_no_images_is_refused(place: Place, images: Any) -> None:
    with pytest.raises(Refused, match=r"Make a table|Paths count from"):
        frames.drop(images, labels="cat,dog", cloud=place.cloud)


def test_labels_in_one_text_are_those_between_its_commas(
    monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    seen = list[Any]()
    monkeypatch.setattr(frames, "_start", lambda _, source, __: seen.append(source.own_settings()))
    for labels in ("cat, dog", ["cat", "dog"], ("cat", "dog")):
        table = pd.DataFrame({"image": ["s3://pets/1.jpg"]})
        frames.drop(table, labels, project="pets", cloud=place.cloud)
    assert [json.loads(each) for each in seen] == [{"labels": ["cat", "dog"]}] * 3


@pytest.mark.parametrize("gold", [["cat", None], [None, None]])
@pytest.mark.parametrize("given", [None, {"seed": 1}])
def test_known_labels_show_how_well_people_answer_unless_settings_say_otherwise(
    gold: list[Any], given: Any, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[Any]()
    monkeypatch.setattr(frames, "_start", lambda _, source, __: seen.append(source.own_settings()))
    table = pd.DataFrame({"image": ["s3://pets/1.jpg", "s3://pets/2.jpg"], "gold": gold})
    frames.drop(table, "cat,dog", project="pets", settings=given, cloud=place.cloud)
    expected = 1 if given is None and gold[0] else None
    assert json.loads(seen[0]).get("gold_per_task") == expected


def test_a_run_that_was_cut_off_names_the_command_that_goes_on_with_it(
    run: frames.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = Ending("FAILED", {}, CUT_OFF, "Execution was running when service restarted")
    monkeypatch.setattr(frames, "read_ending", lambda *_: cut)
    object.__setattr__(run.folder.cloud, "endpoint", "http://127.0.0.1:4566")
    with pytest.raises(RunError, match="tessera up"):
        run.wait()


def test_what_a_notebook_shows_of_a_run_holds_no_key(run: frames.Run) -> None:
    cloud = Cloud(credentials=("tessera", "a secret of this folder"))
    assert repr(frames.Run(RunFolder(cloud, run.folder.home)).folder).count("secret") == 0
    assert run.name in repr(run)
    assert "RunFolder" not in repr(run)


@pytest.mark.parametrize("least", [-0.1, 1.01, 95])
def test_a_confidence_is_a_share(run: frames.Run, least: float) -> None:
    with pytest.raises(Refused, match="between 0 and 1"):
        run.labels(min_confidence=least)


TRIPLES = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from(["ann", "ben", "cem"]), st.sampled_from("xyz")
    ),
    min_size=1,
    max_size=20,
)


@given(TRIPLES, st.sampled_from(["hierarchical", "majority", "dawid-skene"]))
def test_a_table_gives_the_labels_that_the_command_gives_of_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], method: Any
) -> None:
    table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    folder = tmp_path_factory.mktemp("answers")
    table.to_csv(folder / "answers.csv", index=False)
    arguments = [str(folder / "answers.csv"), "--method", method, "--out", str(folder / "out.csv")]
    result = CliRunner().invoke(consolidate_command, arguments)
    assert result.exit_code == 0, result.output
    theirs = pd.read_csv(folder / "out.csv").set_index("task")
    ours = frames.consolidate(table, method)
    assert ours.label.to_dict() == theirs.label.to_dict()
    assert ours.confidence.round(3).to_dict() == pytest.approx(
        theirs.confidence.to_dict(), abs=0.002
    )


@pytest.mark.parametrize("wrong", [0, 3])
def test_gold_that_workers_contradict_is_named_beside_the_table(wrong: int) -> None:
    names = ["cat", "dog"]
    rows = [(task, f"w{worker}", names[task % 2]) for task in range(40) for worker in range(10)]
    answers = pd.DataFrame(rows, columns=["task", "worker", "label"])
    gold = {task: names[(task + (task < wrong)) % 2] for task in range(20)}
    labels = frames.consolidate(answers, gold=gold)
    assert labels.attrs["gold_in_doubt"] == {task: names[task % 2] for task in range(wrong)}
    assert "gold_in_doubt" not in frames.consolidate(answers).attrs


def test_embeddings_label_what_nobody_answered_and_gold_and_unreadable_count() -> None:
    rows = [(n, w, "cat" if n % 2 else "dog") for n in range(60) for w in ("ann", "ben")]
    answers = pd.DataFrame([*rows, (60, "ann", "?")], columns=["task", "worker", "label"])
    vectors = pd.DataFrame([[n % 2, 1 - n % 2] for n in range(70)], index=range(70), dtype=float)
    made = frames.consolidate(answers, embeddings=vectors, gold={0: "dog"}, unreadable="?")
    assert made.label[61] == "cat"
    assert made.answers[61] == 0
    assert set(made.label.dropna()) == {"cat", "dog"}
    with pytest.raises(Refused, match="2 tasks have no row"):
        frames.consolidate(answers, embeddings=vectors.iloc[:59])
    with pytest.raises(Refused, match="no column worker"):
        frames.consolidate(answers.drop(columns="worker"))
    with pytest.raises(Refused, match="method hierarchical"):
        frames.consolidate(answers, "majority", embeddings=vectors)


def test_the_notebook_runs_from_top_to_bottom(
    run: frames.Run, labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = json.loads((ROOT / "examples" / "labels.ipynb").read_text("utf-8"))["cells"]
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    for name in ("1.png", "2.png", "3.png"):
        Path("pictures", name).write_bytes(png(64, 64))
    dropped = []
    runs = {"tiles": run.name, "verify": labels.run("boxes-2", images=2, line=box_line,
            settings=VERIFY), "multi": labels.run("tags-3", images=4, line=set_line,
            settings=SETTINGS)}  # fmt: skip
    of_sets = 'task,worker,label,seconds,round,asked\n0,ann,"[""cat""]",,1,"[""cat"",""dog""]"\n'
    labels.put("labels", "runs/tags-3/answers.csv", of_sets.encode())
    for name in ("boxes-2", "tags-3"):
        record = json.loads(labels.files.get(f"s3://labels/runs/{name}/run.json"))
        record["execution"] = "arn:first"
        labels.put("labels", f"runs/{name}/run.json", json.dumps(record).encode())

    def drop_source(cloud: Any, source: Any, _: Any, settings: Any, *, quiet: bool) -> Any:
        dropped.append(source.path.read_bytes())
        return "arn:first", SimpleNamespace(run=runs[settings.task])

    monkeypatch.setattr(frames, "stack_of", lambda: run.folder.cloud)
    monkeypatch.setattr(frames, "drop_source", drop_source)
    monkeypatch.setattr(frames, "read_ending", lambda *_: Ending("SUCCEEDED", {}))
    monkeypatch.setattr(type(run.folder.cloud), "people_url", "https://portal.test/")
    names: dict[str, Any] = {}
    for cell in [cell for cell in cells if cell["cell_type"] == "code"]:
        exec("".join(cell["source"]), names)
    assert b'"camera":"door"' in dropped[0]
    assert dropped[1].count(b'"bounding-box":') == 3
    assert len(names["labels"]) == 4
    assert names["refused"].box.tolist() == [(5.5, 6, 7.25, 8)]
    assert names["tagged"].label.map(type).eq(list).all()
    assert names["consensus"].index.name == "task"

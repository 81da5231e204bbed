"""Label from Python: tables of images in, tables of labels and answers out.

    run = tessera.drop("pets", labels=["cat", "dog"])   # a folder, a manifest or a table
    run.wait()
    run.labels()                                        # one row an image
    tessera.consolidate(run.answers())                  # the same methods, on any answers

It is thin: a drop is that of `tessera drop`, labels are read as `tessera export` reads them, and
answers have the columns of crowd-kit (https://github.com/Toloka/crowd-kit): task, worker, label.
Errors are those of the commands, with the same sentences.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from PIL import Image as Picture

from tessera.cli import region_of
from tessera.exits import Refused
from tessera.exports.dataset import LeftOut, samples
from tessera.option_lists import listed
from tessera.runs.checks import parse_settings
from tessera.runs.executions import ENDED, read_ending
from tessera.runs.failures import failure, require_no_failure
from tessera.runs.folder import RunFolder
from tessera.runs.folder import find_run as find_folder
from tessera.runs.instructions import settings_beside
from tessera.runs.source import Source
from tessera.runs.start import drop_source
from tessera.stack.cloud import STACK_NAME, Cloud
from tessera.stack.local_stack import HOME, PORT, LocalStack
from tessera.stack.target import Target
from tessera.tiling.consensus import Crowd, Evidence
from tessera.tiling.consensus import consolidate as consolidate_crowd
from tessera.tiling.consensus.gold_doubts import find_gold_doubts
from tessera.tiling.csv_field import plain_text
from tessera.tiling.guesses import Columns, learn
from tessera.tiling.method_names import DEFAULT_METHOD, Method

try:
    import pandas as pd
except ImportError as missing:
    raise ImportError(
        "tessera's tables are pandas' own, which is not installed: pip install 'tessera[pandas]'"
    ) from missing

PAUSE = 2.0
"""Seconds between two looks at a run that is waited for: people take minutes for a page."""
LABEL_COLUMNS = ("image", "label", "confidence", "agreement", "answers")
"""Columns of a run's labels."""
BOX_COLUMNS = ("box", "class")
"""Columns of a box beside its picture: left, top, width and height in pixels, and its class."""
SIDES = ("left", "top", "width", "height")
NO_LABEL = -1


def stack_of(
    profile: str | None = None,
    region: str | None = None,
    *,
    name: str = STACK_NAME,
    port: int = PORT,
    home: str | Path = HOME,
) -> Cloud:
    """Return the stack to work on: with a profile one on AWS, else the one on this machine.

    Raises NotDeployed if that is not running, with the command that starts it.
    """
    if profile is None:
        return Target(LocalStack(Path(home).resolve(), port)).cloud
    os.environ["AWS_PROFILE"] = profile  # as `tessera --profile` sets it for this process
    region = region or region_of(profile)
    options = ("--profile", profile, *(("--region", region) if region else ()))
    return Cloud(region=region, stack_name=name, profile=profile, options=options)


@dataclass(frozen=True, repr=False)
class Run:
    """Run of a stack: wait for it, and read its labels and answers as tables."""

    folder: RunFolder

    def __repr__(self) -> str:
        """Name the run, and no more: a notebook keeps what it shows."""
        return f"<run {self.name}>"

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def portal(self) -> str:
        """Address at which people label."""
        return self.folder.cloud.people_url

    @property
    def report(self) -> dict[str, Any]:
        """Figures of the run: `report.json` (docs/report.md)."""
        return self.folder.report

    def wait(self, seconds: float | None = None) -> Run:
        """Wait until the run has ended, and return it.

        Raises TimeoutError after so many seconds, and RunError, with the reason, if it failed.
        """
        end = None if seconds is None else time.monotonic() + seconds
        execution = self.folder.record["execution"]
        while (ending := read_ending(self.folder.cloud, execution)).status not in ENDED:
            if end is not None and time.monotonic() > end:
                raise TimeoutError(
                    f"{self.name} is still {ending.status} after {seconds:g} seconds. Its "
                    f"progress: {self.folder.cloud.command(f'watch {self.name}')}"
                )
            time.sleep(PAUSE)
        if ending.status != "SUCCEEDED":
            raise failure(ending, self.folder.cloud)
        return self

    def labels(self, min_confidence: float = 0.0) -> pd.DataFrame:
        """Return the labels: image, label, confidence, agreement, answers, one row an image.

        Where an image may have several labels, `label` is a list of them; where it is a box on a
        picture, `box` has its left, top, width and height in pixels, and `class` what it came as.
        Lines that cannot be read, or are less sure than `min_confidence`, are left out and counted
        in `attrs`.
        """
        if not 0 <= min_confidence <= 1:
            raise Refused(f"min_confidence is a share between 0 and 1, and not {min_confidence}.")
        lines, left_out = self.folder.lines(self.folder.training), 0
        rows = []
        for sample in samples(lines, self.folder.settings, group_key=None, least=min_confidence):
            if isinstance(sample, LeftOut):
                left_out += 1
                continue
            label = sample.class_name if sample.names is None else list(sample.names)
            row = (sample.uri, label, sample.confidence, sample.agreement, sample.answers)
            box = sample.box
            rows.append(row if box is None else (*row, tuple(box[:4]), box.name))
        columns = LABEL_COLUMNS + BOX_COLUMNS * self.folder.settings.has_boxes
        table = pd.DataFrame(rows, columns=list(columns))
        table.attrs["left_out"] = left_out
        return table

    def answers(self) -> pd.DataFrame:
        """Return every usable answer in order of arrival: task, worker, label, seconds, round.

        `task` is the line of the image in the manifest. The columns are crowd-kit's, so that its
        aggregators take the table. Where an image may have several labels, `label` is a list, and
        `asked` lists the labels that the page asked: of the others the answer says nothing.
        """
        text = self.folder.read("answers.csv")
        # not "NA" for missing: somebody's label may be called so
        table = pd.read_csv(
            io.BytesIO(text),
            dtype={"worker": str, "label": str},
            keep_default_na=False,
            na_values={"seconds": [""]},
        )
        for column in ("worker", "label"):
            table[column] = [plain_text(value) for value in table[column]]
        if self.folder.settings.is_multi:
            escape = self.folder.settings.escape
            table["label"] = [
                [escape] if value == escape else json.loads(value) for value in table["label"]
            ]
            # answers of an earlier version were to pages that asked all labels
            every = json.dumps(self.folder.settings.classes)
            asked = table.get("asked", [every] * len(table))
            table["asked"] = [json.loads(plain_text(value)) for value in asked]
        return table


def find_run(name: str | None = None, cloud: Cloud | None = None) -> Run:
    """Return the run of this name, or whose name begins so; without a name the newest one."""
    return Run(find_folder(cloud or stack_of(), name))


def drop(
    images: pd.DataFrame | str | Path,
    labels: Sequence[str] | str = (),
    *,
    project: str | None = None,
    name: str = "images",
    settings: Mapping[str, Any] | None = None,
    cloud: Cloud | None = None,
) -> Run:
    """Have images labeled: check and upload them, start a run, and return it.

    `images` is a folder of pictures, a manifest, or a table with the column `image` (a path, an
    https:// address or an s3:// URI), and perhaps `gold`, `prelabel`, `prelabel_confidence` and
    columns of your own; a table needs a `project`. With the column `box` (left, top, width and
    height in pixels) a row is a box on its picture, and `class` says what it is; a picture that is
    no file here needs its `picture_size` (width, height). `labels` in one text are separated by
    commas; with `gold` and no `settings` a page gets one known image. `settings` are those of
    labeling.json. Dropping the same again returns the run that there is.
    """
    with TemporaryDirectory() as scratch:
        if isinstance(images, pd.DataFrame):
            lines = manifest_of(images)
            if project is None:
                raise Refused("A table lies in no folder that names its project: project='pets'")
            path = Path(scratch, f"{name}.manifest")
            path.write_bytes(lines)
        else:
            path = _path_of(images)
        own = Path(scratch, "labeling.json")
        classes = listed(labels) if isinstance(labels, str) else tuple(labels)
        if classes or settings:
            document = {**(settings or {}), **({"labels": classes} if classes else {})}
            if settings is None and _has_gold(images):  # as of `tessera drop --gold`
                document["gold_per_task"] = 1
            own.write_bytes(msgspec.json.encode(document))
        source = Source.at(path, own if own.exists() else None, project)
        try:
            return _start(cloud or stack_of(), source, Path(scratch))
        except Refused as error:  # nobody knows the files that table and settings are written to
            words = error.message.replace(str(own), "What labels= and settings= say")
            if path.parent == Path(scratch):
                words = words.replace(str(path), "The table").replace(path.name, "The table")
            raise Refused(words) from None


def _has_gold(images: pd.DataFrame | str | Path) -> bool:
    """Return whether a table says of any image what it is."""
    return isinstance(images, pd.DataFrame) and "gold" in images and bool(images.gold.notna().any())


def _path_of(images: str | Path) -> Path:
    """Return the path of a folder or a manifest; Refused if it is none, or not there."""
    if not isinstance(images, str | os.PathLike):
        raise Refused(
            "Images are a folder, a manifest or a table, and not a "
            f"{type(images).__name__}. Make a table: pandas.DataFrame({{'image': paths}})"
        )
    path = Path(images)
    if not path.exists():
        raise Refused(f"There is no {path}. Paths count from {Path.cwd()}, where Python runs.")
    return path


def _start(cloud: Cloud, source: Source, scratch: Path) -> Run:
    """Drop a source and return its run; raises RunError, with the reason, if it is refused."""
    document = source.own_settings()
    if document is None:
        beside = "" if source.folder == scratch else f" Or write {source.settings_file}."
        raise Refused(
            f"There is no list of labels to choose from. Give one: labels=['cat', 'dog'].{beside}"
        )
    settings = parse_settings(document, source.settings_place)
    settings = settings_beside(settings, source.folder)
    execution, status = drop_source(cloud, source, document, settings, quiet=True)
    ending = read_ending(cloud, execution)
    require_no_failure(ending, cloud)
    return Run(find_folder(cloud, status.run or ending.output["run"]))


def manifest_of(table: pd.DataFrame) -> bytes:
    """Return the manifest of a table of images, one line a row; a missing value is no key.

    A row with a `box` is a line in Ground Truth's object detection form.

    >>> manifest_of(pd.DataFrame({"image": ["s3://pets/1.jpg"], "gold": ["cat"]}))
    b'{"source-ref":"s3://pets/1.jpg","gold":"cat"}\\n'
    """
    if "image" not in table:
        names = ", ".join(map(str, table.columns)) or "none"
        raise Refused(
            f"The table has no column image; its columns are: {names}. Rename the one with the "
            "pictures: table.rename(columns={'…': 'image'})"
        )
    if table.empty:
        raise Refused("The table has no rows, so there is nothing to label.")
    lines = []
    classes: dict[str, int] = {}
    for number, row in enumerate(table.to_dict("records")):
        if _is_missing(image := row.pop("image")):
            raise Refused(
                f"Row {number} of the table has no image. Leave such rows out: "
                "table.dropna(subset=['image'])"
            )
        image = str(image)
        if "://" not in image:
            image = str(Path(image).resolve())  # of where Python runs, not of the manifest
        keys = {
            str(key).replace("prelabel_confidence", "prelabel-confidence"): _plain(value)
            for key, value in row.items()
            if not _is_missing(value)
        }
        if "box" in keys:
            keys = _box_keys(keys, image, f"Row {number} of the table", classes)
        lines.append(json.dumps({"source-ref": image} | keys, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


def _box_keys(
    row: dict[str, Any], image: str, place: str, classes: dict[str, int]
) -> dict[str, Any]:
    """Return the keys of a row with its box in Ground Truth's form; `classes` numbers them all."""
    box = _numbers(row.pop("box"), 4)
    if box is None:
        raise Refused(f"{place}: box is no left, top, width and height. Give four numbers.")
    size = _numbers(row.pop("picture_size", None), 2) or _size_of(image)
    if size is None:
        raise Refused(
            f"{place}: nothing says how large the picture of the box is. Give its width and height "
            "in the column picture_size."
        )
    annotation: dict[str, Any] = dict(zip(SIDES, box, strict=True))
    metadata: dict[str, Any] = {}
    if (name := row.pop("class", None)) is not None:
        annotation["class_id"] = classes.setdefault(str(name), len(classes))
        metadata["class-map"] = {str(annotation["class_id"]): str(name)}
    sizes = [dict(zip(("width", "height", "depth"), (*size, 3), strict=True))]
    boxes = {"annotations": [annotation], "image_size": sizes}
    return row | {"bounding-box": boxes, "bounding-box-metadata": metadata}


def _numbers(value: Any, count: int) -> list[float] | None:
    """Return a cell's numbers if it has so many, else None."""
    listed = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(listed, list | tuple) or len(listed) != count:
        return None
    numbers = [_plain(each) for each in listed]
    known = all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
    return numbers if known else None


def _size_of(image: str) -> tuple[int, int] | None:
    """Return width and height of a picture on this machine, as stored; None if it is none."""
    if "://" in image:
        return None
    try:
        with Picture.open(image) as picture:
            return picture.size
    except (OSError, Picture.DecompressionBombError):
        return None


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: numpy's numbers are Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA


def consolidate(
    answers: pd.DataFrame,
    method: Method = DEFAULT_METHOD,
    *,
    embeddings: pd.DataFrame | None = None,
    gold: Mapping[Any, Any] | None = None,
    unreadable: str | None = None,
) -> pd.DataFrame:
    """Return the labels that answers add up to, by task: label, confidence, answers, gain.

    `answers` has the columns task, worker and label, as crowd-kit's data has, one row an answer in
    order of arrival; of a worker's answers to a task the first counts, and a missing label is none.
    `embeddings` (tasks x numbers) is indexed by task: a model learns from the answers and counts as
    one more annotator, and tasks of the index that nobody answered get a label too. `gold` has
    known labels by task; of those that may be wrong, `attrs["gold_in_doubt"]` has by task the label
    that its workers agree on. `unreadable` is the label of what cannot be judged. Methods and their
    sources are in docs/consolidation.md.

    >>> rows = [("a", "ann", "cat"), ("a", "ben", "cat"), ("b", "ann", "dog"), ("b", "ben", "dog")]
    >>> table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    >>> consolidate(table, "majority").label.tolist()
    ['cat', 'dog']
    """
    if absent := [name for name in ("task", "worker", "label") if name not in answers]:
        raise Refused(f"The answers have no column {', '.join(absent)}; they need task, worker and "
                      "label.")  # fmt: skip
    if embeddings is not None and method != DEFAULT_METHOD:
        raise Refused(f"Embeddings need the method {DEFAULT_METHOD}.")
    tasks = _tasks(answers, embeddings)
    given = answers[answers["label"].notna()]
    # of all answers, also of those that do not count: as many classes as a file of them would have
    classes = pd.Index(sorted({*given["label"], *(gold or {}).values()} - {unreadable}))
    names = pd.Index(sorted(set(given["worker"])))
    rows = given.drop_duplicates(["task", "worker"])
    label = classes.get_indexer(rows["label"])  # -1 is what cannot be judged
    people = names.get_indexer(rows["worker"])
    crowd = Crowd(
        len(tasks),
        max(len(names), 1),
        max(len(classes), 1),
        tasks.get_indexer(rows["task"]).astype(np.int32),
        people.astype(np.int32),
        label.astype(np.int16),
    )
    evidence = _evidence(tasks, classes, gold or {})
    if embeddings is None:
        consensus = consolidate_crowd(crowd, method, evidence=evidence)
    else:
        columns = Columns(np.ascontiguousarray(embeddings.to_numpy(np.float32)))
        _, consensus = learn(columns, crowd, evidence)
    chosen = [classes[number] if number >= 0 else None for number in consensus.label.tolist()]
    figures = {
        "label": chosen,
        "confidence": consensus.confidence,
        "answers": consensus.answers,
        "gain": consensus.gain,
    }
    table = pd.DataFrame(figures, index=tasks.rename("task"))
    if gold:
        doubts = find_gold_doubts(crowd, evidence)
        pairs = zip(tasks[doubts.image], classes[doubts.label], strict=True)
        table.attrs["gold_in_doubt"] = dict(pairs)
    return table


def _tasks(answers: pd.DataFrame, embeddings: pd.DataFrame | None) -> pd.Index:
    """Return the tasks in their order: those of the embeddings, or those of the answers."""
    if embeddings is None:
        return pd.Index(answers["task"].unique())
    if not embeddings.index.is_unique:
        raise Refused("The embeddings have two rows for one task.")
    if absent := set(answers["task"]) - set(embeddings.index):
        first = sorted(map(str, absent))[0]
        raise Refused(f"{len(absent):,} tasks have no row in the embeddings, the first {first!r}.")
    return embeddings.index


def _evidence(tasks: pd.Index, classes: pd.Index, gold: Mapping[Any, Any]) -> Evidence:
    """Return what is known beside the answers: known labels of tasks that are there."""
    if not gold:
        return Evidence()
    known = np.full(len(tasks), NO_LABEL, np.int16)
    places = tasks.get_indexer(list(gold))
    numbers = classes.get_indexer(list(gold.values()))
    known[places[places >= 0]] = numbers[places >= 0]
    return replace(Evidence(), known=known)

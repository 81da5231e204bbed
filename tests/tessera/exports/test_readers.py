"""Every form opens in its readers at the edges: no pictures of a label, turned, damaged, foreign.

Readers read with their own code. torchvision's is used where it is installed; it is too large to
ask for, and elsewhere its rule stands in for it: classes are the names of the folders, sorted; a
class without a file of a known type is an error.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tessera.commands.export import export
from tessera.exits import Exit
from tests.examples import examples
from tests.tessera.conftest import Labels

LABELS = ("zebra", "cat", "Cat/Dog", "cat:dog", "con", "classes.json", "é", "invalid image")
KINDS = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF",
         "avif": "AVIF"}  # fmt: skip
DAMAGED = ("empty", "html", "cut", "heic")
IMAGE_FOLDER_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
NAMES = ("tom.jpg", "../tom.jpg", "a b/töm?.png", "TOM.JPG", "tom.gif", "noname", ".hidden", "x/",
         "con.png", "名前.webp", "a" * 300 + ".jpg", "e\u0301.png", "tab\there.png")  # fmt: skip


def drawn(kind: str, orientation: int = 1) -> bytes:
    """A picture four pixels wide and three high, as stored."""
    file = io.BytesIO()
    image = Image.new("RGB", (40, 30), "teal")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = {"exif": exif} if orientation != 1 and kind in ("jpg", "png", "webp") else {}
    image.save(file, KINDS[kind], **turned)
    return file.getvalue()


GOOD = {kind: drawn(kind) for kind in KINDS}
TURNED = {(kind, turn): drawn(kind, turn) for kind in ("jpg", "png", "webp") for turn in (3, 6, 8)}


def content_of(picture: tuple[str, int] | str) -> bytes:
    if isinstance(picture, tuple):
        kind, orientation = picture
        return TURNED[picture] if orientation != 1 else GOOD[kind]
    return {
        "empty": b"",
        "html": b"<html>not found</html>",
        "cut": GOOD["jpg"][:-20],
        "heic": b"\0\0\0\x18ftypheic" + bytes(60),
    }[picture]


pictures = st.one_of(
    st.tuples(st.sampled_from(sorted(KINDS)), st.just(1)),
    st.sampled_from(sorted(TURNED)),
    st.sampled_from(DAMAGED),
)
lines = st.lists(
    st.tuples(pictures, st.integers(0, len(LABELS) - 2), st.sampled_from(NAMES), st.booleans()),
    max_size=9,
)


class Exported:
    """An export of some lines, and what each line was."""

    def __init__(self, labels: Labels, drawn_lines: Any, result: Result) -> None:
        self.labels, self.lines, self.result = labels, drawn_lines, result
        self.folder = Path("made")

    @property
    def left_out(self) -> set[int]:
        path = self.folder / "left-out.csv"
        if not path.exists():
            return set()
        with path.open(encoding="utf-8", newline="") as file:
            return {int(row["line"]) - 1 for row in csv.DictReader(file)}

    def label(self, line: int) -> str:
        return LABELS[self.lines[line][1]]

    @property
    def openable(self) -> set[int]:
        return {n for n, (picture, *_) in enumerate(self.lines) if isinstance(picture, tuple)}


def make(labels: Labels, tessera: Any, drawn_lines: Any, form: str, *options: str) -> Exported:
    """Export a run of these lines anew."""
    shutil.rmtree("made", ignore_errors=True)
    labels.files.objects.clear()
    keys = [f"{number}/{name}" for number, (_, _, name, _) in enumerate(drawn_lines)]

    def line(index: int) -> dict[str, Any]:
        _, number, _, before = drawn_lines[index]
        metadata = {"class-name": LABELS[number], "type": "groundtruth/image-classification"}
        of_the_run = {"confidence": 0.9, "creation-date": "2026-11-23T01:51:01.123",
                      "human-annotated": "yes", "job-name": "labeling-job/pets"}  # fmt: skip
        return {
            "source-ref": f"s3://inbox/{keys[index]}",
            "pet": number,
            "pet-metadata": metadata if before else metadata | of_the_run,
        }

    for key, (picture, *_) in zip(keys, drawn_lines, strict=True):
        labels.put("inbox", key, content_of(picture))
    labels.run(
        images=len(drawn_lines),
        pictures=False,
        line=line,
        settings={"labels": list(LABELS)},
    )
    result = tessera(export, "--to", form, "--out", "made", *options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return Exported(labels, drawn_lines, result)


def check_ending(made: Exported) -> bool:
    """Check exit code and list of lines left out; return whether there is anything to read."""
    nothing = not made.openable
    if nothing:
        assert made.result.exit_code == Exit.FAILED
        assert "There is nothing to export" in made.result.output
    else:
        lost = made.left_out
        assert made.result.exit_code == (Exit.PARTIAL if lost else Exit.OK), made.result.output
    assert made.left_out == set(range(len(made.lines))) - made.openable
    return not nothing


def read_image_folder(root: Path) -> tuple[dict[str, int], list[tuple[Path, int]]]:
    """Read a folder with torchvision.datasets.ImageFolder, or as it documents that it reads."""
    with suppress(ImportError):
        torchvision = import_module("torchvision.datasets.folder")
        folder = torchvision.ImageFolder(str(root))
        return folder.class_to_idx, [(Path(path), number) for path, number in folder.samples]
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    assert classes, f"no class folder in {root}"
    numbers = {name: number for number, name in enumerate(classes)}
    samples = []
    for name, number in numbers.items():
        files = [
            path
            for path in sorted((root / name).rglob("*"))
            if path.name.lower().endswith(IMAGE_FOLDER_SUFFIXES)
        ]
        assert files, f"no valid file for the class {name}"
        samples += [(path, number) for path in files]
    return numbers, samples


def line_of(path: str | Path) -> int:
    return int(Path(path).name.partition("-")[0].partition(".")[0])


relaxed = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
splits = st.sampled_from([(), ("--split", "50/50"), ("--split", "80/10/10")])
uprights = st.sampled_from([(), ("--upright",)])


def lines_in_image_folders(made: Exported, *, split: bool, upright: bool) -> Iterator[int]:
    """Read as torchvision does, which numbers classes as classes.json says, and yield the lines."""
    roots = [path for path in made.folder.iterdir() if path.is_dir()] if split else [made.folder]
    for root in roots:
        numbers, samples = read_image_folder(root)
        classes = json.loads((root / "classes.json").read_text("utf-8"))
        assert {entry["folder"]: entry["id"] for entry in classes} == numbers
        names = {entry["id"]: entry["label"] for entry in classes}
        assert all(entry["class_id"] == LABELS.index(entry["label"]) for entry in classes)
        for path, number in samples:
            assert names[number] == made.label(line_of(path))
            with Image.open(path) as image:
                image.convert("RGB")  # as its default loader does
            yield line_of(path)


def lines_in_coco(made: Exported, *, split: bool, upright: bool) -> Iterator[int]:
    """Read as pycocotools does, with the sizes that Detectron2 and FiftyOne expect."""
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    for path in (made.folder / "annotations").iterdir():
        document = coco.COCO(str(path))
        part = path.stem.removeprefix("instances").removeprefix("_") or "images"
        for annotation in document.dataset["annotations"]:
            (image,) = document.loadImgs([annotation["image_id"]])
            size = (image["width"], image["height"])
            with Image.open(made.folder / part / image["file_name"]) as picture:
                # Both turn a picture by its EXIF before they compare its size, or take it.
                assert ImageOps.exif_transpose(picture).size == size
                if upright:  # then it has the same size in readers that do not
                    assert picture.size == size
            assert annotation["bbox"] == [0, 0, image["width"], image["height"]]
            (category,) = document.loadCats([annotation["category_id"]])
            assert category["name"] == made.label(line_of(image["file_name"]))
            yield line_of(image["file_name"])


def lines_in_web_dataset(made: Exported, *, split: bool, upright: bool) -> Iterator[int]:
    """Read as webdataset does, which decodes every picture."""
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    for path in made.folder.glob("*.tar"):
        with path.open("rb") as file:
            files = webdataset.tariterators.tar_file_expander([{"url": str(path), "stream": file}])
            for sample in webdataset.tariterators.group_by_keys(files):
                number = line_of(sample["__key__"])
                (suffix,) = sample.keys() & set(webdataset.autodecode.IMAGE_EXTENSIONS)
                assert webdataset.autodecode.imagehandler("pil")(suffix, sample[suffix]).size
                assert int(sample["cls"]) == LABELS.index(made.label(number))
                yield number


def lines_in_hugging_face(made: Exported, *, split: bool, upright: bool) -> Iterator[int]:
    """Read the parts, none of which has a row without a picture or a picture without a row."""
    for part in (path for path in made.folder.iterdir() if path.is_dir()):
        rows = [json.loads(row) for row in (part / "metadata.jsonl").read_text().splitlines()]
        assert {row["file_name"] for row in rows} == {
            path.name for path in part.iterdir() if path.name != "metadata.jsonl"
        }
        for row in rows:
            with Image.open(part / row["file_name"]) as picture:
                picture.load()
            assert row.get("label", LABELS[row["class_id"]]) == made.label(
                line_of(row["file_name"])
            )
            yield line_of(row["file_name"])


def check_rows_with_datasets(made: Exported, cache: Path) -> None:
    """Check that Hugging Face's library reads every picture of the export under its label."""
    datasets = import_module("datasets")  # late: two seconds, which no other test pays
    parts = datasets.load_dataset("imagefolder", data_dir=str(made.folder), cache_dir=str(cache))
    rows = [row for part in parts.values() for row in part]
    assert all(row["image"].size in ((40, 30), (30, 40)) for row in rows)
    lines = sorted(made.openable)
    classes = [LABELS[row["class_id"]] for row in rows]
    assert sorted(classes) == sorted(made.label(line) for line in lines)
    if "label" in rows[0]:
        assert [row["label"] for row in rows] == classes
    given = [row["confidence"] for row in rows if not math.isnan(row["confidence"])]
    assert given == [0.9] * sum(not before for *_, before in (made.lines[line] for line in lines))


READERS = {
    "imagefolder": lines_in_image_folders,
    "coco": lines_in_coco,
    "webdataset": lines_in_web_dataset,
    "huggingface": lines_in_hugging_face,
}


@pytest.mark.thorough
@pytest.mark.parametrize("form", READERS)
@relaxed
@given(lines, splits, uprights)
def test_a_reader_opens_every_picture_that_can_be_opened_under_its_label(
    labels: Labels, tessera: Any, form: str, lines: Any, split: Any, upright: Any
) -> None:
    made = make(labels, tessera, lines, form, *split, *upright)
    if check_ending(made):
        read = READERS[form](made, split=bool(split), upright=bool(upright))
        assert sorted(read) == sorted(made.openable)


@pytest.mark.thorough
# The library leaves the files that it decodes to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(relaxed, max_examples=8)
@given(lines, splits, uprights)
def test_the_datasets_library_reads_every_picture_under_its_label(
    labels: Labels, tessera: Any, tmp_path: Path, lines: Any, split: Any, upright: Any
) -> None:
    made = make(labels, tessera, lines, "huggingface", *split, *upright)
    if check_ending(made):
        check_rows_with_datasets(made, tmp_path / str(len(list(tmp_path.iterdir()))))


ODD_LABELS = [
    ("a/b", "a\\b", "a:b", "a*b", "a?b", "a_b"),
    ("..", ".", "~", "-", "$HOME", "`x`"),
    ("CON", "NUL", "com1", "lpt9.txt", "aux", "prn"),
    ("👍", "👎", "猫" * 80, "é" * 200, "x" * 250, "🐈" * 64),
    ("metadata.jsonl", "train", "test", "val", "images", "left-out.csv"),
    ("cat.", "cat ..", "dog ...", "dog", "cat-2", "cat_2"),
    ("=1+1", "+x", "@y", "-z", "'q", '"w"'),
    ("NaN", "null", "None", "true", "0", "1e5"),
    ("می\u200cخواهم", "हिन्दी", "עברית", "ไทย", "x\u3000y", "ﬁ"),
    ("2026-11-23", "cat", "2026-11-24 07:00", "2026-1-2", "12:30", "2026"),
    ("a,b", "a;b", "a|b", "a\u00a0b", "<b>x</b>", "{{ y }}"),
]


@pytest.mark.thorough
@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("names", ODD_LABELS, ids=range(len(ODD_LABELS)))
def test_labels_that_no_folder_can_be_called_are_read_as_they_are(
    labels: Labels, tessera: Any, form: str, names: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "LABELS", (*names, "invalid image"))
    drawn_lines = [(("png", 1), number % 6, "p.png", False) for number in range(12)]
    for split in ((), ("--split", "50/50")):
        made = make(labels, tessera, drawn_lines, form, *split)
        assert sorted(READERS[form](made, split=bool(split), upright=False)) == list(range(12))


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("names", ODD_LABELS, ids=range(len(ODD_LABELS)))
def test_the_datasets_library_reads_labels_as_they_are(
    labels: Labels, tessera: Any, names: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[__name__], "LABELS", (*names, "invalid image"))
    drawn_lines = [(("png", 1), number % 6, "p.png", False) for number in range(12)]
    made = make(labels, tessera, drawn_lines, "huggingface", "--split", "50/50")
    check_rows_with_datasets(made, tmp_path / "cache")


@pytest.mark.thorough
@relaxed
@given(lines)
def test_custom_labels_gets_no_confidence_that_nobody_gave(
    labels: Labels, tessera: Any, lines: Any
) -> None:
    made = make(labels, tessera, lines, "custom-labels")
    if not lines:
        assert made.result.exit_code == Exit.FAILED
        return

    for row, (*_, before) in zip(
        (made.folder / "labels.manifest").read_text().splitlines(), lines, strict=True
    ):
        metadata = json.loads(row)["label-metadata"]
        assert metadata["confidence"] == (0 if before else 0.9)
        assert ("job-name" in metadata) is not before
        assert metadata["creation-date"].startswith("2026-11-23T")
        assert metadata["human-annotated"] == ("no" if before else "yes")
    assert ("had no confidence" in made.result.output) is any(before for *_, before in lines)


def test_upright_pictures_are_those_that_people_saw(labels: Labels, tessera: Any) -> None:
    turned = [((kind, turn), 0, "p", False) for kind, turn in sorted(TURNED)]
    made = make(labels, tessera, turned, "imagefolder", "--upright")

    assert made.result.exit_code == Exit.OK
    _, samples = read_image_folder(made.folder)
    for path, _ in samples:
        kind, turn = turned[line_of(path)][0]
        seen = ImageOps.exif_transpose(Image.open(io.BytesIO(TURNED[kind, turn])))
        with Image.open(path) as image:
            assert image.size == seen.size
            assert image.getexif().get(0x0112, 1) == 1
    assert "EXIF" not in made.result.output


def test_pictures_that_exif_turns_are_told(labels: Labels, tessera: Any) -> None:
    made = make(labels, tessera, [(("jpg", 6), 0, "a", False), (("jpg", 1), 1, "b", False)], "coco")

    assert "1 picture turned by EXIF alone" in made.result.output
    assert "--upright" in made.result.output


def test_an_export_continued_has_the_pictures_of_the_first_try(
    labels: Labels, tessera: Any
) -> None:
    drawn_lines = [(("gif", 1), 0, "a.gif", False), (("jpg", 6), 1, "b.png", False)]
    for form in ("imagefolder", "coco"):
        make(labels, tessera, drawn_lines, form)
        first = {path: path.read_bytes() for path in Path("made").rglob("*") if path.is_file()}
        for uri in [uri for uri in labels.files.objects if uri.startswith("s3://inbox/")]:
            del labels.files.objects[uri]

        assert tessera(export, "--to", form, "--out", "made").exit_code == Exit.OK

        again = {path: path.read_bytes() for path in Path("made").rglob("*") if path.is_file()}
        assert again == first


def test_a_run_without_a_label_is_no_success(labels: Labels, tessera: Any) -> None:
    labels.run(images=0)

    done = tessera(export, "--to", "csv")

    assert done.exit_code == Exit.FAILED
    assert "tessera report pets-may-0123456789ab --open" in done.output


def test_parts_that_lack_a_label_say_how_image_folder_numbers_them(
    labels: Labels, tessera: Any
) -> None:
    drawn_lines = [(("png", 1), number % 2, "p", False) for number in range(8)]
    drawn_lines.append((("png", 1), 3, "p", False))

    made = make(labels, tessera, drawn_lines, "imagefolder", "--split", "50/50")

    assert "has no picture of cat:dog" in made.result.output
    assert "(cat 0, cat_dog-2 1, zebra 2)" in made.result.output


def test_labels_that_look_like_dates_are_classes_by_their_number(
    labels: Labels, tessera: Any
) -> None:
    labels.run(images=2, settings={"labels": ["2026-11-23", "2026-11-24"]},
               line=lambda _: {"pet-metadata": {}})  # fmt: skip

    tessera(export, "--to", "huggingface", "--out", "made")

    assert 'cast_column("class_id", ClassLabel' in Path("made/README.md").read_text("utf-8")

"""What browsers do not show, or what is very large, gets a JPEG for pages; the original is kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tessera.commands.export import export
from tessera.exports.dataset import ORIGINAL_KEY
from tessera.page_picture import (
    LARGE_BYTES,
    MOST_SIDE,
    can_read_heic,
    make_page_picture,
    needs_page_picture,
)
from tessera.picture_folder import reason_not_shown
from tessera.runs.uploads import upload_pictures
from tessera.tiling.manifest.source_rule import UPLOADS
from tessera.tiling.page.page_copy import COPIES, original_uri
from tests.tessera.conftest import png

MODES = {
    "TIFF": ("1", "L", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "P"),
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "RGB", "RGBA", "I;16", "P"),
    "BMP": ("1", "L", "RGB"),
}
ENCODINGS = st.sampled_from([(form, mode) for form, modes in MODES.items() for mode in modes])


def encode(form: str, mode: str, size: tuple[int, int], turn: int = 1) -> bytes:
    """A picture that is light on the left and dark on the right, as stored."""
    gray = Image.linear_gradient("L").rotate(90).resize(size)
    image = gray.point(lambda value: 255 - value).convert("RGB")
    image = gray.convert(mode) if mode in ("1", "I", "F", "I;16") else image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = turn
    file = io.BytesIO()
    image.save(file, form, **({"exif": exif} if turn != 1 and form != "BMP" else {}))
    return file.getvalue()


@settings(deadline=None)
@given(ENCODINGS, st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 6, 8]))
def test_whatever_pillow_reads_becomes_an_upright_jpeg_that_browsers_show(
    encoding: tuple[str, str], width: int, height: int, turn: int
) -> None:
    content = encode(*encoding, (width, height), turn)
    with Image.open(io.BytesIO(content)) as original:
        upright = ImageOps.exif_transpose(original).size

    made = make_page_picture(content)

    assert reason_not_shown(made) == ""
    with Image.open(io.BytesIO(made)) as page:
        assert page.mode in ("L", "RGB")
        assert page.size == upright
        assert page.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_gray_values_of_more_bits_are_not_cut_off(mode: str) -> None:
    image = Image.linear_gradient("L").convert("F").point(lambda value: value * 100 + 7)
    file = io.BytesIO()
    (image if mode == "F" else image.convert("I").convert(mode)).save(file, "TIFF")

    with Image.open(io.BytesIO(make_page_picture(file.getvalue()))) as page:
        low, high = page.getextrema()

    assert low < 8  # type: ignore[operator]  # one band
    assert high > 247  # type: ignore[operator]


def test_only_what_needs_it_is_converted() -> None:
    assert needs_page_picture(encode("TIFF", "RGB", (9, 9)))
    assert needs_page_picture(encode("BMP", "RGB", (9, 9)))
    assert needs_page_picture(encode("JPEG", "CMYK", (9, 9)))
    assert not needs_page_picture(encode("JPEG", "RGB", (9, 9), turn=6))  # browsers turn it
    assert not needs_page_picture(encode("PNG", "RGB", (MOST_SIDE + 9, 9)))  # a small file
    moving = io.BytesIO()
    frames = [Image.new("L", (9, 9), gray) for gray in (0, 255)]
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    assert not needs_page_picture(moving.getvalue())


@pytest.mark.thorough
def test_a_very_large_picture_is_made_smaller_for_pages() -> None:
    noise = Image.effect_noise((MOST_SIDE + 500, 1500), 90).convert("RGB")
    file = io.BytesIO()
    noise.save(file, "JPEG", quality=95)
    content = file.getvalue()
    assert len(content) > LARGE_BYTES
    assert needs_page_picture(content)

    with Image.open(io.BytesIO(make_page_picture(content))) as page:
        assert max(page.size) <= MOST_SIDE
        assert page.size[0] / page.size[1] == pytest.approx((MOST_SIDE + 500) / 1500, rel=0.01)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_phones_heic_becomes_an_upright_jpeg(turn: int) -> None:
    pytest.importorskip("pillow_heif", reason="not installed: pip install 'tessera[heic]'")
    assert can_read_heic()
    # Its reader turns the pixels itself, by the file's own box, and not by EXIF, which stays as a
    # remark: turned again by that, every upright phone picture would lie on its side.
    content = encode("HEIF", "RGB", (60, 40), turn=turn)

    assert needs_page_picture(content)
    with Image.open(io.BytesIO(make_page_picture(content))) as page:
        assert (page.format, page.size) == ("JPEG", (60, 40))
        assert page.getexif().get(0x0112, 1) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plain picture, a scan with its copy, and a phone's HEIC."""
    folder = tmp_path / "pets"
    (folder / "b").mkdir(parents=True)
    (folder / "a.png").write_bytes(png(4, 4))
    (folder / "b" / "scan.tif").write_bytes(encode("TIFF", "RGB", (40, 30), turn=6))
    (folder / "copy.tiff").write_bytes((folder / "b" / "scan.tif").read_bytes())
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(60))
    return folder


def test_a_line_has_what_the_page_shows_and_what_it_was_made_of(
    folder: Path, labels: Any, place: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    made = upload_pictures(place.cloud, folder, "pets", convert=True)
    puts = labels.files.requests["PutObject"]
    again = upload_pictures(place.cloud, folder, "pets", convert=True)

    plain, scan, copy = [json.loads(line) for line in made.splitlines()]
    assert list(plain) == ["source-ref"]
    assert scan == copy
    assert labels.files.objects[scan[ORIGINAL_KEY]] == (folder / "b" / "scan.tif").read_bytes()
    with Image.open(io.BytesIO(labels.files.objects[scan["source-ref"]])) as page:
        assert (page.format, page.size) == ("JPEG", (30, 40))
    assert labels.files.content_types[scan["source-ref"]] == "image/jpeg"
    assert (again, labels.files.requests["PutObject"]) == (made, puts)  # each is made once
    if not can_read_heic():
        assert "1 heic left out" in capsys.readouterr().err


@pytest.mark.thorough
def test_the_zoom_finds_the_original_of_what_is_only_too_large(
    labels: Any, place: Any, tmp_path: Path
) -> None:
    file = io.BytesIO()
    Image.effect_noise((MOST_SIDE + 500, 1500), 90).convert("RGB").save(file, "JPEG", quality=95)
    (tmp_path / "may").mkdir()
    (tmp_path / "may" / "tom 1.JPG").write_bytes(file.getvalue())
    (tmp_path / "print.jpg").write_bytes(encode("JPEG", "CMYK", (9, 9)))
    (tmp_path / "scan.jpg.tif").write_bytes(encode("TIFF", "RGB", (9, 9)))

    made = upload_pictures(place.cloud, tmp_path, "pets", convert=True)

    large, *others = [json.loads(line) for line in made.splitlines()]
    assert original_uri(large["source-ref"]) == large[ORIGINAL_KEY]
    assert [original_uri(line["source-ref"]) for line in others] == ["", ""]
    assert f"pages-{MOST_SIDE}/" == COPIES


@pytest.mark.parametrize("form", ["imagefolder", "csv"])
def test_exports_have_the_original(
    folder: Path, labels: Any, place: Any, tessera: Any, form: str
) -> None:
    _, scan, _ = [
        json.loads(line)
        for line in upload_pictures(place.cloud, folder, "pets", convert=True).splitlines()
    ]
    labels.run(images=1, pictures=False, line=lambda _: scan)

    done = tessera(export, "--to", form, "--out", "made")

    assert done.exit_code == 0, done.output
    if form == "csv":
        assert scan[ORIGINAL_KEY] in Path("made/labels.csv").read_text()
    else:
        (path,) = Path("made").rglob("*.tif")
        assert path.read_bytes() == labels.files.objects[scan[ORIGINAL_KEY]]


def test_an_original_that_no_reader_opens_is_exported_as_people_saw_it(
    labels: Any, tessera: Any
) -> None:
    page, original = "s3://inbox/pages-2048/pets/1.jpg", "s3://inbox/images/pets/1.heic"
    labels.files.put(page, encode("JPEG", "RGB", (9, 9)))
    labels.files.put(original, b"\0\0\0\x18ftypheic" + bytes(60))
    labels.run(images=1, line=lambda _: {"source-ref": page, ORIGINAL_KEY: original})

    done = tessera(export, "--to", "coco", "--out", "made")

    assert done.exit_code == 0, done.output
    (path,) = Path("made").rglob("*.jpg")
    assert path.read_bytes() == labels.files.objects[page]


def test_a_manifest_may_name_what_drop_uploads(folder: Path, place: Any) -> None:
    made = upload_pictures(place.cloud, folder, "pets", convert=True)

    sources = {uri for line in made.splitlines() for uri in json.loads(line).values()}
    folders = {uri.removeprefix("s3://inbox/").partition("/")[0] + "/" for uri in sources}
    assert folders == set(UPLOADS)

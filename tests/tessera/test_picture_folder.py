"""A folder's pictures are found by one walk, and looked at before anybody is asked."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tessera.commands.estimate import estimate_command
from tessera.commands.manifest import manifest_command
from tessera.exits import Refused
from tessera.picture_folder import NOT_UTF8, look_at_pictures, reason_not_shown, walk_pictures
from tessera.picture_types import SHOWN
from tessera.runs.uploads import upload_pictures
from tests.tessera.conftest import Place

NOISE = Image.effect_noise((64, 48), 90).convert("RGB")


def encode(kind: str) -> bytes:
    """A picture of noise, which no format makes short."""
    file = io.BytesIO()
    NOISE.save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(kind, kind))
    return file.getvalue()


ENCODED = {kind: encode(kind) for kind in (*SHOWN, "tif")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people have them."""
    folder = tmp_path / "pets"
    contents = {
        "a.jpg": ENCODED["jpg"],
        "b/c.PNG": ENCODED["png"],
        "d.jfif": ENCODED["jpg"],
        "._a.jpg": b"\0\5\x16\7",
        ".trash/old.jpg": ENCODED["jpg"],
        "@eaDir/a.jpg": ENCODED["jpg"],
        "__MACOSX/._a.jpg": b"",
        "empty.jpg": b"",
        "page.png": b"<html>not found</html>",
        "cut.jpg": ENCODED["jpg"][:-600],
        "scan.png": ENCODED["tif"],
        "phone.HEIC": b"x",
        "scan.tif": ENCODED["tif"],
        "notes.txt": b"x",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "b" / "loop").symlink_to(folder)
    (folder / "again").symlink_to(folder / "b")
    (folder / "gone.jpg").symlink_to(folder / "nothing")
    return folder


def test_drop_manifest_and_estimate_take_the_same_pictures_and_say_what_they_leave_out(
    folder: Path, labels: Any, place: Any, tessera: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "labeling.json").write_text('{"labels": ["cat", "dog"]}')
    made = tessera(manifest_command, str(folder), "--out", "pets.manifest", "--at", "s3://zoo")
    estimated = tessera(estimate_command, str(folder), "--json")
    upload_pictures(place.cloud, folder, "pets")
    dropped = capsys.readouterr().err

    lines = Path("pets.manifest").read_text().splitlines()
    names = ["a.jpg", "b/c.PNG", "d.jfif"]
    assert [json.loads(line)["source-ref"] for line in lines] == [f"s3://zoo/{n}" for n in names]
    assert json.loads(estimated.stdout)["counted"]["lines"] == 3
    for output in (made.stderr, estimated.stderr, dropped):
        for words in (
            "1 heic and 1 tif left out: browsers do not show them",
            "7 pictures; 4 cannot be shown: cut.jpg (damaged: ",
            "empty.jpg (0 bytes), page.png (not a picture), "
            "scan.png (tif inside, which browsers do not show).",
            "hidden or of other programs: ._a.jpg, .trash/, @eaDir/, __MACOSX/.",
            "as links to folders that are taken already: again, b/loop.",
            "because they cannot be read: gone.jpg.",
        ):
            assert words in output


@pytest.mark.parametrize("kind", SHOWN)
def test_every_type_that_browsers_show_is_decoded(kind: str) -> None:
    assert reason_not_shown(ENCODED[kind]) == ""


@settings(deadline=None)
@given(st.sampled_from(["jpg", "png", "webp", "bmp", "avif"]), st.floats(0, 0.9))
def test_a_picture_that_ends_too_soon_is_not_shown(kind: str, kept: float) -> None:
    content = ENCODED[kind]
    assert reason_not_shown(content[: int(len(content) * kept)])


@settings(deadline=None)
@given(
    st.binary()
    | st.builds(
        bytes.__add__, st.sampled_from([*ENCODED.values()]).map(lambda c: c[:40]), st.binary()
    )
)
def test_no_content_makes_the_look_fail(content: bytes) -> None:
    assert isinstance(reason_not_shown(content), str)


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    header = bytearray(ENCODED["bmp"])
    header[18:26] = (100_000).to_bytes(4, "little") * 2
    assert reason_not_shown(bytes(header)) == "100,000 × 100,000 pixels are too many"


def test_a_link_to_a_folder_elsewhere_is_followed_once(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(ENCODED["png"])
    (tmp_path / "pets").mkdir()
    for name in ("one", "two"):
        (tmp_path / "pets" / name).symlink_to(tmp_path / "elsewhere")
    assert len(walk_pictures(tmp_path / "pets").names) == 1


def test_a_folder_of_what_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(Refused, match="no images that can be shown"):
        look_at_pictures(tmp_path)


PLACES = st.lists(st.sampled_from(["a", "b", "a/c", "b/d/e"]), unique=True)
LINKS = st.lists(
    st.tuples(
        st.sampled_from(["l", "a/l", "b/d/m", "a/c/n"]),
        st.sampled_from([".", "a", "b", "b/d", "a/c", "nowhere"]),
    ),
    max_size=4,
)


@given(places=PLACES, links=LINKS)
def test_however_folders_are_linked_every_picture_is_taken_once(
    places: list[str], links: list[tuple[str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for place in places:
            (root / place).mkdir(parents=True, exist_ok=True)
        pictures = [f"{place}/1.jpg" for place in places]
        for picture in pictures:
            (root / picture).write_bytes(b"x")
            (root / picture).with_name("._1.jpg").write_bytes(b"x")
        for name, target in links:
            if (root / name).parent.is_dir() and not (root / name).is_symlink():
                (root / name).symlink_to(root / target)
        assert walk_pictures(root).names == sorted(pictures)


@pytest.mark.skipif(sys.platform == "darwin", reason="file systems of macOS take UTF-8 alone")
@settings(max_examples=20)
@given(
    st.sets(st.sampled_from([b"a", "\u00fc".encode(), b"\xfc", b"x\xff y", b"\xe9t\xe9/b", b"c/d"]))
)
def test_a_name_that_is_not_utf_8_costs_its_own_picture_alone(names: set[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            path = os.path.join(os.fsencode(folder), name + b".jpg")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(os.fsdecode(path)).write_bytes(b"")
        walk = walk_pictures(Path(folder))
    bad = {name for name in names if b"\xfc" in name.replace(b"\xc3\xbc", b"") or b"\xff" in name}
    bad |= {name for name in names if name.startswith(b"\xe9")}
    assert {os.fsencode(name) for name in walk.names} == {name + b".jpg" for name in names - bad}
    assert len(walk.others.get(NOT_UTF8, [])) == len(bad)


def test_a_drop_says_how_many_pictures_are_copies(
    tmp_path: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kind in (("a", "jpg"), ("b", "jpg"), ("c", "jpg"), ("d", "png")):
        (tmp_path / f"{name}.{kind}").write_bytes(ENCODED[kind])
    lines = upload_pictures(place.cloud, tmp_path, "pets").splitlines()
    assert (len(lines), len(set(lines))) == (4, 2)
    assert "2 pictures are copies of others here, by content: 2 are different." in (
        capsys.readouterr().err
    )

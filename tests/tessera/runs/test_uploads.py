"""Pictures of a folder are in the inbox, each content once, and a manifest lists them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.exits import Refused
from tessera.picture_folder import Picture, content_hash
from tessera.runs import uploads
from tessera.runs.uploads import upload_pictures
from tessera.tiling.picture_keys import LONGEST_KEY, picture_uri
from tests.tessera.conftest import FakeCloud, png

GRAYS = st.integers(0, 3)
NAMES = st.sampled_from(
    ["IMG_0001.png", "IMG_0002.PNG", "b/IMG_0001.png", "Bär 1+%.png", "x/y/z.png"]
)
FOLDERS = st.dictionaries(NAMES, GRAYS, min_size=1)


def write(folder: Path, pictures: Mapping[str, bytes]) -> None:
    """Make the folder hold these pictures and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def sources(manifest: bytes) -> list[str]:
    """Where a manifest's images are."""
    return [json.loads(line)["source-ref"] for line in manifest.splitlines()]


def test_a_folder_of_pictures_becomes_a_manifest_and_is_uploaded_once(
    labels: Any, place: Any, tmp_path: Path
) -> None:
    two, one = png(1, 1), png(2, 2)
    write(
        tmp_path / "f", {"b/two.PNG": two, "one.png": one, "notes.txt": b"", "scan.tif": b"II*\0"}
    )

    first = upload_pictures(place.cloud, tmp_path / "f", "pets")
    uploaded = labels.files.requests["PutObject"]
    again = upload_pictures(place.cloud, tmp_path / "f", "pets")

    assert first == again
    assert sources(first) == [
        f"s3://inbox/images/pets/{content_hash(two)}/b/two.PNG",
        f"s3://inbox/images/pets/{content_hash(one)}/one.png",
    ]
    assert labels.files.content_types[sources(first)[1]] == "image/png"
    assert labels.files.requests["PutObject"] == uploaded == 2


def test_two_cameras_name_of_a_picture_is_two_pictures(
    labels: Any, place: Any, tmp_path: Path
) -> None:
    for month, gray in (("may", 1), ("june", 2)):
        write(tmp_path / month / "photos", {"IMG_0001.png": png(4, 4, gray)})

    may, june = (
        sources(upload_pictures(place.cloud, tmp_path / month / "photos", "photos"))
        for month in ("may", "june")
    )

    assert may != june
    assert labels.files.objects[may[0]] == png(4, 4, 1)
    assert labels.files.objects[june[0]] == png(4, 4, 2)


def test_a_corrected_picture_of_the_same_size_is_another_picture(
    labels: Any, place: Any, tmp_path: Path
) -> None:
    before, after = png(4, 4, 1), png(4, 4, 2)
    assert len(before) == len(after)
    write(tmp_path / "f", {"a.png": before})
    first = upload_pictures(place.cloud, tmp_path / "f", "pets")
    write(tmp_path / "f", {"a.png": after})
    second = upload_pictures(place.cloud, tmp_path / "f", "pets")

    assert first != second
    assert labels.files.objects[sources(first)[0]] == before
    assert labels.files.objects[sources(second)[0]] == after


def test_a_renamed_picture_is_the_same_picture(labels: Any, place: Any, tmp_path: Path) -> None:
    write(tmp_path / "f", {"a.png": png(4, 4)})
    first = upload_pictures(place.cloud, tmp_path / "f", "pets")
    write(tmp_path / "f", {"sub/b.png": png(4, 4)})
    assert upload_pictures(place.cloud, tmp_path / "f", "pets") == first
    assert labels.files.requests["PutObject"] == 1


@pytest.mark.thorough
@settings(deadline=None)
@given(st.lists(FOLDERS, min_size=1, max_size=4))
def test_whatever_folders_are_dropped_every_line_is_its_own_content(
    folders: list[dict[str, int]],
) -> None:
    cloud = FakeCloud()
    seen: dict[str, bytes] = {}
    manifests = []
    with tempfile.TemporaryDirectory() as scratch:
        for pictures in folders:
            contents = {name: png(4, 4, gray) for name, gray in pictures.items()}
            write(Path(scratch) / "f", contents)
            manifest = upload_pictures(cloud, Path(scratch) / "f", "pets")
            manifests.append((manifest, contents))
            seen.update(zip(sources(manifest), in_order_of_names(contents), strict=True))
        uploaded = cloud.aws.files.requests["PutObject"]
        write(Path(scratch) / "f", manifests[-1][1])
        assert upload_pictures(cloud, Path(scratch) / "f", "pets") == manifests[-1][0]

    assert cloud.aws.files.requests["PutObject"] == uploaded == len(set(seen.values()))
    for manifest, contents in manifests:  # those of earlier drops still are what they were
        stored = [cloud.aws.files.objects[uri] for uri in sources(manifest)]
        assert stored == in_order_of_names(contents)
    assert len(set(seen)) == len(set(seen.values()))


def in_order_of_names(contents: Mapping[str, bytes]) -> list[bytes]:
    """Contents of files as a walk comes to them."""
    return [contents[name] for name in sorted(contents)]


def test_an_interrupted_drop_goes_on_where_it_was(labels: Any, place: Any, tmp_path: Path) -> None:
    write(tmp_path / "f", {"a.png": png(1, 1), "b.png": png(2, 2)})
    manifest = upload_pictures(place.cloud, tmp_path / "f", "pets")
    del labels.files.objects[sources(manifest)[1]]

    assert upload_pictures(place.cloud, tmp_path / "f", "pets") == manifest
    assert labels.files.requests["PutObject"] == 3


def test_a_picture_that_changes_meanwhile_is_not_put_under_the_hash_of_what_it_was(
    labels: Any, place: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "f", {"a.png": png(1, 1)})

    outdated = Picture(tmp_path / "f" / "a.png", "a.png", content_hash(b"before"), "image/png")
    monkeypatch.setattr(uploads, "look_at_pictures", lambda *_, **__: [outdated])
    with pytest.raises(Refused, match=r"a\.png changed while .* Drop the folder again"):
        upload_pictures(place.cloud, tmp_path / "f", "pets")
    assert not labels.files.objects


@given(st.lists(st.text("aä大", min_size=1, max_size=60), min_size=1, max_size=20))
def test_no_key_is_longer_than_s3_takes(folders: list[str]) -> None:
    uri = picture_uri("s3://inbox/images/pets/", content_hash(b""), "/".join([*folders, "a.png"]))
    assert len(uri.removeprefix("s3://inbox/").encode()) <= LONGEST_KEY
    assert uri.endswith("/a.png")

"""Pictures of a folder are in the inbox, each once, and a manifest lists them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tessera.runs.uploads import upload_pictures


def test_a_folder_of_pictures_becomes_a_manifest_and_is_uploaded_once(
    labels: Any, place: Any, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/two.PNG", "one.png", "notes.txt", "scan.tif"):
        (tmp_path / name).write_bytes(b"a picture")

    first = upload_pictures(place.cloud, tmp_path, "pets")
    uploaded = labels.files.requests["PutObject"]
    again = upload_pictures(place.cloud, tmp_path, "pets")

    assert first == again
    assert [json.loads(line)["source-ref"] for line in first.splitlines()] == [
        "s3://inbox/images/pets/b/two.PNG",
        "s3://inbox/images/pets/one.png",
    ]
    assert labels.files.content_types["s3://inbox/images/pets/one.png"] == "image/png"
    assert labels.files.requests["PutObject"] == uploaded

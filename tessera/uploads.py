"""Upload the pictures of a folder to the inbox."""

from __future__ import annotations

import json
from pathlib import Path

from tessera.exits import Refused
from tessera.exports.pictures import MEDIA_TYPES, in_order, suffix_of
from tessera.screen import progress
from tessera.stack.cloud import Cloud


def upload_pictures(cloud: Cloud, folder: Path, project: str) -> bytes:
    """Upload a folder's pictures to the inbox, and return a manifest of them.

    Pictures that the inbox has with the same size are not uploaded again, so that an interrupted
    drop goes on where it was. Refused if the folder has no picture.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and suffix_of(path.name))
    if not paths:
        raise Refused(f"{folder} has no pictures (jpg, png, gif, webp, bmp, tif).")
    prefix = f"{cloud.outputs['Inbox']}/images/{project}/"
    sizes = {picture.uri: picture.size for picture in cloud.storage.list_objects(prefix)}

    def upload(path: Path) -> str:
        uri = prefix + path.relative_to(folder).as_posix()
        if sizes.get(uri) != path.stat().st_size:
            suffix = suffix_of(path.name)
            media_type = MEDIA_TYPES.get(suffix, f"image/{suffix}")
            cloud.storage.upload(path, uri, content_type=media_type)
        return uri

    with progress("pictures", len(paths)) as advance:
        lines = []
        for _, uri in in_order(upload, paths):
            advance(1)
            lines.append(json.dumps({"source-ref": uri}, ensure_ascii=False))
    return ("\n".join(lines) + "\n").encode()

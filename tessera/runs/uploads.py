"""Upload the pictures of a folder to the inbox."""

from __future__ import annotations

import json
from pathlib import Path

from tessera.exits import Refused
from tessera.exports.pictures import in_order
from tessera.picture_types import MEDIA_TYPES, is_shown, left_out, suffix_of, suffixes_in_words
from tessera.screen import progress, warn
from tessera.stack.cloud import Cloud


def upload_pictures(cloud: Cloud, folder: Path, project: str) -> bytes:
    """Upload a folder's pictures to the inbox, and return a manifest of them.

    Pictures that the inbox has with the same size are not uploaded again, so that an interrupted
    drop goes on where it was. Pictures that browsers do not show are left out, with a warning.
    Refused if no picture is left.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    warn(left_out(path.name for path in files))
    paths = [path for path in files if is_shown(path.name)]
    if not paths:
        raise Refused(f"{folder} has no images: {suffixes_in_words()} files.")
    prefix = f"{cloud.outputs['Inbox']}/images/{project}/"
    sizes = {picture.uri: picture.size for picture in cloud.storage.list_objects(prefix)}

    def upload(path: Path) -> str:
        uri = prefix + path.relative_to(folder).as_posix()
        if sizes.get(uri) != path.stat().st_size:
            media_type = MEDIA_TYPES[suffix_of(path.name)]
            cloud.storage.upload(path, uri, content_type=media_type)
        return uri

    with progress("pictures", len(paths)) as advance:
        lines = []
        for _, uri in in_order(upload, paths):
            advance(1)
            lines.append(json.dumps({"source-ref": uri}, ensure_ascii=False))
    return ("\n".join(lines) + "\n").encode()

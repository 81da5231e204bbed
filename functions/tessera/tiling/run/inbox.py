"""Answer for what is put into the inbox and starts no run: why, and what to do.

A manifest starts a run by its name; pictures and embeddings lie where manifests point, or beside
them. Whatever else comes leaves a record in the labels bucket, which `tessera runs` shows:

    runs/inbox/<hash of folder and suffix>.json    the newest object of a folder with this suffix

So a folder of 100,000 annotation files is one record, not 100,000.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Protocol

import msgspec

from tessera.tiling.picture_keys import is_picture_key

MANIFESTS = (".manifest", ".jsonl", ".manifest.gz", ".jsonl.gz")
"""Endings, in any case, of the keys that start a run; the template's rule has the same."""
PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".avif",
)  # fmt: skip
"""Endings, in any case, of pictures that browsers show; they need no answer."""
SETTINGS = "labeling.json"
EMBEDDINGS = ".embeddings.npy"
"""Ending that the images' embeddings have beside a manifest, after its name."""
FOLDER = "inbox/"
"""Folder of the records, beside those of the runs; no run is called so, as their names end in a
hash."""

_RENAME = "Rename it so that it ends in .manifest"
_ANSWERS = (
    (
        r"/?labeling\.json$",
        "settings alone start nothing",
        "Drop a manifest into the same folder, after the settings",
    ),
    (
        r"\.json$",
        "a manifest has one JSON object a line and ends in .manifest or .jsonl",
        "Make one of a list: jq -c '.[]' FILE.json > FILE.manifest",
    ),
    (
        r"\.(csv|tsv|txt|xlsx?|xml|ya?ml|parquet)$",
        "a table or a text is no manifest",
        "Make a manifest of the images: tessera manifest s3://BUCKET/PREFIX --out FILE.manifest",
    ),
    (
        r"\.(zip|tar|tgz|tar\.gz|7z|rar|bz2|xz|zst)$",
        "an archive is not unpacked; only gzip of a manifest is, as FILE.manifest.gz",
        "Unpack it, and drop the folder: tessera drop FOLDER",
    ),
    (
        r"\.(tiff?|hei[cf]|svg|pdf|psd|raw|dng|nef|cr2|mp4|mov)$",
        "browsers do not show it as a picture",
        "Convert it to JPEG or PNG, and upload that",
    ),
    (
        r"\.npy$",
        "an array is used by the manifest beside it, if it is called as that is",
        "Rename it to FILE.embeddings.npy, before FILE.manifest is dropped",
    ),
    (r"\.gz$", "a packed manifest ends in .manifest.gz or .jsonl.gz", "Rename it so"),
    (r"(manifest|jsonl|ndjson)[^/]*$", "a manifest ends in .manifest or .jsonl", _RENAME),
)
"""What a key ends in, why it starts nothing, and what to do; the first that fits counts."""


class Files(Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Put the object, in the place of any that was there."""


class IgnoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """Object of the inbox that started nothing, as its record has it."""

    object: str
    """Its URI."""
    why: str
    do: str
    time: str
    """When it was put, as the event has it."""


def is_manifest(key: str) -> bool:
    """Return whether an object of this key starts a run.

    >>> is_manifest("pets/MAY.Manifest"), is_manifest("pets/may.jsonl.gz"), is_manifest("may.json")
    (True, True, False)
    """
    return key.lower().endswith(MANIFESTS)


def embeddings_name(manifest: str) -> str:
    """Return the key or path that embeddings have beside a manifest.

    >>> embeddings_name("pets/May.jsonl.gz")
    'pets/May.embeddings.npy'
    """
    return without_ending(manifest) + EMBEDDINGS


def without_ending(manifest: str) -> str:
    """Return a manifest's key or path without what it ends in as a manifest.

    >>> without_ending("pets/May.JSONL.gz")
    'pets/May'
    """
    return re.sub(r"(\.(manifest|jsonl|gz))+$", "", manifest, flags=re.IGNORECASE)


def answer_for(bucket: str, key: str, time: str) -> IgnoredObject | None:
    """Return why an object starts nothing; None if it starts a run or needs no answer.

    Pictures, folders and embeddings need none, nor does what `tessera drop` uploads.

    >>> answer_for("inbox", "pets/labeling.json", "").why
    'settings alone start nothing'
    """
    if is_manifest(key) or key.lower().endswith((*PICTURES, EMBEDDINGS, "/")):
        return None
    if is_picture_key(key):  # with --convert also what browsers do not show: a page has a JPEG
        return None
    why, action = "it is neither a manifest nor a picture", f"If it is a manifest: {_RENAME}"
    for pattern, reason, remedy in _ANSWERS:
        if re.search(pattern, key, re.IGNORECASE):
            why, action = reason, remedy
            break
    return IgnoredObject(object=f"s3://{bucket}/{key}", why=why, do=action, time=time)


def answer_object(files: Files, runs: str, event: dict[str, Any]) -> dict[str, str]:
    """Note that an object of an event started nothing, unless it needs no answer.

    `runs` is the URI of the runs' folder. The result names the record, if one was written.
    """
    detail = event["detail"]
    bucket, key = detail["bucket"]["name"], detail["object"]["key"]
    ignored = answer_for(bucket, key, event.get("time", ""))
    if ignored is None:
        return {"outcome": "no-answer-needed"}
    record = runs + record_name(ignored.object)
    files.put(record, msgspec.json.encode(ignored), content_type="application/json")
    return {"outcome": "ignored", "record": record}


def record_name(uri: str) -> str:
    """Return the name of the record about an object: one for each folder and suffix.

    >>> record_name("s3://inbox/pets/1.xml") == record_name("s3://inbox/pets/2.XML")
    True
    """
    folder, _, name = uri.rpartition("/")
    suffix = name.lower() if name.lower() == SETTINGS else name.lower().rpartition(".")[2]
    digest = hashlib.sha256(f"{folder}\n{suffix}".encode()).hexdigest()[:32]
    return f"{FOLDER}{digest}.json"

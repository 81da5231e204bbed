"""`tessera manifest`: make a manifest of the images in a folder or under a prefix in S3."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import click
import msgspec

from tessera.aws.storage import Storage, split_uri
from tessera.exits import NotFound, Refused
from tessera.file_types import OutFile
from tessera.picture_folder import HIDDEN, Walk, is_hidden, look_at_pictures, warnings_of
from tessera.picture_types import is_shown, left_out, picture_type, suffixes_in_words
from tessera.runs.checks import count_manifest, read_settings_file
from tessera.runs.own_embeddings import check_own_embeddings, find_own_embeddings
from tessera.screen import aside, counted, json_option, print_json, progress, warn
from tessera.stack.target import Target
from tessera.tiling.grouping.settings_effect import without_effect
from tessera.tiling.settings import warnings
from tessera.whole_file import whole


@click.command("manifest")
@click.argument("source", metavar="FOLDER|s3://BUCKET/PREFIX")
@click.option(
    "--out", "path", type=OutFile(), required=True,
    help="Manifest to write.",
)  # fmt: skip
@click.option(
    "--at", metavar="s3://BUCKET/PREFIX",
    help="Where the folder's images are in S3.  [default: a bucket named after the folder]",
)  # fmt: skip
@click.option(
    "--prelabel-from-folder",
    "prelabel",
    is_flag=True,
    help="Take the names of folders as suggested labels.",
)
@click.option(
    "--gold-from-folder", "gold", is_flag=True, help="Take the names of folders as known labels."
)
@json_option("Print what was written as JSON.")
@click.pass_obj
def manifest_command(
    target: Target,
    /,
    source: str,
    path: Path,
    at: str | None,
    prelabel: bool,
    gold: bool,
    as_json: bool,
) -> None:
    """Make a manifest of the images in a folder, or under a prefix in S3, in order of their names.

    Images are jpg, png, webp, gif, bmp and avif files, at any depth; tif and heic files are left
    out, because browsers do not show them, and so are hidden, empty and damaged ones. With
    --prelabel-from-folder or --gold-from-folder, an image's label is the name of the folder that
    it is in.
    """
    names: Iterable[str]
    if source.startswith("s3://"):
        base, names = _below(source), _objects(target.cloud.storage, source)
    else:
        folder = Path(source)
        if not folder.is_dir():
            raise NotFound(f"There is no folder {source}.")
        base = _address(folder, at)
        names = [picture.name for picture in look_at_pictures(folder)]
    count = 0
    unshown: list[str] = []
    with whole(path) as part:
        with part.open("wb") as file, progress("images", None) as advance:
            for name in names:
                if not is_shown(name):
                    unshown.append(name)
                    continue
                file.write(line(base, name, prelabel=prelabel, gold=gold))
                count += 1
                advance(1)
        warn(left_out(unshown))
        if not count:
            raise Refused(f"{source} has no images: {suffixes_in_words()} files.")
    notices = [*_notices(path), *_on_embeddings(path, count)]
    warn(notices)
    if as_json:
        print_json({"manifest": str(path), "images": count, "warnings": notices})
    else:
        aside.print(f"{path}: {counted(count, 'image')}.")


def _notices(manifest: Path) -> list[str]:
    """Return what a drop of the manifest would warn of or refuse, with the settings beside it."""
    settings_file = manifest.with_name("labeling.json")
    if not settings_file.exists():
        return []
    try:
        settings = read_settings_file(settings_file)
        summary = count_manifest(manifest, settings)
    except Refused as refusal:
        return [str(refusal)]
    return [*warnings(settings), *without_effect(settings, summary)]


def _on_embeddings(manifest: Path, lines: int) -> list[str]:
    """Return what is wrong with embeddings that lie beside the manifest, which is right itself."""
    try:
        if path := find_own_embeddings(manifest):
            check_own_embeddings(path, lines)
    except Refused as refusal:
        return [refusal.message]
    return []


def line(base: str, name: str, *, prelabel: bool = False, gold: bool = False) -> bytes:
    """Return an image's line, with the name of its folder as its label if that is asked for.

    >>> line("s3://pets/", "cat/1.jpg", gold=True)
    b'{"source-ref":"s3://pets/cat/1.jpg","gold":"cat"}\\n'
    """
    members = {"source-ref": base + name}
    if folder := PurePosixPath(name).parent.name:  # an image beside the folders has no label
        members |= {"prelabel": folder} if prelabel else {}
        members |= {"gold": folder} if gold else {}
    return msgspec.json.encode(members) + b"\n"


def _objects(storage: Storage, prefix: str) -> Iterator[str]:
    """Iterate over the names of the pictures below a prefix, in S3's own order.

    Warns of hidden and empty ones, which are left out.
    """
    base = _below(prefix)
    walk = Walk()
    for uri, size, _ in storage.list_objects(prefix):
        name = uri.removeprefix(base)
        if not picture_type(name):
            continue
        if is_hidden(name):
            walk.leave_out(HIDDEN, name)
        elif not size:
            walk.leave_out("of 0 bytes", name)
        else:
            yield name
    warn(warnings_of(walk))


def _below(prefix: str) -> str:
    """Return a prefix up to its last slash: what all URIs below it begin with.

    >>> _below("s3://pets"), _below("s3://pets/may/ca")
    ('s3://pets/', 's3://pets/may/')
    """
    bucket, key = split_uri(prefix)
    return f"s3://{bucket}/{key[: key.rfind('/') + 1]}"


def _address(folder: Path, at: str | None) -> str:
    if at is None:
        bucket = re.sub(r"[^a-z0-9-]+", "-", folder.resolve().name.lower()).strip("-") or "images"
        aside.print(f"The images are expected in s3://{bucket}/. If they are elsewhere, add --at.")
        return f"s3://{bucket}/"
    try:
        split_uri(at)
    except ValueError as error:
        raise Refused(
            f"{at} is not an address in S3. It should look like s3://bucket/prefix"
        ) from error
    return at if at.endswith("/") else at + "/"

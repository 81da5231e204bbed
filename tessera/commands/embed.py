"""`tessera embed`: make the embeddings of a folder's or a manifest's pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from tessera.embedding.pictures import NamedPictures, pictures_of
from tessera.embedding.rows_file import RowsFile, digest
from tessera.encoders.choice import DEFAULT, Encoder, choose_encoder
from tessera.encoders.decoding import Pixels, decode
from tessera.encoders.errors import EncoderUnusable
from tessera.encoders.onnx_model import SCALES, Scale
from tessera.exits import Refused
from tessera.exports.pictures import AT_ONCE, in_order
from tessera.file_types import InFile, OutFile
from tessera.local_files import LocalFiles
from tessera.page_picture import can_read_heic
from tessera.picture_folder import MOST_PIXELS, listed
from tessera.screen import aside, counted, json_option, print_json, progress, warn
from tessera.stack.target import Target
from tessera.tiling.errors import EmbeddingsUnusable
from tessera.tiling.guesses.columns import unit_rows
from tessera.tiling.guesses.embeddings import Copied, copy_embeddings, open_embeddings
from tessera.whole_file import whole

BATCH = 32
"""Pictures encoded at a time: both cores are busy from 8 on, and an interruption costs a second."""


@click.command("embed")
@click.argument("source", metavar="FOLDER|MANIFEST", type=InFile(dir_okay=True))
@click.option(
    "--out", "path", type=OutFile(), required=True,
    help="Array to write; NAME.embeddings.npy beside NAME.manifest is what a drop takes along.",
)  # fmt: skip
@click.option(
    "--encoder", default=DEFAULT, show_default=True, metavar="NAME|FILE.onnx",
    help="pixels, efficientnet-lite0, or an ONNX model with one picture in and one vector out.",
)  # fmt: skip
@click.option(
    "--size", type=click.IntRange(8, 2048),
    help="Pixels of a side, for a model that takes any.  [default: what the model says, or 224]",
)  # fmt: skip
@click.option(
    "--scale", type=click.Choice(SCALES),
    help="How the model takes pixel values.  [default: what the model says, or imagenet]",
)  # fmt: skip
@click.option("--convert", is_flag=True, help="Take what drop --convert takes, such as TIFF.")
@json_option("Print what was written as JSON.")
@click.pass_obj
def embed_command(
    target: Target,
    /,
    source: Path,
    path: Path,
    encoder: str,
    size: int | None,
    scale: Scale | None,
    convert: bool,
    as_json: bool,
) -> None:
    """Make the embeddings of the pictures of a FOLDER, or of a MANIFEST's lines, in their order.

    They are what a model learns from while people answer (docs/guesses.md). A picture that cannot
    be read has a row of zeros. Called again after an interruption, it goes on where it was.
    """
    try:
        chosen = choose_encoder(encoder, size=size, scale=scale)
    except EncoderUnusable as error:
        raise Refused(str(error)) from error
    pictures = pictures_of(source, target, convert=convert)
    rows = _encode_all(chosen, pictures, path)
    copied = _finish(rows, path, source)
    missing = copied.rows - copied.usable
    if missing:
        warn([_without(rows.path, pictures.names, missing)])
    rows.path.unlink()
    if as_json:
        facts = {"embeddings": str(path), "encoder": chosen.name, "images": copied.rows}
        print_json(facts | {"numbers": copied.numbers, "without": missing})
    else:
        aside.print(f"{path}: {counted(copied.rows, 'row')} of {copied.numbers} numbers.")


def _encode_all(encoder: Encoder, pictures: NamedPictures, path: Path) -> RowsFile:
    """Encode the pictures that the unfinished file has no row of, and return the file, closed."""
    names = pictures.names
    gray = np.full((encoder.size, encoder.size, 3), 128, np.uint8)
    width = encoder.encode([gray]).shape[1]
    parts = [encoder.identity, str(encoder.size), *names, *pictures.version]
    with RowsFile(path, digest(parts), (len(names), width)) as file:
        if file.rows:
            aside.print(f"Going on after {counted(file.rows, 'picture')}.")
        with progress("pictures encoded", len(names)) as advance:
            advance(file.rows)
            decoded = _decoded(pictures, encoder.size, file.rows)
            while batch := list(islice(decoded, BATCH)):
                file.append(_encode(encoder, batch, width))
                advance(len(batch))
    return file


def _decoded(pictures: NamedPictures, size: int, first: int) -> Iterator[Pixels | None]:
    """Read and decode pictures from the first on, some before their turn, on all cores."""
    can_read_heic()  # so that Pillow does where the package for it is installed

    def load(name: str) -> Pixels | None:
        return decode(pictures.read(name), size, most_pixels=MOST_PIXELS)

    at_once = AT_ONCE if pictures.names[0].startswith("s3://") else os.cpu_count() or 1
    for _, picture in in_order(load, islice(pictures.names, first, None), at_once=at_once):
        yield picture if isinstance(picture, np.ndarray) else None


def _encode(encoder: Encoder, batch: list[Pixels | None], width: int) -> NDArray[np.float32]:
    """Return the batch's rows at unit length, zeros for pictures that could not be decoded."""
    rows = np.zeros((len(batch), width), np.float32)
    decoded = [number for number, picture in enumerate(batch) if picture is not None]
    if decoded:
        rows[decoded] = encoder.encode([picture for picture in batch if picture is not None])
    return unit_rows(rows)


def _finish(rows: RowsFile, path: Path, source: Path) -> Copied:
    """Write the array of all rows in one step; Refused if not one picture could be read."""
    try:
        with whole(path) as part, part.open("wb") as file:
            return copy_embeddings(open_embeddings(LocalFiles(), str(rows.path)), file)
    except EmbeddingsUnusable as error:
        rows.path.unlink()
        raise Refused(
            f"Not one of the pictures of {source} could be read and decoded. Make sure that their "
            "addresses are right, and that they may be read from here."
        ) from error


def _without(path: Path, names: list[str], missing: int) -> str:
    """Say which pictures have no embedding."""
    source = open_embeddings(LocalFiles(), str(path))
    numbers = (
        rows.start + int(number)
        for rows, block in source.blocks()
        for number in np.flatnonzero(~block.any(axis=1))
    )
    files = [names[number] or f"line {number + 1}" for number in numbers]
    return f"{counted(missing, 'picture')} without an embedding: {listed(files)}."

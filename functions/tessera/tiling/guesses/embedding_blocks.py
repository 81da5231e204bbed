"""Have a run's own pictures embedded, block by block, while people answer its first round.

    manifest ──> embedding/pictures-000.json ──> embedding/rows-000.npy ──┐
             ──> embedding/pictures-001.json ──> embedding/rows-001.npy ──┴─> embeddings.npy
       GroupImages                        EmbedImages             JoinEmbeddings

GroupImages names the pictures, so that what a line may name is decided in one place, and a function
that decodes pictures reads neither manifests nor answers. A block that fails leaves its images
without embeddings, which the model then guesses nothing of; the run goes on.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Floats
from tessera.tiling.errors import EmbeddingsUnusable
from tessera.tiling.guesses import embeddings
from tessera.tiling.guesses.columns import unit_rows
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.run.run_files import CreateFile, Writable
from tessera.tiling.settings import Settings

FOLDER = "embedding/"
"""Folder of a run with all that these states write, but for the embeddings themselves."""
PLAN_NAME = f"{FOLDER}plan.json"
LEAST_BLOCK = 2_000
"""Lines of a block, so that a small run has one: two minutes at 40 ms a picture, of which the
start of a function is a twentieth (docs/decisions/encoders.md)."""
MOST_BLOCKS = 300
"""Blocks of a run: 2,400 of the 25,000 events that its execution's history may hold. Larger runs
have larger blocks."""
MOST_LINES = 3_000_000
"""Lines of a run whose pictures it embeds itself: 10,000 a block, for which a function's 15 minutes
are twice enough, and 7.7 GB to join, which is as much as it reads within them."""


class Files(embeddings.Files, Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def size(self, uri: str) -> int | None:
        """Return the object's size in bytes, or None if it does not exist."""

    def writer(self, uri: str) -> AbstractContextManager[Writable]:
        """Open a `with` block that writes one object of any size, piece by piece."""


class Plan(msgspec.Struct, frozen=True):
    """Plan of a run's blocks: which encoder embeds how many lines, so many in each block."""

    encoder: str
    lines: int
    block_lines: int

    @property
    def blocks(self) -> int:
        """Return the number of blocks."""
        return -(-self.lines // self.block_lines)

    def rows(self, block: int) -> slice:
        """Return the lines of a block."""
        start = block * self.block_lines
        return slice(start, min(start + self.block_lines, self.lines))


def pictures_name(block: int) -> str:
    """Return the name, in the run's folder, of the list of a block's pictures.

    >>> pictures_name(7)
    'embedding/pictures-007.json'
    """
    return f"{FOLDER}pictures-{block:03d}.json"


def rows_name(block: int) -> str:
    """Return the name, in the run's folder, of a block's rows."""
    return f"{FOLDER}rows-{block:03d}.npy"


def plan_blocks(encoder: str, lines: int) -> Plan:
    """Return the plan for a manifest of so many lines; EmbeddingsUnusable if they are too many."""
    if lines > MOST_LINES:
        raise EmbeddingsUnusable(
            f"the manifest has {lines:,} lines, and a run embeds the pictures of {MOST_LINES:,} at "
            f"most. Make the embeddings before: tessera embed MANIFEST --encoder {encoder}, and "
            "upload them beside the manifest"
        )
    return Plan(encoder, lines, max(LEAST_BLOCK, -(-lines // MOST_BLOCKS)))


def write_blocks(
    chunks: Iterable[bytes], settings: Settings, rule: SourceRule, plan: Plan, create: CreateFile
) -> None:
    """Write the list of each block's pictures: "" for a line that is no image to ask."""
    lines = read_manifest(manifest_lines(chunks), settings, rule)
    sources = (line.source_ref if isinstance(line, Image) else "" for line in lines)
    for block in range(plan.blocks):
        rows = plan.rows(block)
        names = list(islice(sources, rows.stop - rows.start))
        with create(pictures_name(block)) as file:
            file.write(msgspec.json.encode(names))
    with create(PLAN_NAME) as file:
        file.write(msgspec.json.encode(plan))


def read_plan(files: Files, home: str) -> Plan:
    """Return the plan of a run."""
    return msgspec.json.decode(files.get(home + PLAN_NAME), type=Plan)


def read_pictures(files: Files, home: str, block: int) -> list[str]:
    """Return the URIs of a block's pictures, one a line."""
    return msgspec.json.decode(files.get(home + pictures_name(block)), type=list[str])


def write_rows(file: Writable, rows: Floats) -> None:
    """Write rows (rows x numbers) at unit length, in half precision, as an array file."""
    content = io.BytesIO()
    np.lib.format.write_array(content, unit_rows(rows).astype("<f2"), allow_pickle=False)
    file.write(content.getvalue())


@dataclass(frozen=True, slots=True, eq=False)
class JoinedRows:
    """Rows of all blocks, read as one array; a block that failed has rows of zeros."""

    uri: str
    plan: Plan
    parts: dict[int, embeddings.EmbeddingsFile]

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows, and of numbers in each."""
        return self.plan.lines, next(iter(self.parts.values())).shape[1]

    def __len__(self) -> int:
        """Count the rows."""
        return self.plan.lines

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        """Read a slice of neighboring rows (rows x numbers)."""
        start, stop, _ = rows.indices(len(self))
        size, pieces = self.plan.block_lines, [np.empty((0, self.shape[1]), np.float16)]
        for block in range(start // size, -(-stop // size)):
            lines = self.plan.rows(block)
            first, end = max(start, lines.start), min(stop, lines.stop)
            part = self.parts.get(block)
            if part is None:
                pieces.append(np.zeros((end - first, self.shape[1]), np.float16))
            else:
                pieces.append(part[first - lines.start : end - lines.start])
        return np.concatenate(pieces)

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield slices of rows with their embeddings at unit length, rows of zeros without one."""
        for block in range(self.plan.blocks):
            rows = self.plan.rows(block)
            yield rows, unit_rows(self[rows])


def join_blocks(files: Files, home: str) -> None:
    """Write the run's embeddings.npy of the rows of its blocks, unless it exists.

    Raises EmbeddingsUnusable if no block has rows, or if all of them are zeros.
    """
    uri = home + embeddings.COPY_NAME
    if files.size(uri) is not None:  # a function is called again; what was learned from stays
        return
    plan = read_plan(files, home)
    parts: dict[int, embeddings.EmbeddingsFile] = {}
    for block in range(plan.blocks):
        if files.size(home + rows_name(block)) is not None:
            parts[block] = embeddings.open_embeddings(files, home + rows_name(block))
    if not parts:
        raise EmbeddingsUnusable("not one block of pictures was embedded")
    with files.writer(uri) as file:
        embeddings.copy_embeddings(JoinedRows(home + FOLDER, plan, parts), file)

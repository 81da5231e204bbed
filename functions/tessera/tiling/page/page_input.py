"""Turn a task of the manifest into what the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tessera.tiling.page.page_choices import PAGE_CHOICES, read_page_choices
from tessera.tiling.page.page_copy import original_uri


class PageImage(msgspec.Struct, rename="kebab", omit_defaults=True):
    """Image of a task as the page reads it: only these keys, so that gold stays unknown to it."""

    source_ref: str
    index: int
    prelabel: str | None = None
    prelabel_confidence: float | None = None
    # Any: sizes only help the page to shape its tiles, and are no reason to lose a task.
    width: Any = None
    height: Any = None
    original_ref: str | msgspec.UnsetType = msgspec.UNSET
    """The picture that the one on the page is a smaller copy of, for the zoom."""
    box: str | None = None
    """Part of the picture that is asked about: left, top, width, height, and the picture's size."""
    box_class: str | None = None

    def __post_init__(self) -> None:
        """Find the original by the copy's own address, whatever a task says."""
        self.original_ref = original_uri(self.source_ref) or msgspec.UNSET
        if self.box is not None:  # the tile has its shape, not the whole picture's
            self.width, self.height = crop_of(self.box)


MARGIN, LEAST = 0.2, 0.08
"""Margin around a box, to its longer side, and least size of a crop, to the picture's: as
`ui/boxes/styles/boxes.css` has it, which places the picture. Enough to see what an object is of."""


def crop_of(box: str) -> tuple[float, float]:
    """Return width and height of the part of a picture that a tile shows of a box on it.

    >>> crop_of("10,10,100,50,640,480")
    (140.0, 90.0)
    """
    _, _, width, height, *picture = map(float, box.split(","))
    longer = max(width, height)
    margin = max(MARGIN * longer, (LEAST * max(picture) - longer) / 2)
    return width + 2 * margin, height + 2 * margin


class TaskInput(msgspec.Struct, omit_defaults=True):
    """Content of `task.input` in the page's template: the images, and what may be chosen of them.

    There are no choices where the page has all of the run's.
    """

    images: list[PageImage]
    choices: list[str] | msgspec.UnsetType = msgspec.UNSET


def task_input(source: str | list[Any]) -> TaskInput:
    """Read a task's `source`: the list of its images, as text (Ground Truth's rule) or as it is.

    Raises msgspec.MsgspecError if it is no such list.

    >>> task_input('[{"source-ref": "s3://pets/7.jpg", "index": 7}]').images[0].index
    7
    """
    if isinstance(source, str):
        return TaskInput(msgspec.json.decode(source, type=list[PageImage]))
    return TaskInput(msgspec.convert(source, list[PageImage]))


def line_input(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return `task.input` of a line of any form, where no function of the requester makes it.

    That is the line itself, and its source under the name that Ground Truth's own functions use.

    >>> line_input({"source-ref": "s3://pets/1.jpg", "n": 1})["taskObject"]
    's3://pets/1.jpg'
    """
    return {"taskObject": record.get("source-ref", record.get("source"))} | dict(record)


def prepare_task(event: dict[str, Any]) -> dict[str, Any]:
    """Answer a pre-annotation request of Ground Truth or the portal for one task."""
    task = event["dataObject"]
    # A manifest of plain images, one a page, is Ground Truth's own form.
    one_image = [{"source-ref": task.get("source-ref"), "index": 0}]
    page_input = task_input(task.get("source", one_image))
    if PAGE_CHOICES in task:
        page_input.choices = read_page_choices(task[PAGE_CHOICES])
    return {"taskInput": msgspec.to_builtins(page_input), "isHumanAnnotationRequired": True}

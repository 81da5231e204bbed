"""Pack a task's submissions for the job's output manifest: the post-annotation Lambda's core."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tessera.tiling.answers.short_form import (
    compact,
)
from tessera.tiling.answers.submission import Odd, chosen, cut, open_content, shown_in, split_meta


def pack(
    payload: Iterable[Any], attribute: str, fetch: Callable[[str], bytes]
) -> tuple[list[dict[str, Any]], list[Odd]]:
    """What the output manifest shall hold for each task, and the answers that cannot be read.

    `fetch` reads an answer that is not in the payload but behind an S3 URI.
    """
    packed: list[dict[str, Any]] = []
    odd: list[Odd] = []
    for entry in payload:
        try:
            task, annotations = str(entry["datasetObjectId"]), list(entry["annotations"])
        except (TypeError, KeyError) as error:
            odd.append(
                Odd("payload", f"not a task with its answers: {error!r}", content=cut(entry))
            )
            continue
        responses = []
        for annotation in annotations:
            try:
                responses.append(_response(annotation, fetch))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                worker = annotation.get("workerId", "") if isinstance(annotation, dict) else ""
                reason = f"the answer cannot be read: {error}"
                odd.append(Odd("payload", reason, task, str(worker), content=cut(annotation)))
        short = _in_short(entry, responses)
        label = ({"compact": short} if short else {}) | {"responses": responses}
        content = {attribute: label}
        packed.append({"datasetObjectId": task, "consolidatedAnnotation": {"content": content}})
    return packed, odd


def _in_short(entry: dict[str, Any], responses: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A task's answers in short, if the task says what it showed and its answers are as usual."""
    try:
        return compact(shown_in(entry["dataObject"]["content"]), responses, chosen)
    except (ValueError, TypeError, KeyError):
        return None


def _response(annotation: dict[str, Any], fetch: Callable[[str], bytes]) -> dict[str, Any]:
    held = annotation["annotationData"]
    content = held["content"] if "content" in held else fetch(held["s3Uri"])
    answer, seconds = split_meta(open_content(content))
    response: dict[str, Any] = {"workerId": str(annotation["workerId"]), "annotation": answer}
    return response | ({"seconds": seconds} if seconds else {})

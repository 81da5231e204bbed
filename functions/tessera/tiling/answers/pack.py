"""Pack a task's submissions for the job's output manifest: the post-annotation Lambda's core."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tessera.tiling.answers.flags import read_flags
from tessera.tiling.answers.short_form import short_form
from tessera.tiling.answers.submission import (
    MALFORMED,
    OddAnswer,
    excerpt,
    image_indices,
    read_worker,
    split_meta,
    unwrap,
)


def pack(
    payload: Iterable[Any], attribute: str, fetch: Callable[[str], bytes]
) -> tuple[list[dict[str, Any]], list[OddAnswer]]:
    """Return what the output manifest shall hold for each task, and the answers kept out of it.

    `payload` is Ground Truth's list of tasks with their annotations, `attribute` the key that the
    answers shall have; `fetch` reads an answer that is behind an S3 URI.
    """
    packed: list[dict[str, Any]] = []
    odd: list[OddAnswer] = []
    for entry in payload:
        try:
            task, annotations = str(entry["datasetObjectId"]), list(entry["annotations"])
        except MALFORMED as error:
            reason = f"not a task with its answers: {error!r}"
            odd.append(OddAnswer("payload", reason, content=excerpt(entry)))
            continue
        responses = []
        for annotation in annotations:
            try:
                responses.append(_response(annotation, fetch))
            except MALFORMED as error:
                worker = annotation.get("workerId", "") if isinstance(annotation, dict) else ""
                reason = f"the answer cannot be read: {error}"
                text = excerpt(annotation)
                odd.append(OddAnswer("payload", reason, task, str(worker), content=text))
        # the short form stands first: its readers stop where the responses begin
        short = _in_short(entry, responses)
        label = ({"compact": short} if short else {}) | {"responses": responses}
        content = {attribute: label}
        packed.append({"datasetObjectId": task, "consolidatedAnnotation": {"content": content}})
    return packed, odd


def collect(
    event: dict[str, Any], fetch: Callable[[str], bytes]
) -> tuple[list[dict[str, Any]], list[OddAnswer]]:
    """Answer Ground Truth's post-annotation request: its result, and the answers kept out of it.

    The payload of the event lies behind an S3 URI, or in the event itself under `test_payload`.
    """
    payload = (
        msgspec.json.decode(fetch(event["payload"]["s3Uri"]))
        if "payload" in event
        else event.get("test_payload", [])
    )
    return pack(payload, event["labelAttributeName"], fetch)


def _in_short(entry: dict[str, Any], responses: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return a task's answers in short, if the task names its images and nothing in it is odd."""
    try:
        return short_form(image_indices(entry["dataObject"]["content"]), responses)
    except MALFORMED:
        return None


def _response(annotation: dict[str, Any], fetch: Callable[[str], bytes]) -> dict[str, Any]:
    """Return a worker's answers as the output manifest has them: unwrapped, the log as seconds."""
    data = annotation["annotationData"]
    content = data["content"] if "content" in data else fetch(data["s3Uri"])
    form = unwrap(content)
    (answer, seconds, unloaded), flags = split_meta(form), read_flags(form)
    response: dict[str, Any] = {"workerId": read_worker(annotation), "annotation": answer}
    response |= {"seconds": seconds} if seconds else {}
    response |= {"unloaded": unloaded} if unloaded else {}
    return response | ({"flags": flags} if flags else {})

"""Read what Label Studio exports as JSON or JSON-MIN: the choices of a task are its labels.

The format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/export
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tessera.sources.labeled import Labeled, find_picture, texts

LOCAL = "/data/"
"""Beginning of the addresses of files on Label Studio's own server."""


def read_label_studio(path: Path, folder: Path | None, *, guesses: bool) -> list[Labeled]:
    """Return the tasks' pictures with their choices; with `guesses` those of its predictions.

    Of several annotations of a task one marked as ground truth counts, else the newest.
    """
    tasks = json.loads(path.read_text("utf-8-sig"))
    return [_read_task(task, folder, guesses=guesses) for task in tasks]


def _read_task(task: dict[str, Any], folder: Path | None, *, guesses: bool) -> Labeled:
    if "data" not in task:  # JSON-MIN: the data's keys, and the answers by their names
        choice = task.get("choice")
        chosen = choice.get("choices") if isinstance(choice, dict) else choice
        labels = chosen if isinstance(chosen, list) else [chosen] if chosen else []
        return Labeled(_picture(task, folder), tuple(texts(labels)))
    annotations = [
        annotation
        for annotation in task.get("annotations") or task.get("completions") or []
        if not annotation.get("was_cancelled")
    ]
    results = task.get("predictions") or [] if guesses else annotations
    # stable, so that equal times keep the export's order: the last one counts
    results = sorted(results, key=lambda result: str(result.get("updated_at") or ""))
    true = [result for result in results if result.get("ground_truth")]
    image = _picture(task["data"], folder)
    if not results:
        return Labeled(image)
    counting = (true or results)[-1]
    choices = [
        name
        for result in counting["result"]
        if result.get("type") == "choices"
        for name in result["value"]["choices"]
    ]
    score = counting.get("score") if guesses else None
    confidence = score if isinstance(score, float) and 0 <= score <= 1 else None
    return Labeled(image, tuple(texts(choices)), confidence)


def _picture(data: dict[str, Any], folder: Path | None) -> str:
    """Return where a task's picture lies: the value of `image`, or the only one that is a text."""
    values = [value for value in data.values() if isinstance(value, str)]
    address = str(data["image"] if "image" in data else values[0])
    if not address.startswith(LOCAL):
        return address
    parts = urlsplit(address)
    name = parse_qs(parts.query).get("d", [parts.path])[0]
    return find_picture(name.rpartition("/")[2], folder)

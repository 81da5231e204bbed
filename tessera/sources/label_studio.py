"""Read what Label Studio exports as JSON or JSON-MIN: the choices of a task are its labels.

The format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/export
"""

from __future__ import annotations

import json
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tessera.exits import Refused
from tessera.sources.labeled import Labeled, LeftOut, find_picture, read_each, texts

LOCAL = "/data/"
"""Beginning of the addresses of files on Label Studio's own server."""

AFTER_ANSWERS = frozenset({"annotator", "annotation_id", "created_at", "updated_at", "lead_time"})
"""Keys of a task in JSON-MIN that Label Studio writes behind the answers."""


def read_label_studio(
    path: Path, folder: Path | None, left_out: LeftOut, *, guesses: bool
) -> list[Labeled]:
    """Return the tasks' pictures with their choices; with `guesses` those of its predictions.

    Of several annotations of a task one marked as ground truth counts, else the newest.
    """
    tasks = json.loads(path.read_bytes())
    if not isinstance(tasks, list):
        raise Refused(f"{path} is no list of tasks. Give a project's export as JSON or JSON-MIN.")
    read = partial(_read_task, folder=folder, left_out=left_out, guesses=guesses)
    return read_each(tasks, read, left_out, "tasks")


def _read_task(
    task: dict[str, Any], folder: Path | None, left_out: LeftOut, *, guesses: bool
) -> Labeled:
    if "data" not in task:  # JSON-MIN: the data's keys, and the answers by their names
        choice = _short_answer(task)
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
    others = {str(result.get("type")) for result in counting["result"]} - {"choices"}
    if others and not choices:  # beside choices they are remarks
        kinds = ", ".join(sorted(others))
        left_out.note("results", task.get("id", image), f"{kinds}, of which only choices are read")
    score = counting.get("score") if guesses else None
    confidence = score if isinstance(score, float) and 0 <= score <= 1 else None
    return Labeled(image, tuple(texts(choices)), confidence)


def _short_answer(task: dict[str, Any]) -> Any:
    """Return the choice in a task of JSON-MIN, under whatever name the project gave its choices.

    Label Studio writes the data first, then `id`, then the answers, then `annotator` and the rest.
    """
    if "choice" in task or "id" not in task:
        return task.get("choice")
    names = list(task)
    answers = takewhile(lambda name: name not in AFTER_ANSWERS, names[names.index("id") + 1 :])
    chosen = [task[name] for name in answers]
    # Several choices are an object of them; a text may be one choice, or what somebody wrote.
    several = [value for value in chosen if isinstance(value, dict) and "choices" in value]
    return next(iter(several or chosen), None)


def _picture(data: dict[str, Any], folder: Path | None) -> str:
    """Return where a task's picture lies: the value of `image`, or the only one that is a text."""
    values = [value for value in data.values() if isinstance(value, str)]
    address = str(data["image"] if "image" in data else values[0])
    if not address.startswith(LOCAL):
        return address
    parts = urlsplit(address)
    name = parse_qs(parts.query).get("d", [parts.path])[0]
    return find_picture(name.rpartition("/")[2], folder)

"""The settings of a run: one typed record, read from `labeling.json` with messages to act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tessera.tiling.errors import LabelAttributeIllegal, LabelsMissing, SettingsInvalid
from tessera.tiling.method_names import DEFAULT_METHOD, Method

ESCAPE = "cannot see"
"""The answer for a picture that cannot be judged, where the settings name none."""
ESCAPES = ("invalid image", ESCAPE)
RESERVED = ("source", "source-ref", "prelabel", "prelabel-confidence", "gold")
"""Keys of a manifest line that mean something, so that no label may be written under them."""

IGNORED = ("document-version", "$schema")
"""Keys that say what kind of file this is: a label category file, or one an editor checks."""

LONGEST_SETTINGS = 1_000_000
"""Bytes; the longest settings that can be used, spelled as wastefully as JSON allows, are fewer."""
Label = Annotated[str, Meta(min_length=1, max_length=256)]
WORKTEAM = r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:workteam/.+"
ATTRIBUTE = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}"
PUBLIC_TEAM = "394669845002:workteam/public-crowd/"
STOPPING = {"stop_after_pages", "stop_after_percent"}
Classifier = Literal["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the images of one manifest are put to workers, and what becomes of the answers."""

    labels: Annotated[
        tuple[Label, ...],
        Meta(min_length=2, max_length=50, description="The answers to choose from, in class order"),
    ]
    question: Annotated[
        str, Meta(min_length=1, max_length=1000, description="What the worker is asked of an image")
    ]
    instructions: Annotated[str, Meta(max_length=20_000, description="How to answer, in Markdown")]
    label_attribute: Annotated[
        str,
        Meta(
            description="The key of the label in the training manifest",
            extra_json_schema={"maxLength": 127, "pattern": f"^{ATTRIBUTE}$"},
        ),
    ] = "label"
    images_per_task: Annotated[
        int, Meta(ge=1, le=100, description="Images on a page, control images among them")
    ] = 20
    order: Annotated[
        Literal["spread", "as-given", "shuffle", "by-prelabel"],
        Meta(description="How images are dealt to pages"),
    ] = "spread"
    seed: Annotated[
        int, Meta(ge=0, le=2**53 - 1, description="What a shuffle and the control images follow")
    ] = 0
    answers_per_image: Annotated[
        int, Meta(ge=1, le=9, description="Workers asked in the first round")
    ] = 2
    max_answers: Annotated[
        int, Meta(ge=1, le=9, description="Answers to an image, over all rounds, at most")
    ] = 3
    gain: Annotated[
        float,
        Meta(ge=0, le=1, description="Ask again where one answer more is worth more than this"),
    ] = 0.05
    method: Annotated[Method, Meta(description="How answers become a label")] = DEFAULT_METHOD
    unreadable: Annotated[
        Label | None, Meta(description="The answer for a picture that cannot be judged")
    ] = None
    gold_per_task: Annotated[
        int, Meta(ge=0, le=99, description="Control images on each page, from lines with gold")
    ] = 0
    workforce: Annotated[
        str,
        Meta(
            description="portal, or the ARN of a Ground Truth work team",
            extra_json_schema={"pattern": f"^(portal|{WORKTEAM})$"},
        ),
    ] = "portal"
    task_minutes: Annotated[int, Meta(ge=1, le=480, description="Time for one page")] = 30
    job_days: Annotated[int, Meta(ge=1, le=30, description="Time that a job stays open")] = 10
    bad_lines: Annotated[
        float, Meta(ge=0, le=1, description="Share of bad lines above which nothing is asked")
    ] = 0.1
    repeats: Annotated[
        Literal["once", "each"], Meta(description="How often the same image is asked")
    ] = "once"
    content_classifiers: Annotated[
        tuple[Classifier, ...], Meta(description="What the images are free of")
    ] = ()
    # Unset, they are not written: a key that everybody's settings hold would rename every run.
    stop_after_pages: (
        Annotated[
            int, Meta(ge=1, description="Ground Truth stops a job after so many labeled pages")
        ]
        | UnsetType
    ) = UNSET
    stop_after_percent: (
        Annotated[
            int,
            Meta(
                ge=1, le=100, description="Ground Truth stops a job after this share of its pages"
            ),
        ]
        | UnsetType
    ) = UNSET

    @property
    def escape(self) -> str:
        """The answer for a picture that cannot be judged or does not load."""
        if self.unreadable is not None:
            return self.unreadable
        return next((label for name in ESCAPES for label in self.labels if label == name), ESCAPE)

    @property
    def choices(self) -> tuple[str, ...]:
        """What the page shows: the labels, and the escape at the end if it is not one of them."""
        return self.labels if self.escape in self.labels else (*self.labels, self.escape)

    @property
    def classes(self) -> tuple[str, ...]:
        """What training knows: the labels without the escape."""
        return tuple(label for label in self.labels if label != self.escape)


def read_settings(raw: bytes) -> Settings:
    """The settings that `labeling.json`, or a Ground Truth label category file, holds.

    >>> read_settings(b'{"labels": ["cat", "dog"]}').question
    'Is this cat or dog?'
    """
    if len(raw) > LONGEST_SETTINGS:
        raise SettingsInvalid([f"the settings are longer than {LONGEST_SETTINGS:,} bytes"])
    try:
        given = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsInvalid([f"the settings are not JSON: {error}"]) from error
    if not isinstance(given, dict):
        raise SettingsInvalid(["the settings are not a JSON object"])
    return settings_from(given)


def write_settings(settings: Settings) -> bytes:
    """The settings as JSON, defaults too: the same settings are the same bytes."""
    return msgspec.json.encode(settings)


def settings_from(given: dict[str, Any]) -> Settings:
    """The settings that a JSON object's keys say, after every key has been looked at."""
    given = {
        key: value for key, value in given.items() if key not in ("document-version", "$schema")
    }
    given["labels"] = _category_names(given.get("labels"))
    if not given["labels"]:
        raise LabelsMissing(["labels: missing; name 2 to 50 answers to choose from"])
    problems = list(_problems(given))
    if problems:
        attribute_alone = all(problem.startswith("label_attribute:") for problem in problems)
        raise (LabelAttributeIllegal if attribute_alone else SettingsInvalid)(problems)
    given.setdefault("question", _question(given["labels"]))
    given.setdefault("instructions", "")
    given.setdefault("max_answers", max(3, given.get("answers_per_image", 2)))
    return msgspec.convert(given, Settings)


def warnings(settings: Settings) -> tuple[str, ...]:
    """What a person should know of settings that can be used, before anybody is asked.

    >>> warnings(read_settings(b'{"labels": ["cat", "dog"]}'))
    ()
    """
    if PUBLIC_TEAM not in settings.workforce:
        return ()
    return (
        "workforce: the public team's marketplace, Amazon Mechanical Turk, closed on 30 September "
        "2026, so jobs for it are refused or find nobody. Name a private or a vendor team, or "
        "portal. Where it is still open to you, set the stack's PublicPrice",
    )


def settings_schema() -> dict[str, Any]:
    """The JSON Schema of what `labeling.json` may say, for editors to complete and check by."""
    record = msgspec.json.schema(Settings)["$defs"]["Settings"]
    names = record["properties"]["labels"]
    plain = names.pop("items")
    category = {
        "type": "object",
        "properties": {"label": plain},
        "required": ["label"],
        "additionalProperties": True,
    }
    names |= {"items": {"anyOf": [plain, category]}, "uniqueItems": True}
    file = {"type": "object", "properties": {"labels": {**names}}, "required": ["labels"]}
    words = names.pop("description")
    record["properties"] |= {
        "labels": {"description": words, "anyOf": [names, file]},
        "$schema": {"type": "string"},
        "document-version": {"description": "As label category files have it", "type": "string"},
    }
    for drawn in ("question", "instructions"):  # made from the labels where they are not said
        record["required"].remove(drawn)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "labeling.json: how the images of a manifest are labeled",
        **{key: value for key, value in record.items() if key != "title"},
    }


def _category_names(labels: Any) -> Any:
    """The names in a list of labels, be it plain or as a label category file has them."""
    if isinstance(labels, dict) and "labels" in labels:
        labels = labels["labels"]
    if not isinstance(labels, list):
        return labels
    return [
        entry["label"] if isinstance(entry, dict) and "label" in entry else entry
        for entry in labels
    ]


def _question(labels: list[str]) -> str:
    shown = [label for label in labels if label not in ESCAPES] or labels
    text = f"Is this {', '.join(shown[:-1])} or {shown[-1]}?" if len(shown) > 1 else ""
    return text if 0 < len(text) <= 120 else "Which label fits this image?"


def _problems(given: dict[str, Any]) -> Iterator[str]:
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    for key, value in given.items():
        if key not in fields:
            near = get_close_matches(key, fields, n=1)
            yield f"{key}: unknown key" + (f", did you mean {near[0]}?" if near else "")
            continue
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            yield _said(key, value, fields[key].type, str(error))
            continue
        yield from _sense(key, value)
    yield from _sense_together(given)


def _said(key: str, value: Any, kind: Any, error: str) -> str:
    """What is wrong with one value, in words that say what to write instead."""
    shown = msgspec.json.encode(value).decode()
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    if get_origin(kind) is not Annotated:  # one that may be unset
        kind = next((part for part in get_args(kind) if get_origin(part) is Annotated), kind)
    base, *metas = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    choices = get_args(base) if get_origin(base) is Literal else ()
    if choices:
        near = get_close_matches(str(value), choices, n=1)
        return f"{key}: {shown} is none of {', '.join(choices)}" + (
            f"; did you mean {near[0]}?" if near else ""
        )
    number = isinstance(value, int | float) and not isinstance(value, bool)
    for meta in metas:
        if number and meta.ge is not None and value < meta.ge:
            return f"{key}: {shown} is below {meta.ge}"
        if number and meta.le is not None and value > meta.le:
            return f"{key}: {shown} is above {meta.le}"
        if isinstance(value, list | str) and meta.max_length and len(value) > meta.max_length:
            return f"{key}: {len(value)} is more than {meta.max_length} allowed"
        if isinstance(value, list | str) and meta.min_length and len(value) < meta.min_length:
            return f"{key}: {shown} is fewer than the {meta.min_length} needed"
    if base is int:
        return f"{key}: {shown} is not a whole number"
    return f"{key}: {shown} cannot be used ({error})"


def _sense(key: str, value: Any) -> Iterator[str]:
    """What a type cannot say of one value."""
    if key == "labels":
        for label in value:
            if label != label.strip() or not label.isprintable():
                yield f"labels: {label!r} has spaces around it or characters that cannot be shown"
        for label in sorted({label for label in value if value.count(label) > 1}):
            yield f"labels: {label!r} is there more than once"
    elif key == "label_attribute":
        yield from _illegal_attribute(value)
    elif key == "workforce" and value != "portal" and not re.fullmatch(WORKTEAM, value):
        yield f"workforce: {value!r} is neither portal nor the ARN of a work team"


def _illegal_attribute(name: str) -> Iterator[str]:
    if not re.fullmatch(ATTRIBUTE, name):
        yield (f"label_attribute: {name!r} is not 1 to 127 letters, digits and inner hyphens")
    elif name.endswith(("-metadata", "-ref")):
        yield f"label_attribute: {name!r} ends in -metadata or -ref, which labeling jobs keep"
    elif name in RESERVED:
        yield f"label_attribute: {name!r} has a meaning of its own in a manifest"


def _sense_together(given: dict[str, Any]) -> Iterator[str]:
    """What is wrong only in one value beside another."""
    images, gold = given.get("images_per_task", 20), given.get("gold_per_task", 0)
    if isinstance(images, int) and isinstance(gold, int) and images >= 1 and gold >= images:
        yield f"gold_per_task: {gold} leaves no room on a page of {images}"
    first, most = given.get("answers_per_image", 2), given.get("max_answers", 3)
    if isinstance(first, int) and isinstance(most, int) and "max_answers" in given and most < first:
        yield f"max_answers: {most} is below answers_per_image, {first}"
    if given.get("workforce", "portal") == "portal":
        for key in STOPPING & given.keys():
            yield (
                f"{key}: the portal stops no job by itself; this is for a Ground Truth team as "
                "workforce. On the portal, set job_days, or end a run with: tessera stop RUN"
            )
    public = PUBLIC_TEAM in str(given.get("workforce", ""))
    said = given.get("content_classifiers", ())
    if public and "FreeOfPersonallyIdentifiableInformation" not in said:
        yield (
            "content_classifiers: the public workforce takes only images that are said to be "
            "FreeOfPersonallyIdentifiableInformation"
        )

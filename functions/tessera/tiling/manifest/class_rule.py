"""Decide which class a line that was labeled before has: one rule for training, exports and report.

A labeled line is a foreign one: of a run with other labels, of another kind of job, or by hand. Its
label is a class of this run only if its number and its name agree; the name decides, because a
number means another class where the labels are others, or in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec

from tessera.tiling.settings import Settings, normal_text

LABEL_TYPE = "groundtruth/image-classification"
"""Type that Ground Truth's metadata, and ours, name for one label of an image."""
VERIFICATION_TYPE = "groundtruth/label-verification"
"""Type of what workers said of boxes that were there before."""


def label_type(settings: Settings) -> str:
    """Return the type that the metadata of a run's labels name."""
    return VERIFICATION_TYPE if settings.task == "verify" else LABEL_TYPE


class KnownClass(NamedTuple):
    """Class of a labeled line: its number in the settings, and whether the line says another."""

    number: int
    name: str
    renumbered: bool


class NoClass(ValueError):
    """Reason why a line's label is no class of this run."""


class NumberedNames:
    """Names of a run's classes with their numbers, for rules of lines that were labeled before."""

    def __init__(self, settings: Settings) -> None:
        """Prepare for the settings' labels; the escape is no class."""
        self._attribute = settings.label_attribute
        self._numbers = {
            normal_text(name): (settings.labels.index(name), name) for name in settings.classes
        }
        self._names = dict(self._numbers.values())
        self._places = {name: place for place, name in enumerate(settings.classes)}

    def _members(self, metadata: bytes | msgspec.Raw | None, type_: str) -> dict[str, Any]:
        """Return the members of the metadata; raises NoClass if it is of another type."""
        key = f"{self._attribute}-metadata"
        members = msgspec.json.decode(metadata) if metadata is not None else {}
        if not isinstance(members, dict):
            raise NoClass(f"{key}: not an object")
        if members.get("type", type_) != type_:
            raise NoClass(f"{key}: of the type {excerpt(members['type'])}, not {type_}")
        return members


class ClassRule(NumberedNames):
    """Rule by which a label and its metadata name one class of a run.

    >>> from tessera.tiling.settings import read_settings
    >>> rule = ClassRule(read_settings(b'{"labels": ["rabbit", "cat", "dog"]}'))
    >>> rule.read(b"0", b'{"class-name": "cat"}')
    KnownClass(number=1, name='cat', renumbered=True)
    """

    def __init__(self, settings: Settings) -> None:
        """Prepare for the settings' labels; the escape is no class."""
        super().__init__(settings)
        self._escape = settings.escape
        self._type = label_type(settings)

    def read(self, label: bytes | msgspec.Raw, metadata: bytes | msgspec.Raw | None) -> KnownClass:
        """Return the class that the two JSON values name; raises NoClass with the reason."""
        value = msgspec.json.decode(label)
        name = self._class_name(metadata)
        if isinstance(value, float) and value.is_integer():  # as pandas writes a column with gaps
            value = int(value)
        if value is None:
            raise NoClass(f"{self._attribute}: null is no label; without the key it is asked")
        if isinstance(value, bool) or not isinstance(value, int | str):
            kinds = {bool: "true or false", list: "a list", dict: "an object", float: "a fraction"}
            kind = kinds.get(type(value), "something else")
            raise NoClass(f"{self._attribute}: {kind}, not the number of one class")
        number, own = self._known(name) if name is not None else self._unnamed(value)
        self._check_agreement(value, own, named=name is not None)
        return KnownClass(number, own, renumbered=value != number or name not in (None, own))

    def renumber(self, line: bytes, known: KnownClass) -> bytes:
        """Return a labeled line with the class's number and name in this run."""
        return renumber(line, self._attribute, known)

    def places(self, known: KnownClass) -> Iterator[int]:
        """Yield the place of the class among the run's classes."""
        yield self._places[known.name]

    def _class_name(self, metadata: bytes | msgspec.Raw | None) -> str | None:
        """Return the class name in the metadata, None without one; raises NoClass if not of us."""
        key = f"{self._attribute}-metadata"
        members = self._members(metadata, self._type)
        for foreign in ("failure-reason", "class-map", "objects"):
            if foreign in members:
                raise NoClass(f"{key}: has {foreign}, which a label of one class has not")
        name = members.get("class-name")
        if name is not None and not isinstance(name, str):
            raise NoClass(f"{key}: class-name is no text")
        return name

    def _known(self, name: str) -> tuple[int, str]:
        normal = normal_text(name)
        if normal in self._numbers:
            return self._numbers[normal]
        if normal == normal_text(self._escape):
            raise NoClass(f"{self._attribute}: {excerpt(name)} is no class but the escape")
        alike = {known.casefold(): known for known in self._numbers}
        near = get_close_matches(normal.casefold(), alike, n=1)
        hint = f"; did you mean {alike[near[0]]}?" if near else ""
        raise NoClass(f"{self._attribute}: {excerpt(name)} is none of the classes{hint}")

    def _unnamed(self, value: int | str) -> tuple[int, str]:
        """Return the class of a label without a class name, by its name or its number."""
        if isinstance(value, str) and not _is_number(value):
            return self._known(value)
        if isinstance(value, str) and normal_text(value) in self._numbers:
            return self._known(value)
        number = int(value)
        if number not in self._names:
            raise NoClass(f"{self._attribute}: {excerpt(value)} is the number of no class")
        return number, self._names[number]

    def _check_agreement(self, value: int | str, name: str, *, named: bool) -> None:
        """Raise NoClass if the label cannot mean the class that the metadata names."""
        if isinstance(value, int) and value < 0:
            raise NoClass(f"{self._attribute}: {value} is the number of no class")
        if (
            named
            and isinstance(value, str)
            and not _is_number(value)
            and normal_text(value) != normal_text(name)
        ):
            raise NoClass(
                f"{self._attribute}: {excerpt(value)}, but the metadata's class-name is {name!r}"
            )


def renumber(line: bytes, attribute: str, known: KnownClass) -> bytes:
    """Return a labeled line with the class's number and name in this run; other members stay.

    >>> line = b'{"source-ref":"s3://pets/1","label":0,"label-metadata":{"class-name":"cat"}}'
    >>> renumber(line, "label", KnownClass(1, "cat", True))
    b'{"source-ref":"s3://pets/1","label":1,"label-metadata":{"class-name":"cat"}}'
    """
    # decoded to raw values: numbers and strings of other members keep their spelling
    members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    members[attribute] = msgspec.Raw(b"%d" % known.number)
    if raw := members.get(f"{attribute}-metadata"):
        metadata = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        if "class-name" in metadata:
            metadata["class-name"] = msgspec.Raw(msgspec.json.encode(known.name))
            members[f"{attribute}-metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    return msgspec.json.encode(members)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def excerpt(value: Any) -> str:
    """Return a value of a line as a reason quotes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

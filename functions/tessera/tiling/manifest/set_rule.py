"""Decide which labels a line that was labeled before has, where an image may have several.

The form is that of Ground Truth's multi-label image classification: a list of numbers, and in the
metadata a `class-map` from each number to its name. As of single labels (`class_rule`) the name
decides, because a number means another label where the labels are others, or in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tessera.tiling.manifest.class_rule import ClassRule, NoClass, NumberedNames, excerpt
from tessera.tiling.settings import Settings, normal_text

SET_TYPE = "groundtruth/image-classification-multilabel"
"""Type that Ground Truth's metadata, and ours, name for all labels of an image."""
MAPS = ("class-map", "confidence-map")
"""Members of the metadata that have a key for each number."""


class KnownSet(NamedTuple):
    """Labels of a labeled line: numbers in the settings, names, and what the line numbers them."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    written: tuple[int, ...]

    @property
    def renumbered(self) -> bool:
        """Return whether the line has other numbers than this run."""
        return self.numbers != self.written


class SetRule(NumberedNames):
    """Rule by which a list of labels and its metadata name labels of a run.

    >>> from tessera.tiling.settings import read_settings
    >>> rule = SetRule(read_settings(b'{"task": "multi", "labels": ["rabbit", "cat", "dog"]}'))
    >>> rule.read(b"[0, 2]", b'{"class-map": {"0": "cat", "2": "dog"}}').numbers
    (1, 2)
    """

    def read(self, label: bytes | msgspec.Raw, metadata: bytes | msgspec.Raw | None) -> KnownSet:
        """Return the labels that the two JSON values name; raises NoClass with the reason."""
        written = msgspec.json.decode(label)
        if not isinstance(written, list) or any(type(number) is not int for number in written):
            raise NoClass(f"{self._attribute}: not a list of labels' numbers, such as [0, 3]")
        if len(set(written)) < len(written):
            raise NoClass(f"{self._attribute}: a number is in the list twice")
        names = self._class_map(metadata)
        known = [self._known(number, names) for number in written]
        numbers = tuple(number for number, _ in known)
        if len(set(numbers)) < len(numbers):
            raise NoClass(f"{self._attribute}-metadata: two numbers have the same name")
        return KnownSet(numbers, tuple(name for _, name in known), tuple(written))

    def _class_map(self, metadata: bytes | msgspec.Raw | None) -> dict[str, Any]:
        """Return the names by number in the metadata, if there are any."""
        key = f"{self._attribute}-metadata"
        members = self._members(metadata, SET_TYPE)
        if "failure-reason" in members:
            raise NoClass(f"{key}: has failure-reason, so there is no label")
        names = members.get("class-map", {})
        if not isinstance(names, dict) or not all(isinstance(n, str) for n in names.values()):
            raise NoClass(f"{key}: class-map does not name labels by their numbers")
        return names

    def _known(self, number: int, names: dict[str, Any]) -> tuple[int, str]:
        name = names.get(str(number))
        if name is None and number in self._names:
            return number, self._names[number]
        if name is None:
            raise NoClass(f"{self._attribute}: {number} is the number of no label")
        if normal_text(name) not in self._numbers:
            raise NoClass(f"{self._attribute}-metadata: {excerpt(name)} is none of the labels")
        return self._numbers[normal_text(name)]

    def renumber(self, line: bytes, known: KnownSet) -> bytes:
        """Return a labeled line with the labels' numbers in this run; other members stay."""
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        numbers = dict(zip(map(str, known.written), map(str, known.numbers), strict=True))
        members[self._attribute] = msgspec.Raw(msgspec.json.encode(sorted(known.numbers)))
        if raw := members.get(f"{self._attribute}-metadata"):
            metadata = msgspec.json.decode(raw)
            for key in [key for key in MAPS if isinstance(metadata.get(key), dict)]:
                metadata[key] = {
                    numbers[number]: value
                    for number, value in metadata[key].items()
                    if number in numbers
                }
            members[f"{self._attribute}-metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
        return msgspec.json.encode(members)

    def places(self, known: KnownSet) -> Iterator[int]:
        """Yield the places of the labels among the run's classes."""
        for name in known.names:
            yield self._places[name]


def label_rule(settings: Settings) -> Any:
    """Return the rule of lines that were labeled before: of one class, or of a set of labels."""
    return SetRule(settings) if settings.is_multi else ClassRule(settings)

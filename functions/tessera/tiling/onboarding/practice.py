"""Find the practice pictures beside a manifest: known ones, which workers label before the work.

Pictures under `practice/LABEL/` are taken where the settings name none. What a worker answers to
them is told right or wrong at once, and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.onboarding.instructions import PICTURE
from tessera.tiling.settings import Settings, settings_from

PRACTICE = "practice/"
"""Folder beside a manifest with one folder for each label, in which its pictures lie."""


class Files(Protocol):
    """Stored objects as they are used here."""

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Yield the URIs of the objects under a prefix, in key order."""


def with_practice(settings: Settings, files: Files, folder: str) -> Settings:
    """Return the settings with the practice pictures in a manifest's folder, checked like settings.

    `folder` is its URI with a slash at the end. Raises SettingsInvalid with every picture that
    cannot be used, and why.
    """
    if settings.practice:
        return settings
    practice = labels_in(files, folder, PRACTICE)
    if not practice:
        return settings
    return settings_from({**msgspec.to_builtins(settings), "practice": practice})


def labels_in(files: Files, folder: str, place: str) -> dict[str, str]:
    """Return the label of each picture under a place in a manifest's folder, by its name there."""
    names = (uri.removeprefix(folder) for uri in files.list_uris(folder + place))
    return labels_of((name for name in names if PICTURE.search(name)), place)


def labels_of(names: Iterable[str], place: str = PRACTICE) -> dict[str, str]:
    """Return the label of each picture by its name under a place: that of its folder.

    Raises SettingsInvalid for pictures that lie in no label's folder.

    >>> labels_of(["practice/cat/1.jpg", "practice/dog/a/2.jpg"])
    {'practice/cat/1.jpg': 'cat', 'practice/dog/a/2.jpg': 'dog'}
    """
    parts = {name: name.removeprefix(place).partition("/") for name in names}
    problems = [
        f"{place[:-1]}: {name} lies in no label's folder; move it to {place}LABEL/{file}"
        for name, (file, slash, _) in parts.items()
        if not slash
    ]
    if problems:
        raise SettingsInvalid(problems)
    return {name: label for name, (label, _, _) in parts.items()}


def practice_name(manifest: str) -> str:
    """Return the name of the practice pictures' file, beside a round's tasks.

    >>> practice_name("round-1/tasks-000.manifest")
    'round-1/tasks-practice.json'
    """
    return beside_tasks(manifest, "tasks-practice.json")


def beside_tasks(manifest: str, name: str) -> str:
    """Return the name of a file of a round that lies beside a tasks manifest.

    >>> beside_tasks("round-1/tasks-000.manifest", "gold.csv"), beside_tasks("one.manifest", "g")
    ('round-1/gold.csv', 'g')
    """
    folder, slash, _ = manifest.rpartition("/")
    return folder + slash + name


def encode_practice(settings: Settings, folder: str) -> bytes:
    """Return the file of the practice pictures: the URI and the label of each.

    They are in an order that tells nothing of their labels, the same in every round.
    """
    pictures = [
        {"source-ref": folder + name, "label": label}
        for name, label in (settings.practice or {}).items()
    ]
    pictures.sort(key=lambda picture: sha256(picture["source-ref"].encode()).digest())
    return msgspec.json.encode(pictures)


def decode_practice(data: bytes) -> list[dict[str, Any]]:
    """Return the practice pictures in a file of them, each with `source-ref` and `label`."""
    return msgspec.json.decode(data, type=list[dict[str, Any]])

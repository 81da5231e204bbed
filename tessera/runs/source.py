"""Read what is dropped: a manifest or a folder of pictures, with its settings and its project."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import click
import msgspec

from tessera.csv_file import readable
from tessera.exits import Refused
from tessera.option_lists import listed
from tessera.picture_folder import Picture
from tessera.runs.checks import (
    count_lines,
    count_manifest,
    labeled_otherwise,
    parse_settings,
    read_settings_file,
)
from tessera.runs.earlier_labels import asks_the_same, reuse_labels
from tessera.runs.fetched_pictures import (
    any_elsewhere,
    with_fetched_pictures,
    with_placeholders,
)
from tessera.runs.fitting import NUMBERS, Staff, fit_file, fit_labels
from tessera.runs.known_pictures import SideFiles, known_keys
from tessera.runs.own_embeddings import check_own_embeddings
from tessera.runs.status import settings_in_force
from tessera.runs.uploads import upload_pictures
from tessera.screen import aside, warn
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import TesseraError
from tessera.tiling.grouping.settings_effect import without_effect
from tessera.tiling.run.inbox import without_ending
from tessera.tiling.settings import LONGEST_SETTINGS, Settings, read_settings

GENERIC = frozenset({
    "data", "dataset", "images", "image", "imgs", "img", "photos", "photo", "pics", "pictures",
    "files", "train", "test", "val", "raw", "new", "tmp", "temp", "desktop", "downloads", "dcim",
    "camera", "bilder", "fotos",
})  # fmt: skip
"""Names of folders that two folders of one person easily have."""


def suggest_project(name: str) -> str:
    """Return a name like this one that a project may have.

    >>> suggest_project("My Photos"), suggest_project("../May 2026/"), suggest_project(" ")
    ('my-photos', 'may-2026', 'my-project')
    """
    folders = re.sub(r"[\s\\]+", "-", name).lower().split("/")
    return "/".join(each for each in folders if each.strip("-.")).strip("-") or "my-project"


@dataclass(frozen=True, slots=True)
class Source:
    """Manifest, or folder of images, with its settings file and its project."""

    path: Path
    settings_file: Path
    project: str
    labels: tuple[str, ...] = ()
    """Labels instead of a settings file."""
    files: SideFiles = field(default_factory=SideFiles)
    """Files of known labels and of guesses beside a folder of images."""
    embeddings: Path | None = None
    """Embeddings of the images, a row for each line of the manifest."""
    notices: list[str] = field(default_factory=list)
    """Notices about the images, as far as they were looked at."""

    @classmethod
    def at(cls, path: Path, settings_file: Path | None, project: str | None) -> Source:
        """Take the settings file beside the path and its folder's name, unless others are given.

        Refused if the name cannot be a project's.
        """
        folder = path if path.is_dir() else path.parent
        project = project or folder.resolve().name
        # browsers open no picture whose key has . or .. between slashes
        has_dots = not {".", ".."}.isdisjoint(project.split("/"))
        if has_dots or not re.fullmatch(r"[^/\\\s][^\\\s]*[^/\\\s]|[^/\\\s]", project):
            raise Refused(
                f"{project!r} cannot be the name of a project here, which has no blanks and no "
                "backslashes, no slash at its beginning or end, and no . or .. between slashes. "
                "Name the project: "
                f"--project {quote(suggest_project(project))}"
            )
        return cls(path, settings_file or folder / "labeling.json", project)

    def name_notice(self, named: bool) -> list[str]:
        """Say which project it is where a folder's name, which was not given, says little."""
        if named or self.project.casefold() not in GENERIC:
            return []
        return [
            f"the project is {self.project!r}, after the folder; another folder of this name would "
            "be the same project. To name it: --project NAME"
        ]

    @property
    def folder(self) -> Path:
        """Folder in which instructions and examples lie."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def name(self) -> str:
        """Name of the manifest in the inbox, without its suffix."""
        if self.path.is_dir():
            return self.path.resolve().name
        return without_ending(self.path.name)

    def own_settings(self) -> bytes | None:
        """Read the settings file, or make settings of the labels alone; None without either.

        With known labels a page gets one gold image. A file that names the very labels is used.
        """
        if self.labels and not self._file_has_labels():
            gold = {"gold_per_task": 1} if self.files.gold else {}
            return msgspec.json.encode({"labels": self.labels} | gold)
        if not self.settings_file.exists():
            return None
        with readable(self.settings_file):
            return self.settings_file.read_bytes()

    def _file_has_labels(self) -> bool:
        """Return whether the settings file names the labels; UsageError if it names others."""
        if not self.settings_file.exists():
            return False
        if read_settings_file(self.settings_file).labels == self.labels:
            return True
        raise click.UsageError(
            f"{self.settings_file} names other labels. Drop without --labels, or "
            "with other settings: --settings FILE"
        )

    @property
    def settings_place(self) -> str:
        """Name of the place that its own settings come from."""
        return str(self.settings_file) if self.settings_file.exists() else "--labels"

    def fit_settings(
        self, cloud: Cloud, own: bytes, settings: Settings, staff_of: Callable[[Settings], Staff]
    ) -> bytes:
        """Return the settings' own document with numbers that fit the people.

        A project that was dropped with the same settings keeps them as they are: others would make
        another run of the same images.
        """
        from_labels = not self.settings_file.exists()
        if before := self._settings_before(cloud, own, settings):
            return before
        staff = staff_of(settings)
        if from_labels:
            return fit_labels(staff, own, settings)
        return fit_file(staff, self.settings_file, own, settings)

    def _settings_before(self, cloud: Cloud, own: bytes, settings: Settings) -> bytes | None:
        """Return what the project was dropped with before, if a drop leaves it as it is."""
        in_inbox = f"{cloud.outputs['Inbox']}/{self.project}/labeling.json"
        before = cloud.storage.get_up_to(in_inbox, LONGEST_SETTINGS + 1)
        is_alike = not self.settings_file.exists() and before and _asks(before, settings)
        return before if before == own or is_alike else None

    def planned_settings(self, cloud: Cloud | None) -> Settings:
        """Return the settings that a drop would take, without writing or asking anything.

        With a stack, those of the project there count as they do for a drop, and so do the people
        who may label, where the labels alone are given.
        """
        own = self.own_settings()
        if own is None:
            return (
                settings_in_inbox(cloud, self) if cloud else read_settings_file(self.settings_file)
            )  # which says what to do
        settings = parse_settings(own, self.settings_place)
        if cloud is None or self.settings_file.exists():
            return settings
        fitted = self._settings_before(cloud, own, settings) or Staff.of(
            cloud, settings, self.project
        ).fit(own, settings)
        return parse_settings(fitted, self.settings_place) if fitted else settings

    def check(self, settings: Settings) -> None:
        """Refuse a manifest that a run would refuse, before anybody is asked for anything."""
        if self.path.is_dir():
            return
        if any_elsewhere(self.path):
            lines = with_placeholders(self.path.read_bytes())
            summary = count_lines(lines, self.path.name, settings)
        else:
            summary = count_manifest(self.path, settings)
        self._check_embeddings(summary.lines)
        self.notices.extend(without_effect(settings, summary))
        self.notices.extend(labeled_otherwise(self.path, settings))

    def _check_embeddings(self, lines: int) -> None:
        if self.embeddings:
            check_own_embeddings(self.embeddings, lines)

    def _describe(self, settings: Settings, pictures: list[Picture]) -> list[dict[str, Any]]:
        """Return what else the pictures' lines say, and note what is odd about them."""
        keys, notices = known_keys(self.path, pictures, settings, self.files)
        lines = (
            msgspec.json.encode({"source-ref": f"s3://inbox/{picture.digest}"} | known) + b"\n"
            for picture, known in zip(pictures, keys, strict=True)
        )
        summary = count_lines(b"".join(lines), self.name, settings)
        self._check_embeddings(summary.lines)
        self.notices.extend([*notices, *without_effect(settings, summary)])
        warn(self.notices)  # before anything is uploaded
        return keys

    def lines(
        self, cloud: Cloud, settings: Settings, *, ask_again: bool = False, convert: bool = False
    ) -> bytes:
        """Return the manifest, or upload the images and return a manifest of them.

        Pictures that a finished run of the project labeled keep their labels, with a word, unless
        they are to be asked again. A folder dropped before, with the same pictures and settings,
        gives the manifest of then, whose run is used again.
        """
        if not self.path.is_dir():
            lines = self.path.read_bytes()
            if not any_elsewhere(self.path):
                return lines
            return with_fetched_pictures(
                cloud, lines, self.path.parent, self.project, str(self.path)
            )
        describe = partial(self._describe, settings)
        lines = upload_pictures(cloud, self.path, self.project, describe, convert=convert)
        if ask_again:
            return lines
        dropped = self._dropped_before(cloud, settings)
        if dropped and asks_the_same(dropped, lines, settings):
            return dropped
        labeled = reuse_labels(cloud, lines, self.project, settings)
        warn(labeled.notice())
        return labeled.lines

    def _dropped_before(self, cloud: Cloud, settings: Settings) -> bytes | None:
        """Return the manifest in the inbox if it was dropped with these settings, else None."""
        uri = f"{cloud.outputs['Inbox']}/{self.project}/{self.name}.manifest"
        if not cloud.storage.exists(uri):
            return None
        raw = settings_in_force(cloud, cloud.outputs["Inbox"], self.project)
        if not raw or parse_settings(raw, self.project) != settings:
            return None
        return cloud.storage.get(uri)


def _asks(document: bytes, settings: Settings) -> bool:
    """Return whether settings of a project differ from others in the numbers of answers alone."""
    with suppress(TesseraError):
        before = read_settings(document)
        numbers = {name: getattr(before, name) for name in NUMBERS}
        return before == msgspec.structs.replace(settings, **numbers)
    return False


def settings_of(path: Path, settings_file: Path, labels: str | None) -> Settings:
    """Read the settings of a file, or make them of labels alone as a drop does; else Refused."""
    source = Source(path, settings_file, project="", labels=listed(labels))
    own = source.own_settings()
    if own is None:
        return read_settings_file(settings_file)  # which says what to do
    return parse_settings(own, source.settings_place)


def settings_in_inbox(cloud: Cloud, source: Source) -> Settings:
    """Return the project's settings in the inbox, else the stack's; Refused if there are none."""
    raw = settings_in_force(cloud, cloud.outputs["Inbox"], source.project)
    if not raw:
        return read_settings_file(source.settings_file)  # which says what to do
    aside.print(
        f"There is no {source.settings_file}; using the settings of the project {source.project} "
        "in the inbox, or else the stack's."
    )
    return parse_settings(raw, f"The settings of {source.project} in the inbox, or of the stack,")

"""Walk a folder's pictures and look at each, before it is uploaded and people are asked.

`drop`, `manifest` and `estimate` share this walk, so that they agree on what a folder holds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tessera.exits import Refused
from tessera.exports.pictures import HEAD, Undecodable, check_decodes, in_order, kind_of
from tessera.page_picture import can_convert, needs_page_picture, shows_original
from tessera.picture_types import MEDIA_TYPES, SHOWN, left_out, picture_type, suffixes_in_words
from tessera.screen import counted, progress, warn
from tessera.tiling.onboarding.instructions import EXAMPLES
from tessera.tiling.onboarding.instructions import NAME as INSTRUCTIONS
from tessera.tiling.onboarding.practice import PRACTICE
from tessera.tiling.onboarding.qualification import FOLDER as QUALIFICATION
from tessera.tiling.picture_keys import HASH_DIGITS

GUIDES = {
    EXAMPLES: "as examples for the instructions",
    PRACTICE: "as pictures to practice on",
    QUALIFICATION: "as pictures to qualify by",
}
"""Folders of pictures that workers learn from or are tested by, and why they are left out."""

MOST_PIXELS = 2**28
"""Pixels of the largest picture that is decoded: at three bytes each, 768 MB of memory."""
MOST_NAMED = 10
"""Files that a warning names; of more it gives the number."""
OF_OTHER_PROGRAMS = frozenset({"__macosx", "@eadir", "thumbnails"})
"""Folders that archives, disk stations and viewers make, with copies of the pictures beside them.
Most others are hidden."""
HIDDEN = "hidden or of other programs"
"""Why such files are left out."""
NOT_UTF8 = "because their names are not UTF-8, as keys in S3 must be (rename them)"
"""Why pictures with names of another encoding are left out, such as from an old archive."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Picture of a folder that browsers can show."""

    path: Path
    name: str
    """Path below the folder, with slashes."""
    digest: str
    """Content hash."""
    media_type: str
    needs_page: bool = False
    """Whether a page shows a picture that is made of it (`tessera.page_picture`)."""
    in_zoom: bool = False
    """Whether the zoom shows the picture itself then."""


@dataclass(slots=True)
class Walk:
    """Names of a folder's picture files, and what was left out, by reason."""

    names: list[str] = field(default_factory=list)
    others: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, reason: str, name: str) -> None:
        """Note something that is left out."""
        self.others.setdefault(reason, []).append(name)


def look_at_pictures(folder: Path, *, convert: bool = False) -> list[Picture]:
    """Decode the pictures of a folder on all cores, and return those that can be shown, by name.

    With `convert`, those that can be converted to what browsers show are among them. Warns of
    everything that is left out, with the reason. Refused if nothing remains.
    """
    walk = walk_pictures(folder, convert=convert)
    showable: list[Picture] = []
    unshown: list[str] = []
    with progress("pictures looked at", len(walk.names)) as advance:
        # Pillow decodes without Python's lock, so that threads use all cores.
        jobs = in_order(
            lambda name: _look(folder, name, convert=convert),
            walk.names,
            at_once=os.cpu_count() or 1,
        )
        for name, picture in jobs:
            if isinstance(picture, Picture):
                showable.append(picture)
            else:
                unshown.append(f"{name} ({picture})")
            advance(1)
    warn(warnings_of(walk, unshown))
    if not showable:
        raise no_pictures(folder)
    return showable


def no_pictures(folder: Path) -> Refused:
    """Return the refusal of a folder without a picture to show."""
    return Refused(f"{folder} has no images that can be shown: {suffixes_in_words()} files.")


def check_has_pictures(folder: Path) -> None:
    """Refuse a folder without a picture to show, by names alone: nothing is decoded."""
    if not (walk := walk_pictures(folder)).names:
        warn(warnings_of(walk))
        raise no_pictures(folder)


def walk_pictures(folder: Path, *, convert: bool = False) -> Walk:
    """Find the pictures in a folder, at any depth, sorted as S3 sorts keys.

    A folder that several links lead to is walked once, by its own place if that is inside. Pictures
    whose names are not UTF-8 are left out.
    """
    walk, visited = Walk(), set[tuple[int, int]]()
    has_settings = any((folder / name).is_file() for name in ("labeling.json", INSTRUCTIONS))
    below, links = [folder], list[Path]()
    # Links wait until no real folder is left, so that a picture is known by its own path.
    while below or links:
        place = below.pop() if below else links.pop(0)
        try:
            status = place.stat()
            entries = sorted(place.iterdir(), reverse=True)
        except OSError:
            walk.leave_out("because they cannot be read", _name(folder, place))
            continue
        if (status.st_dev, status.st_ino) in visited:
            walk.leave_out("as links to folders that are taken already", _name(folder, place))
            continue
        visited.add((status.st_dev, status.st_ino))
        for path in entries:
            name = _name(folder, path)
            if path.is_dir():
                if is_hidden(f"{name}/"):
                    walk.leave_out(HIDDEN, f"{name}/")
                elif f"{name}/" in GUIDES and has_settings:
                    walk.leave_out(GUIDES[f"{name}/"], f"{name}/")
                else:
                    (links if path.is_symlink() else below).append(path)
            elif (kind := picture_type(name)) is None:
                continue
            elif is_hidden(name):
                walk.leave_out(HIDDEN, name)
            elif not path.is_file():
                walk.leave_out("because they cannot be read", name)
            elif not _is_utf8(name):
                walk.leave_out(NOT_UTF8, name)
            elif not kind.in_browsers and not (convert and can_convert(kind.suffix)):
                walk.leave_out("", name)
            else:
                walk.names.append(name)
    walk.names.sort()
    return walk


def is_hidden(name: str) -> bool:
    """Return whether a picture is none of a person's own: hidden, or beside what another made.

    >>> is_hidden("may/._tom.jpg"), is_hidden("@eaDir/tom.jpg"), is_hidden("may/tom.jpg")
    (True, True, False)
    """
    *folders, _ = parts = name.split("/")
    return any(part.startswith(".") for part in parts) or any(
        folder.lower() in OF_OTHER_PROGRAMS for folder in folders
    )


def content_hash(content: bytes) -> str:
    """Return the hash by which a picture's content is known.

    >>> content_hash(b"a picture")
    '92b2fa58028958317e408bd84ecfa70f'
    """
    return hashlib.sha256(content).hexdigest()[:HASH_DIGITS]


def reason_not_shown(content: bytes, *, convert: bool = False) -> str:
    """Return why browsers cannot show a picture, or an empty string if they can.

    With `convert`, why they cannot show a picture that is made of it either.

    >>> reason_not_shown(b""), reason_not_shown(b"<html>")
    ('0 bytes', 'not a picture')
    """
    if not content:
        return "0 bytes"
    kind = kind_of(content[:HEAD])
    if kind not in SHOWN and not (convert and kind and can_convert(kind)):
        return f"{kind} inside, which browsers do not show" if kind else "not a picture"
    try:
        check_decodes(content, most_pixels=MOST_PIXELS)
    except Undecodable as reason:
        return str(reason)
    return ""


def _look(folder: Path, name: str, *, convert: bool) -> Picture | str:
    """Return a picture, or why it cannot be shown."""
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        return error.strerror or "cannot be read"
    if reason := reason_not_shown(content, convert=convert):
        return reason
    media_type = MEDIA_TYPES[kind_of(content[:HEAD])]
    needs_page = convert and needs_page_picture(content)
    in_zoom = needs_page and shows_original(content)
    return Picture(folder / name, name, content_hash(content), media_type, needs_page, in_zoom)


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def warnings_of(walk: Walk, unshown: Sequence[str] = ()) -> list[str]:
    """Describe what was left out, a warning for each reason."""
    warnings = list(left_out(sorted(walk.others.pop("", ()))))
    for reason, names in walk.others.items():
        warnings.append(f"Left out, {reason}: {listed(sorted(names))}.")
    if unshown:
        pictures = counted(len(walk.names), "picture")
        warnings.append(f"{pictures}; {len(unshown):,} cannot be shown: {listed(unshown)}.")
    return warnings


def listed(names: Sequence[str]) -> str:
    """Name the first of some files, and the number of the others.

    >>> listed([f"{number}.jpg" for number in range(12)])[-19:]
    'g, 9.jpg and 2 more'
    """
    named = ", ".join(
        os.fsencode(name).decode(errors="backslashreplace") for name in names[:MOST_NAMED]
    )
    more = len(names) - MOST_NAMED
    return f"{named} and {more:,} more" if more > 0 else named

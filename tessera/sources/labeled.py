"""Images with what another tool knows of them, and the manifest lines that say it."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args

import msgspec

from tessera.exits import Refused
from tessera.screen import counted
from tessera.tiling.manifest.class_rule import LABEL_TYPE
from tessera.tiling.manifest.set_rule import SET_TYPE
from tessera.tiling.settings import likeness, normal_text

T = TypeVar("T")
MAX_NAMED = 3
"""Entries that a notice names: enough to find out what they have in common."""
LabelsAs = Literal["gold", "prelabel", "label"]
"""Uses of labels: known ones that show how workers do, guesses that workers confirm, or labels
of finished lines that nobody is asked about."""
BOXES: Final = "boxes"
"""Use of a tool's boxes: each is a line's, and workers verify it."""
LABELS_AS = get_args(LabelsAs)
ATTRIBUTE = "label"
"""Key of a finished line's label: that of the settings where they say nothing."""


class Labeled(NamedTuple):
    """Image of another tool: a path, https:// address or s3:// URI, and its labels, if any.

    `confidence` is that of a guess, where the tool knows one. `facts` are what else a finished
    line says of its label, `confidences` those of several labels, and `others` the line's other
    keys. `has_set` says that the labels are all that it has, even if that is none.
    """

    image: str
    labels: tuple[str, ...] = ()
    confidence: float | None = None
    facts: Mapping[str, Any] = {}
    confidences: Mapping[str, float] = {}
    others: Mapping[str, Any] = {}
    has_set: bool = True


class Contents(NamedTuple):
    """Images of a source, and the names of the labels by number where the tool has them.

    `are_sets` says that a picture may have several labels, or none.
    """

    images: list[Labeled]
    names: Sequence[str] = ()
    notices: Sequence[str] = ()
    are_sets: bool = False


class BoxLines(NamedTuple):
    """Manifest lines of a source with each picture's boxes, and the names of the boxes' classes."""

    lines: list[dict[str, Any]]
    names: list[str]
    notices: Sequence[str] = ()


class NoPicture(Refused):
    """Picture that is neither in the folder nor at an address."""

    def __init__(self, name: str, reason: str) -> None:
        """Keep the name apart from the reason, which many pictures may have."""
        super().__init__(f"{name}: {reason}.")
        self.name, self.reason = name, reason


class LeftOut:
    """Entries of a source that are not in the manifest, by the reason for it.

    A file of a thousand pictures is not refused for one of them, and nothing is left out in
    silence.
    """

    def __init__(self, path: Path | str) -> None:
        """Begin with nothing left out of the file or folder."""
        self.path = path
        self._places: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self.is_loss = False

    def note(self, kind: str, place: object, reason: str, *, is_loss: bool = True) -> None:
        """Leave out one entry of a kind (a plural noun); `place` is its number or name.

        It is no loss where nobody would want it, and then the exit code is that of success.
        """
        self._places[kind, reason].append(str(place))
        self.is_loss |= is_loss

    def notices(self) -> list[str]:
        """Return a sentence for each reason, with the first entries that it is true of."""
        return [
            f"{self.path}: {kind} left out: {len(places):,} ({', '.join(places[:MAX_NAMED])}"
            f"{', …' if len(places) > MAX_NAMED else ''}): {reason}"
            for (kind, reason), places in self._places.items()
        ]


def read_each(
    entries: Iterable[Any], read: Callable[[Any], T], left_out: LeftOut, kind: str
) -> list[T]:
    """Return what a function makes of each entry; one that fails is left out by itself.

    Raises the first failure if all entries failed: then the file is none of its kind.
    """
    made: list[T] = []
    first: Exception | None = None
    for number, entry in enumerate(entries, 1):
        try:
            item = read(entry)
            msgspec.json.encode(item)  # texts may hold half a character, which no line takes
        except NoPicture as error:
            left_out.note(kind, error.name, error.reason)
            first = first or error
        except Refused:  # an option is missing, which is true of more than this entry
            raise
        except Exception as error:  # a foreign entry may hold anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            left_out.note(kind, number, f"not as that tool writes them ({reason})")
            first = first or error
        else:
            made.append(item)
    if isinstance(first, NoPicture) and not made:
        raise Refused(f"{left_out.path}, {first.message}") from first
    if first and not made:
        raise first
    return made


class Lines(NamedTuple):
    """Lines of a manifest, the names of their labels, and what a person should know of them.

    `labeled` is how many of them have a label.
    """

    lines: bytes
    names: list[str]
    notices: list[str]
    is_multi: bool
    labeled: int


def reading(path: Path, form: str, read: Callable[[], T]) -> T:
    """Return what a reader makes of a file; Refused, with what it should be, if it is none."""
    try:
        made = read()
    except Refused:
        raise
    # a foreign file may hold anything: brackets by the thousand, numbers where texts should be
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise Refused(
            f"{path} cannot be read as {form} ({reason}). Save it anew with that tool, or give the "
            "option of the tool that wrote it."
        ) from error
    if not (made.images if isinstance(made, Contents) else made):
        raise Refused(f"{path} holds no image. Check that it is {form}.")
    return made


def find_picture(name: str, folder: Path | None, address: str = "") -> str:
    """Return where a picture lies: in the folder, if it is there, else at its address."""
    if folder is not None:
        for spelling in _spellings(name):
            if _is_file(folder / spelling):
                return str((folder / spelling).resolve())
    if address:
        return address
    if folder is None:
        raise Refused(f"{name}: give the folder that the pictures are in: --images FOLDER")
    raise NoPicture(name, f"not in {folder}; check --images")


def _spellings(name: str) -> dict[str, None]:
    """Return a file's name as systems write it: macOS takes accents apart, Windows has `\\`."""
    names = (name, name.replace("\\", "/"))
    return dict.fromkeys(
        [name, *(unicodedata.normalize(form, each) for each in names for form in ("NFC", "NFD"))]
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # longer than a name may be, or with a NUL
        return False


def manifest_lines(
    images: Sequence[Labeled],
    labels_as: LabelsAs,
    names: Sequence[str] = (),
    *,
    are_sets: bool = False,
) -> Lines:
    """Return the images' lines, in order; `names` are the labels by number where a tool has them.

    Where pictures have several labels or none, finished lines are those of `"task": "multi"`;
    known labels and guesses are one a picture, and others are left out with a word. `are_sets` says
    that a picture may have several, even if none has.
    """
    spelled, notices = _spelled_alike(images, names)
    images = [
        image._replace(
            labels=tuple(dict.fromkeys(spelled[name] for name in image.labels)),
            confidences={spelled[name]: value for name, value in image.confidences.items()},
        )
        for image in images
    ]
    images = _without_contradictions(images, labels_as, notices)
    listed = list(dict.fromkeys(spelled.values()))
    numbers = {name: number for number, name in enumerate(listed)}
    several = sum(len(image.labels) > 1 for image in images)
    is_multi = labels_as == "label" and (several > 0 or are_sets)
    keys = [_keys(image, labels_as, numbers, is_multi=is_multi) for image in images]
    lines = [
        {"source-ref": image.image, **image.others} | own
        for image, own in zip(images, keys, strict=True)
    ]
    if several and not is_multi:
        notices.append(
            f"{counted(several, 'picture')} with several labels: each comes without, since a "
            f"{labels_as} is one label. As finished lines they keep all: --labels-as label"
        )
    if is_multi:
        notices.append(
            f"{counted(several, 'picture')} with several labels: the lines are those of "
            '"task": "multi"'
        )
    text = msgspec.json.Encoder().encode_lines(lines)
    return Lines(text, listed, notices, is_multi, sum(map(bool, keys)))


def _without_contradictions(
    images: list[Labeled], labels_as: LabelsAs, notices: list[str]
) -> list[Labeled]:
    """Return the images; those that have different labels at different places are told.

    As gold they come without: nobody knows which of the labels is right.
    """
    labels: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for image in images:
        if image.labels:
            labels[image.image].add(image.labels)
    at_odds = [image for image, of_image in labels.items() if len(of_image) > 1]
    if not at_odds:
        return images
    more = ", …" if len(at_odds) > MAX_NAMED else ""
    notices.append(
        f"{counted(len(at_odds), 'picture')} with different labels at different places "
        f"({', '.join(at_odds[:MAX_NAMED])}{more})"
        + (": each comes without, since no label of it is known" if labels_as == "gold" else "")
    )
    if labels_as != "gold":
        return images
    unknown = frozenset(at_odds)
    return [each._replace(labels=()) if each.image in unknown else each for each in images]


def _spelled_alike(
    images: Sequence[Labeled], names: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Return for each label the spelling that counts, and a notice of those that have several.

    A page cannot offer two labels that look alike, which settings refuse. Of such the commonest
    counts.
    """
    counts = Counter(dict.fromkeys(names, 0))
    for image in images:
        counts.update(image.labels)
    groups: defaultdict[str, list[str]] = defaultdict(list)
    tidy = {name: name.strip() for name in counts}  # settings refuse blanks around
    for name in counts:  # in order of appearance, which decides between equally common ones
        groups[likeness(tidy[name])].append(name)
    spelled, notices = tidy, []
    for group in groups.values():
        if len(group) > 1:
            chosen = normal_text(tidy[max(group, key=counts.__getitem__)])
            spelled |= dict.fromkeys(group, chosen)
            others = ", ".join(repr(name) for name in group if name != chosen)
            notices.append(f"labels that look alike are read as one: {others} as {chosen!r}")
    return spelled, notices


def _keys(
    image: Labeled, labels_as: LabelsAs, numbers: dict[str, int], *, is_multi: bool
) -> dict[str, Any]:
    """Return what a line says of its labels."""
    if is_multi and not image.has_set:
        return {}
    if is_multi:
        names = {str(numbers[name]): name for name in image.labels}
        metadata = {"class-map": names, "type": SET_TYPE, "human-annotated": "yes", **image.facts}
        known = {str(numbers[name]): value for name, value in image.confidences.items()}
        metadata |= {"confidence-map": known} if known else {}
        return {ATTRIBUTE: [*map(int, names)], f"{ATTRIBUTE}-metadata": metadata}
    if len(image.labels) != 1:
        return {}
    (name,) = image.labels
    if labels_as == "label":
        single = {"class-name": name, "type": LABEL_TYPE, "human-annotated": "yes", **image.facts}
        return {ATTRIBUTE: numbers[name], f"{ATTRIBUTE}-metadata": single}
    sure = image.confidence if labels_as == "prelabel" else None
    return {labels_as: name} | ({} if sure is None else {"prelabel-confidence": sure})


def texts(values: Any) -> Iterator[str]:
    """Yield labels as text, each once, without what is empty."""
    for value in dict.fromkeys(str(value).strip() for value in values):
        if value:
            yield value

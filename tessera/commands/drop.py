"""`tessera drop`: check a manifest or a folder of pictures, upload it, and see its run begin."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any

import click
import msgspec

from tessera.commands.workers import add_people, check_emails
from tessera.csv_file import readable
from tessera.exits import Exit, Refused
from tessera.file_types import IN_FILE
from tessera.picture_folder import Picture
from tessera.runs.checks import (
    count_lines,
    count_manifest,
    labeled_otherwise,
    parse_settings,
    read_settings_file,
    refuse_csv,
)
from tessera.runs.display import show_until_ended
from tessera.runs.earlier_labels import asks_the_same, reuse_labels
from tessera.runs.executions import (
    ENDED,
    Ending,
    drop,
    list_executions,
    read_ending,
    wait_for_execution,
)
from tessera.runs.failures import failure
from tessera.runs.fetched_manifest import fetched_manifest
from tessera.runs.fetched_pictures import (
    any_elsewhere,
    with_fetched_pictures,
    with_placeholders,
)
from tessera.runs.fitting import NUMBERS, Staff, fit_file, fit_labels, team_of
from tessera.runs.folder import find_run
from tessera.runs.instructions import settings_beside, upload_instructions
from tessera.runs.known_pictures import SideFiles, known_keys
from tessera.runs.own_embeddings import check_own_embeddings, find_own_embeddings
from tessera.runs.picture_changes import changes_since_shown
from tessera.runs.status import (
    RunObserver,
    RunStatus,
    manifest_key,
    run_folder_of,
    settings_in_force,
)
from tessera.runs.uploads import upload_pictures
from tessera.screen import aside, console_for, json_option, out, print_json, waiting, warn
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import TesseraError
from tessera.tiling.grouping.settings_effect import without_effect
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.run.inbox import embeddings_name
from tessera.tiling.settings import LONGEST_SETTINGS, Settings, read_settings, warnings

PAUSE = 0.3
"""Seconds between two looks at a run whose images are being grouped."""


GENERIC = frozenset({
    "data", "dataset", "images", "image", "imgs", "img", "photos", "photo", "pics", "pictures",
    "files", "train", "test", "val", "raw", "new", "tmp", "temp", "desktop", "downloads", "dcim",
    "camera", "bilder", "fotos",
})  # fmt: skip
"""Names of folders that two folders of one person easily have."""


def suggest_project(name: str) -> str:
    """Return a name like this one that a project may have.

    >>> suggest_project("My Photos"), suggest_project("/pets/May 2026/"), suggest_project(" ")
    ('my-photos', 'pets/may-2026', 'my-project')
    """
    return re.sub(r"[\s\\]+", "-", name).strip("-/").lower() or "my-project"


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
    """What a person should know of the images, as far as they were looked at."""

    @classmethod
    def at(cls, path: Path, settings_file: Path | None, project: str | None) -> Source:
        """Take the settings file beside the path and its folder's name, unless others are given.

        Refused if the name cannot be a project's.
        """
        folder = path if path.is_dir() else path.parent
        project = project or folder.resolve().name
        if not re.fullmatch(r"[^/\\\s][^\\\s]*[^/\\\s]|[^/\\\s]", project):
            raise Refused(
                f"{project!r} cannot be the name of a project here, which has no blanks and no "
                "backslashes, and no slash at its beginning or end. Name the project: "
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
        return re.sub(r"(\.(manifest|jsonl|gz))+$", "", self.path.name, flags=re.IGNORECASE)

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
        """Where the settings of its own come from, as a person would name it."""
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
                _settings_in_force(cloud, self) if cloud else read_settings_file(self.settings_file)
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
        """Return what else the pictures' lines say, and note what a person should know."""
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


labels_option = click.option(
    "--labels", metavar="A,B,…", help="Labels to choose from, instead of a settings file."
)


def settings_of(path: Path, settings_file: Path, labels: str | None) -> Settings:
    """Read the settings of a file, or make them of labels alone as a drop does; else Refused."""
    source = Source(path, settings_file, project="", labels=listed(labels))
    own = source.own_settings()
    if own is None:
        return read_settings_file(settings_file)  # which says what to do
    return parse_settings(own, source.settings_place)


class ManifestPath(click.Path):
    """Manifest or folder on this machine, or the s3:// address of a manifest, as text."""

    def __init__(self) -> None:
        """Take what exists here."""
        super().__init__(path_type=Path, exists=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an s3:// address as it is, and anything else as a path."""
        if isinstance(value, str) and value.startswith("s3://"):
            return value
        return super().convert(value, param, ctx)


@click.command("drop")
@click.argument("manifest", type=ManifestPath())
@click.option("--project", help="Folder of the inbox.  [default: the name of MANIFEST's folder]")
@click.option(
    "--settings", "settings_path", type=IN_FILE,
    help="Settings file.  [default: labeling.json beside the manifest, else the settings of the "
    "project or the stack]", show_default=False,
)  # fmt: skip
@labels_option
@click.option(
    "--gold", type=IN_FILE,
    help="CSV file of known labels of a folder's images (image,label).",
)  # fmt: skip
@click.option(
    "--prelabels", type=IN_FILE,
    help="CSV file of suggested labels of a folder's images (image,label[,confidence]).",
)  # fmt: skip
@click.option(
    "--embeddings", type=IN_FILE,
    help="Array of the images' embeddings.  [default: NAME.embeddings.npy beside NAME.manifest or "
    "within the folder NAME, if there is one]", show_default=False,
)  # fmt: skip
@click.option(
    "--ask-again", is_flag=True,
    help="Ask also for pictures of a folder that a finished run of the project has labeled.",
)  # fmt: skip
@click.option(
    "--convert", is_flag=True,
    help="Show a JPEG of pictures of a folder that browsers do not show, such as TIFF, or that are "
    "very large; exports have the originals, and so has the zoom where browsers show them.",
)  # fmt: skip
@click.option(
    "--people", metavar="EMAIL,…",
    help="People who label it: those without an account get one, whose password is printed once.",
)  # fmt: skip
@click.option("--watch", "watched", is_flag=True, help="Show the run's progress until it ends.")
@json_option("Print what was dropped as JSON.")
@click.pass_context
def drop_command(
    context: click.Context,
    manifest: Path | str,
    project: str | None,
    settings_path: Path | None,
    labels: str | None,
    gold: Path | None,
    prelabels: Path | None,
    embeddings: Path | None,
    ask_again: bool,
    convert: bool,
    people: str | None,
    watched: bool,
    as_json: bool,
) -> None:
    """Have MANIFEST labeled: check it on this machine, upload it, and start a run.

    MANIFEST may also be a folder of images, which are uploaded with a manifest of them; images that
    a finished run of the project has labeled keep their labels. Dropping the same again starts no
    second run.

    A manifest on this machine may also name images by https:// address or by path, which are
    fetched and uploaded first. One that lies in S3 already is given by its s3:// address, with the
    labeling.json beside it.
    """
    if isinstance(manifest, str):
        with fetched_manifest(context.obj.cloud, manifest, project) as (path, of_folder):
            context.invoke(
                drop_command, **context.params | {"manifest": path, "project": of_folder}
            )
        return
    if not manifest.is_dir():
        refuse_csv(manifest, context.obj.command)
    if (gold or prelabels) and not manifest.is_dir():
        raise click.UsageError(
            "--gold and --prelabels are for a folder of images; a manifest's lines have the keys "
            '"gold" and "prelabel"'
        )
    source = replace(
        Source.at(manifest, settings_path, project),
        labels=listed(labels),
        files=SideFiles(gold, prelabels),
        embeddings=embeddings or find_own_embeddings(manifest),
    )
    check_emails(listed(people))
    warn(source.name_notice(named=project is not None))
    own = source.own_settings()
    settings = parse_settings(own, source.settings_place) if own is not None else None
    cloud: Cloud = context.obj.cloud
    accounts: list[dict[str, Any]] = []

    def staff_of(settings: Settings) -> Staff:
        if people and not accounts:  # first, for they are to be counted
            groups = [team] if (team := team_of(settings)) else []
            accounts.extend(add_people(cloud, listed(people), groups, quiet=as_json))
        return Staff.of(cloud, settings, source.project)

    if own is not None and settings is not None:
        own = source.fit_settings(cloud, own, settings, staff_of)
        settings = parse_settings(own, source.settings_place)
    settings = settings_beside(settings or _settings_in_force(cloud, source), source.folder)
    source.check(settings)
    notices = (*warnings(settings), *staff_of(settings).warnings(settings))
    warn([*notices, *source.notices])
    upload_instructions(cloud, source.folder, source.project)
    try:
        lines = source.lines(cloud, settings, ask_again=ask_again, convert=convert)
    except KeyboardInterrupt:
        aside.print(
            "Interrupted before anything was dropped: no run has begun. The same command goes on, "
            "and uploads no picture twice."
        )
        context.exit(Exit.INTERRUPTED)
    dropped, execution = _start(cloud, source, lines, own, quiet=as_json)
    observer = RunObserver(cloud, execution)
    status = (
        show_until_ended(observer, console_for(as_json))
        if watched
        else _wait_until_grouped(observer)
    )
    end = read_ending(cloud, execution)
    if end.status not in ("RUNNING", "SUCCEEDED"):
        raise failure(end, cloud)
    # What the settings do not do was told before anything was uploaded.
    of_pictures = [
        notice
        for notice in _notices_on_pictures(cloud, status, end)
        if notice not in source.notices
    ]
    if end.status == "RUNNING":
        of_pictures += other_runs_notice(cloud, source.project, status.run)
    warn(of_pictures)
    if as_json:
        facts = {"execution": execution, "run": status.run, "status": end.status}
        remarks = {"warnings": [*notices, *source.notices, *of_pictures]}
        staffed = {"portal": cloud.people_url, "people": accounts} if people else {}
        print_json(dropped | remarks | facts | staffed | {"result": end.output})
    else:
        out.print(next_step(end, status.run, staff_of(settings)), soft_wrap=True)
    if end.output.get("partial"):
        context.exit(Exit.PARTIAL)


def drop_source(
    cloud: Cloud, source: Source, own: bytes | None, settings: Settings, *, quiet: bool
) -> tuple[str, RunStatus]:
    """Upload pictures, instructions and settings, and start the run; return its execution."""
    source.check(settings)
    warn([*warnings(settings), *source.notices])
    upload_instructions(cloud, source.folder, source.project)
    _, execution = _start(cloud, source, source.lines(cloud, settings), own, quiet=quiet)
    return execution, _wait_until_grouped(RunObserver(cloud, execution))


def listed(text: str | None) -> tuple[str, ...]:
    """Return what an option lists, as a line of CSV, without blanks around each.

    >>> listed('cat, "dog, large"'), listed(None)
    (('cat', 'dog, large'), ())
    """
    row = next(csv.reader([text or ""], skipinitialspace=True), [])
    return tuple(entry for entry in map(str.strip, row) if entry)


def as_option(labels: Sequence[str]) -> str:
    """Return labels as one option that `listed` reads.

    >>> as_option(["cat", "dog, large"])
    'cat,"dog, large"'
    """
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="").writerow(labels)
    return line.getvalue()


def _notices_on_pictures(cloud: Cloud, status: RunStatus, end: Ending) -> list[str]:
    """Say which of a run's first pictures cannot be shown or, of an earlier run, have changed."""
    if end.output.get("outcome") == "already-running":
        return changes_since_shown(find_run(cloud, end.output["run"])).warnings()
    return find_run(cloud, status.run).notices if status.run else []


def other_runs_notice(cloud: Cloud, project: str, run: str) -> list[str]:
    """Say which other runs of a project are at work: their pictures are asked there, too."""
    workflows = cloud.client("stepfunctions")
    names = set()
    for execution in list_executions(cloud, 100):
        if execution["status"] == "RUNNING":
            described = workflows.describe_execution(executionArn=execution["executionArn"])
            of_project = manifest_key(described).rpartition("/")[0] == project
            if of_project and (folder := run_folder_of(cloud, described)):
                names.add(folder.name)
    return [
        f"{name} of this project is still at work, and a picture that both have is asked in both. "
        f"If it is no longer needed: {cloud.command(f'stop {name}')}"
        for name in sorted(names - {run})
    ]


def _settings_in_force(cloud: Cloud, source: Source) -> Settings:
    """Return the project's settings in the inbox, else the stack's; Refused if there are none."""
    raw = settings_in_force(cloud, cloud.outputs["Inbox"], source.project)
    if not raw:
        return read_settings_file(source.settings_file)  # which says what to do
    aside.print(
        f"There is no {source.settings_file}; using the settings of the project {source.project} "
        "in the inbox, or else the stack's."
    )
    return parse_settings(raw, f"The settings of {source.project} in the inbox, or of the stack,")


def _start(
    cloud: Cloud, source: Source, lines: bytes, settings: bytes | None, *, quiet: bool
) -> tuple[dict[str, Any], str]:
    """Upload the manifest; return what was dropped, and the ARN of the execution it started."""
    before = {execution["executionArn"] for execution in list_executions(cloud, 100)}
    if source.embeddings:  # before the manifest, which starts a run that reads them
        with waiting("Uploading the embeddings"):
            name = f"{source.project}/{embeddings_name(source.name)}"
            cloud.storage.upload(source.embeddings, f"{cloud.outputs['Inbox']}/{name}")
    with waiting("Uploading the manifest"):
        key = drop(cloud, lines, project=source.project, name=source.name, settings=settings)
    # As a run counts them: a packed manifest has its lines inside.
    count = sum(block.count(b"\n") for block in line_blocks([lines]))
    dropped = {"manifest": f"{cloud.outputs['Inbox']}/{key}", "lines": count}
    if not quiet:
        out.print(f"[bold]Dropped[/]  {dropped['manifest']}", soft_wrap=True)
    with waiting("Waiting for the run to start"):
        return dropped, wait_for_execution(cloud, key, besides=before)


def _wait_until_grouped(observer: RunObserver) -> RunStatus:
    """Wait until the run has pages, or has ended, and return how it stands."""
    with waiting("Grouping the images into pages"):
        while True:
            status = observer.read()
            if status.state not in ("", "GroupImages") or status.status in ENDED:
                return status
            time.sleep(PAUSE)


def _invitation(staff: Staff) -> str:
    """Say who may label, and what they need for it."""
    cloud = staff.cloud
    if not staff.count:
        return f"It is waiting for people. Add one: {cloud.command('workers add EMAIL')}"
    invitation = (
        f"{staff} may label it there. Give them the address, and who is new their password."
    )
    if cloud.endpoint and not cloud.address_for_others:
        invitation += f"\nOpen it to other machines: {cloud.command('serve')}"
    return invitation


def next_step(end: Ending, run: str, staff: Staff) -> str:
    """Describe what became of a drop, and what to do next."""
    cloud = staff.cloud
    if end.status == "RUNNING":
        return (
            f"[bold]Run[/]      {run}\n"
            f"[bold]Portal[/]   {cloud.people_url}\n"
            f"{_invitation(staff)}\n"
            f"Watch its progress: {cloud.command(f'watch {run}')}"
        )
    if end.output.get("outcome") == "already-running":
        return (
            f"[bold]Run[/]      {end.output['run']}\n"
            "This manifest has been dropped before, and its run is used again. "
            f"Watch it: {cloud.command('watch ' + end.output['run'])}"
        )
    return (
        f"[bold]Run[/]      {end.output['run']}\n"
        f"[bold]Labeled[/]  {end.output['labeled']:,} of {end.output['images']:,} images\n"
        f"[bold]Next[/]     {cloud.command('report ' + end.output['run'])} --open"
    )

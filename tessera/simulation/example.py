"""Run the example from start to finish, labeled by simulated workers or by you."""

from __future__ import annotations

import csv
import json
import secrets
import webbrowser
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tessera.aws.storage import split_uri
from tessera.runs.display import show_until_ended
from tessera.runs.executions import (
    Ending,
    RunError,
    download,
    drop,
    read_ending,
    wait_for_execution,
)
from tessera.runs.failures import failure
from tessera.runs.status import RunObserver, run_name_of
from tessera.screen import waiting
from tessera.simulation.workers import SimulatedWorker, add_worker, at_work
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import ROOT, LocalStack
from tessera.stack.ready import start_and_deploy
from tessera.tiling.picture_keys import pictures_of

EXAMPLE = ROOT / "examples" / "digits"
WITH_MODEL = {"guesses": {"encoder": "pixels"}, "max_answers": 2}
"""Settings by which the example shows a model that learns from the answers: the digits' own pixels
are enough for it, and of three rounds the last one asks few images."""
RESULTS = ("training.manifest", "report.json", "report.html")
"""Files of the run that are downloaded at its end."""


@dataclass(frozen=True, slots=True)
class Example:
    """Folder with a manifest, its settings, its images and their true labels."""

    folder: Path

    @property
    def truth(self) -> dict[str, str]:
        """True label of each image, by its file name."""
        with (self.folder / "truth.csv").open(encoding="utf-8", newline="") as file:
            return dict(list(csv.reader(file))[1:])

    @property
    def settings(self) -> dict[str, Any]:
        """Settings as they are in `labeling.json`."""
        settings: dict[str, Any] = json.loads((self.folder / "labeling.json").read_text("utf-8"))
        return settings

    def manifest(self, bucket: str, count: int | None = None) -> bytes:
        """Return the first `count` lines of the manifest, or all, with images in this bucket."""
        (path,) = self.folder.glob("*.manifest")
        lines = path.read_bytes().splitlines(keepends=True)[:count]
        return b"".join(lines).replace(b"s3://tessera-inbox/", f"s3://{bucket}/".encode())

    def upload_images(self, cloud: Cloud, count: int | None = None) -> int:
        """Upload the first images that the inbox does not have, or all; return their number."""
        prefix = pictures_of(cloud.outputs["Inbox"], self.folder.name)
        uploaded = set(cloud.storage.list_uris(prefix))
        missing = [
            path
            for path in sorted((self.folder / "images").iterdir())[:count]
            if prefix + path.name not in uploaded
        ]
        for path in missing:
            cloud.storage.upload(path, prefix + path.name, content_type="image/png")
        return len(missing)


def run(
    stack: LocalStack, *, out: Path, workers: int, error_rate: float, seed: int, console: Console
) -> dict[str, Any]:
    """Label the whole example with simulated workers; return what `tessera run --json` prints.

    RunError if the run fails or its counts do not add up.
    """
    example = Example(EXAMPLE)
    cloud = start_and_deploy(stack, console)
    console.print(
        f"[bold]Workers[/]  {workers} [yellow]simulated[/] ones, over HTTP; "
        f"each errs on {error_rate:.0%} of the images and makes up its times"
    )
    crew = make_workers(cloud, example, workers=workers, error_rate=error_rate, seed=seed)
    settings = example.settings | WITH_MODEL
    return drop_and_finish(cloud, example, settings, None, crew, out, console)


def make_workers(
    cloud: Cloud, example: Example, *, workers: int, error_rate: float, seed: int
) -> list[SimulatedWorker]:
    """Create accounts for simulated workers, who know the true labels of the example."""
    return [
        SimulatedWorker(
            add_worker(cloud, f"simulated-{number}@example.com"),
            cloud.portal_url,
            truth=example.truth,
            labels=tuple(example.settings["labels"]),
            error_rate=error_rate,
            seed=f"{seed}-{number}",
            cognito=cloud.cognito_url,
            client_id=cloud.outputs["WorkerPoolClientId"],
        )
        for number in range(workers)
    ]


def label_until_ended(
    crew: list[SimulatedWorker], observer: RunObserver, run: str, console: Console
) -> Ending:
    """Have the workers label the run, each in a thread, and show its progress until it ends.

    RunError unless it succeeds.
    """
    with at_work(crew, run):
        show_until_ended(observer, console)
    end = read_ending(observer.cloud, observer.execution)
    if end.status != "SUCCEEDED":
        raise failure(end, observer.cloud)
    return end


def label(stack: LocalStack, *, out: Path, images: int, console: Console) -> dict[str, Any]:
    """Have a person label the first images of the example; return the result as `run` does."""
    example = Example(EXAMPLE)
    cloud = start_and_deploy(stack, console)
    worker = add_worker(cloud, "you@example.com")
    console.print(
        f"\n  Open   [link={cloud.portal_url}]{cloud.portal_url}[/link]\n"
        f"  Email  {worker.email}\n  Password  {worker.password}\n"
    )
    webbrowser.open(cloud.portal_url)
    settings = example.settings | {"answers_per_image": 1, "max_answers": 1}
    return drop_and_finish(cloud, example, settings, images, [], out, console)


def drop_and_finish(
    cloud: Cloud,
    example: Example,
    settings: dict[str, Any],
    count: int | None,
    crew: list[SimulatedWorker],
    out: Path,
    console: Console,
) -> dict[str, Any]:
    """Drop the first images of the example, or all, have them labeled, and check the result.

    RunError if the run fails or its counts do not add up.
    """
    with waiting("Uploading the example's images", console):
        example.upload_images(cloud, count)
    manifest = example.manifest(split_uri(cloud.outputs["Inbox"])[0], count)
    key = drop(
        cloud,
        manifest,
        project=example.folder.name,
        name=f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        settings=json.dumps(settings, ensure_ascii=False).encode(),
    )
    console.print(f"[bold]Drop[/]     {cloud.outputs['Inbox']}/{key}, {_lines(manifest)} images")
    execution = wait_for_execution(cloud, key)
    described = cloud.client("stepfunctions").describe_execution(executionArn=execution)
    run = run_name_of(cloud, described) or "none"
    observer = RunObserver(cloud, execution, counts_people=False)  # the crew has no accounts
    end = label_until_ended(crew, observer, run, console)
    download(cloud, end.output["home"], RESULTS, out)
    result = _check_result(end, manifest, example.truth, settings, out)
    _show(result, console)
    return result


def _lines(manifest: bytes) -> int:
    return len(manifest.splitlines())


def _check_result(
    end: Ending, manifest: bytes, truth: dict[str, str], settings: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Return the run's result with its accuracy; RunError if its counts do not add up."""
    attribute = settings["label_attribute"]
    labeled = [json.loads(line) for line in (out / "training.manifest").read_bytes().splitlines()]
    images = _lines(manifest)
    accounted = end.output["labeled"] + end.output["unlabeled"] + end.output["rejected"]
    if accounted != images or len(labeled) != end.output["labeled"]:
        raise RunError(
            f"The counts do not add up: {images} lines went in, {len(labeled)} are in "
            f"training.manifest, and the run reports {json.dumps(end.output)}"
        )
    correct = sum(
        line[f"{attribute}-metadata"]["class-name"] == truth[line["source-ref"].rpartition("/")[2]]
        for line in labeled
    )
    report = json.loads((out / "report.json").read_text("utf-8"))
    saved = report.get("guesses", {}).get("saved", {})
    return {
        "run": end.output["run"],
        "images": images,
        "answers": report["answers"]["used"],
        "answers_without_model": saved.get("answers_without"),
        "labeled": end.output["labeled"],
        "unlabeled": end.output["unlabeled"],
        "rejected": end.output["rejected"],
        "rounds": end.output["round"],
        "accuracy": correct / len(labeled),
        "training_manifest": str(out / "training.manifest"),
        "report": str(out / "report.html"),
    }


def _show(result: dict[str, Any], console: Console) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_row("images", str(result["images"]))
    table.add_row("labeled", f"{result['labeled']}  in {result['training_manifest']}")
    table.add_row("unlabeled", str(result["unlabeled"]))
    table.add_row("rejected", str(result["rejected"]))
    table.add_row("rounds", str(result["rounds"]))
    without = result["answers_without_model"]
    more = f"; without the model that learned from them some {without:,}" if without else ""
    table.add_row("answers", f"{result['answers']:,}{more}")
    table.add_row("accuracy", f"{result['accuracy']:.1%} against the example's known labels")
    table.add_row("report", result["report"])
    console.print()
    console.print(table)

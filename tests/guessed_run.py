"""A run with a model in memory, from the manifest to its report: rounds as the machine has them."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.ask_round import Stack, ask_round
from tessera.tiling.label_run import label_run
from tessera.tiling.report.build import summarize
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import Surroundings
from tessera.tiling.run.run import read_run
from tests.fakes import Files

UI = Path(__file__).parent.parent / "ui"
MANIFEST = {"bucket": "inbox", "key": "pets/may.manifest", "etag": '"9"'}
LABELS = ["cat", "dog", "owl"]
WORKERS = 12
Answer = Callable[[int, int], int]
"""Returns the label that a worker gives to an image, both by number."""


def vectors(truth: NDArray[Any], noise: float = 0.8, seed: int = 3) -> NDArray[np.float32]:
    """Embeddings of 16 numbers around a center for each class."""
    chance = np.random.default_rng(seed)
    centers = chance.normal(size=(len(LABELS), 16))
    rows: NDArray[np.float64] = centers[truth] + noise * chance.normal(size=(len(truth), 16))
    return rows.astype(np.float32)


def noisy(truth: NDArray[Any], error: float = 0.1) -> Answer:
    """Return people who are wrong so often, each always in the same way about the same image."""

    def answer(image: int, worker: int) -> int:
        chance = np.random.default_rng((image, worker, 7))
        if chance.random() >= error:
            return int(truth[image])
        return int((truth[image] + chance.integers(1, len(LABELS))) % len(LABELS))

    return answer


def npy(rows: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


class GuessedRun:
    """A dropped manifest with embeddings beside it, and a crowd that answers whatever is asked."""

    def __init__(
        self,
        answer: Answer,
        rows: NDArray[Any],
        *,
        lines: list[bytes] | None = None,
        execution: str = "arn:1",
        **settings: Any,
    ) -> None:
        self.files, self.answer, self.execution = Files(), answer, execution
        self.nobody = False
        self.embedding = ""
        self.files.chunk = 10_000  # how lines cross chunks is tested where they are read
        lines = lines or [b'{"source-ref":"s3://inbox/pets/%d.jpg"}' % i for i in range(len(rows))]
        for key, content in (
            ("pets/may.manifest", b"\n".join(lines) + b"\n"),
            ("pets/may.embeddings.npy", npy(rows)),
            ("pets/labeling.json", msgspec.json.encode({"labels": LABELS} | settings)),
        ):
            self.files.objects[f"s3://inbox/{key}"] = content

    def stack(self) -> Stack:
        return Stack(
            files=self.files,
            status=lambda _: "ABORTED",
            scratch=io.BytesIO,
            runs="s3://labels/runs/",
            default_settings="",
            template=UI / "tiles.liquid.html",
            surroundings=Surroundings(),
        )

    def ask(self) -> dict[str, Any]:
        """Return the result of the state GroupImages."""
        return ask_round(self.stack(), {"manifest": MANIFEST, "execution": self.execution}).result

    def run(self, *, stop_after: int = 99, reverse: bool = False) -> dict[str, Any]:
        """Ask round after round as the state machine does, and return the last one's result."""
        event: dict[str, Any] = {"manifest": MANIFEST, "execution": self.execution}
        while True:
            asked = ask_round(self.stack(), event).result
            assert asked["outcome"] == "ask", asked
            self.beside(asked)
            status = "Stopped" if asked["round"] >= stop_after else "Completed"
            jobs = [
                self.work(asked, shard, reverse=reverse, status=status)
                for shard in range(asked["shards"])
            ]
            result = self.consolidate(asked, jobs)
            if result["outcome"] != "again":
                return result
            event = {
                "run": asked["run"], "home": asked["home"], "round": asked["round"] + 1,
                "execution": self.execution,
            }  # fmt: skip

    def beside(self, asked: dict[str, Any]) -> None:
        """Do what the machine does while a round is answered: nothing, in most runs."""

    def consolidate(self, asked: dict[str, Any], jobs: list[dict[str, str]]) -> dict[str, Any]:
        """Return the result of the state ConsolidateLabels."""
        event = {
            "run": asked["run"], "home": asked["home"], "round": asked["round"], "jobs": jobs,
            "execution": self.execution, "started": "2026-11-23T01:51:01.123Z",
            "embedding": self.embedding,
        }  # fmt: skip
        self.home = asked["home"]
        run = read_run(self.files.get(f"{event['home']}run.json"), event)
        result, _ = label_run(self.files, run, UI / "report.liquid.html", lambda _: nullcontext())
        return summarize(result)

    def work(
        self, asked: dict[str, Any], shard: int, *, reverse: bool, status: str
    ) -> dict[str, str]:
        """Answer a job's tasks, each by workers who have not had its images before."""
        folder = f"{asked['home']}round-{asked['round']}/"
        tasks = self.files.objects[f"{folder}tasks-{shard:03d}.manifest"].splitlines()
        output, wanted = [], 2 if asked["round"] == 1 else 1
        for number, line in enumerate(map(msgspec.json.decode, tasks)):
            images = [image["index"] for image in msgspec.json.decode(line["source"])]
            before = line.get("answered-by", "").split()
            free = [w for w in range(WORKERS) if f"w{w}" not in before]
            if self.nobody:
                free = []
            chosen = [free[(number + step) % len(free)] for step in range(min(wanted, len(free)))]
            responses = [
                {"workerId": f"w{worker}", "annotation": self.annotation(images, worker)}
                for worker in chosen
            ]
            output.append(
                {"source": line["source"],
                 "label": {"responses": responses[::-1] if reverse else responses}}
            )  # fmt: skip
        job = job_name(asked["run"], asked["round"], shard)
        uri = f"{folder}jobs/{job}/manifests/output/output.manifest"
        content = [msgspec.json.encode(line) + b"\n" for line in output]
        self.files.objects[uri] = b"".join(content)
        return {"name": job, "status": status}

    def annotation(self, images: list[int], worker: int) -> dict[str, dict[str, bool]]:
        chosen = {image: LABELS[self.answer(image, worker)] for image in images}
        return {
            str(image): {name: name == label for name in LABELS} for image, label in chosen.items()
        }

    def lines(self, name: str = "training.manifest") -> list[dict[str, Any]]:
        """The decoded lines of one of the run's files."""
        content = self.files.objects[f"{self.home}{name}"].splitlines()
        return [msgspec.json.decode(line) for line in content]

    def report(self) -> Any:
        return msgspec.json.decode(self.files.objects[f"{self.home}report.json"])

    def outputs(self) -> dict[str, bytes]:
        """The files that a requester reads."""
        names = ("training.manifest", "unlabeled.manifest", "uncertain.manifest", "report.json")
        return {name: self.files.objects[f"{self.home}{name}"] for name in names}

"""Says how far one run can grow before a function's time or memory ends it.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/scale.py [--quick]

The functions' own code runs here with the real client of S3. What S3 would answer is made in the
same process, so that all processor seconds are the functions'; what TLS adds to a request is
measured apart, against a server with a certificate of its own. Each size has a process of its own,
whose highest memory is read at its end. Lines are fitted through the sizes, and say what ten and
twenty million images would take.
"""

from __future__ import annotations

import argparse
import http.server
import json
import multiprocessing
import os
import resource
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]
os.environ |= {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_SESSION_TOKEN": "c" * 600,  # a role's, which is in every signature
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_TRACE_DISABLED": "1",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_NAMESPACE": "Tessera",
    "POWERTOOLS_SERVICE_NAME": "tessera",
    "UI_DIRECTORY": str(ROOT / "ui"),
}

from tessera.aws.connection import Connection
from tessera.portal.output import write_output
from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.tiling.answers.gather import gather_answers
from tessera.tiling.answers.pack import collect
from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.consensus.by_parts import Part, consolidate_by_parts
from tessera.tiling.grouping.limits import max_tasks
from tessera.tiling.label_parts import plan
from tessera.tiling.label_parts.reduce import begin_stage
from tessera.tiling.label_parts.whole import report_whole
from tessera.tiling.label_parts.work import work_on_item
from tessera.tiling.label_run import label_run
from tessera.tiling.report.build import RunResult
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.offsets import offsets_name, pack_offsets
from tessera.tiling.run.run import read_run
from tessera.tiling.settings import settings_from

PAGE, CLASSES = 20, ("cat", "dog")
WORKERS = 500
HOME = "s3://labels/runs/pets/"
COLLECT = "arn:aws:lambda:eu-west-1:123456789012:function:collect"
FUNCTION_SECONDS = 900
CLOSE_MEMORY, CONSOLIDATE_MEMORY = 1769, 3008
"""MB of the two functions, as template.yaml sets them by default."""
LARGEST_MEMORY = 10_240
"""MB that a function can have at most, by the parameter ConsolidationMemory."""
FORECAST = (10, 20)
"""Millions of images that the lines are read at."""
MB = 1024 * 1024


class Cost(NamedTuple):
    """Processor seconds and highest memory (MB) of one process's work."""

    seconds: float
    memory: float


def apart(work: Callable[..., float], *arguments: Any) -> Cost:
    """Do the work in a process of its own and return what it took, without its preparation."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_measured, args=(sender, work, arguments)
    )
    process.start()
    sender.close()
    try:
        cost: Cost = receiver.recv()
    except EOFError:
        raise SystemExit(f"{work.__name__}{arguments} broke off") from None
    process.join()
    return cost


def _measured(sender: Any, work: Callable[..., float], arguments: tuple[Any, ...]) -> None:
    seconds = work(*arguments)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sender.send(Cost(seconds, memory))


# ── S3 in the same process ───────────────────────────────────────────────────────────────────────


class Answers:
    """S3 that answers the real client in its own process; objects are files or made when read."""

    def __init__(self, folder: Path, make: Callable[[str], bytes] | None = None) -> None:
        """Keep what is put in `folder`; `make` gives objects that are in no file."""
        self.folder, self._make = folder, make
        self._listed: list[str] = []
        self.keys: list[str] = []  # what listings have besides the files
        self.seconds = 0.0  # of this server, which are not the function's

    def connection(self) -> Connection:
        """Return a connection whose S3 is this."""
        connection = Connection(region="eu-west-1")
        events = connection.client("s3").meta.events
        events.register("before-send.s3", self._answer)
        return connection

    def _answer(self, request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse
        from urllib3.response import HTTPResponse

        began = time.thread_time()
        status, body, headers = self._respond(request)
        headers |= {
            "ETag": '"d41d8cd98f00b204e9800998ecf8427e"',
            "x-amz-request-id": "A" * 16,
            "x-amz-id-2": "B" * 76,
            "Last-Modified": "Wed, 25 Nov 2026 13:00:00 GMT",
            "Content-Type": "application/octet-stream",
        }
        raw = HTTPResponse(
            body, headers, status, preload_content=False, request_method=request.method
        )
        fields: Any = raw.headers  # of urllib3's kind, which botocore reads all the same
        answer = AWSResponse(request.url, status, fields, raw)
        self.seconds += time.thread_time() - began
        if not request.stream_output:
            answer.content  # noqa: B018  # reads the body, as the client's own sender does
        return answer

    def _respond(self, request: Any) -> tuple[int, Any, dict[str, str]]:
        url = urlsplit(request.url)
        key, query = unquote(url.path.lstrip("/")), parse_qs(url.query, keep_blank_values=True)
        path = self.folder / key.replace("/", "|")
        if request.method == "GET" and "list-type" in query:
            return self._list(query)
        if request.method == "PUT":
            _write(path, request, append=query.get("partNumber", ["1"])[0] != "1")
            return 200, BytesIO(), {"Content-Length": "0"}
        if request.method == "POST":
            document = b"<R><UploadId>u</UploadId></R>"
            return 200, BytesIO(document), {"Content-Length": str(len(document))}
        if path.exists():
            size = path.stat().st_size
            content = path.open("rb") if request.method == "GET" else BytesIO()
            return 200, content, {"Content-Length": str(size)}
        if self._make and (data := self._make(key)):
            return 200, BytesIO(data), {"Content-Length": str(len(data))}
        missing = b"<Error><Code>NoSuchKey</Code></Error>"
        return 404, BytesIO(missing if request.method == "GET" else b""), {}

    def _list(self, query: dict[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        prefix, start = query["prefix"][0], int(query.get("continuation-token", ["0"])[0])
        files = (path.name.replace("|", "/") for path in self.folder.iterdir())
        matching = sorted({*files, *self.keys} if start == 0 else self._listed)
        self._listed = matching = [key for key in matching if key.startswith(prefix)]
        page = matching[start : start + 1000]
        more = start + 1000 < len(matching)
        document = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2026-11-25T13:00:00.000Z</LastModified>"
            f"<Size>900</Size></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{start + 1000}</NextContinuationToken>" if more else ""
        text = f"<R><IsTruncated>{str(more).lower()}</IsTruncated>{token}{document}</R>".encode()
        return 200, BytesIO(text), {"Content-Length": str(len(text))}


def _write(path: Path, request: Any, *, append: bool) -> None:
    body = request.body
    data = body.read() if hasattr(body, "read") else (body or b"")
    if b"aws-chunked" in str(request.headers.get("Content-Encoding", "")).encode():
        data = _unchunked(data)
    with path.open("ab" if append else "wb") as file:
        file.write(data)


def _unchunked(data: bytes) -> bytes:
    """Return a body without the sizes and the checksum that the client sends around it."""
    pieces: list[bytes] = []
    place = 0
    while True:
        end = data.index(b"\r\n", place)
        size = int(data[place:end].split(b";")[0], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(data[end + 2 : end + 2 + size])
        place = end + 4 + size


# ── What is measured ─────────────────────────────────────────────────────────────────────────────


def response(images: Iterable[int], worker: int) -> bytes:
    """Return a worker's response to a page, as the portal keeps it, with the page's own log."""
    answer: dict[str, Any] = {
        str(image): {"cat": image % 2 == 0, "dog": image % 2 == 1, "invalid image": False}
        for image in images
    }
    tiles = [{"id": str(image), "dwell": 1250, "changes": 1} for image in images]
    answer["meta"] = json.dumps({"v": 1, "readyMs": 0, "submitMs": 41000, "tiles": tiles})
    kept = {
        "acceptanceTime": "2026-11-23T02:00:00.000Z",
        "submissionTime": "2026-11-23T02:00:46.800Z",
        "timeSpentInSeconds": 46.8,
        "answerContent": answer,
        "workerId": f"private.eu-west-1.{worker:012d}",
        "workerMetadata": {"identityData": {"identityProviderType": "Cognito"}},
    }
    return json.dumps({"answers": [kept]}).encode()


def images_of(task: int) -> range:
    """Return the images of a task."""
    return range(task * PAGE, (task + 1) * PAGE)


def source_of(task: int) -> str:
    """Return what a task's line has under `source`."""
    return json.dumps(
        [{"source-ref": f"s3://pets/{i:09d}.jpg", "index": i} for i in images_of(task)]
    )


def responses(answers: int, folder: Path, tasks: int, job: str) -> Answers:
    """Return an S3 with a job's tasks and responses, each of which is made when it is read."""
    prefix = f"runs/pets/round-1/jobs/{job}/annotations/worker-response/iteration-1/"

    def make(key: str) -> bytes:
        task, _, worker = key.removeprefix(prefix).removesuffix(".json").partition("/")
        return response(images_of(int(task)), int(worker)) if key.startswith(prefix) else b""

    lines = [b'{"source":%b}\n' % json.dumps(source_of(task)).encode() for task in range(tasks)]
    sizes = np.cumsum([0, *map(len, lines)])
    (folder / "runs|pets|round-1|tasks-000.manifest").write_bytes(b"".join(lines))
    offsets = pack_offsets(sizes.tolist())
    name = offsets_name("runs|pets|round-1|tasks-000.manifest")
    (folder / name).write_bytes(offsets)
    s3 = Answers(folder, make)
    s3.keys = [f"{prefix}{t}/{w:012d}.json" for t in range(tasks) for w in range(answers)]
    return s3


def close(tasks: int, answers: int) -> float:
    """Close a job whose tasks have so many answers each."""
    with tempfile.TemporaryDirectory() as folder:
        s3 = responses(answers, Path(folder), tasks, "pets-r1-000")
        storage = s3.connection().storage
        job = Job(
            "pets-r1-000",
            f"{HOME}round-1/tasks-000.manifest",
            f"{HOME}round-1/jobs/pets-r1-000",
            page="",
            attribute="label",
            title="",
            question="",
            workers=answers,
            seconds=600,
            lifetime=60,
            collect=COLLECT,
            choices=(*CLASSES, "invalid image"),
        )

        def invoke(_: str, event: dict[str, Any]) -> Any:
            return collect(event, storage.get)[0]

        began, before = time.process_time(), s3.seconds
        ports = Ports(None, storage, time.time, invoke, lambda *_: True, "eu-west-1")  # type: ignore[arg-type]  # the output needs no table
        described = write_output(ports, job)
        took = time.process_time() - began - (s3.seconds - before)
        assert described["LabelCounters"]["TotalLabeled"] == tasks, described
        return took


def rescue(tasks: int, answers: int) -> float:
    """Gather the answers of a job that has no output."""
    with tempfile.TemporaryDirectory() as folder:
        s3 = responses(answers, Path(folder), tasks, "pets-r1-000")
        storage = s3.connection().storage
        settings = {"labels": list(CLASSES), "answers_per_image": answers, "max_answers": 9}
        run = read_run(run_record(tasks * PAGE, settings), consolidation_event(1))
        began, before = time.process_time(), s3.seconds
        book = gather_answers(storage, run, lambda name: storage.writer(HOME + name))
        took = time.process_time() - began - (s3.seconds - before)
        assert book.noted["submissions rescued"] == tasks * answers, book.noted
        return took


def run_record(images: int, settings: dict[str, Any]) -> bytes:
    """Return the run.json of a run of so many images."""
    chosen = settings_from(settings)
    tasks = images // PAGE
    shards = -(-tasks // max_tasks(chosen, chosen.answers_per_image))
    record = {
        "run": "pets",
        "execution": "arn:1",
        "manifest": {"bucket": "inbox", "key": "pets.manifest"},
        "settings": settings,
        "rounds": [{"round": 1, "shards": shards, "tasks": tasks, "images": images}],
        "counts": {"lines": images, "images": images, "rejected": 0},
    }
    return json.dumps(record).encode()


def consolidation_event(shards: int) -> dict[str, Any]:
    """Return the event of the state ConsolidateLabels."""
    jobs = [{"name": job_name("pets", 1, n), "status": "Completed"} for n in range(shards)]
    return {
        "run": "pets",
        "home": HOME,
        "round": 1,
        "jobs": jobs,
        "execution": "arn:1",
        "started": "2026-11-25T13:00:00Z",
    }


Labels = Callable[[Any, dict[str, Any], Path], RunResult]
"""Labels a run in a storage, by an event of the state ConsolidateLabels and the report's page."""


def consolidate_labels(images: int, answers: int) -> float:
    """Consolidate a whole run whose jobs all have an output."""

    def label(storage: Any, event: dict[str, Any], template: Path) -> RunResult:
        run = read_run(storage.get(f"{event['home']}run.json"), event)
        return label_run(storage, run, template, lambda _: nullcontext())[0]

    return labeled(images, answers, label)


def consolidate_parts(images: int, answers: int, parts: int) -> float:
    """Consolidate such a run in parts, one item of a stage after the other."""
    plan.MOST_WHOLE, plan.PART_ANSWERS = -1, -(-images * answers // parts)

    def label(storage: Any, event: dict[str, Any], template: Path) -> RunResult:
        run, done = read_run(storage.get(f"{event['home']}run.json"), event), ""
        while stage := begin_stage(storage, run, done, CONSOLIDATE_MEMORY):
            done = stage["parts"]["stage"]
            for item in range(stage["parts"]["items"]):
                work_on_item(storage, event | {"parts": stage["parts"] | {"item": item}})
        return report_whole(storage, run, template, tempfile.TemporaryFile)[0]

    return labeled(images, answers, label)


def labeled(images: int, answers: int, label: Labels) -> float:
    """Return the processor seconds in which a run is labeled."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"labels": list(CLASSES), "answers_per_image": answers, "max_answers": answers}
        shards = write_run(folder, images, answers, settings)
        s3 = Answers(folder)
        storage = s3.connection().storage
        began, before = time.process_time(), s3.seconds
        template = ROOT / "ui" / "report.liquid.html"
        result = label(storage, consolidation_event(shards), template)
        took = time.process_time() - began - (s3.seconds - before)
        assert (result.consensus.label >= 0).sum() == images
        return took


def write_run(folder: Path, images: int, answers: int, settings: dict[str, Any]) -> int:
    """Write a run's manifest and outputs as files; return the number of its jobs."""
    record = run_record(images, settings)
    (folder / "runs|pets|run.json").write_bytes(record)
    with (folder / "pets.manifest").open("wb") as file:
        for first in range(0, images, 100_000):
            lines = (
                b'{"source-ref":"s3://pets/%09d.jpg"}\n' % image
                for image in range(first, min(first + 100_000, images))
            )
            file.write(b"".join(lines))
    shards = int(json.loads(record)["rounds"][0]["shards"])
    chance = np.random.default_rng(1)
    tasks = images // PAGE
    cuts = [tasks * shard // shards for shard in range(shards + 1)]
    for shard in range(shards):
        prefix = "runs|pets|round-1|"
        manifest = folder / f"{prefix}tasks-{shard:03d}.manifest"
        manifest.write_bytes(b"")  # only its name and its offsets are looked at
        here = range(cuts[shard], cuts[shard + 1])
        (folder / offsets_name(manifest.name)).write_bytes(pack_offsets(range(len(here) + 1)))
        job = job_name("pets", 1, shard)
        output = folder / f"{prefix}jobs|{job}|manifests|output|output.manifest"
        with output.open("wb") as file:
            for task in here:
                file.write(output_line(task, answers, chance))
    return shards


FULL = [
    b'{"cat":true,"dog":false,"invalid image":false}',
    b'{"cat":false,"dog":true,"invalid image":false}',
]
"""Answers of one image as a page submits them."""


def output_line(task: int, answers: int, chance: np.random.Generator) -> bytes:
    """Return a made-up task's line of an output manifest."""
    line = json.dumps({"source": source_of(task)}).encode()
    return answered_line(line, images_of(task), answers, chance)


def answered_line(
    line: bytes, images: Sequence[int], answers: int, chance: np.random.Generator
) -> bytes:
    """Return a task's line with its answers, in short and in full, as CollectAnswers writes it."""
    workers = chance.choice(WORKERS, answers, replace=False).tolist()
    wrong = chance.random((answers, len(images))) < 0.1
    labels = (np.asarray(images) % 2 ^ wrong).tolist()
    names = [f'"private.eu-west-1.{worker:012d}"' for worker in workers]
    symbols = "".join(str(label) for row in labels for label in row)
    seconds = ",".join(["[" + ",".join(["1.25"] * len(images)) + "]"] * answers)
    full = b",".join(
        b'{"workerId":%b,"annotation":{%b}}'
        % (
            name.encode(),
            b",".join(b'"%d":%b' % (i, FULL[label]) for i, label in zip(images, row, strict=True)),
        )
        for name, row in zip(names, labels, strict=True)
    )
    short = (
        f'{{"images":{json.dumps(list(images))},"choices":["cat","dog","invalid image"],'
        f'"workers":[{",".join(names)}],"said":"{symbols}","seconds":[{seconds}]}}'
    )
    return line[:-1] + b',"label":{"compact":%b,"responses":[%b]}}\n' % (short.encode(), full)


def columns(images: int, answers: int, seed: int) -> Crowd:
    """Return a crowd of made-up answers."""
    chance = np.random.default_rng(seed)
    image = np.repeat(np.arange(images, dtype=np.int32), answers)
    first = chance.integers(0, WORKERS, images, dtype=np.int32)
    step = np.tile(np.arange(answers, dtype=np.int32) * 7, images)
    worker = (np.repeat(first, answers) + step) % WORKERS
    label = ((image & 1) ^ (chance.random(len(image)) < 0.1)).astype(np.int8)
    return Crowd(images, WORKERS, len(CLASSES), image, worker, label)


def as_one(images: int, answers: int) -> float:
    """Consolidate a crowd as one."""
    crowd, began = columns(images, answers, 1), time.process_time()
    consolidate(crowd)
    return time.process_time() - began


def in_parts(images: int, answers: int, parts: int) -> float:
    """Consolidate a crowd of the same size in parts, each made when it is loaded."""
    began, making = time.process_time(), 0.0

    def load(part: int) -> Part:
        nonlocal making
        started = time.process_time()
        crowd = columns(images // parts, answers, part)
        making += time.process_time() - started
        return Part(crowd)

    loads = [partial(load, part) for part in range(parts)]
    for _ in consolidate_by_parts(loads, WORKERS, len(CLASSES)):
        pass  # a state machine's part would write its labels
    return time.process_time() - began - making


# ── What TLS adds ────────────────────────────────────────────────────────────────────────────────


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    body = response(range(PAGE), 1)

    def do_GET(self) -> None:
        """Answer every request with the same object."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.send_header("ETag", '"a"')
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Keep still."""


def serve(sender: Any, certificate: str) -> None:
    """Serve objects over TLS, or without it if there is no certificate, until killed."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    sender.send(server.server_address[1])
    server.serve_forever()


def request_seconds(certificate: str, requests: int) -> float:
    """Return the processor seconds of a GET by the real client from a server on this machine."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(sender, certificate), daemon=True
    )
    server.start()
    if certificate:
        os.environ["AWS_CA_BUNDLE"] = certificate
    scheme = "https" if certificate else "http"
    storage = Connection(f"{scheme}://127.0.0.1:{receiver.recv()}", "eu-west-1").storage

    def get(number: int) -> bytes:
        return storage.get(f"s3://labels/{number}.json")

    with ThreadPoolExecutor(32) as readers:
        list(readers.map(get, range(100)))  # connections are made, which each function does once
        began = time.process_time()
        list(readers.map(get, range(requests)))
        seconds = (time.process_time() - began) / requests
    os.environ.pop("AWS_CA_BUNDLE", None)
    server.terminate()
    server.join()
    return seconds


def make_certificate(folder: str) -> str:
    """Write a certificate of this machine's own with its key; return the file."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = Path(folder, "certificate.pem")
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(path)


# ── Printing ─────────────────────────────────────────────────────────────────────────────────────


class Line(NamedTuple):
    """Straight line through measured sizes."""

    base: float
    slope: float

    def at(self, size: float) -> float:
        """Return the line's value at a size."""
        return self.base + self.slope * size


def fit_line(sizes: list[float], values: list[float]) -> Line:
    """Fit a line by least squares, which is not below zero at size zero."""
    slope, base = np.polyfit(sizes, values, 1)
    if base < 0:
        base, slope = 0.0, float(np.dot(sizes, values) / np.dot(sizes, sizes))
    return Line(float(base), float(slope))


Gate = tuple[str, str, str, bool]


def per_answer(
    title: str, work: Callable[..., Any], sizes: list[int], tls: float
) -> Iterator[str | Gate]:
    """Measure work that reads one object an answer, by the answers of one job."""
    yield f"\n### {title}\n"
    yield "| answers an image | answers of a job | processor s | with TLS | memory MB | slope |"
    yield "|---:|---:|---:|---:|---:|---|"
    for answers in (2, 3, 5):
        costs = [(size, apart(work, size // answers, answers)) for size in sizes]
        line = fit_line([float(s) for s, _ in costs], [c.seconds + tls * s for s, c in costs])
        memory = fit_line([float(s) for s, _ in costs], [c.memory for _, c in costs])
        settings = settings_from(
            {"labels": list(CLASSES), "answers_per_image": answers, "max_answers": 9}
        )
        largest = max_tasks(settings, answers) * answers
        for size, cost in costs:
            yield (
                f"| {answers} | {size:,} | {cost.seconds:.1f} | {cost.seconds + tls * size:.1f} "
                f"| {cost.memory:.0f} | |"
            )
        seconds, megabytes = line.at(largest), memory.at(largest)
        yield (
            f"| {answers} | **{largest:,}** | | **{seconds:.0f}** | **{megabytes:.0f}** "
            f"| {1000 * line.slope:.2f} ms an answer |"
        )
        yield (
            f"{title}: the largest job at {answers} answers",
            f"< {FUNCTION_SECONDS} s, {CLOSE_MEMORY} MB",
            f"{seconds:.0f} s, {megabytes:.0f} MB",
            seconds < FUNCTION_SECONDS and megabytes < CLOSE_MEMORY,
        )


def whole_run(millions: list[float]) -> Iterator[str | Gate]:
    """Measure the consolidation of whole runs."""
    yield "\n### ConsolidateLabels\n"
    yield "| answers | million images | processor s | memory MB | s a million | MB a million |"
    yield "|---:|---:|---:|---:|---:|---:|"
    for answers in (2, 3, 5):
        costs = [
            (size, apart(consolidate_labels, int(size * 1e6) // PAGE * PAGE, answers))
            for size in millions
        ]
        seconds = fit_line([s for s, _ in costs], [c.seconds for _, c in costs])
        memory = fit_line([s for s, _ in costs], [c.memory for _, c in costs])
        for size, cost in costs:
            yield f"| {answers} | {size:g} | {cost.seconds:.1f} | {cost.memory:.0f} | | |"
        for size in FORECAST:
            yield (
                f"| {answers} | **{size}** | **{seconds.at(size):.0f}** "
                f"| **{memory.at(size):.0f}** | {seconds.slope:.1f} | {memory.slope:.0f} |"
            )
        time_ends = (FUNCTION_SECONDS - seconds.base) / seconds.slope
        ends = [
            (limit - memory.base) / memory.slope for limit in (CONSOLIDATE_MEMORY, LARGEST_MEMORY)
        ]
        yield (
            f"| {answers} | *ends at* | *{time_ends:.0f} million, by time* | *{ends[0]:.0f} "
            f"million at {CONSOLIDATE_MEMORY} MB, {ends[1]:.0f} at {LARGEST_MEMORY}* | | |"
        )
        ten_s, ten_mb = seconds.at(10), memory.at(10)
        yield (
            f"ConsolidateLabels of ten million images at {answers} answers",
            f"< {FUNCTION_SECONDS} s, {LARGEST_MEMORY} MB",
            f"{ten_s:.0f} s, {ten_mb:.0f} MB",
            ten_s < FUNCTION_SECONDS and ten_mb < LARGEST_MEMORY,
        )


def parts_of_a_run(images: int, parts: int) -> Iterator[str | Gate]:
    """Measure the consensus as one and in parts."""
    yield "\n### The consensus in parts\n"
    yield f"{images:,} images with two answers each, their columns and nothing else:\n"
    yield "| | processor s | memory MB |\n|---|---:|---:|"
    one, several = apart(as_one, images, 2), apart(in_parts, images, 2, parts)
    yield f"| as one | {one.seconds:.1f} | {one.memory:.0f} |"
    yield f"| in {parts} parts | {several.seconds:.1f} | {several.memory:.0f} |"
    yield (
        "memory in parts, of that as one",
        "< 60 %",
        f"{several.memory / one.memory:.0%}",
        several.memory < 0.6 * one.memory,
    )
    runs = images // 4
    one, several = apart(consolidate_labels, runs, 2), apart(consolidate_parts, runs, 2, parts)
    yield f"\n{runs:,} images with two answers each, whole runs, all stages and the report:\n"
    yield "| | processor s | memory MB |\n|---|---:|---:|"
    yield f"| in one piece | {one.seconds:.1f} | {one.memory:.0f} |"
    yield f"| in {parts} parts | {several.seconds:.1f} | {several.memory:.0f} |"


def main() -> int:
    """Measure, print, and say whether the gates are met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a hundredth of each size")
    quick = parser.parse_args().quick
    print("## How far one run can grow\n")
    with tempfile.TemporaryDirectory() as folder:
        certificate, requests = make_certificate(folder), 200 if quick else 3000
        tls = request_seconds(certificate, requests)
        plain = request_seconds("", requests)
    tls_added = max(tls - plain, 0.0)
    print(f"{PAGE} images a page. A GET of S3 takes {1000 * plain:.2f} ms of a processor, and")
    print(f"{1000 * tls:.2f} ms with TLS, on this machine while others work on it.")
    small = [400, 800] if quick else [2_000, 4_000, 8_000]
    sections = [
        per_answer("CloseJob", close, small, tls_added),
        per_answer("The rescue of a job without output", rescue, small, tls_added),
        whole_run([0.01, 0.02, 0.04] if quick else [1, 2, 4]),
        parts_of_a_run(100_000 if quick else 4_000_000, 8),
    ]
    gates: list[Gate] = []
    for section in sections:
        for row in section:
            if isinstance(row, str):
                print(row, flush=True)
            else:
                gates.append(row)
    print("\n| gate | must reach | measured | |\n|---|---|---|---|")
    for name, wanted, measured, met in gates:
        print(f"| {name} | {wanted} | {measured} | {'met' if met else '**missed**'} |")
    return 0 if all(gate[-1] for gate in gates) or quick else 1


if __name__ == "__main__":
    sys.exit(main())

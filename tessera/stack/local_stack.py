"""The stack on one machine: the embedded AWS, and the same template by the same SAM CLI."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tessera.stack.cloud import Cloud

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: template, functions and pages are deployed from here."""

REGION = "us-east-1"
INBOX, LABELS = "tessera-inbox", "tessera-labels"
SETTLED = 5.0
"""Seconds without a write after which a stopping stack has saved its state."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
}


class StackError(click.ClickException):
    """The local stack cannot be started, reached or deployed to; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LocalStack:
    """The embedded AWS of one folder: `home` holds its objects, state, log and process id."""

    home: Path
    port: int = 4566
    host: str = "127.0.0.1"

    @property
    def endpoint(self) -> str:
        """The address of every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """The file that the embedded AWS writes its log to."""
        return self.home / "aws.log"

    @property
    def _pid_file(self) -> Path:
        return self.home / "aws.pid"

    @property
    def _deployed_file(self) -> Path:
        return self.home / "deployed"

    @property
    def _settings_file(self) -> Path:
        return self.home / "start.json"

    @property
    def cloud(self) -> Cloud:
        """What is deployed on this stack."""
        key, secret = CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
        return Cloud(self.endpoint, (key, secret), REGION)

    def is_up(self) -> bool:
        """Whether this stack answers at its address."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def start(self, *, auth: bool = False, extra: dict[str, str] | None = None) -> None:
        """Start the embedded AWS in the background unless it runs already.

        Objects are on disk at once; everything else is kept across `stop` and `start`.
        """
        if self.is_up():
            if not self._running_pid():
                raise StackError(
                    f"Port {self.port} is taken by another embedded AWS. "
                    f"Stop it, or choose a port: --port {free_port()}"
                )
            return
        if _answers(self.port):
            raise StackError(
                f"Port {self.port} is taken by another program. "
                f"Choose another: --port {free_port()}"
            )
        self.home.mkdir(parents=True, exist_ok=True)
        scratch = self.home / "tmp"  # what a killed stack left there is nobody's any more
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        self._settings_file.write_text(json.dumps({"auth": auth, "extra": extra}))
        environment = (
            os.environ
            | CREDENTIALS
            | {
                "GATEWAY_PORT": str(self.port),
                "BIND_HOST": self.host,
                "S3_PERSIST": "1",
                "S3_DATA_DIR": str(self.home / "s3"),
                "PERSIST_STATE": "1",
                "STATE_DIR": str(self.home / "state"),
                "TMPDIR": str(scratch),
                "COGNITO_EMAIL_ENABLED": "false",
                "AUTH": "true" if auth else "false",
                # functions run as one process an invocation: idle ones go after a minute
                "LAMBDA_WARM_TTL_SECONDS": "60",
            }
            | (extra or {})
        )
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [_beside_python("ministack")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # outlives this command, and Ctrl-C is not its business
            )
        _children[process.pid] = process
        self._pid_file.write_text(str(process.pid))
        for _ in _every(0.1, seconds=60):
            if self.is_up():
                return
            if process.poll() is not None:
                break
        raise StackError(f"The embedded AWS did not start; its log: {self.log}")

    def _running_pid(self) -> int | None:
        try:
            pid = int(self._pid_file.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid

    def stop(self, *, hard: bool = False) -> bool:
        """Stop the embedded AWS and keep its state; false when it did not run.

        `hard` kills it as a power cut would: then only what is in S3 remains.
        """
        pid = self._running_pid()
        if pid is None:
            return False
        asked = time.time()
        os.killpg(pid, signal.SIGKILL if hard else signal.SIGTERM)
        for _ in _every(0.05, seconds=30):
            if not _is_alive(pid):
                break
            # A run that waits for workers keeps a thread alive for days: when the state has been
            # written since it was asked to stop, and is written no more, there is nothing to lose.
            if SETTLED < _age_of_newest(self.home / "state") < time.time() - asked:
                os.killpg(pid, signal.SIGKILL)
        else:
            raise StackError(f"The embedded AWS (process {pid}) does not stop; its log: {self.log}")
        self._pid_file.unlink(missing_ok=True)
        return True

    def deploy(self, **parameters: str) -> bool:
        """Deploy the template with the SAM CLI; false when just that is deployed already."""
        overrides = {
            "AwsEndpointUrl": self.endpoint,
            "UiDirectory": str(ROOT / "ui"),
            "InboxBucketName": INBOX,
            "LabelsBucketName": LABELS,
        } | parameters
        wanted = _fingerprint(overrides)
        recorded = self._deployed_file.read_text() if self._deployed_file.exists() else ""
        if recorded == wanted and self.cloud.find_outputs():
            return False
        settings = ["--config-env", "local", "--config-file", str(ROOT / "samconfig.toml")]
        override = [f"{key}={value}" for key, value in overrides.items()]
        command = [sam_cli(), "deploy", *settings, "--parameter-overrides", *override]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ
            | CREDENTIALS
            | {
                "AWS_ENDPOINT_URL": self.endpoint,
                "SAM_CLI_TELEMETRY": "0",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise StackError(f"sam deploy failed:\n{done.stdout}\n{done.stderr}{self._remains()}")
        self._deployed_file.write_text(wanted)
        self._save()
        return True

    def _remains(self) -> str:
        """A hint, if a hard stop in mid-deployment lost the stack but not its buckets."""
        if self.cloud.find_outputs() or not (self.home / "s3").exists():
            return ""
        return (
            "\nThe buckets of an earlier stack may be in the way, as a hard stop in mid-deployment "
            f"leaves them. Move {self.home} away and start again; its objects are in its s3 folder."
        )

    def _save(self) -> None:
        """Start anew, so that what was just deployed is on disk and outlives even a hard stop.

        The embedded AWS saves itself at an orderly stop only. Executions that wait for workers
        would not survive it, so with such it is left for the next time.
        """
        workflows, machine = (
            self.cloud.client("stepfunctions"),
            self.cloud.outputs["StateMachineArn"],
        )
        if not workflows.list_executions(stateMachineArn=machine, statusFilter="RUNNING")[
            "executions"
        ]:
            settings = json.loads(self._settings_file.read_text())
            self.stop()
            self.start(**settings)


def sam_cli() -> str:
    """The SAM CLI that `make` installed, or the one on the PATH."""
    own = ROOT / ".venv-sam" / "bin" / "sam"
    found = str(own) if own.exists() else shutil.which("sam")
    if not found:
        raise StackError("The SAM CLI is not installed. Run: make environment")
    return found


def _age_of_newest(folder: Path) -> float:
    """Seconds since anything in the folder was written; 0 while something is being written."""
    try:
        written = [path.stat().st_mtime for path in folder.glob("*")]
    except FileNotFoundError:  # what is half written has another name a moment later
        return 0.0
    return time.time() - max(written, default=0.0)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


_children: dict[int, subprocess.Popen[bytes]] = {}
"""What this process itself has started: a child that ended stays alive until it is asked for."""


def _is_alive(pid: int) -> bool:
    if child := _children.get(pid):
        return child.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _every(pause: float, *, seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(pause)


def _beside_python(program: str) -> str:
    found = Path(sys.executable).with_name(program)
    if not found.exists():
        raise StackError(
            f"{program} is not installed beside {sys.executable}. Run: make environment"
        )
    return str(found)


def _fingerprint(overrides: dict[str, Any]) -> str:
    """A hash of everything that a deployment takes from the checkout."""
    digest = hashlib.sha256(json.dumps(overrides, sort_keys=True).encode())
    sources = [ROOT / "template.yaml", ROOT / "statemachine" / "labeling.asl.json"]
    sources += (path for path in (ROOT / "functions").rglob("*") if path.suffix in {".py", ".txt"})
    for path in sorted(sources):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()

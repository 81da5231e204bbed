"""Stack on one machine: an embedded AWS, with the real template deployed by the real SAM CLI."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import Any

import click

from tessera.stack.cloud import Cloud
from tessera.stack.loopback import bypass_proxy
from tessera.stack.room import RESERVE

_PACKAGED = Path(__file__).resolve().parents[1] / "deployment"
ROOT = _PACKAGED if _PACKAGED.exists() else Path(__file__).resolve().parents[2]
"""Folder that template, functions and pages are deployed from: the checkout, or the copy of it that
an installed wheel has (setup.py)."""

GUARD = Path(__file__).with_name("guard.py")
"""Program that the embedded AWS runs in."""
REGION = "us-east-1"
PORT, HOME = 4566, ".tessera"
"""Port and folder of the local stack, unless options name others."""
INBOX, LABELS = "tessera-inbox", "tessera-labels"
SETTLED = 5.0
"""Seconds without a write after which a stopping stack has saved its state."""
PATIENCE = 60.0
"""Seconds that a start may take; it takes two where nothing else is at work."""
ACCESS_KEY = "tessera"
"""Name of the key of every local stack; its secret is made for each, and kept in its folder."""
NO_SECRET = "none"
"""Secret before there is one; where nothing runs, a question leaves no file behind."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": REGION,
}
"""Environment of programs that want credentials but call no AWS."""


class StackError(click.ClickException):
    """Local stack that cannot be started, reached or deployed to; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LocalStack:
    """Embedded AWS of one folder: `home` holds its objects, state, log and process id."""

    home: Path
    port: int = PORT
    open_to_containers: bool = False
    """Listen at this machine's address in its containers' networks, too."""

    def __post_init__(self) -> None:
        """Have it asked directly by all that is started from here."""
        bypass_proxy()

    @property
    def endpoint(self) -> str:
        """Address of every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """File that the embedded AWS writes its log to."""
        return self.home / "aws.log"

    @property
    def _pid_file(self) -> Path:
        return self.home / "aws.pid"

    @property
    def _port_file(self) -> Path:
        return self.home / "aws.port"

    @property
    def _deployed_file(self) -> Path:
        return self.home / "deployed"

    @property
    def _settings_file(self) -> Path:
        return self.home / "start.json"

    @property
    def front_folder(self) -> Path:
        """Folder of the front for other machines: its certificate, and where it is."""
        return self.home / "serve"

    @contextmanager
    def served_at(self, address: str) -> Iterator[None]:
        """Note where other machines find the portal, as long as this process serves it there."""
        self.front_folder.mkdir(parents=True, exist_ok=True)
        note = self.front_folder / "address.json"
        note.write_text(json.dumps({"address": address, "process": os.getpid()}))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    @property
    def address_for_others(self) -> str:
        """Address at which other machines find the portal; empty if nothing serves it to them."""
        try:
            note = json.loads((self.front_folder / "address.json").read_text())
            os.kill(note["process"], 0)
        except (OSError, ValueError, KeyError):
            return ""
        return str(note["address"])

    @property
    def credentials_file(self) -> Path:
        """File with this stack's key, in the form of ~/.aws/credentials, for its owner alone."""
        return self.home / "credentials"

    @property
    def credentials(self) -> tuple[str, str]:
        """Access key and secret of this stack; before its first start a secret that opens none."""
        profile = ConfigParser(interpolation=None)
        if not profile.read(self.credentials_file, encoding="utf-8"):
            return ACCESS_KEY, NO_SECRET
        try:
            return ACCESS_KEY, profile["default"]["aws_secret_access_key"]
        except KeyError:
            raise StackError(
                f"{self.credentials_file} has no key in it. Delete it, and start the stack anew: "
                f"rm {quote(str(self.credentials_file))}"
            ) from None

    def _make_credentials(self) -> None:
        """Make the stack's key unless it has one: whole, however it ends, and once."""
        if self.credentials_file.exists():
            return
        self.home.mkdir(parents=True, exist_ok=True)
        made = self.home / f"credentials.{os.getpid()}"
        try:
            with open(
                os.open(made, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8"
            ) as file:
                secret = secrets.token_urlsafe(30)
                file.write(
                    f"[default]\naws_access_key_id = {ACCESS_KEY}\n"
                    f"aws_secret_access_key = {secret}\nregion = {REGION}\n"
                )
            with suppress(FileExistsError):  # of two that start it at once, one makes the key
                os.link(made, self.credentials_file)
        finally:
            made.unlink(missing_ok=True)

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables by which a program calls this stack as its owner."""
        key, secret = self.credentials
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    @property
    def cloud(self) -> Cloud:
        """Connection to this stack, and to what is deployed on it."""
        return Cloud(
            self.endpoint,
            self.credentials,
            REGION,
            options=self.options,
            address_for_others=self.address_for_others,
            home=self.home,
        )

    @property
    def options(self) -> tuple[str, ...]:
        """Options of the tool that lead to this stack, as far as they are not the usual ones."""
        port = () if self.port == PORT else ("--port", str(self.port))
        usual = self.home == (Path.cwd() / HOME).resolve()
        return port if usual else (*port, "--home", str(self.home))

    def is_up(self) -> bool:
        """Return whether an embedded AWS answers at this address."""
        health = f"{self.endpoint}/_ministack/health"
        try:
            # Where nothing listens the refusal comes at once; a busy machine is given its time.
            with urllib.request.urlopen(health, timeout=10) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def start(self, *, auth: bool = False, extra: dict[str, str] | None = None) -> None:
        """Start the embedded AWS in the background unless it is running.

        Objects are on disk at once; everything else is kept across `stop` and `start`. `auth`
        makes it check IAM policies; `extra` adds to its environment.
        """
        if self.elsewhere:
            raise StackError(self.absence())
        if self.is_up():
            if not self._running_pid():
                raise self._port_taken("another embedded AWS", "Stop it, or choose another port")
            return
        if _answers(self.port):
            raise self._port_taken("another program", "Choose another port")
        self._make_credentials()
        scratch = self.home / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # a stack that was killed has left files there
        scratch.mkdir(parents=True)
        self._settings_file.write_text(json.dumps({"auth": auth, "extra": extra}))
        self._port_file.write_text(str(self.port))
        process = self._launch(self._environment(scratch, auth=auth) | (extra or {}))
        for _ in _every(0.1, seconds=PATIENCE):
            if self.is_up():
                return
            if process.poll() is not None:
                break
        if process.poll() is None:
            command = self.cloud.command
            raise StackError(
                f"The embedded AWS (process {process.pid}) has not answered for {PATIENCE:.0f} s, "
                f"and is still starting. Try again in a while: {command('up')}. "
                f"Or stop it: {command('down')}. Its log may say more: {self.log}"
            )
        raise StackError(f"The embedded AWS did not start. Its log says why: {self.log}")

    @property
    def elsewhere(self) -> LocalStack | None:
        """This folder's stack where it runs at another port, or None; two would damage the data."""
        with suppress(OSError, ValueError):
            port = int(self._port_file.read_text())
            if port != self.port and self._running_pid():
                return replace(self, port=port)
        return None

    def answers(self) -> bool:
        """Return whether this folder's stack answers at this address, and not another's."""
        return self._running_pid() is not None and self.is_up()

    def absence(self) -> str:
        """Say that the stack does not answer, and what to do about it."""
        command = self.cloud.command
        if other := self.elsewhere:
            return (
                f"The stack of {self.home} runs at port {other.port}, and not at {self.port}. "
                f"Use it there: {other.cloud.command('status')}"
            )
        if self._running_pid() is None and self.is_up():
            return (
                f"The stack at {self.endpoint} is another folder's, and not that of {self.home}. "
                "Name its folder (--home FOLDER), or start one of this folder at another port: "
                f"{replace(self, port=free_port()).cloud.command('up')}"
            )
        if pid := self._running_pid():
            return (
                f"The local stack (process {pid}) does not answer at {self.endpoint}: this machine "
                "may be busy. Try again. If that does not help, restart it: "
                f"{command('down')}; {command('up')}. Its log may say more: {self.log}"
            )
        return (
            f"The local stack is not running at {self.endpoint}. Start it: {command('up')}. "
            "Or work on AWS: tessera --profile NAME …"
        )

    def _port_taken(self, owner: str, remedy: str) -> StackError:
        return StackError(f"Port {self.port} is taken by {owner}. {remedy}: --port {free_port()}")

    def _environment(self, scratch: Path, *, auth: bool) -> dict[str, str]:
        """Return the environment variables of the embedded AWS."""
        settings = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            # the guard's own word, whose module is the embedded AWS's and is not imported here
            "TESSERA_OPEN_TO_CONTAINERS": "1" if self.open_to_containers else "",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.home / "s3"),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.home / "state"),
            "TMPDIR": str(scratch),
            "TESSERA_RESERVED_BYTES": str(RESERVE),
            "COGNITO_EMAIL_ENABLED": "false",
            "AUTH": "true" if auth else "false",
            # functions run as one process an invocation: idle ones go after a minute
            "LAMBDA_WARM_TTL_SECONDS": "60",
            "IOT_MTLS_ENABLED": "0",  # or it listens for MQTT, on every address
        }
        environment = _inherited() | self.variables | settings
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            environment.pop(name, None)  # the functions take theirs from the template
        return environment

    def _launch(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the process of the embedded AWS, and note its id."""
        if not find_spec("ministack"):
            remedy = "pip install 'tessera[local]'" if ROOT == _PACKAGED else "make running"
            raise StackError(f"The embedded AWS is not installed here. Run: {remedy}")
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                # -P: this folder's modules are no packages of the embedded AWS's
                [sys.executable, "-P", str(GUARD)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # it outlives this command and does not get its Ctrl-C
            )
        _children[process.pid] = process
        self._pid_file.write_text(str(process.pid))
        return process

    def _running_pid(self) -> int | None:
        try:
            pid = int(self._pid_file.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if pid in _children or GUARD.name in _command_of(pid) else None

    def has_process(self) -> bool:
        """Return whether the embedded AWS has a process, even one that does not answer."""
        return self._running_pid() is not None

    def stop(self, *, hard: bool = False) -> bool:
        """Stop the embedded AWS and keep its state; return whether it was running.

        `hard` kills it as a power cut would: then only what is in S3 remains.
        """
        pid = self._running_pid()
        if pid is None:
            return False
        deployed, asked = self._deployed(), time.time()
        os.killpg(pid, signal.SIGKILL if hard else signal.SIGTERM)
        for _ in _every(0.05, seconds=30):
            if not _is_alive(pid):
                break
            # A run that waits for workers keeps a thread alive for days. When the state has been
            # written since the signal, and is written no more, there is nothing left to lose.
            if SETTLED < _age_of_newest(self.home / "state") < time.time() - asked:
                os.killpg(pid, signal.SIGKILL)
        else:
            raise StackError(
                f"The embedded AWS (process {pid}) does not stop. Its log may say why: {self.log}"
            )
        self._pid_file.unlink(missing_ok=True)
        if deployed and not hard:  # whatever was not saved before is by now
            self._deployed_file.write_text(deployed)
        return True

    def deploy(self, **parameters: str) -> bool:
        """Deploy the template with the SAM CLI, unless it is deployed as it is; return whether."""
        overrides = {
            "AwsEndpointUrl": self.endpoint,
            "UiDirectory": str(ROOT / "ui"),
            "InboxBucketName": INBOX,
            "LabelsBucketName": LABELS,
        } | parameters
        wanted = _fingerprint(overrides)
        if self._deployed() == wanted and self.cloud.find_outputs():
            return False
        settings = ["--config-env", "local", "--config-file", str(ROOT / "samconfig.toml")]
        override = [f"{key}={value}" for key, value in overrides.items()]
        done = subprocess.run(
            [sam_cli(), "deploy", *settings, "--parameter-overrides", *override],
            cwd=ROOT,
            env=_inherited() | self.variables | {"SAM_CLI_TELEMETRY": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise StackError(f"sam deploy failed:\n{done.stdout}\n{done.stderr}{self._remains()}")
        # not saved yet, which the stop notes that saves it
        self._deployed_file.write_text(f"{wanted} {self._running_pid()}")
        self._save()
        return True

    def _deployed(self) -> str:
        """Return the fingerprint of what is deployed; empty if it is not known.

        A deployment that was not saved has the process beside it that holds it. Of one that was
        killed the deployment before is back.
        """
        with suppress(OSError):
            wanted, _, unsaved = self._deployed_file.read_text().partition(" ")
            return wanted if unsaved in {"", str(self._running_pid())} else ""
        return ""

    def _remains(self) -> str:
        """Return a hint if a deployment that was killed has left buckets without their stack."""
        if self.cloud.find_outputs() or not (self.home / "s3").exists():
            return ""
        home, command = quote(str(self.home)), self.cloud.command
        return (
            "\nBuckets of an earlier deployment that was killed may be in the way. "
            f"Move {self.home} away and start again: mv {home} {home}.old; {command('up')}. "
            "Objects are kept in its folder s3."
        )

    def _save(self) -> None:
        """Restart the embedded AWS, so that the deployment is on disk and outlives a kill.

        It saves its state only when it is stopped. Executions that wait for workers would not
        survive that, so while there are any, the next deployment saves.
        """
        running = self.cloud.client("stepfunctions").list_executions(
            stateMachineArn=self.cloud.outputs["StateMachineArn"], statusFilter="RUNNING"
        )
        if not running["executions"]:
            settings = json.loads(self._settings_file.read_text())
            self.stop()
            self.start(**settings)


def _inherited() -> dict[str, str]:
    """Return this process's environment, as far as what it starts should have it.

    Containers often have Python keep no compiled modules. An installation has none at first
    (Makefile), so each function's process would compile its own, which takes longer than it runs.
    """
    inherited = dict(os.environ)
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return inherited


def sam_cli() -> str:
    """Return the path of the SAM CLI that `make` installed, else of the one on the PATH."""
    own = ROOT / ".venv-sam" / "bin" / "sam"
    program = str(own) if own.exists() else shutil.which("sam")
    if not program:
        remedy = "pipx install aws-sam-cli" if ROOT == _PACKAGED else "make running"
        raise StackError(f"The SAM CLI is not installed. Run: {remedy}")
    return program


def _age_of_newest(folder: Path) -> float:
    """Return the seconds since anything in the folder was written; 0 during a write."""
    try:
        written = [path.stat().st_mtime for path in folder.glob("*")]
    except FileNotFoundError:  # a half-written file is renamed when it is whole
        return 0.0
    return time.time() - max(written, default=0.0)


def free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one has started: an ended child counts as alive until it is polled."""


def _command_of(pid: int) -> str:
    """Return the command line of a process; GUARD's name where this machine does not show it.

    After a restart of the machine its id may be another program's, which nobody wants stopped.
    """
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    with suppress(OSError):
        listed = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True
        )
        return listed.stdout
    return GUARD.name


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


def _fingerprint(overrides: dict[str, Any]) -> str:
    """Return a hash of everything that a deployment takes from the checkout."""
    digest = hashlib.sha256(json.dumps(overrides, sort_keys=True).encode())
    sources = [ROOT / "template.yaml", ROOT / "statemachine" / "labeling.asl.json"]
    sources += (path for path in (ROOT / "functions").rglob("*") if path.suffix in {".py", ".txt"})
    for path in sorted(sources):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()

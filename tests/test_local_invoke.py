"""`sam local invoke` runs every function in Lambda's own container and gets the sample result."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessera.stack import samples
from tessera.stack.local_stack import CREDENTIALS, LocalStack, StackError, free_port, sam_cli

ROOT = Path(__file__).parent.parent
EVENTS = ROOT / "events"
STEPS = sorted(path.name.removesuffix(".event.json") for path in EVENTS.glob("[2-9]*.event.json"))
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}.get(platform.machine(), "x86_64")
IMAGES = (
    f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}",
    f"public.ecr.aws/sam/emulation-python3.13:rapid-{ARCHITECTURE}",
)

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def missing() -> str:
    """What `sam local invoke` lacks here, in words; nothing if it lacks nothing."""
    if not shutil.which("docker"):
        return "Docker is not installed"
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        return "Docker does not run"
    listed = [
        subprocess.run(["docker", "image", "inspect", i], capture_output=True) for i in IMAGES
    ]
    if all(listing.returncode for listing in listed):
        return f"Docker has no image {IMAGES[0]}"
    works = subprocess.run("python3.13 -c ''", shell=True, capture_output=True)
    if works.returncode:  # a version manager's stand-in may be there without the version
        return "sam build needs python3.13 on the PATH"
    try:
        sam_cli()
    except StackError:
        return "the SAM CLI is not installed"
    return ""


def sam(
    *arguments: str, folder: Path, credentials: dict[str, str] = CREDENTIALS
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sam_cli(), *arguments],
        cwd=folder,
        env=os.environ | credentials | {"SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the functions were built into."""
    if lacking := missing():
        pytest.skip(lacking)
    folder = tmp_path_factory.mktemp("build")
    done = sam("build", "--build-dir", str(folder), "--cache-dir", f"{folder}-cache", folder=ROOT)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def open_stack(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A local stack that containers reach, with the samples in it."""
    local = LocalStack(tmp_path_factory.mktemp("stack"), free_port(), open_to_containers=True)
    local.start()
    try:
        local.deploy()
        samples.load(local.cloud.client("s3"), local.cloud.client("dynamodb"))
        yield local
    finally:
        local.stop()


@pytest.fixture(scope="module")
def environment(open_stack: LocalStack) -> Path:
    """The samples' environment with this stack's port."""
    text = (EVENTS / "environment.json").read_text("utf-8").replace("4566", str(open_stack.port))
    path = open_stack.home / "environment.json"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("step", STEPS)
def test_a_function_in_a_container_gives_its_sample_result(
    step: str, built: Path, environment: Path, open_stack: LocalStack
) -> None:
    name = "".join(word.capitalize() for word in step.split("-")[1:]) + "Function"
    done = sam(
        "local", "invoke", name,
        "--event", str(EVENTS / f"{step}.event.json"),
        "--template", str(built / "template.yaml"),
        "--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local",
        "--env-vars", str(environment),
        folder=ROOT,
        credentials=open_stack.variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer == json.loads((EVENTS / f"{step}.result.json").read_text("utf-8")), done.stderr

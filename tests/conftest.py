"""What all tests share: none reaches AWS, and there is one local stack and one browser for them."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from botocore.loaders import create_loader

from tessera.stack.local_stack import CREDENTIALS, LocalStack, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)

# Before any handler is imported: Powertools reads its switches at import.
os.environ |= CREDENTIALS | {
    "POWERTOOLS_TRACE_DISABLED": "1",
    "POWERTOOLS_METRICS_NAMESPACE": "Tessera",
    "POWERTOOLS_SERVICE_NAME": "tessera",
    "POWERTOOLS_DEV": "0",
    "AWS_EC2_METADATA_DISABLED": "true",
    # The suite has a process for each core, and threads of numpy beside them wait for each other.
    "OPENBLAS_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",  # Hugging Face's library reads these at import, too
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
}
os.environ.pop("AWS_PROFILE", None)
os.environ.pop("AWS_ENDPOINT_URL", None)

# Properties take the time they take: a busy machine is no failure.
# `make quick` and `make test` try fewer examples, CI the full hundred.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=10)
hypothesis.settings.load_profile("unhurried")


LONGEST_ID = 80
"""Characters of a case's name of those that a value gives itself."""
SHARED_STACKS = ("stack", "stage")
"""Fixtures that are a stack for the whole session: the example's, and the state machine's."""


@pytest.hookimpl(tryfirst=True)  # the suite's processes read the mark in a hook of this name
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that share a local stack on one of the suite's processes, and start with them.

    Files that start stacks of their own, each on a free port and in a folder of its own, may be on
    the other process meanwhile: they are the longest, and in one row they outlast all other tests.
    """
    for item in items:
        if item.get_closest_marker("stack"):
            fixtures = getattr(item, "fixturenames", ())
            shared = next((name for name in SHARED_STACKS if name in fixtures), item.path.stem)
            item.add_marker(pytest.mark.xdist_group(shared))
    if hasattr(config, "workerinput"):
        # Groups are dealt out by their number of tests, then in this order: none of one long test
        # is left for the end, where the other process has nothing to do.
        items.sort(key=lambda item: item.get_closest_marker("stack") is None)


FOLDERS: pytest.StashKey[dict[Path, pytest.Directory]] = pytest.StashKey()
"""The folders in a folder, as they were collected first."""


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a folder be collected once, whatever files stand before it in the call.

    For a file of its parent, pytest 9.1 collects the folders beside it anew, and the fixtures of
    a conftest.py stay with those from before.
    """
    report = yield
    folders = collector.stash.setdefault(FOLDERS, {})
    report.result = [
        folders.setdefault(node.path, node) if isinstance(node, pytest.Directory) else node
        for node in report.result or ()
    ]
    return report


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end: the tests and all their modules."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case by the beginning of its value, where that is long.

    The suite's processes send each other the names with every test: megabytes of brackets, too.
    """
    if isinstance(val, str | bytes) and len(val) > LONGEST_ID:
        return f"{ascii(val)[:LONGEST_ID]}... of {len(val)}"
    return None


@pytest.fixture(scope="session", autouse=True)
def descriptions_of_aws() -> Iterator[None]:
    """Have botocore read its descriptions of AWS once for all tests.

    A session reads those of its clients' services, which takes longer than most tests with S3 or
    DynamoDB in memory, and each such test gets a session of its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        yield


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The embedded AWS with Tessera deployed to it, for the whole test session."""
    local = LocalStack(tmp_path_factory.mktemp("stack"), free_port())
    local.start()
    try:
        local.deploy()
        yield local
    finally:
        local.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests that look at a page here; without one they are skipped."""
    # Imported late: most tests need no browser, and this takes as long as a hundred of them.
    from playwright.sync_api import Error, sync_playwright

    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS.split())
        except Error as error:
            pytest.skip(f"Chromium does not start: {error}")
        yield browser
        browser.close()

"""Share one stack among these tests: Ground Truth mocked, no waits, faults on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tessera.stack.local_stack import LocalStack, free_port
from tests.statemachine.cases import mock_config
from tests.statemachine.stage import Stage

# a script of an environment of its own, with packages that this one lacks
collect_ignore = ["second_interpreter.py"]


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run the local stack, with the machine that reports its transitions, for the whole session."""
    folder = tmp_path_factory.mktemp("machine")
    mocks = folder / "mocks.json"
    mocks.write_text(json.dumps(mock_config()))
    local = LocalStack(folder / "stack", free_port())
    local.start(extra={"SFN_MOCK_CONFIG": str(mocks), "SFN_WAIT_SCALE": "0"})
    try:
        stage = Stage(local, folder / "faults")
        stage.set_up()
        yield stage
    finally:
        local.stop(hard=True)  # nothing of it is needed again, and nothing is waited for

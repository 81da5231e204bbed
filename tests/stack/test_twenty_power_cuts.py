"""Twenty power cuts while three people label: `tessera up` alone goes on, and nothing is lost."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from click.testing import CliRunner

from tessera.cli import main
from tessera.runs.executions import list_executions
from tessera.stack.local_stack import LocalStack, free_port
from tests.portal.kill_loop import KillLoop, audit

pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.skipif("KILL_LOOP" not in os.environ, reason="takes seven minutes: KILL_LOOP=1"),
]


class PowerCuts(KillLoop):
    """Kill loop in which nobody drops the manifest again: the next start does."""

    def _kill_and_start(self) -> str:
        began = time.monotonic()
        self.stack.stop(hard=True)
        words = ["--port", str(self.stack.port), "--home", str(self.stack.home), "up"]
        up = CliRunner().invoke(main, words)
        assert up.exit_code == 0, up.output
        self.recoveries.append(time.monotonic() - began)
        return ""

    def _lose_index(self) -> None:
        """Leave the index alone: a power cut loses it often enough."""

    def _status(self, execution: str) -> str:
        """Return the status of the newest execution, which the start before has made."""
        with suppress(BotoCoreError, ClientError):
            return str(next(iter(list_executions(self.stack.cloud, 1)))["status"])
        return "RUNNING"


@pytest.mark.timeout(1200)
def test_a_run_of_three_people_ends_without_a_hand_after_twenty_power_cuts(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path / "stack", free_port())
    stack.start()
    try:
        stack.deploy()
        loop = PowerCuts(stack, kills=20, seed=21, workers=3, images=150)
        ended = loop.run(seconds=600)
        findings = audit(loop)
    finally:
        stack.stop(hard=True)
    assert ended == "SUCCEEDED"
    assert findings._replace(figures={}) == ([], [], [], [], [], [], [], {})

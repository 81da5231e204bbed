"""Twenty workers at a portal whose server is killed twenty times: nothing is lost or hangs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tessera.stack.local_stack import LocalStack, free_port
from tests.portal.kill_loop import KillLoop, audit

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SEED = int(os.environ.get("KILL_LOOP_SEED", "1"))


# Twenty restarts with work between them: eight minutes where six processes share a core.
@pytest.mark.timeout(1800)
def test_twenty_kills_under_twenty_workers_lose_double_and_hang_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = LocalStack(tmp_path / "stack", free_port())
    stack.start()
    try:
        stack.deploy()
        loop = KillLoop(stack, kills=20, seed=SEED)
        ended = loop.run(seconds=600)
        findings = audit(loop)
    finally:
        stack.stop(hard=True)
    with capsys.disabled():
        print(f"\nkill loop {SEED}: {ended}, {findings.figures}")
    assert ended == "SUCCEEDED"
    assert findings._replace(figures={}) == ([], [], [], [], [], [], [], {})
    assert findings.figures["kills"] == 20

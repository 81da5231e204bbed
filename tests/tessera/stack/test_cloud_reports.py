"""What the tool says of a job that cannot be read."""

from __future__ import annotations

import pytest

from tessera.stack.cloud import Cloud


def test_a_job_that_cannot_be_read_is_told_once_with_the_command_that_rebuilds_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cloud = Cloud("http://aws.test", ("key", "secret"), "us-east-1", options=("--port", "4999"))
    vars(cloud)["outputs"] = {"PortalTableName": "portal"}  # cached, so that nothing is asked
    for _ in range(2):
        cloud.ports.report("pets-1-r1-000", KeyError("dealt"))
    assert capsys.readouterr().err.splitlines() == [
        "Job pets-1-r1-000 is left out: it cannot be read (KeyError: 'dealt'). "
        "Try: tessera --port 4999 repair pets-1-r1-000"
    ]

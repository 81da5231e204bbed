"""`tessera report`: a run's report as one file, its doubtful pictures in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tessera.commands.report import report_command
from tessera.exits import Exit
from tests.tiling.report.small_run import figures


def test_a_report_has_its_pictures_in_it_and_says_which_are_missing(
    labels: Any, tessera: Any
) -> None:
    name = labels.run(images=4)
    doubtful = [
        {"index": index, "source": source, "label": "cat", "confidence": 0.5, "said": {"cat": 1}}
        for index, source in ((3, "s3://inbox/pets/3.png"), (9, "s3://inbox/pets/9.png"))
    ]
    labels.put(
        "labels", f"runs/{name}/report.json", json.dumps(figures(doubtful=doubtful)).encode()
    )

    done = tessera(report_command, "--out", "report.html")

    assert done.exit_code == Exit.PARTIAL
    assert "s3://inbox/pets/9.png" in done.output
    assert Path("report.html").read_text("utf-8").count("data:image/png;base64,") == 1

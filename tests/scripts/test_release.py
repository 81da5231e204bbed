"""What is kept of a release is what its parts hand to each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.release import write
from tessera.portal.table_layout import job_key


@pytest.mark.thorough
def test_a_snapshot_has_the_machine_the_events_the_objects_and_the_open_job(tmp_path: Path) -> None:
    kept = json.loads(write(tmp_path, "9.9.9").read_text("utf-8"))
    assert "GroupImages" in kept["machine"]["States"]
    assert kept["events"].keys() == kept["results"].keys() >= {"2-group-images", "6-close-job"}
    assert any(key.endswith("/run.json") for key in kept["objects"])
    job = kept["events"]["3-open-job"]["request"]["LabelingJobName"]
    assert any(item["pk"]["S"] == job_key(job).partition for item in kept["items"])

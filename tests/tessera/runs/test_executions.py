"""A drop starts an execution."""

from __future__ import annotations

from typing import Any

from tessera.runs.executions import drop


def test_a_drop_puts_the_settings_before_the_manifest(labels: Any, place: Any) -> None:
    key = drop(place.cloud, b"{}\n", project="pets", name="may", settings=b"{}")

    assert key == "pets/may.manifest"
    settings, manifest = labels.files.objects  # in the order in which they were put
    assert settings == "s3://inbox/pets/labeling.json"
    assert manifest == "s3://inbox/pets/may.manifest"

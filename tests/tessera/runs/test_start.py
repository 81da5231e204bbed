"""The start of a run: what is uploaded, and what is said of it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

import tessera.runs.start as start_module
from tessera.runs.source import Source


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_counted_as_a_run_counts_them_packed_or_not(
    pack: Any, end: bytes, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_module, "list_executions", lambda *_: [])
    monkeypatch.setattr(start_module, "wait_for_execution", lambda *_, **__: "execution")
    source = Source(Path("may.manifest"), Path("labeling.json"), "pets")
    lines = b"\n".join(b'{"source-ref": "s3://inbox/%d.png"}' % i for i in range(1000)) + end
    dropped, _ = start_module.start_run(place.cloud, source, pack(lines), None, quiet=True)
    assert dropped["lines"] == 1000

"""`tessera simulate`: only for pictures whose labels its workers know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tessera.commands import simulate as module
from tessera.commands.simulate import TASKS, simulate
from tessera.simulation.example import EXAMPLE, Example
from tests.tessera.conftest import Labels

KNOWN = list(Example(EXAMPLE).truth)[:3]


def put_tasks(labels: Labels, *pages: list[str]) -> str:
    name = labels.run("pets-1")
    lines = [
        json.dumps({"source": json.dumps([{"source-ref": f"s3://inbox/{one}"} for one in page])})
        for page in pages
    ]
    labels.put("labels", f"runs/{name}/{TASKS}", "\n".join(lines).encode())
    return name


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a crew was made for, before any account is."""
    begun = list[Any]()

    def begin(*_: Any, **options: Any) -> Any:
        begun.append(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "make_workers", begin)
    return begun


def test_a_run_of_other_pictures_is_refused_before_anybody_takes_a_page(
    labels: Labels, tessera: Any, begun: list[Any]
) -> None:
    put_tasks(labels, KNOWN[:2], [KNOWN[2], "my cat.jpg"])
    done = tessera(simulate)
    assert done.exit_code == 1
    assert "my cat.jpg" in done.output
    assert "workers add EMAIL" in done.output
    assert not begun


def test_a_run_of_the_example_gets_its_crew(labels: Labels, tessera: Any, begun: list[Any]) -> None:
    put_tasks(labels, KNOWN)
    tessera(simulate)
    assert begun

"""What docs/operations.md says of failures is what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tessera.tiling import errors
from tests.statemachine.faults import PAGE, page
from tests.statemachine.paths import WAYS

ROOT = Path(__file__).parent.parent.parent
MACHINE = json.loads((ROOT / "statemachine" / "labeling.asl.json").read_text("utf-8"))
REFUSALS = [
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
    and issubclass(kind, errors.TesseraError)
    and kind is not errors.TesseraError
]
ENDS = [
    name
    for name, state in MACHINE["States"].items()
    if state["Type"] == "Fail" and name != "ManifestRejected"  # ends under the refusal's name
]


@pytest.mark.parametrize("name", [*REFUSALS, *ENDS])
def test_every_failure_has_a_paragraph_on_what_it_means_what_to_do_and_what_was_kept(
    name: str,
) -> None:
    _, _, rest = PAGE.read_text("utf-8").partition(f"### {name}\n")
    paragraph = rest.partition("\n#")[0]
    assert all(word in paragraph for word in ("**Means:**", "**Do:**", "**Kept:**"))


@pytest.mark.parametrize("name", [*REFUSALS, *ENDS])
def test_every_failure_has_a_way_that_gets_there(name: str) -> None:
    assert name in {way.error for way in WAYS.values()}


def test_the_fault_matrix_is_what_the_tests_try() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.statemachine.faults"

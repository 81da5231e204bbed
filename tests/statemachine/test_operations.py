"""The failures that docs/operations.md describes are those that there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tessera.tiling import errors
from tests.statemachine.cases import CASES
from tests.statemachine.faults import PAGE, page

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
def test_every_failure_has_a_case_that_ends_in_it(name: str) -> None:
    assert name in {case.error for case in CASES.values()}


def test_the_fault_matrix_is_what_the_tests_try() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.statemachine.faults"

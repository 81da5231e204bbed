"""Expressions of the state machine, evaluated as Step Functions does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.expressions import evaluate

plain = st.recursive(
    st.integers() | st.booleans() | st.text(max_size=20).filter(lambda text: text[:2] != "{%"),
    lambda parts: st.lists(parts) | st.dictionaries(st.text(max_size=5), parts),
    max_leaves=10,
)


@given(plain)
def test_a_field_without_expressions_stays_as_it_is(field: object) -> None:
    assert evaluate(field, {}) == field


@given(st.text(min_size=1, max_size=20), st.integers(0, 9))
def test_an_expression_reads_the_states_parts_and_the_machines_variables(
    run: str, round_: int
) -> None:
    template = {"names": ["{% $states.input.run & '-' & $string($grouped.round) %}"]}
    evaluated = evaluate(template, {"input": {"run": run}}, grouped={"round": round_})
    assert evaluated == {"names": [f"{run}-{round_}"]}


def test_an_expression_that_gives_nothing_fails_as_the_state_would() -> None:
    with pytest.raises(LookupError, match="gives nothing"):
        evaluate("{% $states.input.run %}", {"input": {}})

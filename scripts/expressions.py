"""Evaluate the state machine's JSONata expressions, for the sample events and for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonata

MACHINE: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "statemachine" / "labeling.asl.json").read_text("utf-8")
)
STATES: dict[str, Any] = MACHINE["States"]
SHARD_STATES: dict[str, Any] = STATES["LabelShards"]["ItemProcessor"]["States"]


def evaluate(template: Any, states: dict[str, Any], **variables: Any) -> Any:
    """Return a state's field with its expressions evaluated, as Step Functions would.

    `states` has the parts of `$states`: `input`, `context`, `result`, `errorOutput`. Raises
    LookupError for an expression that gives nothing, at which Step Functions fails the state.
    """
    if isinstance(template, dict):
        return {key: evaluate(value, states, **variables) for key, value in template.items()}
    if isinstance(template, list):
        return [evaluate(value, states, **variables) for value in template]
    if not (isinstance(template, str) and template.startswith("{%")):
        return template
    expression = template.removeprefix("{%").removesuffix("%}").strip()
    program = jsonata.Jsonata(expression)
    program.register_lambda("parse", json.loads)  # Step Functions' own, JSONata has none
    value = program.evaluate(None, variables | {"states": states})
    if value is None:
        raise LookupError(f"{expression} gives nothing")
    return value

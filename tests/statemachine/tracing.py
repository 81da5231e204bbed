"""Trace a state machine: a message to a queue on every transition.

A history does not tell which states inside a map were entered, nor what a mocked state was given;
the message does both. Nothing else about the machine changes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any


def transitions(machine: dict[str, Any]) -> set[str]:
    """Return every transition of the machine and of the machines inside its maps, by name."""
    return {name for level in levels(machine) for name, _, _ in edges(level["States"])}


def with_tracing(machine: dict[str, Any], queue: str) -> dict[str, Any]:
    """Return the machine with a task on every transition that sends its name and input."""
    machine = copy.deepcopy(machine)
    for level in list(levels(machine)):
        states = level["States"]
        for name, holder, key in list(edges(states)):
            after = {"End": True} if key == "End" else {"Next": holder[key]}
            states[name] = _sending(name, queue) | after
            holder.pop(key)
            holder["Next" if key == "End" else key] = name
    return machine


def _sending(name: str, queue: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {
            "QueueUrl": queue,
            "MessageBody": {
                "execution": "{% $states.context.Execution.Id %}",
                "transition": name,
                "input": "{% $states.input %}",
            },
        },
        "Output": "{% $states.input %}",
    }


def levels(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the machine, and the machines inside its maps."""
    yield machine
    for state in list(machine["States"].values()):
        if "ItemProcessor" in state:
            yield from levels(state["ItemProcessor"])


def edges(states: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield each transition's name, and where in the machine its target is written."""
    for name, state in states.items():
        for number, choice in enumerate(state.get("Choices", ()), start=1):
            yield f"{name} → {choice['Next']} (choice {number})", choice, "Next"
        if "Default" in state:
            yield f"{name} → {state['Default']} (default)", state, "Default"
        for number, catch in enumerate(state.get("Catch", ()), start=1):
            yield f"{name} → {catch['Next']} (catch {number})", catch, "Next"
        if "Next" in state:
            yield f"{name} → {state['Next']}", state, "Next"
        if state.get("End"):
            yield f"{name} → end", state, "End"

"""Check CreateLabelingJob requests against botocore's model of the service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.model import Shape
from botocore.session import get_session
from botocore.validate import ParamValidator


@cache
def create_labeling_job() -> Shape:
    """Return the shape of the request."""
    model = get_session().get_service_model("sagemaker")
    shape = model.operation_model("CreateLabelingJob").input_shape
    assert shape is not None
    return shape


def problems(request: dict[str, Any]) -> list[str]:
    """Return what in the request the model does not allow: members, lengths, patterns, choices."""
    report = ParamValidator().validate(request, create_labeling_job())
    reported = [report.generate_report()] if report.has_errors() else []
    return reported + list(_unchecked(request, create_labeling_job(), "request"))


def _unchecked(value: Any, shape: Any, path: str) -> Iterator[str]:
    """Yield breaches of what botocore's own validator leaves to the service."""
    limits = shape.metadata
    if shape.type_name == "structure":
        for name, member in value.items():
            if name in shape.members:
                yield from _unchecked(member, shape.members[name], f"{path}.{name}")
        return
    if shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _unchecked(member, shape.member, f"{path}[{number}]")
    size = value if shape.type_name in {"integer", "long"} else len(value)
    if not limits.get("min", size) <= size <= limits.get("max", size):
        yield f"{path}: {value!r} is not within {limits}"
    if shape.type_name == "string":
        if "pattern" in limits and not re.fullmatch(python_pattern(limits["pattern"]), value):
            yield f"{path}: {value!r} is not {limits['pattern']}"
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"


def python_pattern(pattern: str) -> str:
    r"""Translate a pattern of the model, in Java's dialect, to Python's.

    >>> python_pattern(r"^([\p{L}\p{Z}]*)$")
    '^([\\w\\s]*)$'
    """
    for java, python in ((r"\p{L}", r"\w"), (r"\p{Z}", r"\s"), (r"\p{N}", r"\d")):
        pattern = pattern.replace(java, python)
    return pattern

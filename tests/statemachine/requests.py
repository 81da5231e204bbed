"""What the service would say to a CreateLabelingJob request, from botocore's model of it."""

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
    """The shape of the request."""
    model = get_session().get_service_model("sagemaker")
    shape = model.operation_model("CreateLabelingJob").input_shape
    assert shape is not None
    return shape


def problems(request: dict[str, Any]) -> list[str]:
    """What in the request the model does not allow: members, lengths, patterns, choices."""
    report = ParamValidator().validate(request, create_labeling_job())
    found = [report.generate_report()] if report.has_errors() else []
    return found + list(_against(request, create_labeling_job(), "request"))


def _against(value: Any, shape: Any, place: str) -> Iterator[str]:
    """Botocore's own validator leaves patterns, greatest lengths and choices to the service."""
    limits = shape.metadata
    if shape.type_name == "structure":
        for name, member in value.items():
            if name in shape.members:
                yield from _against(member, shape.members[name], f"{place}.{name}")
    elif shape.type_name == "list":
        if len(value) > limits.get("max", len(value)):
            yield f"{place}: {len(value)} members"
        for number, member in enumerate(value):
            yield from _against(member, shape.member, f"{place}[{number}]")
    elif shape.type_name == "string":
        if "pattern" in limits and not re.fullmatch(java(limits["pattern"]), value):
            yield f"{place}: {value!r} is not {limits['pattern']}"
        if len(value) > limits.get("max", len(value)):
            yield f"{place}: {len(value)} characters"
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"{place}: {value!r} is none of {shape.enum}"
    elif shape.type_name in {"integer", "long"} and value > limits.get("max", value):
        yield f"{place}: {value} is more than {limits['max']}"


def java(pattern: str) -> str:
    r"""The pattern as Python writes it: Unicode classes by name are Java's.

    >>> java(r"^([\p{L}\p{Z}]*)$")
    '^([\\w\\s]*)$'
    """
    for theirs, ours in ((r"\p{L}", r"\w"), (r"\p{Z}", r"\s"), (r"\p{N}", r"\d")):
        pattern = pattern.replace(theirs, ours)
    return pattern

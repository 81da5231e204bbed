"""Write what `labeling.json` may hold: its JSON Schema, and the table in docs/manifests.md.

`python -m scripts.schema > docs/labeling.schema.json` writes the schema anew.
"""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import UNSET
from msgspec.structs import FieldInfo

from tessera.tiling.settings import Settings, base_and_meta, settings_schema


def schema_text() -> str:
    """Return the text of docs/labeling.schema.json."""
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


def settings_table() -> str:
    """Return a Markdown table of every setting: its values, its default and its meaning."""
    rows = [
        (
            f"`{field.name}`",
            _values(field),
            _default(field),
            base_and_meta(field.type)[1].description,
        )
        for field in msgspec.structs.fields(Settings)
    ]
    head = ("key", "values", "default", "meaning")
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in [head, ["---"] * 4, *rows])


def _values(field: FieldInfo) -> str:
    """Return what a setting may be, from its type and its declared bounds."""
    base, meta = base_and_meta(field.type)
    if meta.extra and "values" in meta.extra:
        return str(meta.extra["values"])
    if get_origin(base) is Literal:
        return _choices(base)
    if base is bool:
        return "`true` or `false`"
    if base in (int, float):
        return f"{meta.ge:,} or more" if meta.le is None else f"{meta.ge:,} to {meta.le:,}"
    if get_origin(base) is tuple:
        item = get_args(base)[0]
        if get_origin(item) is Literal:
            return f"any of {_choices(item)}"
        longest = get_args(item)[1].max_length
        return f"2 to {meta.max_length} names of at most {longest} characters"
    if type(None) in get_args(base):  # a text, or null for none
        (text,) = (kind for kind in get_args(base) if kind is not type(None))
        meta = base_and_meta(text)[1]
    longest = meta.max_length or (meta.extra_json_schema or {}).get("maxLength")
    return f"text of at most {longest:,} characters" if longest else "text"


def _choices(kind: Any) -> str:
    return ", ".join(f"`{choice}`" for choice in get_args(kind))


def _default(field: FieldInfo) -> str:
    """Return a setting's default as JSON has it, or in the words that are declared for it."""
    meta = base_and_meta(field.type)[1]
    if meta.extra and "default" in meta.extra:
        return str(meta.extra["default"])
    if field.default in (msgspec.NODEFAULT, UNSET):
        return "required"
    if isinstance(field.default, bool):
        return f"`{json.dumps(field.default)}`"
    return f"`{field.default}`" if isinstance(field.default, str) else f"{field.default}"


if __name__ == "__main__":
    print(schema_text(), end="")

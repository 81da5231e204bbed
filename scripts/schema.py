"""The JSON Schema of labeling.json: `python -m scripts.schema > docs/labeling.schema.json`."""

import json

from tessera.tiling.settings import settings_schema


def schema_text() -> str:
    """The schema as its file has it."""
    return json.dumps(settings_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")

"""The core's own description: the files that it sends a reader to are there."""

from __future__ import annotations

import re
from pathlib import Path

from tessera import tiling

CORE = Path(__file__).parents[2] / "functions" / "tessera" / "tiling"


def test_the_flow_names_every_folder_and_only_files_that_exist() -> None:
    text = str(tiling.__doc__)
    folders = [path.name for path in CORE.iterdir() if (path / "__init__.py").exists()]
    assert [name for name in folders if not re.search(rf"^    {name} +[a-z]", text, re.M)] == []
    files = [name for name in re.findall(r"[a-z_]+(?:/[a-z_]+)*\.py", text) if "tests/" not in name]
    assert [name for name in files if not (CORE / name).exists()] == []

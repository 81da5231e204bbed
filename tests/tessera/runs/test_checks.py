"""A file that is no manifest is refused with the command that makes one of it, as pasted."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.exits import Refused
from tessera.runs.checks import count_manifest, labeled_otherwise, parse_settings
from tessera.tiling.manifest.class_rule import LABEL_TYPE
from tessera.tiling.manifest.set_rule import SET_TYPE

LINES: list[dict[str, Any]] = [{"source-ref": f"s3://pets/{n}.png", "n": n} for n in range(3)]
TEXT = "".join(f"{json.dumps(line)}\n" for line in LINES)
FILES = {
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "an array": json.dumps(LINES).encode(),
    "an array, a line each": f"[\n{TEXT[:-1].replace(chr(10), f',{chr(10)}')}\n]".encode(),
    "objects over lines": "\n".join(json.dumps(line, indent=2) for line in LINES).encode(),
    "ends of an old Mac": TEXT.replace("\n", "\r").encode(),
    "commas between": TEXT.replace("\n", ",\n").encode(),
    "commas between, of Windows": TEXT.replace("\n", ",\r\n").encode(),
    "NaN": TEXT.replace(": 1}", ": NaN}").encode(),
}
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/", exclude_categories=("Cc", "Cs")),
    min_size=1,
    max_size=40,
).map("m{}.manifest".format)
PLAIN = parse_settings(b'{"labels": ["cat", "dog"]}', "here")


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
@given(kind=st.sampled_from(sorted(FILES)), name=NAMES)
def test_the_command_of_a_refusal_makes_a_manifest_whatever_the_file_is_called(
    kind: str, name: str
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(FILES[kind])
        with pytest.raises(Refused) as refusal:
            count_manifest(path, PLAIN)
        command = refusal.value.message.rpartition("\n")[2].partition(": ")[2]
        subprocess.run(["bash", "-c", command], cwd=folder, check=True)
        (made,) = {Path(folder, each) for each in os.listdir(folder)} - {path}
        assert count_manifest(made, PLAIN).images == len(LINES)


def test_a_table_by_columns_is_refused_with_the_way_of_pandas(tmp_path: Path) -> None:
    path = tmp_path / "a.manifest"
    path.write_text(json.dumps({"source-ref": {"0": "s3://pets/1.png"}}))
    with pytest.raises(Refused, match=r"orient='records', lines=True"):
        count_manifest(path, PLAIN)


@given(
    type_=st.sampled_from([LABEL_TYPE, SET_TYPE, "groundtruth/object-detection"]),
    key=st.sampled_from(["pets", "label", "my-job"]),
    own=st.sampled_from(["pets", "label"]),
    multi=st.booleans(),
    failed=st.booleans(),
    packed=st.booleans(),
)
def test_labels_under_another_key_are_named_before_they_are_asked_anew(
    type_: str, key: str, own: str, multi: bool, failed: bool, packed: bool
) -> None:
    settings = {"labels": ["cat", "dog"], "label_attribute": own}
    kind = {"task": "multi"} if multi else {}
    metadata = {"type": type_} | ({"failure-reason": "x"} if failed else {})
    members = {"source-ref": "s3://pets/1.png", key: 1, f"{key}-metadata": metadata}
    line, document = json.dumps(members).encode(), json.dumps(settings | kind).encode()
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.manifest")
        path.write_bytes(gzip.compress(line) if packed else line + b"\nno line\n")
        notices = labeled_otherwise(path, parse_settings(document, "here"))
    is_meant = type_ == (SET_TYPE if multi else LABEL_TYPE) and not failed and key != own
    assert len(notices) == is_meant
    assert all(f'"label_attribute": "{key}"' in sentence for sentence in notices)

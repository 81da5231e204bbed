"""Items: what an image is in a task, and how many characters of it count."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.items import encode_item
from tessera.tiling.manifest.lines import Image
from tests.tiling.folder import grouped, settings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(
    source=TEXT.map("s3://pets/{}".format),
    prelabel=st.none() | TEXT,
    confidence=st.none() | st.floats(0, 1),
)
def test_an_item_with_its_index_is_a_record_in_a_string(
    source: str, prelabel: str | None, confidence: float | None
) -> None:
    item, characters = encode_item(Image(7, source, prelabel, confidence, None, b""))
    inner = json.loads(b'"{\\"source-ref\\":\\"' + item + b'\\",\\"index\\":7}"')
    record = {"source-ref": source, "index": 7}
    if prelabel is not None:
        record["prelabel"] = prelabel
        if confidence is not None:
            record["prelabel-confidence"] = confidence
    assert json.loads(inner) == record
    around = len('{"source-ref":"') + len('","index":7}')
    assert characters == len(inner.encode("utf-16-le")) // 2 - around


def test_a_character_counts_once_whatever_bytes_it_takes() -> None:
    text = b"".join(
        b'{"source-ref":"s3://bkt/%s"}\n' % (f"{i:02d}" + "ä" * 500).encode() for i in range(37)
    )
    summary, folder = grouped(text, settings(images_per_task=40))
    assert summary.shards[0].tasks == 1
    assert len(folder.files["round-1/tasks-000.manifest"]) > 38_000

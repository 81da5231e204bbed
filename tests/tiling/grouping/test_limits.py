"""Ground Truth's limits, which no task exceeds."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import NoUsableLine
from tests.tiling.folder import grouped, settings

ALPHABETS = st.sampled_from(["a", "ä", "猫", "🐈", '"', "\\", "\x01"])


@given(
    names=st.lists(st.tuples(ALPHABETS, st.integers(1, 1000)), min_size=1, max_size=120),
    size=st.integers(1, 100),
    order=st.sampled_from(["spread", "as-given", "shuffle", "by-prelabel", "similar"]),
    gold=st.integers(0, 9),
)
def test_no_mix_of_lengths_and_scripts_exceeds_a_cap(
    names: list[tuple[str, int]], size: int, order: str, gold: int
) -> None:
    records = []
    for index, (letter, length) in enumerate(names):
        key = f"{index:03d}{letter * length}".encode()[:1000].decode("utf-8", "ignore")
        known = {"gold": "cat"} if index % 5 == 4 else {}
        records.append({"source-ref": f"s3://pets/{key}"} | known)
    text = "\n".join(json.dumps(r, ensure_ascii=False) for r in records).encode()
    chosen = settings(images_per_task=size, order=order, gold_per_task=min(gold, size - 1))
    if chosen.gold_per_task and len(records) < 5:
        return
    try:
        _, folder = grouped(text, chosen)
    except NoUsableLine:
        return
    raw = folder.files["round-1/tasks-000.manifest"].decode()
    for line, task in zip(raw.splitlines(), folder.lines(), strict=True):
        assert len(line.encode("utf-16-le")) // 2 <= 100_000
        assert len(task["source"].encode("utf-16-le")) // 2 <= 20_000
        assert len(json.loads(task["source"])) <= size

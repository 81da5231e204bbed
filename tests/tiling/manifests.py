"""Manifests as hypothesis makes them: lines good and bad, in every spelling and encoding."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.tiling.folder import settings

# What lines may look like: the forms that are read together, and those that are read alone.
KEYS = st.one_of(
    st.integers(0, 60).map("{}.jpg".format),
    st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=40),
    st.sampled_from(["a" * 1024, "ä" * 512, "🐈" * 256, "a" * 1025, "ä" * 513, '"\\\n\r\t', " "]),
)

BUCKETS = st.one_of(
    st.sampled_from(["pets", "zoo"]),
    st.sampled_from(
        ["<bucket>", "pe", "p" * 64, "P" * 255, "my_pets", "pe..ts", "pets-", "1.2.3.4"]
    ),
)

URIS = st.builds("s3://{}/{}".format, BUCKETS, KEYS)

EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "prelabel": st.sampled_from(["cat", "dog", "cannot see", "cow", 7, None]),
        "prelabel-confidence": st.sampled_from([0, 0.5, 1, 1.5, "high", None]),
        "gold": st.sampled_from(["cat", "dog", "cow", None]),
        "label": st.sampled_from([0, "cat", {"a": [1]}, None]),
        "shelter": st.text(max_size=5) | st.integers() | st.lists(st.none(), max_size=3),
    },
)

RECORDS = st.builds(lambda uri, extra: {"source-ref": uri} | extra, URIS, EXTRAS)

BARE = st.builds(lambda uri: {"source-ref": uri}, URIS)


def spelled(record: dict[str, Any], compact: bool, plain: bool) -> bytes:
    separators = (",", ":") if compact else None
    text = json.dumps(record, separators=separators, ensure_ascii=plain)
    return text.encode("utf-8", "replace")


LINES = st.one_of(
    st.builds(spelled, BARE, st.booleans(), st.booleans()),
    st.builds(spelled, RECORDS, st.booleans(), st.booleans()),
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ")),
    st.sampled_from(
        [
            b"",
            b"{",
            b'"source-ref": "s3://pets/1"}',
            b'{"source-ref": "s3://pets/1"}{"source-ref": "s3://pets/2"}',
            b'{"source-ref": "s3://pets/\\ud800"}',
            b'{"source-ref": "s3://pets/\xff"}',
            b'{"source-ref": "s3://pets/1", "x": "\xff"}',
            b'{"source-ref": "s3://pets/1\0"}',
            b"s3://pets/1",
            b' {"source-ref": "s3://pets/9"} ',
            b'{"source-ref": "s3://pets/1", "source-ref": "s3://pets/2"}',
            b'{"source-ref": "s3:///1"}',
            b'{"source-ref": "s3://pets/"}',
            b'{"source-ref": "https://pets/1"}',
        ]
    ),
)

MANIFESTS = st.one_of(
    st.lists(LINES, min_size=1, max_size=60),
    st.lists(st.builds(spelled, BARE, st.just(True), st.booleans()), min_size=1, max_size=60),
    st.lists(st.builds(spelled, RECORDS, st.just(False), st.just(False)), min_size=1, max_size=60),
).flatmap(
    lambda lines: st.sampled_from(
        [b"\n".join(lines), b"\n".join(lines) + b"\n", b"\r\n".join(lines) + b"\r\n"]
    )
)

CHOSEN = st.builds(
    lambda **keys: settings(bad_lines=1, **keys),
    images_per_task=st.integers(1, 7),
    order=st.sampled_from(["spread", "as-given", "shuffle", "by-prelabel", "similar"]),
    repeats=st.sampled_from(["once", "each"]),
    seed=st.integers(0, 3),
)


def physical_lines(text: bytes) -> list[bytes]:
    return text.removesuffix(b"\n").split(b"\n")

"""Sources that a manifest may name: its project's and those that the stack allows."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.blocks import BlockParser
from tessera.tiling.manifest.lines import Image, LineReader, Rejected
from tessera.tiling.manifest.source_rule import SourceRule
from tests.tiling.folder import settings

RULE = SourceRule("inbox", "pets/", "labels", ("mine/*", "half/pets/*", "odd/?/*.jpg"))


@pytest.mark.parametrize(
    "uri",
    [
        "s3://inbox/pets/1.jpg",
        "s3://inbox/pets/deep/1.jpg",
        "s3://mine/anything",
        "s3://half/pets/1.jpg",
        "s3://odd/a/1.jpg",
        "s3://inbox/pets/..1.jpg",
        "s3://inbox/images/pets/0a1b.jpg",
        "s3://inbox/pages-2048/pets/0a1b.jpg",
    ],
)
def test_a_picture_of_the_project_or_one_that_the_stack_allows_is_asked(uri: str) -> None:
    assert RULE.problem(uri) == ""


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://labels/runs/pets-1/round-1/gold.csv", "bucket of runs"),
        ("s3://labels/x", "bucket of runs"),
        ("s3://inbox/cars/1.jpg", "another project's folder"),
        ("s3://inbox/pets", "another project's folder"),
        ("s3://inbox/petshop/1.jpg", "another project's folder"),
        ("s3://inbox/images/cars/1.jpg", "another project's folder"),
        ("s3://inbox/images/petshop/1.jpg", "another project's folder"),
        ("s3://inbox/PETS/1.jpg", "another project's folder"),
        ("s3://inbox//pets/1.jpg", "another project's folder"),
        ("s3://inbox/pets/../cars/1.jpg", "no browser opens"),
        ("s3://inbox/pets/./1.jpg", "no browser opens"),
        ("s3://mine/a/..", "no browser opens"),
        ("s3://other/1.jpg", "ImageObjects=arn:aws:s3:::other/*"),
        ("s3://half/cars/1.jpg", "ImageObjects=arn:aws:s3:::half/*"),
        ("s3://odd/ab/1.jpg", "ImageObjects"),
        ("s3://mine2/1.jpg", "ImageObjects"),
    ],
)
def test_anything_else_is_rejected_with_the_reason(uri: str, reason: str) -> None:
    assert reason in RULE.problem(uri)
    line = LineReader(settings(), RULE).read(0, b'{"source-ref": "%b"}' % uri.encode())
    assert isinstance(line, Rejected)
    assert reason in line.reason


def test_a_project_of_an_upload_folders_name_has_not_all_uploads() -> None:
    rule = SourceRule("inbox", "images/", "labels", ())
    assert "another project's folder" in rule.problem("s3://inbox/images/cars/1.jpg")
    assert rule.problem("s3://inbox/images/images/1.jpg") == ""


def test_a_line_that_is_labeled_already_passes_through_whatever_it_names() -> None:
    line = b'{"source-ref":"s3://other/1.jpg","label":0,"label-metadata":{"class-name":"cat"}}'
    assert not isinstance(LineReader(settings(), RULE).read(0, line), Rejected)


PRACTICE = ("s3://inbox/pets/practice/cat/1.jpg", 's3://inbox/pets/ä "b".jpg')


@pytest.mark.parametrize("uri", PRACTICE)
def test_a_practice_picture_is_not_asked_and_its_line_says_so(uri: str) -> None:
    rule = msgspec.structs.replace(RULE, practice=PRACTICE)
    line = LineReader(settings(), rule).read(0, json.dumps({"source-ref": uri}).encode())
    assert isinstance(line, Rejected)
    assert "a practice picture, whose label every worker is told; take this line" in line.reason
    assert rule.problem(uri) == ""  # the practice page and the instructions may show it


def test_the_rule_of_a_run_without_practice_is_written_as_before() -> None:
    assert b"practice" not in msgspec.json.encode(RULE)


BUCKETS = st.sampled_from(["inbox", "labels", "mine", "half", "odd", "other"])
PARTS = st.sampled_from(["pets", "cars", "images", "..", ".", "1.jpg", "s3:", "inbox"])
KEYS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@given(
    uris=st.lists(st.builds("s3://{}/{}".format, BUCKETS, KEYS), min_size=1, max_size=8)
    | st.lists(KEYS.map("s3://inbox/pets/{}".format), min_size=1, max_size=8)
    | st.lists(st.sampled_from([*PRACTICE, "s3://inbox/pets/1.jpg"]), min_size=1, max_size=8),
    rule=st.sampled_from(
        [
            RULE,
            SourceRule("inbox", "", "labels", None),
            SourceRule("inbox", "pets/", "labels", ()),
            SourceRule("inbox", "pets/", "labels", (), PRACTICE),
        ]
    ),
    ascii_only=st.booleans(),
    more=st.sampled_from(["", ', "prelabel": "cat"']),
)
def test_every_way_of_reading_a_block_rejects_the_same_lines(
    uris: list[str], rule: SourceRule, ascii_only: bool, more: str
) -> None:
    names = [json.dumps(uri, ensure_ascii=ascii_only) for uri in uris]
    lines = [f'{{"source-ref": {name}{more}}}'.encode() for name in names]
    rejected: list[Rejected] = []
    parser = BlockParser(settings(repeats="each"), frozenset(), rejected.append, rule=rule)
    batch = parser.parse(b"\n".join(lines) + b"\n")
    one_by_one = [LineReader(settings(), rule).read(n, line) for n, line in enumerate(lines)]
    assert batch.indexes.tolist() == [line.index for line in one_by_one if isinstance(line, Image)]
    assert rejected == [line for line in one_by_one if isinstance(line, Rejected)]


def test_where_one_bucket_is_inbox_and_labels_its_runs_are_no_pictures() -> None:
    rule = SourceRule("both", "pets/", "both", ())
    assert rule.problem("s3://both/pets/1.jpg") == ""
    assert "whose files are no pictures" in rule.problem("s3://both/runs/pets/report.html")
    assert "another project's folder" in rule.problem("s3://both/cars/1.jpg")
    root = SourceRule("both", "", "both", ())
    assert "whose files are no pictures" in root.problem("s3://both/runs/pets/report.html")


def test_the_way_out_is_in_the_partition_of_the_stack() -> None:
    rule = SourceRule("inbox", "pets/", "labels", (), partition="aws-us-gov")
    assert "ImageObjects=arn:aws-us-gov:s3:::other/* added" in rule.problem("s3://other/1.jpg")

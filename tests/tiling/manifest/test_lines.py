"""Lines that nobody should send: each gets a reason, none a traceback or a hang."""

import pytest

import tessera.tiling.manifest.lines as lines_module
from tessera.tiling.errors import NoUsableLine
from tessera.tiling.manifest.lines import Image, Rejected, read_manifest
from tessera.tiling.settings import read_settings
from tests.tiling.folder import grouped, manifest, settings

GOOD = manifest(20)

DEEP = b'{"source-ref": "s3://pets/1", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "the line is empty"),
        (b"  \t", "the line is empty"),
        (b"oops", "not JSON: "),
        (b'{"source-ref": "s3://pets/1"', "not JSON: "),
        (b'{"source-ref": "s3://pets/1"} x', "not JSON: "),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"s3://pets/1"', "not a JSON object"),
        (b"{}", "no source-ref"),
        (b'{"source": "s3://pets/1"}', "no source-ref"),
        (b'{"source-ref": null}', "source-ref: expected `str`, got `null`"),
        (b'{"source-ref": "pets/1.jpg"}', "source-ref: not an S3 URI such as s3://bucket/key"),
        (b'{"source-ref": "https://pets/1"}', "source-ref: not an S3 URI"),
        (b'{"source-ref": "s3://pets"}', "source-ref: not an S3 URI"),
        (b'{"source-ref": "s3://%b/1"}' % (b"p" * 256), "source-ref: the bucket's name is longer"),
        (b'{"source-ref": "s3://<bucket>/1"}', "source-ref: S3 has no bucket named '<bucket>'"),
        (b'{"source-ref": "arn:aws:s3:::pets/1"}', "source-ref: an ARN; write s3://bucket/key"),
        (
            b'{"source-ref": "s3://arn:aws:s3:us-east-1:1:accesspoint/pets/1"}',
            "source-ref: the ARN of an access point",
        ),
        (
            b'{"source-ref": "s3://pets/%b"}' % (b"k" * 1025),
            "source-ref: the key is longer than 1024",
        ),
        (b'{"source-ref": "s3://pets/1", "label": null}', "label: null is no label"),
        (b'{"source-ref": "s3://pets/1", "prelabel": "cow"}', "prelabel: 'cow' is none of the"),
        (b'{"source-ref": "s3://pets/1", "gold": "cow"}', "gold: 'cow' is none of the labels"),
        (b'{"source-ref": "s3://pets/1", "gold": 1}', "gold: expected `str | null`, got `int`"),
        (
            b'{"source-ref": "s3://pets/1", "prelabel-confidence": 2}',
            "prelabel-confidence: expected `float` <= 1.0",
        ),
        (b'{"source-ref": "s3://pets/\0"}', "holds a NUL"),
        (b'{"source-ref": "s3://pets/\\ud800"}', "not JSON: "),
        (b'{"source-ref": "s3://pets/1", "x": "\\udfff"}', "not JSON: "),
        (b'{"source-ref": "s3://pets/1", "x": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"source-ref": "s3://pets/1", "x": "\xff"}', "not UTF-8"),
        (DEEP, "nested too deep"),
        (b'{"x": "' + b"y" * 100_000 + b'"}', "longer than 100,000 characters"),
        (b"\xff" * 500_000, "longer than 100,000 characters"),
        (b'{"source-ref": "s3://pets/1", "x": NaN}', "not JSON: "),
        (b'{"source-ref": "s3://pets/1"}{"source-ref": "s3://pets/2"}', "not JSON: "),
    ],
)
def test_a_bad_line_among_good_ones_has_its_reason(line: bytes, reason: str) -> None:
    summary, folder = grouped(GOOD + line + b"\n" + GOOD, settings(repeats="each"))
    assert (summary.lines, summary.images, summary.rejected) == (41, 40, 1)
    (bad,) = folder.rejected()
    assert bad["line"] == 21
    assert bad["reason"].startswith(reason)
    assert len(bad["content"]) <= 4_004


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_manifest_in_another_encoding_is_refused_with_the_reason(encoding: str) -> None:
    with pytest.raises(NoUsableLine, match=r"UTF-16|not UTF-8|NUL"):
        grouped(GOOD.decode().encode(encoding), settings())


def test_a_reader_of_whole_lines_sees_the_long_one_as_the_grouping_does() -> None:
    (line,) = read_manifest([b"x" * 1_000_000], settings())
    assert line == Rejected(0, "longer than 100,000 characters", "x" * 1000 + "…")


def test_a_fault_of_ours_in_one_line_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check = lines_module.check_source

    def faulty(uri: str) -> None:
        check(uri)
        if uri.endswith("/1.jpg"):
            raise ZeroDivisionError("a fault")

    monkeypatch.setattr(lines_module, "check_source", faulty)
    manifest = [b'{"source-ref": "s3://pets/%d.jpg"}' % number for number in range(3)]
    first, faulted, last = read_manifest(manifest, read_settings(b'{"labels": ["a", "b"]}'))
    assert isinstance(first, Image)
    assert isinstance(last, Image)
    assert isinstance(faulted, Rejected)
    assert faulted.reason == "cannot be read, by a fault: ZeroDivisionError('a fault')"

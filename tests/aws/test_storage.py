"""S3 as files: one set of promises, kept in memory and in S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tessera.aws import storage as aws_storage
from tessera.aws.connection import connect
from tessera.aws.storage import Storage, is_missing, split_uri
from tests.examples import examples
from tests.fakes import Files

HOME = "s3://labels/runs/pets/"
ABSENT = f"{HOME}absent"


@pytest.fixture(params=["in memory", pytest.param("in S3", marks=pytest.mark.thorough)])
def files(request: pytest.FixtureRequest) -> Iterator[Storage]:
    """An empty bucket."""
    if request.param == "in memory":
        yield Files()
        return
    with mock_aws():
        connection = connect()
        connection.client("s3").create_bucket(Bucket="labels")
        yield connection.storage


def test_what_was_put_is_there_whole_in_part_and_with_its_size(files: Storage) -> None:
    files.put(f"{HOME}a b+1%.txt", b"0123456789", content_type="text/plain")
    assert files.get(f"{HOME}a b+1%.txt") == b"0123456789"
    assert files.get_range(f"{HOME}a b+1%.txt", 2, 5) == b"234"
    assert files.get_range(f"{HOME}a b+1%.txt", 8, 99) == b"89"
    assert files.get_up_to(f"{HOME}a b+1%.txt", 4) == b"0123"
    assert files.get_up_to(f"{HOME}a b+1%.txt", 99) == b"0123456789"
    assert files.size(f"{HOME}a b+1%.txt") == 10
    assert files.exists(f"{HOME}a b+1%.txt")


def test_what_is_absent_has_no_size_and_is_said_to_be_missing(files: Storage) -> None:
    assert files.size(ABSENT) is None
    assert not files.exists(ABSENT)
    assert files.get_up_to(ABSENT, 9) is None
    for read in (files.get, files.get_with_etag, lambda uri: list(files.iter_lines(uri))):
        with pytest.raises(ClientError) as missing:
            read(ABSENT)
        assert is_missing(missing.value)
    with pytest.raises(KeyError, match="my own"):
        list(files.iter_chunks(ABSENT, if_missing=KeyError("my own")))


def test_an_etag_is_of_the_content_and_none_where_there_is_no_object(files: Storage) -> None:
    files.put(f"{HOME}one", b"1")
    files.put(f"{HOME}alike", b"1")
    files.put(f"{HOME}other", b"2")
    one, alike, other = (files.etag(HOME + name) for name in ("one", "alike", "other"))
    assert one == alike != other
    assert one == files.get_with_etag(f"{HOME}one")[1]
    assert files.etag(ABSENT) is None
    assert files.etag("s3://no such bucket/1.png") is None


@pytest.mark.thorough
def test_an_etag_is_the_md5_of_what_was_put_whole_without_a_key_of_kms() -> None:
    with mock_aws():
        connection = connect()
        s3, files = connection.client("s3"), connection.storage
        s3.create_bucket(Bucket="labels")
        files.put("s3://labels/whole", b"{}")
        s3.put_object(Bucket="labels", Key="kms", Body=b"{}", ServerSideEncryption="aws:kms")
        with files.writer("s3://labels/parts") as file:
            file.write(bytes(aws_storage.CHUNK))
            file.write(b"{}")
        names = ("whole", "kms", "parts", "absent")
        assert [files.is_etag_md5(f"s3://labels/{name}") for name in names] == [
            True, False, False, True,
        ]  # fmt: skip


def test_an_object_that_was_put_after_a_time_has_no_etag_of_then(files: Storage) -> None:
    files.put(f"{HOME}one", b"1")
    (put,) = (entry.modified.timestamp() for entry in files.list_objects(f"{HOME}one"))
    assert files.etag(f"{HOME}one", by=put + 1) == files.etag(f"{HOME}one")
    assert files.etag(f"{HOME}one", by=put - 1) == ""
    assert files.etag(ABSENT, by=put) is None


def test_a_head_is_size_and_media_type_or_the_status_of_a_refusal(files: Storage) -> None:
    files.put(f"{HOME}a.png", b"123", content_type="image/png")
    assert files.head(f"{HOME}a.png") == (3, "image/png")
    assert files.head(f"{HOME}a.png", requester_pays=True) == (3, "image/png")
    assert files.head(ABSENT) == 404


def test_a_bucket_exists_or_not(files: Storage) -> None:
    if isinstance(files, Files):
        files.absent_buckets.add("no-such-bucket")
    assert files.bucket_exists("labels")
    assert not files.bucket_exists("no-such-bucket")


def test_a_range_behind_the_end_is_refused_but_not_missing(files: Storage) -> None:
    files.put(f"{HOME}short", b"12")
    with pytest.raises(ClientError, match="InvalidRange") as refused:
        files.get_range(f"{HOME}short", 2, 4)
    assert not is_missing(refused.value)


def test_an_empty_object_is_an_object(files: Storage) -> None:
    files.put(f"{HOME}empty", b"")
    assert (files.get(f"{HOME}empty"), files.size(f"{HOME}empty")) == (b"", 0)
    assert files.get_up_to(f"{HOME}empty", 9) == b""
    assert list(files.iter_chunks(f"{HOME}empty")) == []
    assert list(files.iter_lines(f"{HOME}empty")) == []


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.lists(st.sampled_from([b"", b"a", b"bc" * 9, b"\r"])).map(b"\n".join))
def test_lines_and_chunks_are_the_object_in_order(files: Storage, content: bytes) -> None:
    files.put(f"{HOME}lines", content)
    assert b"".join(files.iter_chunks(f"{HOME}lines")) == content
    lines = content.split(b"\n")
    assert list(files.iter_lines(f"{HOME}lines")) == (lines if lines[-1] else lines[:-1])


def test_an_object_is_put_once_if_it_must_be_absent(files: Storage) -> None:
    assert files.put_if_absent(f"{HOME}once", b"first")
    assert not files.put_if_absent(f"{HOME}once", b"second")
    assert files.get(f"{HOME}once") == b"first"


def test_an_object_is_replaced_only_as_it_was_read(files: Storage) -> None:
    files.put(f"{HOME}run.json", b"one")
    content, etag = files.get_with_etag(f"{HOME}run.json")
    assert content == b"one"
    assert files.put_if_match(f"{HOME}run.json", b"two", etag)
    assert not files.put_if_match(f"{HOME}run.json", b"three", etag)
    assert files.get(f"{HOME}run.json") == b"two"


def test_a_deleted_object_is_gone_and_may_have_been_absent(files: Storage) -> None:
    files.put(f"{HOME}one", b"1")
    for _ in range(2):
        files.delete(f"{HOME}one")
        assert files.size(f"{HOME}one") is None
    assert files.put_if_absent(f"{HOME}one", b"2")


def test_listings_are_in_order_of_keys_and_tell_sizes_and_folders(files: Storage) -> None:
    for name in ("b/2.json", "a.json", "b/10.json", "c/d/e.json"):
        files.put(HOME + name, name.encode())
    files.put("s3://labels/runs/pets-2/a.json", b"another run's")
    names = [uri.removeprefix(HOME) for uri in files.list_uris(HOME)]
    assert names == ["a.json", "b/10.json", "b/2.json", "c/d/e.json"]
    assert list(files.list_uris(f"{HOME}b/1")) == [f"{HOME}b/10.json"]
    assert [entry.size for entry in files.list_objects(HOME)] == [6, 9, 8, 10]
    assert list(files.list_folders(HOME)) == [f"{HOME}b/", f"{HOME}c/"]
    assert list(files.list_folders("s3://labels/runs/")) == ["s3://labels/runs/pets-2/", HOME]
    assert list(files.list_uris(ABSENT)) == []


def test_what_was_put_later_is_not_older(files: Storage) -> None:
    for name in ("one", "two"):
        files.put(HOME + name, b"")
    one, two = files.list_objects(HOME)
    assert one.modified <= two.modified
    assert one.modified.tzinfo is not None


def test_a_writer_s_object_appears_when_its_block_ends_well(files: Storage) -> None:
    with files.writer(f"{HOME}written", content_type="text/csv") as file:
        file.write(b"one,")
        assert not files.exists(f"{HOME}written")
        file.write(b"two")
    assert files.get(f"{HOME}written") == b"one,two"


def test_a_writer_s_object_never_appears_when_its_block_fails(files: Storage) -> None:
    def write_half() -> None:
        with files.writer(f"{HOME}failed") as file:
            file.write(b"half of it")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert not files.exists(f"{HOME}failed")


def test_a_writer_replaces_an_object_at_its_end(files: Storage) -> None:
    files.put(f"{HOME}twice", b"before")
    with files.writer(f"{HOME}twice") as file:
        file.write(b"after")
        assert files.get(f"{HOME}twice") == b"before"
    assert files.get(f"{HOME}twice") == b"after"


def test_files_go_up_and_come_down_as_they_are(files: Storage, tmp_path: Path) -> None:
    (tmp_path / "up.png").write_bytes(bytes(range(256)))
    files.upload(tmp_path / "up.png", f"{HOME}up.png", content_type="image/png")
    files.download(f"{HOME}up.png", tmp_path / "down.png")
    assert (tmp_path / "down.png").read_bytes() == bytes(range(256))


def test_a_presigned_address_names_the_object_and_ends(files: Storage) -> None:
    address = files.presign("s3://labels/pets/1.jpg", 60)
    assert address.startswith("https://")
    assert "/pets/1.jpg?" in address


@pytest.mark.parametrize("uri", ["", "pets/1.jpg", "https://pets/1.jpg", "s3://", "s3:///1.jpg"])
def test_what_is_no_address_in_s3_is_refused(files: Storage, uri: str) -> None:
    for use in (files.get, files.size, lambda uri: files.put(uri, b""), split_uri):
        with pytest.raises(ValueError, match="is not an S3 URI"):
            use(uri)


@pytest.mark.thorough
@pytest.mark.parametrize("kept", [True, False])
def test_an_object_of_many_parts_is_whole_or_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    part = 5 * 1024 * 1024  # the least that S3 takes
    monkeypatch.setattr(aws_storage, "CHUNK", part)
    pieces = [bytes([number]) * (part // 2 + 1) for number in range(7)]
    with mock_aws():
        connection = connect()
        client, files = connection.client("s3"), connection.storage
        client.create_bucket(Bucket="labels")
        with suppress(ZeroDivisionError), files.writer(f"{HOME}large") as file:
            for piece in pieces:
                file.write(piece)
            if not kept:
                raise ZeroDivisionError
        assert "Uploads" not in client.list_multipart_uploads(Bucket="labels")
        assert files.exists(f"{HOME}large") == kept
        if kept:
            assert files.get(f"{HOME}large") == b"".join(pieces)

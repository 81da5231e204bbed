"""A run's record: one execution owns the run, however many come."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.errors import LabelsMissing, ManifestUnreadable, SettingsInvalid
from tessera.tiling.run.jobs import run_id
from tessera.tiling.run.run_record import (
    ALIVE,
    BROKEN,
    REFUSED_JOBS,
    WORKING,
    AskedRound,
    RunRecord,
    begin_record,
    claim_run,
    decode_record,
    find_settings,
    manifest_uri,
    note_end,
    project_of,
    read_manifest_bytes,
    settings_of,
    with_content_etag,
    with_version,
)
from tessera.tiling.settings import read_settings
from tests.fakes import Files

URI = "s3://labels/runs/pets/run.json"
SETTINGS = read_settings(b'{"labels": ["cat", "dog"]}')
MANIFEST: dict[str, Any] = {"bucket": "inbox", "key": "pets/may.manifest", "etag": "9"}


def record(execution: str) -> RunRecord:
    return begin_record(MANIFEST, SETTINGS, execution)


def always(status: str) -> Callable[[str], str]:
    return lambda execution: status


def unasked(execution: str) -> str:
    raise AssertionError(f"nobody has to know how {execution} is")


def test_the_first_execution_owns_the_run() -> None:
    files = Files()
    assert claim_run(files, URI, record("first"), unasked) == "first"
    assert files.get(URI) == msgspec.json.encode(record("first"))


def test_an_execution_that_comes_again_finds_itself_and_writes_nothing() -> None:
    files = Files()
    claim_run(files, URI, record("first"), unasked)
    later = record("first").with_round(AskedRound(1, 1, 3, 45))
    files.put(URI, msgspec.json.encode(later))
    assert claim_run(files, URI, record("first"), unasked) == "first"
    assert files.get(URI) == msgspec.json.encode(later)


@pytest.mark.parametrize("status", [*sorted(ALIVE), "FAILED", "ABORTED", "TIMED_OUT", "GONE"])
def test_an_owner_keeps_the_run_as_long_as_it_is_alive(status: str) -> None:
    files = Files()
    claim_run(files, URI, record("first"), unasked)
    owner = claim_run(files, URI, record("second"), always(status))
    assert owner == ("first" if status in ALIVE else "second")
    assert decode_record(files.get(URI)).execution == owner


STATUSES = [*sorted(ALIVE), "FAILED", "ABORTED", "TIMED_OUT", "GONE"]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("job", ["Completed", "Stopped", "Failed"])
def test_a_run_that_is_done_is_begun_again_only_if_its_execution_broke_off_after_that(
    job: str, status: str
) -> None:
    files = Files()
    claim_run(files, URI, record("first"), unasked)
    note_end(files, URI, "first", [{"name": "pets-r1-000", "status": job}])
    ended = files.get(URI)
    owner = claim_run(files, URI, record("second"), always(status))
    assert owner == ("second" if status in BROKEN else "first")
    assert (files.get(URI) == ended) == (owner == "first")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("job", sorted(REFUSED_JOBS))
def test_a_run_of_which_a_service_refused_a_part_is_gone_on_with_by_the_next_drop(
    job: str, status: str
) -> None:
    files = Files()
    claim_run(files, URI, record("first"), unasked)
    jobs = [{"name": "pets-r1-000", "status": "Completed"}, {"name": "pets-r1-001", "status": job}]
    note_end(files, URI, "first", jobs)
    owner = claim_run(files, URI, record("second"), always(status))
    assert owner == ("first" if status in WORKING else "second")
    if owner == "second":  # it ends whole this time, and is left alone from then on
        note_end(files, URI, "second", [jobs[0], jobs[0]])
        assert claim_run(files, URI, record("third"), always("GONE")) == "second"


def test_an_execution_that_lost_its_run_notes_no_end() -> None:
    files = Files()
    claim_run(files, URI, record("first"), unasked)
    claim_run(files, URI, record("second"), always("FAILED"))
    before = files.get(URI)
    note_end(files, URI, "first", [])
    assert files.get(URI) == before


def test_of_two_that_take_over_at_the_same_moment_one_goes_on() -> None:
    files = Files()
    claim_run(files, URI, record("dead"), unasked)

    def status_while_another_takes_over(execution: str) -> str:
        assert claim_run(files, URI, record("faster"), always("FAILED")) == "faster"
        return "FAILED"

    assert claim_run(files, URI, record("slower"), status_while_another_takes_over) == "faster"
    assert decode_record(files.get(URI)).execution == "faster"


@pytest.mark.parametrize("owners", [["first"], ["first", "second"], ["a", "b", "c", "d"]])
def test_a_run_remembers_every_execution_that_owned_it(owners: list[str]) -> None:
    files = Files()
    for owner in owners:
        claim_run(files, URI, record(owner), always("FAILED"))
    stored = decode_record(files.get(URI))
    assert stored.execution == owners[-1]
    assert list(stored.taken_from or ()) == owners[:-1]


def test_a_round_that_is_asked_again_is_noted_once() -> None:
    first, second, third = (AskedRound(n, 1, 10 - n, 100 - n) for n in (1, 2, 3))
    noted = record("first").with_round(first).with_round(second).with_round(second)
    assert noted.with_round(third).rounds == [first, second, third]
    assert noted.with_round(first).rounds == [first]  # all begins again from there


def test_the_record_has_the_keys_in_their_order_and_the_settings_it_began_with() -> None:
    document = msgspec.json.encode(record("first"))
    keys = ["run", "execution", "manifest", "settings", "rounds", "counts", "pictures", "rules"]
    assert list(msgspec.json.decode(document)) == keys
    assert settings_of(decode_record(document)) == SETTINGS
    assert decode_record(document).manifest == MANIFEST


@pytest.mark.parametrize(
    ("key", "uri"),
    [("may.manifest", "s3://inbox/labeling.json"), ("a/b/may", "s3://inbox/a/b/labeling.json")],
)
def test_settings_are_those_beside_the_manifest(key: str, uri: str) -> None:
    files = Files()
    files.put(uri, b'{"labels": ["owl", "wren"]}')
    settings = find_settings(files, MANIFEST | {"key": key}, '{"labels": ["a", "b"]}')
    assert settings.labels == ("owl", "wren")


def test_without_any_beside_it_the_default_settings_hold() -> None:
    assert find_settings(Files(), MANIFEST, '{"labels": ["a", "b"]}').labels == ("a", "b")
    with pytest.raises(LabelsMissing, match=r"there is no s3://inbox/pets/labeling\.json"):
        find_settings(Files(), MANIFEST, " ")


def test_settings_of_any_size_are_refused_by_their_first_bytes() -> None:
    files = Files()
    files.put("s3://inbox/pets/labeling.json", b" " * 3_000_000)
    with pytest.raises(SettingsInvalid, match="longer than 1,000,000 bytes"):
        find_settings(files, MANIFEST, "")


def test_a_manifest_that_is_gone_is_unreadable() -> None:
    files = Files()
    files.put("s3://inbox/pets/may.manifest", b"{}\n")
    assert b"".join(read_manifest_bytes(files, MANIFEST)) == b"{}\n"
    with pytest.raises(ManifestUnreadable, match=r"s3://inbox/pets/may\.manifest is gone"):
        list(read_manifest_bytes(files, MANIFEST | {"version-id": "7"}))


def test_a_manifests_folder_is_its_project() -> None:
    assert manifest_uri(MANIFEST) == "s3://inbox/pets/may.manifest"
    assert project_of(MANIFEST) == "pets"
    assert project_of({"bucket": "inbox", "key": "may.manifest"}) == "none"


@pytest.mark.parametrize("of_event", [{}, {"version-id": ""}, {"version-id": "first"}])
def test_a_run_reads_the_version_of_its_manifest_that_was_there_when_it_began(
    of_event: dict[str, str],
) -> None:
    files, uri = Files(), "s3://inbox/pets/may.manifest"
    files.put(uri, b"one\n")
    manifest = {"bucket": "inbox", "key": "pets/may.manifest", "etag": "9", **of_event}
    assert with_version(files, manifest).get("version-id", "") == of_event.get("version-id", "")
    files.versions[uri, "first"] = b"one\n"
    pinned = with_version(files, manifest)
    assert pinned == {**manifest, "version-id": "first"}
    files.versions[uri, "second"] = b"another\n"  # in its place
    assert b"".join(read_manifest_bytes(files, pinned)) == b"one\n"


RUNS = "s3://labels/runs/"


def drop(files: Files, content: bytes, way: str, number: int) -> dict[str, Any]:
    """Put a manifest in one of S3's ways; what its event says, with the ETag of that way."""
    files.put("s3://inbox/pets/may.manifest", content)
    files.other_etags = way != "whole"
    etag = md5(content).hexdigest()
    if way == "encrypted by KMS":
        etag = md5(content + bytes([number])).hexdigest()  # another one each time
    elif way == "in parts":
        etag = f"{md5(etag.encode()).hexdigest()}-{number + 1}"  # another one by their size
    return MANIFEST | {"etag": etag}


@given(
    st.lists(st.binary(max_size=20), min_size=1, max_size=2),
    st.lists(st.sampled_from(["whole", "in parts", "encrypted by KMS"]), min_size=2, max_size=4),
)
def test_the_same_bytes_are_the_same_run_in_whatever_way_they_were_put(
    contents: list[bytes], ways: list[str]
) -> None:
    files = Files()
    names = {
        run_id(
            with_content_etag(files, drop(files, content, way, number), SETTINGS, RUNS), SETTINGS
        )
        for content in contents
        for number, way in enumerate(ways)
    }
    assert len(names) == len(set(contents))
    plain = MANIFEST | {"etag": md5(contents[0]).hexdigest()}
    assert run_id(plain, SETTINGS) in names  # the name that it has always had


def test_a_run_that_began_under_an_etag_of_its_own_keeps_its_name() -> None:
    files = Files()
    dropped = drop(files, b"{}\n", "in parts", 3)
    old = run_id(dropped, SETTINGS)
    assert run_id(with_content_etag(files, dropped, SETTINGS, RUNS), SETTINGS) != old
    files.put(f"{RUNS}{old}/run.json", b"{}")
    assert with_content_etag(files, dropped, SETTINGS, RUNS) == dropped


def test_a_manifest_that_is_gone_before_its_content_is_read_says_so() -> None:
    files = Files()
    dropped = drop(files, b"{}\n", "in parts", 3)
    with pytest.raises(ManifestUnreadable, match="drop it again"):
        with_content_etag(files, dropped | {"version-id": "gone"}, SETTINGS, RUNS)

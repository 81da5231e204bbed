"""Pictures signed by another role: how long its sessions last, and when a new one is needed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.aws import pictures
from tessera.aws.connection import Connection
from tessera.aws.pictures import LEAST_SECONDS, SESSION_SECONDS, RoleStorage
from tests.fakes import Clock

ROLE = "arn:aws:iam::123456789012:role/pictures"


class Sessions(Connection):
    """Connection whose Security Token Service gives out sessions, each with keys of its own."""

    def client(self, service: str) -> Any:
        """Return STS, or S3's real client with this connection's keys."""
        if service == "sts":
            return SimpleNamespace(assume_role=self._assume_role)
        return super().client(service)

    def _assume_role(self, **request: Any) -> dict[str, Any]:
        assert request["RoleArn"] == ROLE
        assert request["DurationSeconds"] == SESSION_SECONDS
        number = len(self._clients.setdefault("sessions", []))
        self._clients["sessions"].append(number)
        keys = {"AccessKeyId": f"KEY{number}", "SecretAccessKey": "s", "SessionToken": "token"}
        return {"Credentials": keys}


def session_of(address: str) -> str:
    """Which session an address was signed by."""
    return address.partition("KEY")[2].partition("%2F")[0]


@pytest.mark.thorough
@given(
    leases=st.lists(
        st.tuples(st.integers(0, 4000), st.sampled_from([60, 1800, 3000, 3600, 28_800])),
        min_size=1,
        max_size=8,
    )
)
def test_an_address_lives_as_long_as_its_lease_or_most_of_an_hour(
    leases: list[tuple[int, int]],
) -> None:
    clock = Clock()
    connection = Sessions("http://aws.test", "eu-west-1", ("own", "secret"))
    storage = RoleStorage(connection, ROLE, clock)
    begun: dict[str, float] = {}
    for waited, seconds in leases:
        clock.wait(waited)
        address = storage.presign("s3://inbox/pets/1.jpg", seconds)
        session = session_of(address)
        assert session
        begun.setdefault(session, clock.now)
        left = begun[session] + SESSION_SECONDS - clock.now
        assert left >= min(seconds, SESSION_SECONDS - LEAST_SECONDS)


def test_one_session_signs_a_page_of_pictures_and_the_pages_after_it() -> None:
    connection = Sessions("http://aws.test", "eu-west-1", ("own", "secret"))
    storage = RoleStorage(connection, ROLE, Clock())
    addresses = {storage.presign(f"s3://inbox/pets/{n}.jpg", 1800) for n in range(40)}
    assert {session_of(address) for address in addresses} == {"0"}
    assert all("X-Amz-Security-Token=token" in address for address in addresses)


def test_what_is_no_picture_is_read_by_the_portals_own_role(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def assume(storage: RoleStorage) -> Any:
        raise AssertionError("the role is for pictures alone")

    monkeypatch.setattr(pictures.RoleStorage, "_assume", assume)
    connection = Sessions("http://aws.test", "eu-west-1", ("own", "secret"))
    storage = RoleStorage(connection, ROLE, Clock())
    assert storage._client() is connection.client("s3")

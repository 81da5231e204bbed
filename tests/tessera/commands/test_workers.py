"""Accounts are made for addresses that people can sign in with."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import click
import msgspec
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.workers import (
    add_workers,
    forget_worker,
    list_workers,
    requalify_worker,
)
from tessera.portal.table_layout import put_standing, read_standing
from tessera.runs.forgetting import forget_standings
from tessera.stack.accounts import check_emails
from tessera.tiling.onboarding.qualification import (
    Attempt,
    Standing,
    attempt_uri,
    read_standings,
    records_uri,
)
from tessera.tiling.workers.worker_memory import (
    COPY_NAME,
    LabelList,
    Memory,
    WorkerCounts,
    decode_memory,
)
from tests.portal.world import World
from tests.tessera.conftest import FakeCloud, Place


@given(st.lists(st.emails(domains=st.just("example.org") | st.just("mail.example.co.uk"))))
def test_addresses_that_browsers_take_are_taken(emails: list[str]) -> None:
    check_emails([email for email in emails if '"' not in email])


@pytest.mark.parametrize(
    "email",
    ["notanemail", "ann@", "@example.org", "ann@studio", "ann @example.org", "ann@example.org,", "",
     "ann@example..org", "ann@-a.org", "ann@example.org\n"],
)  # fmt: skip
def test_what_is_no_address_is_refused_before_any_account_is_made(email: str) -> None:
    with pytest.raises(click.UsageError, match="no email address"):
        check_emails(["ben@example.org", email])


def test_the_command_refuses_it_with_an_example() -> None:
    # Without a stack: the address is looked at first.
    with pytest.raises(click.UsageError, match=r"like ann@example\.org"):
        add_workers.main(["notanemail"], standalone_mode=False)


def test_what_a_worker_came_to_is_forgotten_in_one_project_or_in_all() -> None:
    world, home = World(), "s3://labels/runs/pets-1/"
    pets, cars = records_uri(home, "pets"), records_uri(home, "cars")
    for records, worker in ((pets, "ann"), (cars, "ann"), (pets, "ben")):
        standing = Standing(1, 1, 9, 10, 1.0)
        world.files.put(attempt_uri(records, worker, 1), Attempt(1.0, 9, 10).encode())
        world.table.write(put_standing(records, worker, standing, None))
    forget = (world.ports, world.files, "labels", "private.us-east-1.ann")
    assert forget_standings(*forget, "pets") == [f"{pets}ann/001.json"]
    assert forget_standings(*forget, None) == [f"{cars}ann/001.json"]
    assert list(read_standings(world.files, pets)) == ["ben"]
    assert [read_standing(world.table, each, "ann") for each in (pets, cars)] == [None, None]
    assert read_standing(world.table, pets, "ben") is not None


class StaffedCloud(FakeCloud):
    """A stack where Ann has an account."""

    world = World()

    @property
    def users(self) -> Any:
        """Accounts of the portal: Ann's."""
        return SimpleNamespace(worker={"ann@example.org": "5f-a"}.get)

    @property
    def ports(self) -> Any:
        """Ports of the portal."""
        return self.world.ports


MEMORIES = ("s3://labels/projects/pets/", "s3://labels/runs/pets-1/")
REMEMBERED = ("private.eu-west-1.5f-a", "private.eu-west-1.5f-b")


def remembered(place: Place) -> list[set[str]]:
    files = place.cloud.aws.files
    return [decode_memory(files.get(f"{home}{COPY_NAME}")).names() for home in MEMORIES]


@pytest.mark.parametrize("named", ["ann@example.org", "5f-a", "private.eu-west-1.5f-a"])
def test_who_is_forgotten_is_forgotten_everywhere_however_they_are_named(
    place: Place, tessera: Callable[..., Result], named: str
) -> None:
    place.cloud = StaffedCloud()
    counts = WorkerCounts(2.0, 0.0, 0.0, [[1.0, 0.0], [0.0, 1.0]])
    memory = Memory(lists=[LabelList(["cat", "dog"], dict.fromkeys(REMEMBERED, counts))])
    for home in MEMORIES:
        place.cloud.aws.files.put(f"{home}{COPY_NAME}", msgspec.json.encode(memory))
    result = tessera(forget_worker, named)
    assert (result.exit_code, "in 2 places" in result.output) == (0, True)
    assert remembered(place) == [{REMEMBERED[1]}] * 2
    assert "Nothing is remembered" in tessera(forget_worker, named).output


def test_an_address_without_account_is_not_called_forgotten(
    place: Place, tessera: Callable[..., Result]
) -> None:
    place.cloud = StaffedCloud()
    result = tessera(forget_worker, "gone@example.org")
    assert result.exit_code == 1
    assert "only the name that its answers have" in result.output


def test_a_qualification_is_begun_anew_on_a_stack_with_the_template_s_outputs(
    place: Place, tessera: Callable[..., Result]
) -> None:
    place.cloud = StaffedCloud()
    result = tessera(requalify_worker, "ann@example.org", "--project", "pets")
    assert (result.exit_code, "not tried" in result.output) == (0, True)


def test_a_list_without_anybody_names_the_command_that_adds_them(tessera: Any) -> None:
    done = tessera(list_workers)
    assert done.stdout == ""
    assert "tessera workers add EMAIL" in done.stderr
    assert tessera(list_workers, "--json").stdout == "[]\n"

"""Accounts are made for addresses that people can sign in with."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.workers import add_workers, check_emails, forget_standings
from tessera.portal.table_layout import put_standing, read_standing
from tessera.tiling.onboarding.qualification import (
    Attempt,
    Standing,
    attempt_uri,
    read_standings,
    records_uri,
)
from tests.portal.world import World


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

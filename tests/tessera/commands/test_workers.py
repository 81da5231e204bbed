"""Accounts are made for addresses that people can sign in with."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.commands.workers import add_workers, check_emails


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

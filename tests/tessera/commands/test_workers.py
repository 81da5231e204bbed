"""Before a drop: are there enough people for what may be asked?"""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from tessera.commands.workers import too_few
from tessera.stack.cloud import Cloud
from tessera.tiling.settings import read_settings


class Pool:
    """A user pool with so many accounts, or one that the caller may not look into."""

    def __init__(self, accounts: int | None) -> None:
        self.accounts = accounts
        self.outputs = {"WorkerPoolId": "pool"}

    def client(self, service: str) -> Pool:
        assert service == "cognito-idp"
        return self

    def list_users(self, **page: Any) -> dict[str, Any]:
        if self.accounts is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListUsers")
        return {"Users": [{}] * min(self.accounts, page["Limit"])}


@pytest.mark.parametrize(
    ("accounts", "most", "told"),
    [
        (0, 2, "the portal has no accounts, and"),
        (1, 2, "the portal has 1 account, and an image may be asked of 2 people"),
        (2, 3, "the portal has 2 accounts, and an image may be asked of 3 people"),
        (3, 3, ""),
        (500, 3, ""),
        (None, 3, ""),
    ],
)
def test_a_drop_warns_of_fewer_people_than_an_image_may_be_asked_of(
    accounts: int | None, most: int, told: str
) -> None:
    settings = read_settings(
        json.dumps(
            {"labels": ["cat", "dog"], "answers_per_image": min(2, most), "max_answers": most}
        ).encode()
    )
    found = too_few(cast(Cloud, Pool(accounts)), settings)
    assert told in " ".join(found)
    assert bool(found) == bool(told)

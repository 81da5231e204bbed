"""Before a drop: are there enough people for what may be asked?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tessera.commands.workers import too_few_workers
from tessera.stack.cloud import Cloud
from tessera.tiling.settings import read_settings


class Pool(Cloud):
    """A stack whose user pool has so many accounts, or may not be looked into by the caller."""

    def __init__(self, accounts: int | None) -> None:
        super().__init__()
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
    ("accounts", "needed", "warning"),
    [
        (0, 2, "the portal has no accounts, but"),
        (1, 2, "the portal has 1 account, but an image may need answers from 2 workers"),
        (2, 3, "the portal has 2 accounts, but an image may need answers from 3 workers"),
        (3, 3, ""),
        (500, 3, ""),
        (None, 3, ""),
    ],
)
def test_a_drop_warns_of_fewer_accounts_than_an_image_may_need_workers(
    accounts: int | None, needed: int, warning: str
) -> None:
    settings = read_settings(
        json.dumps(
            {"labels": ["cat", "dog"], "answers_per_image": min(2, needed), "max_answers": needed}
        ).encode()
    )
    warnings = too_few_workers(Pool(accounts), settings)
    assert warning in " ".join(warnings)
    assert bool(warnings) == bool(warning)

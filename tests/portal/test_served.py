"""The portal as it is deployed: its tokens, its rights, its store failing, its server killed."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tessera.portal.rights import Rights
from tessera.portal.routes import ROUTES
from tessera.portal.sessions import end_sessions
from tessera.stack.local_stack import LocalStack, free_port
from tests.portal.served import Served, Worker, answer_of
from tests.portal.world import path_of

pytestmark = [pytest.mark.stack, pytest.mark.slow]

SIGNED_IN = [
    (route.method, path_of(route, job="tokens").removeprefix("/"))
    for route in ROUTES
    if route.rights is not Rights.PUBLIC
]


@pytest.fixture(scope="module")
def served(stack: LocalStack) -> Served:
    served = Served(stack.cloud)
    served.draw_pictures()
    return served


def part(value: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def read(token: str, number: int) -> dict[str, Any]:
    """What a part of a token says."""
    text = token.split(".")[number]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return claims


def signed_by_the_pool(stack: LocalStack, token: str, **claims: Any) -> str:
    """The token with other claims, signed with the pool's own key."""
    pool = stack.cloud.outputs["WorkerPoolId"]
    path = stack.home / "state" / "cognito-pool-keys" / f"{pool}-id.pem"
    key: Any = serialization.load_pem_private_key(path.read_bytes(), password=None)
    text = f"{token.split('.')[0]}.{part(read(token, 1) | claims)}"
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def token_of_another_pool(served: Served) -> str:
    """A good token, of a pool that is not the portal's."""
    users = served.cloud.client("cognito-idp")
    pool = users.create_user_pool(PoolName="another")["UserPool"]["Id"]
    client = users.create_user_pool_client(
        UserPoolId=pool, ClientName="another", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    name = {"UserPoolId": pool, "Username": "ann@example.org"}
    users.admin_create_user(**name, MessageAction="SUPPRESS")
    users.admin_set_user_password(**name, Password="Long-enough-1", Permanent=True)
    result = users.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=client,
        AuthParameters={"USERNAME": "ann@example.org", "PASSWORD": "Long-enough-1"},
    )
    return str(result["AuthenticationResult"]["IdToken"])


def test_no_token_and_no_false_token_opens_any_route(served: Served, stack: LocalStack) -> None:
    served.open("tokens", tasks=2)
    good = served.worker("tokens").token
    head, _, signature = good.split(".")
    claims = read(good, 1)
    false = {
        "none": "",
        "garbage": "garbage",
        "three parts of garbage": "a.b.c",
        "another worker's name": f"{head}.{part(claims | {'sub': 'somebody'})}.{signature}",
        "a group more": f"{head}.{part(claims | {'cognito:groups': ['requesters']})}.{signature}",
        "a later end": f"{head}.{part(claims | {'exp': claims['exp'] + 1})}.{signature}",
        "no signature": f"{head}.{part(claims)}.",
        "no algorithm": f"{part({'alg': 'none', 'kid': read(good, 0)['kid']})}.{part(claims)}.",
        "expired": signed_by_the_pool(stack, good, exp=int(time.time()) - 1),
        "of another pool": token_of_another_pool(served),
        "in another pool's name": signed_by_the_pool(stack, good, iss=claims["iss"] + "x"),
        "for another client": signed_by_the_pool(stack, good, aud="another", client_id="another"),
        "not yet": signed_by_the_pool(stack, good, nbf=int(time.time()) + 600),
    }
    assert (
        Worker(served.cloud.portal_url, signed_by_the_pool(stack, good)).ask("GET", "me")[0] == 200
    )
    refused = {
        (what, path): Worker(served.cloud.portal_url, token).ask(method, path)[0]
        for what, token in false.items()
        for method, path in (SIGNED_IN if what == "none" else SIGNED_IN[:2])
    }
    assert set(refused.values()) == {401}, refused


def test_an_access_token_opens_the_portal_as_an_id_token_does(served: Served) -> None:
    account = served.account("access")
    by_access = served.sign_in(account, "AccessToken").ask("GET", "me")[1]
    assert by_access["worker"] == served.sign_in(account).ask("GET", "me")[1]["worker"]


def test_the_pages_need_no_token_and_name_the_sign_in(served: Served) -> None:
    visitor = Worker(served.cloud.portal_url, "")
    status, page = visitor.ask("GET", "")
    assert status == 200
    assert served.cloud.outputs["WorkerPoolClientId"] in page
    assert served.cloud.cognito_url in page
    for path in ("assets/portal.js", "assets/portal.css", "assets/icon.svg", "frame"):
        assert visitor.ask("GET", path)[0] == 200


def test_nobody_makes_an_account_but_an_administrator(served: Served) -> None:
    pool = served.cloud.client("cognito-idp").describe_user_pool(
        UserPoolId=served.cloud.outputs["WorkerPoolId"]
    )["UserPool"]
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True


def test_no_step_of_a_sign_in_can_be_skipped_in_somebody_elses_name(
    served: Served, stack: LocalStack
) -> None:
    victim, thief = served.account("victim"), served.account("thief")
    session = served.sign_in(victim)
    own = served.sign_in(thief, "RefreshToken").token
    forged = (
        f"{own.split('.')[0]}.{part(read(own, 1) | {'sub': read(session.token, 1)['sub']})}.c2ln"
    )
    access = f"{own.split('.')[0]}.{part(read(own, 1) | {'token_use': 'access'})}.c2ln"
    responses = {"USERNAME": victim.email, "NEW_PASSWORD": "Mine-from-now-1"}
    tries: list[tuple[str, dict[str, Any]]] = [
        *(
            (
                "RespondToAuthChallenge",
                {"ChallengeName": challenge, "ChallengeResponses": responses},
            )
            for challenge in ("NEW_PASSWORD_REQUIRED", "MFA_SETUP", "SOFTWARE_TOKEN_MFA")
        ),
        (
            "InitiateAuth",
            {"AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": {"REFRESH_TOKEN": forged}},
        ),
        ("GetTokensFromRefreshToken", {"RefreshToken": forged}),
        ("SetUserMFAPreference", {"AccessToken": access}),
        ("GlobalSignOut", {"AccessToken": access}),
        ("ForgotPassword", {"Username": victim.email}),
        (
            "ConfirmForgotPassword",
            {"Username": victim.email, "Password": "Mine-from-now-1", "ConfirmationCode": "1"},
        ),
    ]
    for call, content in tries:
        with pytest.raises(urllib.error.HTTPError) as refused:
            served.cognito(call, content)
        refused.value.close()
        assert refused.value.code in {400, 403}, call
    assert served.sign_in(victim).ask("GET", "me")[0] == 200
    assert session.ask("GET", "me")[0] == 200
    assert Worker(session.portal, own).ask("GET", "me")[0] == 401


def test_a_sign_in_ends_with_its_sign_out_and_with_a_reset(
    served: Served, stack: LocalStack
) -> None:
    account = served.account("ending")
    first, second = served.sign_in(account), served.sign_in(account, "AccessToken")
    assert first.ask("DELETE", "session")[0] == 204
    assert [first.ask("GET", "me")[0], second.ask("GET", "me")[0]] == [401, 200]
    served.cloud.users.reset_password(account.email)
    end_sessions(served.cloud.ports, read(second.token, 1)["sub"])
    assert second.ask("GET", "jobs")[0] == 401


def test_the_last_answer_wakes_the_job_and_its_output_is_written(served: Served) -> None:
    request = served.open("whole", tasks=3, workers=2)
    for worker in (served.worker("whole-1"), served.worker("whole-2")):
        finish(worker, "whole", tasks=3)
    assert worker.ask("POST", "jobs/whole/claims")[0] == 409
    described = served.call("CloseJobFunction", {"job": "whole", "request": request})
    again = served.call("CloseJobFunction", {"job": "whole", "request": request})
    assert described == again
    assert described["LabelingJobStatus"] == "Completed"
    assert described["LabelCounters"]["HumanLabeled"] == 3
    assert {task for task, _ in served.answers(request)} == {0, 1, 2}


def finish(worker: Worker, job: str, tasks: int, label: str = "cat") -> int:
    """Answer every task of the job that the worker is given; how many."""
    done = 0
    while True:
        status, claim = worker.ask("POST", f"jobs/{job}/claims")
        if status != 200:
            assert status in {204, 409}, claim
            return done
        task = int(claim["task"])
        answer = answer_of(task, tasks, label=label)
        status, response = worker.ask("PUT", f"jobs/{job}/tasks/{task}/answer", answer)
        assert status == 200, response
        done += 1


@pytest.fixture
def own_stack(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., LocalStack]]:
    """Makes a stack of the test's own, to be killed or told to enforce rights."""
    made: list[LocalStack] = []

    def make(**how: Any) -> LocalStack:
        local = LocalStack(tmp_path_factory.mktemp("own"), free_port())
        made.append(local)
        local.start(**how)
        local.deploy()
        return local

    yield make
    for local in made:
        local.stop()


def test_with_rights_enforced_the_whole_flow_works(own_stack: Callable[..., LocalStack]) -> None:
    served = Served(own_stack(auth=True).cloud)
    served.draw_pictures()
    request = served.open("rights", tasks=2, workers=1)
    worker = served.worker("rights", "requesters")
    status, claim = worker.ask("POST", "jobs/rights/claims")
    assert status == 200, claim
    assert worker.ask("PUT", f"jobs/rights/tasks/{claim['task']}/lease")[0] == 200
    assert worker.ask("DELETE", f"jobs/rights/tasks/{claim['task']}/lease")[0] == 200
    assert worker.ask("GET", "jobs/rights")[0] == 200
    assert finish(worker, "rights", tasks=2) == 2
    described = served.call("CloseJobFunction", {"job": "rights", "request": request})
    assert described["LabelingJobStatus"] == "Completed"


def test_a_server_that_is_killed_in_the_middle_loses_no_answer_and_the_job_is_finished(
    own_stack: Callable[..., LocalStack],
) -> None:
    local = own_stack()
    served = Served(local.cloud)
    tasks = 30
    request = served.open("killed-r1-000", tasks=tasks, workers=2)
    workers = [served.worker(f"killed-{number}") for number in range(4)]
    names = [worker.ask("GET", "me")[1]["worker"] for worker in workers]
    acknowledged: set[tuple[int, str]] = set()

    def labor(number: int) -> None:
        """Answer until the server is gone."""
        try:
            while True:
                _, claim = workers[number].ask("POST", "jobs/killed-r1-000/claims")
                task = int(claim["task"])
                path = f"jobs/killed-r1-000/tasks/{task}/answer"
                if workers[number].ask("PUT", path, answer_of(task, tasks))[0] == 200:
                    acknowledged.add((task, names[number]))
                if len(acknowledged) >= 12 and number == 0:
                    local.stop(hard=True)
        except (OSError, TypeError, KeyError, ValueError):
            return  # the connection broke, or half an answer came

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(labor, range(4)))
    assert len(acknowledged) >= 12
    local.start()
    local.deploy()
    after = Served(replace(local.cloud))
    assert acknowledged <= set(after.answers(request))
    after.call("OpenJobFunction", {"request": after.again(request)})
    for number in range(2):  # accounts went with the server; answers did not
        finish(after.worker(f"after-{number}"), "killed-r1-000", tasks)
    if len(after.answers(request)) < 2 * tasks:  # a worker from before holds the seat of a new name
        finish(after.worker("after-2"), "killed-r1-000", tasks)
    described = after.call(
        "CloseJobFunction", {"job": "killed-r1-000", "request": after.again(request)}
    )
    assert described["LabelingJobStatus"] == "Completed"
    assert acknowledged <= set(after.answers(request))
    assert len(after.answers(request)) == 2 * tasks

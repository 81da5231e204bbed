"""The operator's commands for the portal: people, teams, a job stopped, its index put in order."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from tessera.commands import workers
from tessera.commands.repair import repair
from tessera.portal import job_lifecycle
from tessera.portal.records import STOPPED
from tessera.screen import out
from tessera.simulation.workers import Account
from tessera.stack.local_stack import LocalStack
from tests.portal.served import Served, Worker, answer_of

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
def run(stack: LocalStack) -> Run:
    """Runs a command of the tool on the test session's stack."""
    return Run(stack)


class Run:
    """A command of the tool on a stack; what it prints, with its messages if it fails."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.served = Served(stack.cloud)

    def __call__(self, *words: str, fails: bool = False) -> str:
        command = {"workers": workers.workers, "repair": repair}
        out.width = 200
        with out.capture() as capture:
            done = CliRunner().invoke(command[words[0]], words[1:], obj=self.stack)
        assert (done.exit_code != 0) == fails, done.output
        return capture.get() + (done.output if fails else done.stdout)


def password_in(output: str) -> str:
    """The temporary password that a command printed."""
    match = re.search(r"temporary password (\S+)", output)
    assert match, output
    return match[1]


def test_people_are_added_to_a_team_listed_reset_and_removed(run: Run) -> None:
    served = run.served
    added = run("workers", "add", "tess@example.org", "--team", "cats", "--requester")
    password = password_in(added)
    assert "already has an account" in run("workers", "add", "tess@example.org")
    listed = next(line for line in run("workers", "list").splitlines() if "tess@" in line)
    assert "cats" in listed
    assert "requesters" in listed
    worker = first_sign_in(served, "tess@example.org", password)
    served.open("team-r1-000", tasks=2, team="cats")
    served.open("other-r1-000", tasks=2, team="dogs")
    seen = [job["job"] for job in worker.ask("GET", "jobs")[1]["jobs"]]
    assert "team-r1-000" in seen
    assert worker.ask("POST", "jobs/other-r1-000/claims")[0] == 404
    (listed_too,) = [
        p for p in json.loads(run("workers", "list", "--json")) if "tess@" in p["email"]
    ]
    assert set(listed_too["groups"]) == {"cats", "requesters"}
    again = password_in(run("workers", "reset", "tess@example.org"))
    assert again != password
    worker = first_sign_in(served, "tess@example.org", again)
    status, claim = worker.ask("POST", "jobs/team-r1-000/claims")
    assert status == 200, claim
    path = f"jobs/team-r1-000/tasks/{claim['task']}/answer"
    assert "1 open page went back" in run("workers", "remove", "tess@example.org")
    assert worker.ask("PUT", path, answer_of(int(claim["task"]), 2))[0] == 403
    for words in (("workers", "remove"), ("workers", "reset")):
        assert "no worker tess@" in run(*words, "tess@example.org", fails=True)


def first_sign_in(served: Served, email: str, password: str) -> Worker:
    """The worker, signed in with a temporary password and a new one chosen."""
    challenge = served.cognito(
        "InitiateAuth",
        {
            "AuthFlow": "USER_PASSWORD_AUTH",
            "AuthParameters": {"USERNAME": email, "PASSWORD": password},
        },
    )
    assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    served.cognito(
        "RespondToAuthChallenge",
        {
            "ChallengeName": "NEW_PASSWORD_REQUIRED",
            "Session": challenge["Session"],
            "ChallengeResponses": {"USERNAME": email, "NEW_PASSWORD": "My-own-words-1"},
        },
    )
    return served.sign_in(Account(email, "My-own-words-1"))


def test_a_job_is_stopped_with_what_it_has(run: Run) -> None:
    served = run.served
    request = served.open("stopped-r1-000", tasks=3)
    worker = served.worker("stopper")
    _, claim = worker.ask("POST", "jobs/stopped-r1-000/claims")
    task = int(claim["task"])
    worker.ask("PUT", f"jobs/stopped-r1-000/tasks/{task}/answer", answer_of(task, 3))
    ports = run.stack.cloud.ports
    assert job_lifecycle.stop(ports, "stopped-r1-000").status == STOPPED
    assert worker.ask("POST", "jobs/stopped-r1-000/claims")[0] == 409
    described = served.call("CloseJobFunction", {"job": "stopped-r1-000", "request": request})
    assert described["LabelingJobStatus"] == "Stopped"
    assert described["LabelCounters"]["HumanLabeled"] == 1


def test_an_index_is_put_in_order_from_s3(run: Run) -> None:
    served = run.served
    served.open("mended-r1-000", tasks=3)
    worker = served.worker("mender")
    _, claim = worker.ask("POST", "jobs/mended-r1-000/claims")
    task = int(claim["task"])
    worker.ask("PUT", f"jobs/mended-r1-000/tasks/{task}/answer", answer_of(task, 3))
    table, dynamodb = served.cloud.outputs["PortalTableName"], served.cloud.client("dynamodb")
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            if "mended-r1-000" in item["pk"]["S"] + item["sk"]["S"]:
                key = {"pk": item["pk"], "sk": item["sk"]}
                dynamodb.delete_item(TableName=table, Key=key)
    assert worker.ask("POST", "jobs/mended-r1-000/claims")[0] == 404
    assert "1 of 6 answers" in run("repair", "mended-r1-000")
    repaired = json.loads(run("repair", "mended-r1-000", "--json"))
    assert (repaired["answered"], repaired["answers"]) == (1, 6)
    status, claim = worker.ask("POST", "jobs/mended-r1-000/claims")
    assert status == 200
    assert int(claim["task"]) != task
    assert "There is no job" in run("repair", "never-r1-000", fails=True)
    assert "not the name of a job" in run("repair", "never", fails=True)

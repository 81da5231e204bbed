"""`tessera serve`: a colleague on another machine labels, and reaches nothing else of this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tessera.stack.entrance import entrance, sign_in
from tessera.stack.local_stack import ROOT, LocalStack, free_port
from tests.portal.served import Served, Worker
from tests.stack.network import connect, machine, within

pytestmark = pytest.mark.stack

HOST, COLLEAGUE = "10.199.77.1", "10.199.77.2"


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network namespace with one cable to this machine, as another machine would be."""
    with machine("colleague") as name:
        connect(None, HOST, name, COLLEAGUE)
        yield name


@pytest.fixture
def front(stack: LocalStack) -> Iterator[dict[str, Any]]:
    """`tessera serve` as its user starts it; what it prints."""
    command = [
        sys.executable, "-m", "tessera", "--port", str(stack.port), "--home", str(stack.home),
        "serve", "--host", HOST, "--https-port", str(free_port()), "--json",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            lines = list(iter(process.stdout.readline, "}\n"))
            yield json.loads("".join(lines) + "}")
        finally:
            process.terminate()
            process.wait(10)


def test_a_colleague_on_another_machine_labels_and_opens_no_other_door(
    stack: LocalStack, namespace: str, front: dict[str, Any]
) -> None:
    served = Served(stack.cloud)
    served.draw_pictures()
    request = served.open("served-r1-000", tasks=1, workers=1, images=3)
    account = served.account("colleague")
    given = {
        "portal": front["address"], "host": HOST, "port": stack.port, "job": "served-r1-000",
        "account": [account.email, account.password],
        "client": stack.cloud.outputs["WorkerPoolClientId"],
    }  # fmt: skip
    ran = subprocess.run(
        within(namespace, sys.executable, "-m", "tests.stack.colleague"),
        cwd=ROOT,
        env=os.environ | {"SSL_CERT_FILE": str(stack.front_folder / "certificate.pem")},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    seen = json.loads(ran.stdout)
    assert seen["labeled"]["pictures"] == [200] * 3
    assert seen["labeled"]["elsewhere"] == []
    assert seen["labeled"]["changed"] == seen["labeled"]["written"] == 403
    assert len(served.answers(request)) == 1
    for doors in seen["doors"]:
        assert doors.pop("direct") == 0
        assert {door: code for door, code in doors.items() if code not in {403, 404}} == {}


def test_people_are_given_the_address_that_is_served(
    front: dict[str, Any], stack: LocalStack
) -> None:
    assert stack.cloud.people_url == front["address"]
    assert Path(stack.front_folder / "key.pem").stat().st_mode & 0o77 == 0


def test_the_owner_hands_a_sign_in_over_to_a_browser(stack: LocalStack) -> None:
    account = Served(stack.cloud).account("owner")
    session = sign_in(stack.cloud, account.email, account.password)
    address = entrance(stack.cloud, session, "#job/pets-r1-000")
    with urllib.request.urlopen(address, timeout=30) as response:
        page = response.read().decode()
    kept, target = json.loads(page.partition("= ")[2].partition(";session")[0])
    assert target.startswith(stack.cloud.portal_url.removeprefix(stack.endpoint))
    worker = Worker(stack.cloud.portal_url, json.loads(kept)["id"])
    assert worker.ask("GET", "me")[1]["worker"] == session["worker"]

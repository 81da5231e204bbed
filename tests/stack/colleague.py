"""What a colleague's machine does, as a program of its own: it labels, then tries the other doors.

It is run in a network namespace, knows the front's address and the certificate that its owner
accepted, and prints what came of it as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from typing import Any

from tessera.simulation.workers import Account, PageReader, SimulatedWorker

CALLS = (
    "AWSCognitoIdentityProviderService.ListUserPools",
    "AWSCognitoIdentityProviderService.ListUsers",
    "AWSCognitoIdentityProviderService.SignUp",
    "AWSCognitoIdentityProviderService.AdminCreateUser",
    "AWSStepFunctions.ListStateMachines",
    "AWSStepFunctions.StartExecution",
    "DynamoDB_20120810.ListTables",
)


def status(method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> int:
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def label(worker: SimulatedWorker, portal: str, job: str) -> dict[str, Any]:
    """Answer a page as its picture says, having looked at the picture."""
    worker.sign_in()
    assert job in worker.open_jobs()
    claim = worker._request("POST", f"jobs/{job}/claims", {})
    reader = PageReader()
    reader.feed(claim["page"])
    pictures = list(reader.pictures.values())
    sent = worker.label_page(claim["page"])
    path = f"jobs/{job}/tasks/{claim['task']}/answer"
    return {
        "pictures": [status("GET", picture, {}) for picture in pictures],
        "elsewhere": [picture for picture in pictures if not picture.startswith(portal)],
        "changed": status("GET", pictures[0].replace(".svg", ".png"), {}),
        "written": status("PUT", pictures[0], {}, b"x"),
        "answer": worker._request("PUT", path, sent),
    }


def other_doors(portal: str, stack: tuple[str, int], key: dict[str, str]) -> dict[str, int]:
    """Try what is none of a worker's business; the status of each, 0 where nobody answers."""
    paths = [
        "tessera-labels", "tessera-inbox?list-type=2", "tessera-inbox/pictures/1.svg",
        "_ministack/health", "2015-03-31/functions", "us-east-1_x/.well-known/jwks.json",
    ]  # fmt: skip
    seen = {path: status("GET", portal + path, key) for path in paths}
    for call in CALLS:
        headers = key | {"X-Amz-Target": call, "Content-Type": "application/x-amz-json-1.1"}
        seen[call] = status("POST", portal, headers, b"{}")
    seen["bucket"] = status("PUT", portal + "mine", key, b"")
    with socket.socket() as direct:
        direct.settimeout(3)
        seen["direct"] = 0 if direct.connect_ex(stack) else 200
    return seen


def main() -> None:
    """Label and try the doors, as the document on standard input says."""
    given = json.load(sys.stdin)
    portal = given["portal"]
    worker = SimulatedWorker(
        Account(*given["account"]), portal, {f"{n}.svg": "cat" for n in range(20)},
        ("cat", "dog"), 0, "seed", cognito=portal, client_id=given["client"],
    )  # fmt: skip
    labeled = label(worker, portal, given["job"])
    # Signed by nobody, and then with a header that looks as if it were.
    doors = [
        other_doors(portal, (given["host"], given["port"]), key)
        for key in ({}, {"Authorization": "AWS4-HMAC-SHA256 Credential=tessera/x/us-east-1/s3"})
    ]
    print(json.dumps({"labeled": labeled, "doors": doors}))


if __name__ == "__main__":
    main()

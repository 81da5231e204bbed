"""Open the portal of this machine's stack in the browser, with somebody signed in already."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
import webbrowser
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tessera.stack.cloud import Cloud
from tessera.stack.guard import ENTRANCE, PORTAL
from tessera.stack.local_stack import REGION


def open_signed_in(cloud: Cloud, email: str, password: str, view: str) -> None:
    """Open a view of the portal, such as `#job/pets-r1-000`, with this account signed in."""
    webbrowser.open(entrance(cloud, sign_in(cloud, email, password), view))


def entrance(cloud: Cloud, session: dict[str, Any], view: str) -> str:
    """Return an address that signs a browser in, once and within a minute, and shows the view."""
    assert cloud.endpoint
    assert cloud.credentials
    target = f"{PORTAL}{cloud.outputs['PortalApiId']}/{view}"
    body = json.dumps({"session": session, "target": target}).encode()
    address = cloud.endpoint + ENTRANCE
    request = AWSRequest("POST", address, {}, data=body)
    # The guard checks a signature as of any service; this one is nobody else's.
    signer: Any = SigV4Auth(Credentials(*cloud.credentials), "tessera", REGION)
    signer.add_auth(request)
    headers = {name: str(value) for name, value in request.headers.items()}
    with urllib.request.urlopen(
        urllib.request.Request(address, body, headers), timeout=30
    ) as response:
        return address + str(response.read().decode())


def sign_in(cloud: Cloud, email: str, password: str) -> dict[str, Any]:
    """Return the session of an account, as the portal's page keeps it."""
    client = cloud.outputs["WorkerPoolClientId"]
    tokens = cloud.client("cognito-idp").initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH",
        ClientId=client,
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )["AuthenticationResult"]
    claims = tokens["IdToken"].split(".")[1]
    worker = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
    return {
        "id": tokens["IdToken"],
        "access": tokens["AccessToken"],
        "refresh": tokens["RefreshToken"],
        "until": round(1000 * (time.time() + tokens["ExpiresIn"])),
        "name": email,
        "client": client,
        "worker": worker,
    }

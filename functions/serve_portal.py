"""ServePortal: the portal's HTTP door, behind an API that has checked the worker's token."""

import os
from functools import cache
from pathlib import Path
from typing import Any

from tessera.aws.connection import Connection, connect
from tessera.aws.portal import portal_ports
from tessera.aws.telemetry import logger, observed
from tessera.portal.routes import REQUESTS_PER_MINUTE, Site, json_response, respond


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect(region=os.environ.get("AWS_REGION"))


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a request; what goes wrong beyond the portal is logged and answered "try again".

    Neither the event nor its headers are ever logged: they hold the worker's token.
    """
    http = event["requestContext"]["http"]
    try:
        ports = portal_ports(connection(), os.environ["TABLE_NAME"])
        response = respond(ports, site(), event)
    except Exception:
        logger.exception("request failed", method=http["method"], path=http["path"])
        return json_response(503, {"message": "The portal cannot reach its store. Trying again."})
    if response["statusCode"] >= 400:
        logger.info("refused", method=http["method"], status=response["statusCode"])
    return response


def site() -> Site:
    """Return the pages and the sign-in, as the function's environment names them."""
    region = os.environ.get("AWS_REGION", "us-east-1")
    return Site(
        ui=Path(os.environ.get("UI_DIRECTORY") or "/opt"),
        cognito=os.environ.get("COGNITO_ENDPOINT") or f"https://cognito-idp.{region}.amazonaws.com",
        client=os.environ["USER_POOL_CLIENT_ID"],
        region=region,
        aws_crowd=os.environ.get("CROWD_ELEMENTS", "") == "aws",
        rate=int(os.environ.get("REQUESTS_PER_MINUTE") or REQUESTS_PER_MINUTE),
    )

"""ServePortal: answer the portal's HTTP requests; the API before it has checked the tokens.

Which requests, who may make them and what answers them is the table in `tessera.portal.routes`.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

from tessera.aws.connection import connect
from tessera.aws.http_api import http_api
from tessera.aws.portal import portal_ports
from tessera.aws.spans import Spans
from tessera.aws.telemetry import logger, observed, report_job
from tessera.portal.ports import Ports
from tessera.portal.routes import ROUTES
from tessera.portal.site import REQUESTS_PER_MINUTE, Site
from tessera.tiling.page.page_input import prepare_task


@cache
def ports() -> Ports:
    """Return what the portal needs of AWS, the same to each request: it keeps what it has read."""
    aws = connect(region=os.environ.get("AWS_REGION"))
    table, role = os.environ["TABLE_NAME"], os.environ.get("PICTURES_ROLE_ARN", "")
    own = {os.environ.get("PREPARE_TASK_ARN", ""): prepare_task}
    return portal_ports(aws, table, own, role, report_job, awaited=Spans(os.environ))


def site() -> Site:
    """Return the pages and the sign-in, as the function's environment names them."""
    return Site(
        ui=Path(os.environ.get("UI_DIRECTORY") or "/opt"),  # where Lambda puts the layer of pages
        cognito=os.environ.get("COGNITO_ENDPOINT", ""),  # its domain differs by AWS's partition
        client=os.environ["USER_POOL_CLIENT_ID"],
        region=os.environ.get("AWS_REGION", "us-east-1"),
        aws_crowd=os.environ.get("CROWD_ELEMENTS", "") == "aws",
        page_hosts=os.environ.get("PAGE_HOSTS", ""),
        mfa=os.environ.get("MFA") or "OFF",
        provider=os.environ.get("IDENTITY_PROVIDER", ""),
        domain=os.environ.get("SIGN_IN_DOMAIN", ""),
        federated_client=os.environ.get("FEDERATED_CLIENT_ID", ""),
        requests_per_minute=int(os.environ.get("REQUESTS_PER_MINUTE") or REQUESTS_PER_MINUTE),
    )


app = http_api(ROUTES, ports, site)


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request.

    Neither the event nor its headers are ever logged: they hold the worker's token.
    """
    response = app.resolve(event, context)
    if (status := response["statusCode"]) >= 400:  # operators look for refusals in the logs
        logger.info("refused", method=event["requestContext"]["http"]["method"], status=status)
    return response

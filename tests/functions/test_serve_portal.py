"""ServePortal, asked as Lambda asks it."""

from __future__ import annotations

import io
import json

import pytest

from tests.portal.world import http_event


def test_a_request_that_fails_logs_neither_token_nor_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import serve_portal
    from tessera.aws.telemetry import logger

    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)
    monkeypatch.setenv("USER_POOL_CLIENT_ID", "client")
    monkeypatch.setattr(serve_portal, "connect", lambda **_: 1 / 0)
    event = http_event("PUT", "/jobs/pets/tasks/1/answer", sub="ann", email="SECRET@example.org")
    event |= {
        "headers": {"authorization": "Bearer SECRET-TOKEN"},
        "body": '{"1": "SECRET-ANSWER"}',
    }
    response = serve_portal.handler(event, Context())
    assert response["statusCode"] == 500
    assert "request failed" in log.getvalue()
    assert "SECRET" not in log.getvalue() + json.dumps(response)


class Context:
    """What Lambda tells a function of itself."""

    function_name = "serve-portal"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:serve-portal"
    aws_request_id = "0"

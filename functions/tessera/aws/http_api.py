"""Powertools' resolver in front of the portal's routes: an API Gateway event in, its response out.

Why Powertools routes, and what it costs: docs/decisions/portal-routing.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler import Response as HttpResponse
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from tessera.aws.telemetry import count_failure, logger
from tessera.portal.errors import PortalError
from tessera.portal.http import Response, json_response, read_request
from tessera.portal.ports import Ports
from tessera.portal.routes import Route
from tessera.portal.site import Site


def http_api(
    routes: Iterable[Route], ports: Callable[[], Ports], site: Callable[[], Site]
) -> APIGatewayHttpResolver:
    """Return a resolver of these routes; what the portal refuses, it refuses with a sentence.

    `ports` and `site` are called once a request, so that a failure to make them is answered too.
    """
    # Never in debug mode, whatever the environment says: it prints events, and tokens with them.
    app = APIGatewayHttpResolver(debug=False)

    def view_of(route: Route) -> Callable[..., HttpResponse[str]]:
        def respond(**parts: str) -> HttpResponse[str]:
            # Powertools gives the variable parts of the path by name.
            request = read_request(app.current_event.raw_event, parts)
            return http_response(route.respond(ports(), site(), request))

        return respond

    for route in routes:
        app.route(route.path, route.method)(view_of(route))

    def no_route(error: NotFoundError) -> HttpResponse[str]:
        # In the portal's words and with its headers, not in Powertools' own.
        return http_response(
            json_response(404, {"error": "Unknown", "message": "There is no such page."})
        )

    def refused(error: PortalError) -> HttpResponse[str]:
        # The page tells by the name what came from the portal, and what from something before it.
        content = {"error": type(error).__name__, "message": str(error)}
        return http_response(json_response(error.status, content))

    def failed(error: Exception) -> HttpResponse[str]:
        http = app.current_event.request_context.http
        # Handled here, Powertools logs no second trace of its own, and the page tries again.
        logger.exception("request failed", method=http.method, path=http.path)
        if count_failure(error) == "Outages":
            message = "The portal cannot reach its store. Trying again."
            return http_response(json_response(503, {"message": message}))
        message = "Something went wrong in the portal itself, and is reported. Trying again."
        return http_response(json_response(500, {"message": message}))

    handlers = {NotFoundError: no_route, PortalError: refused, Exception: failed}
    for kind, handle in handlers.items():
        app.exception_handler(kind)(handle)
    return app


def http_response(response: Response) -> HttpResponse[str]:
    """Return a response as Powertools takes it."""
    return HttpResponse(response.status, body=response.body, headers=response.headers)

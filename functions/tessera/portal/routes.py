"""Routes of the portal: method, path, who may ask, and the view that answers.

`tessera.aws.http_api` routes requests by this table, docs/portal.md prints it, and the tests hold
that docs/threat-model.md names the public ones. Why a table: docs/decisions/portal-routing.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from tessera.portal import review_views, site, views
from tessera.portal.http import Request, Response
from tessera.portal.ports import Ports
from tessera.portal.rights import Rights
from tessera.portal.site import Site

View: TypeAlias = Callable[[Ports, Site, Request], Response]


class Route(NamedTuple):
    """Method and path of requests, who may make them, and the view that answers them.

    Variable parts of the path are written `<name>`. The first line of the view's docstring is what
    docs/portal.md says of the route.
    """

    method: str
    path: str
    rights: Rights
    view: View

    def respond(self, ports: Ports, site: Site, request: Request) -> Response:
        """Return the view's response to a request of somebody who may make it."""
        self.rights.check(ports, site, request)
        return self.view(ports, site, request)


ROUTES = (
    Route("GET", "/", Rights.PUBLIC, site.show_portal),
    Route("GET", "/assets/<name>", Rights.PUBLIC, site.show_asset),
    Route("GET", "/frame", Rights.PUBLIC, site.show_frame),
    Route("GET", "/me", Rights.WORKER, views.show_me),
    Route("DELETE", "/session", Rights.WORKER, views.sign_out),
    Route("GET", "/jobs", Rights.WORKER, views.list_jobs),
    Route("POST", "/jobs/<job>/claims", Rights.WORKER, views.claim_task),
    Route("GET", "/jobs/<job>/practice", Rights.WORKER, views.show_practice),
    Route("GET", "/jobs/<job>/qualification", Rights.WORKER, views.show_qualification),
    Route("POST", "/jobs/<job>/qualification", Rights.WORKER, views.answer_qualification),
    Route("PUT", "/jobs/<job>/tasks/<task>/answer", Rights.WORKER, views.answer_task),
    Route("GET", "/jobs/<job>/answers", Rights.WORKER, views.list_answers),
    Route("GET", "/jobs/<job>/tasks/<task>/answer", Rights.WORKER, views.show_answer),
    Route("PUT", "/jobs/<job>/tasks/<task>/correction", Rights.WORKER, views.correct_answer),
    Route("PUT", "/jobs/<job>/tasks/<task>/lease", Rights.WORKER, views.renew_lease),
    Route("DELETE", "/jobs/<job>/tasks/<task>/lease", Rights.WORKER, views.skip_task),
    Route("GET", "/reviews", Rights.REVIEWER, review_views.list_reviews),
    Route("GET", "/reviews/<run>", Rights.REVIEWER, review_views.show_review),
    Route("POST", "/reviews/<run>/addresses", Rights.REVIEWER, review_views.sign_pictures),
    Route("PUT", "/reviews/<run>/images/<index>", Rights.REVIEWER, review_views.decide_image),
    Route("GET", "/jobs/<job>", Rights.REQUESTER, views.show_progress),
    Route("GET", "/jobs/<job>/tasks/<task>", Rights.REQUESTER, views.show_task),
)
"""A path that the API should let through with a token only must be behind its authorizer too
(`PortalJobsRoute` and others in template.yaml); a test holds that."""

"""Sign addresses of pictures, which end soon, so that nobody keeps one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache

import msgspec

from tessera.portal.ports import Ports
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule

MIN_ADDRESS_SECONDS = 15 * 60
"""Seconds for which a picture's address is good at least: a page that is loaded anew just before
its lease ends has pictures until it is renewed, and those further down are loaded late."""

NO_PICTURE = "data:,"
"""Address of a picture that cannot be signed: no browser can show it, and none asks for it."""


@lru_cache(maxsize=8)
def _rule(sources: str) -> SourceRule:
    """Return the rule of what a job's pages may show; a job without one may show any picture."""
    return msgspec.json.decode(sources, type=SourceRule) if sources else ANY_SOURCE


def grant(
    ports: Ports, until: float, sources: str = "", pictures: Collection[str] = ()
) -> Callable[[str], str]:
    """Return what turns an image's source into an address that ends at the given time.

    `sources` is the job's rule, in JSON, of what its page may show: one of a project's own could
    name what its author may not read. `pictures` are sources that it may show in any case.
    """
    rule = _rule(sources)
    # Addresses end with the lease, so that nobody keeps a picture's address.
    seconds = max(MIN_ADDRESS_SECONDS, int(until - ports.clock()))

    def sign(uri: str) -> str:
        # A source that is a web address already is public.
        if not uri.startswith("s3://"):
            return uri
        if uri not in pictures and rule.problem(uri):
            return NO_PICTURE
        try:
            return ports.files.presign(uri, seconds)
        except ValueError:  # one dead tile rather than a dead page; an outage is another error
            return NO_PICTURE

    return sign

"""Name the crowd elements that pages of one's own may use, and find the others in a page.

A template that was written for Ground Truth is made of Amazon's elements. `ui/crowd-elements.js`
stands in for those that a form is made of; what draws needs Amazon's own script.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

FORM_ELEMENTS = frozenset({"crowd-form", "crowd-button"})
"""Elements of the built-in page, which `ui/crowd-form.js` stands in for."""

STAND_INS = FORM_ELEMENTS | {
    "crowd-alert", "crowd-badge", "crowd-card", "crowd-checkbox", "crowd-classifier",
    "crowd-classifier-multi-select", "crowd-fab", "crowd-icon-button", "crowd-image-classifier",
    "crowd-image-classifier-multi-select", "crowd-input", "crowd-instructions", "crowd-modal",
    "crowd-radio-button", "crowd-radio-group", "crowd-slider", "crowd-slider-label", "crowd-tab",
    "crowd-tabs", "crowd-text-area", "crowd-toast", "crowd-toggle-button",
}  # fmt: skip
"""Elements that `ui/crowd-elements.js` stands in for; a test holds that it has just these."""

AMAZON = "assets.crowd.aws"
"""Host of Amazon's own script of crowd elements."""

HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
"""Host by its name alone: no scheme, port, path or wildcard."""

_ELEMENT = re.compile(r"<(crowd-[a-z0-9-]+)", re.I)
_LOADED = re.compile(
    r"<script\b[^>]*?\bsrc\s*=\s*[\"']?([^\"'\s>]+)|<link\b[^>]*?\bhref\s*=\s*[\"']?([^\"'\s>]+)",
    re.I,
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def elements_in(page: str) -> set[str]:
    """Return the names of the crowd elements in a page, in small letters.

    >>> sorted(elements_in("<Crowd-Form><crowd-input></crowd-input></Crowd-Form>"))
    ['crowd-form', 'crowd-input']
    """
    return {name.lower() for name in _ELEMENT.findall(_COMMENT.sub("", page))}


def hosts_in(page: str) -> set[str]:
    """Return the hosts that a page loads scripts and styles from, without Amazon's.

    >>> sorted(hosts_in('<script src="https://d3js.org/d3.v6.min.js"></script>'))
    ['d3js.org']
    """
    links = (script or style for script, style in _LOADED.findall(_COMMENT.sub("", page)))
    hosts = {urlsplit(link).hostname or "" for link in links if "//" in link}
    return hosts - {"", AMAZON}


def page_problems(page: str, hosts: Collection[str], *, aws: bool) -> list[str]:
    """Return what a template needs that the portal would not give it, in sentences.

    `hosts` are those that the stack's pages may load scripts and styles from; `aws` says that
    pages may load Amazon's own script.

    >>> page_problems("<crowd-form>", (), aws=False)
    []
    """
    problems = []
    if not aws and (foreign := sorted(elements_in(page) - STAND_INS)):
        problems.append(
            f"it uses {', '.join(foreign)}, which only Amazon's own script draws; deploy the "
            "stack with CrowdElements=aws, or take another element"
        )
    if missing := sorted(hosts_in(page) - set(hosts)):
        allowed = ",".join(sorted({*hosts, *missing}))
        problems.append(
            f"it loads scripts or styles from {', '.join(missing)}, which this stack's pages may "
            f"not; deploy it with PageHosts={allowed}, or put them into the page"
        )
    if "crowd-form" not in elements_in(page):
        problems.append(
            "it has no <crowd-form>, so that nothing could be submitted; put the fields into one"
        )
    return problems


def page_hosts(names: str) -> tuple[str, ...]:
    """Return the hosts in a stack's list of them, with commas between; those of no form are none.

    >>> page_hosts("d3js.org, cdnjs.cloudflare.com,*")
    ('d3js.org', 'cdnjs.cloudflare.com')
    """
    hosts = (name.strip().lower() for name in names.split(","))
    return tuple(host for host in hosts if HOST.fullmatch(host))

"""Render instructions as safe HTML: Markdown with tables, and pictures of the bucket."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.I)
LINKED = {"http:", "https:", "mailto:", "s3:", "//"}
"""Schemes that a link may have: any other would be opened by a program of the worker's own."""
UNQUOTABLE = re.compile(r'["{}%\n\r]')
"""What no text in quotes may hold in Liquid, and so no URI of a picture that is granted."""
PLACEHOLDER = re.compile("\ue000(\\d+)\ue001")
"""Number of a picture between two characters that mean nothing, and that no text keeps."""


def any_picture(uri: str) -> bool:
    """Allow every picture: outside a stack nothing is signed."""
    return True


def render_instructions(
    markdown: str, folder: str = "", allowed: Callable[[str], bool] = any_picture
) -> str:
    """Render Markdown as HTML that can stand in the page between its two renderings.

    Headings go one level down, since the question is the page's first. A picture in `folder`, or of
    an S3 URI, gets its address when the page is rendered for a task; one that cannot have any is
    its text alone, and so is one whose S3 URI is not `allowed`: what stands here is signed. No HTML
    of the requester's passes.
    """
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = renderer.parse(re.sub("[\ue000\ue001]", "", markdown))
    uris: list[str] = []
    for token in tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        _adapt(token.children or (), lambda source: _uri_of(source, folder, allowed), uris)
    html = without_liquid(str(renderer.renderer.render(tokens, renderer.options, {})))
    return PLACEHOLDER.sub(
        lambda match: f'{{{{ "{uris[int(match[1])]}" | grant_read_access }}}}', html
    )


def _adapt(tokens: Sequence[Token], uri_of: Callable[[str], str | None], uris: list[str]) -> None:
    """Let links open beside the page, and put a placeholder for each address of a picture."""
    for token in tokens:
        if token.type == "link_open":  # in its place it would stand where the worker's labels were
            token.attrSet("target", "_blank")
            token.attrSet("rel", "noopener noreferrer")
            scheme = SCHEME.match(str(token.attrGet("href")))
            if scheme and scheme[0].lower() not in LINKED:
                del token.attrs["href"]
        elif token.type == "image":
            _adapt_picture(token, uri_of, uris)


def _adapt_picture(token: Token, uri_of: Callable[[str], str | None], uris: list[str]) -> None:
    source: Any = token.attrGet("src")
    token.attrSet("loading", "lazy")  # a picture in the closed help must not delay those to label
    if str(source).startswith(("https://", "http://")):
        return
    uri = uri_of(unquote(str(source)))
    if uri is None:
        token.type, token.tag = "text", ""
        return
    token.attrSet("src", f"\ue000{len(uris)}\ue001")
    uris.append(uri)


def _uri_of(source: str, folder: str, allowed: Callable[[str], bool]) -> str | None:
    """Return the S3 URI of a picture; None where it has none, or one that must not be shown."""
    if not source.startswith("s3://"):
        path = posixpath.normpath(source)
        if not folder or SCHEME.match(source) or path.startswith(("..", "/")):
            return None
        source = folder + path
    return None if UNQUOTABLE.search(source) or not allowed(source) else source


def without_liquid(markup: str) -> str:
    """Spell braces and percent signs as entities, so that HTML cannot be Liquid as well."""
    return markup.replace("{", "&#123;").replace("}", "&#125;").replace("%", "&#37;")

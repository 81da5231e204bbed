"""Instructions as HTML: tables, links, and pictures that get their address with each task."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.page.instructions_html import render_instructions
from tessera.tiling.page.page import render_task

FOLDER = "s3://inbox/pets/"


def granted(markdown: str, folder: str = FOLDER) -> str:
    """The HTML that a worker's browser gets; an address tells what it was made of."""
    return render_task(render_instructions(markdown, folder), {}, lambda uri: f"https://get/{uri}")


def test_a_table_becomes_a_table() -> None:
    html = granted("| animal | ears |\n|---|---|\n| cat | 20 % {{ x }} |")
    assert "<th>animal</th>" in html
    assert "20 &#37; &#123;&#123; x &#125;&#125;" in html


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("examples/cat/1.jpg", FOLDER + "examples/cat/1.jpg"),
        ("<examples/tabby cat/ä 1.jpg>", FOLDER + "examples/tabby cat/ä 1.jpg"),
        ("./a/../1.jpg", FOLDER + "1.jpg"),
        ("s3://other/1.jpg", "s3://other/1.jpg"),
        ("it's.jpg", FOLDER + "it's.jpg"),
    ],
)
def test_a_picture_of_the_bucket_gets_its_address_with_each_task(source: str, uri: str) -> None:
    html = granted(f"![a cat]({source})")
    assert f'src="https://get/{uri}"' in html.replace("&#39;", "'")
    assert 'alt="a cat"' in html
    assert 'loading="lazy"' in html


@pytest.mark.parametrize(
    "source", ["../up.jpg", "/etc/1.jpg", "ftp://x/1.jpg", '<a"b.jpg>', "<a{{b}}.jpg>", "<50%.jpg>"]
)
def test_a_picture_that_cannot_have_an_address_is_its_text(source: str) -> None:
    html = granted(f"![a cat]({source})")
    assert "a cat" in html
    assert "https://get/" not in html


def test_without_a_folder_only_whole_addresses_are_pictures() -> None:
    assert "<img" not in granted("![a cat](examples/1.jpg)", folder="")
    assert 'src="https://pets.test/1.jpg"' in granted(
        "![a cat](https://pets.test/1.jpg)", folder=""
    )


def test_a_picture_that_the_run_must_not_show_is_its_text() -> None:
    rule = SourceRule("inbox", "pets/", "labels", ())
    markdown = "![a](1.jpg) ![b](s3://inbox/cars/1.jpg) ![c](s3://labels/runs/x/gold.csv)"
    html = render_instructions(markdown, FOLDER, lambda uri: not rule.problem(uri))
    assert html.count("grant_read_access") == 1
    assert '"s3://inbox/pets/1.jpg"' in html


def test_links_open_beside_the_page() -> None:
    html = granted("[breeds](https://pets.test/)")
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer"' in html


TEXT = st.text(alphabet="ab<>&\"'{}%[]()!|#*-_\n \ue000\ue0010", max_size=60)


@given(TEXT)
def test_nothing_that_is_written_becomes_markup_or_liquid(markdown: str) -> None:
    class Tags(HTMLParser):
        names: set[str] = set()  # noqa: RUF012  # shared by all texts on purpose

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.names.add(tag)

    tags = Tags()
    tags.feed(granted(markdown))
    plain = {"p", "em", "strong", "ul", "ol", "li", "a", "img", "code", "pre", "hr", "blockquote"}
    tables = {"table", "thead", "tbody", "tr", "th", "td", "br"}
    assert tags.names <= plain | tables | {f"h{level}" for level in range(2, 7)}

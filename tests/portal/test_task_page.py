"""The page that a worker sees of a task."""

from __future__ import annotations

import pytest

from tessera.portal import task_page
from tests.portal.world import World

INPUT = {"images": [{"source-ref": "s3://pets/1.jpg", "index": 1}]}


CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'


def rendered(page: str, *, aws: bool) -> task_page.Page:
    return task_page.render(page, INPUT, str, stand_in="STAND_IN;", bridge="BRIDGE;", aws=aws)


def test_a_page_gets_the_stand_in_for_amazons_script_and_the_bridge(world: World) -> None:
    job = world.open(tasks=1)
    page = world.ask("POST", f"/jobs/{job.name}/claims")[1]["page"]
    assert "assets.crowd.aws" not in page
    assert 'customElements.define("crowd-form"' in page
    assert page.index("tessera") < page.index("<crowd-form>")  # the bridge comes first


@pytest.mark.parametrize("aws", [True, False])
def test_a_page_of_crowd_form_alone_never_loads_amazons_script(aws: bool) -> None:
    page = rendered(f"<!doctype html><crowd-form></crowd-form>{CROWD}", aws=aws)
    bridge, stand_in = "<script>BRIDGE;</script>", "<script>STAND_IN;</script>"
    assert page == (f"<!doctype html>{bridge}<crowd-form></crowd-form>{stand_in}", False)


def test_a_page_of_other_crowd_elements_loads_amazons_script_where_it_is_allowed() -> None:
    text = f"{CROWD}<crowd-form><crowd-bounding-box></crowd-bounding-box></crowd-form>"
    assert rendered(text, aws=True) == (f"<script>BRIDGE;</script>{text}", True)
    assert rendered(text, aws=False).crowd is False


def test_a_script_cannot_be_ended_by_its_own_text() -> None:
    page = task_page.render("<p>", INPUT, str, stand_in='"</script>"', bridge="", aws=False)
    assert page.html == r'<script>"<\/script>"</script><p>'

"""The page that a worker sees of a task."""

from __future__ import annotations

import pytest

from tessera.portal import task_page
from tests.portal.world import PREPARE, World

INPUT = {"images": [{"source-ref": "s3://pets/1.jpg", "index": 1}]}


CROWD = '<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>'


STAND_INS = task_page.StandIns(form="STAND_IN;", elements="ELEMENTS;")


def rendered(page: str, *, aws: bool) -> task_page.Page:
    return task_page.render(page, INPUT, str, stand_ins=STAND_INS, bridge="BRIDGE;", aws=aws)


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


def test_a_page_of_other_crowd_elements_gets_the_stand_ins_for_them() -> None:
    page = rendered(f"{CROWD}<crowd-form><crowd-input></crowd-input></crowd-form>", aws=False)
    assert page.html.count("<script>ELEMENTS;</script>") == 1
    assert "STAND_IN;" not in page.html


def test_a_script_cannot_be_ended_by_its_own_text() -> None:
    scripts = task_page.StandIns(form='"</script>"', elements="")
    page = task_page.render("<p>", INPUT, str, stand_ins=scripts, bridge="", aws=False)
    assert page.html == r'<script>"<\/script>"</script><p>'


@pytest.mark.parametrize("key", ["isHumanAnnotationRequired", "humanAnnotationRequired"])
@pytest.mark.parametrize("wanted", [False, "false", "False"])
def test_a_task_that_the_function_keeps_from_people_is_not_asked_however_it_says_so(
    wanted: object, key: str
) -> None:
    class Function(World):
        def invoke(self, arn: str, event: dict[str, object]) -> object:
            """Answer as AWS's own recipe does."""
            return {"taskInput": {}, key: wanted}

    world = Function()
    job = world.open(tasks=1)
    assert job.prepare == PREPARE
    assert task_page.prepare(world.ports, job, b"{}") is None

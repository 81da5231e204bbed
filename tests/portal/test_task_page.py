"""The page that a worker sees of a task."""

from __future__ import annotations

import pytest

from tessera.portal import task_page
from tessera.portal.errors import Unusable
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
    ours = "<script>STAND_IN;</script><script>BRIDGE;</script>"
    assert page == (f"<!doctype html>{ours}<crowd-form></crowd-form>", False)


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        ("", "<p>"),
        ("", "<head><p>"),
        ("", '<script>write("<head><!doctype html>")</script>'),
        ("\n<!DOCTYPE html>", "\n<html><head><p>"),
        ("<!-- a\n <head> -->\n<!doctype html>", "<p>"),
        ("<!-- a --> <!-- b -->", "<p>"),
    ],
)
@pytest.mark.parametrize("times", [0, 1, 2])
def test_scripts_of_the_portal_come_once_before_all_of_the_page_and_change_no_string_of_it(
    start: str, rest: str, times: int
) -> None:
    page = rendered(start + rest + CROWD * times, aws=False)
    assert page.html == f"{start}<script>STAND_IN;</script><script>BRIDGE;</script>{rest}"


def test_a_page_of_other_crowd_elements_loads_amazons_script_where_it_is_allowed() -> None:
    text = f"{CROWD}<crowd-form><crowd-bounding-box></crowd-bounding-box></crowd-form>"
    assert rendered(text, aws=True) == (f"<script>BRIDGE;</script>{text}", True)
    assert rendered(text, aws=False).crowd is False


def test_a_page_of_other_crowd_elements_gets_the_stand_ins_for_them() -> None:
    page = rendered(f"{CROWD}<crowd-form><crowd-input></crowd-input></crowd-form>", aws=False)
    assert page.html.count("<script>ELEMENTS;</script>") == 1
    assert "STAND_IN;" not in page.html


def test_a_custom_task_s_page_of_html_s_own_fields_gets_the_stand_ins_that_read_them_all() -> None:
    text = f"{CROWD}<crowd-form><form><select multiple></select></form></crowd-form>"
    page = task_page.render(
        text, INPUT, str, stand_ins=STAND_INS, bridge="", aws=False, custom=True
    )
    assert "ELEMENTS;" in page.html


def test_a_script_cannot_be_ended_by_its_own_text() -> None:
    scripts = task_page.StandIns(form='"</script>"', elements="")
    page = task_page.render("<p>", INPUT, str, stand_ins=scripts, bridge="", aws=False)
    assert page.html == r'<script>"<\/script>"</script><script></script><p>'


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


ODD_ANSWERS: list[tuple[object, str]] = [
    (None, "answered null"),
    ([], "answered list"),
    ("x", "answered str"),
    (True, "answered bool"),
    ({}, "no taskInput"),
    ({"taskInput": None}, "no taskInput"),
    ({"taskInput": "x", "isHumanAnnotationRequired": "true"}, "no taskInput"),
    ({"taskInput": [["a", 1]]}, "no taskInput"),
]


class Answering(World):
    """World whose pre-annotation function answers what it is told to."""

    returned: object = None

    def invoke(self, arn: str, event: dict[str, object]) -> object:
        """Answer so, or raise it."""
        if isinstance(self.returned, Exception):
            raise self.returned
        return self.returned


@pytest.mark.parametrize(("answer", "reason"), ODD_ANSWERS)
def test_an_odd_answer_of_a_function_is_told_in_a_sentence_and_costs_its_own_page(
    answer: object, reason: str
) -> None:
    world = Answering()
    world.returned = answer
    job = world.open(tasks=1)
    with pytest.raises(Unusable) as refusal:
        task_page.prepare(world.ports, job, b"{}")
    sentence = str(refusal.value)
    assert sentence.startswith("This page cannot be shown: the pre-annotation function")
    assert reason in sentence
    assert "Error" not in sentence


@pytest.mark.parametrize("wanted", ["true", True, None, 1, "", "yes"])
def test_whatever_does_not_say_false_is_asked(wanted: object) -> None:
    world = Answering()
    world.returned = {"taskInput": {"n": 1}, "isHumanAnnotationRequired": wanted, "version": "x"}
    assert task_page.prepare(world.ports, world.open(tasks=1), b"{}") == {"n": 1}


def test_a_page_that_no_response_could_carry_is_told_and_one_of_a_megabyte_is_shown() -> None:
    page = "<p>{{ task.input.text }}"
    texts = {"large": "x" * 1_000_000, "too large": '"' * 1_000_000}
    rendered = task_page.render(
        page, {"text": texts["large"]}, str, stand_ins=STAND_INS, bridge="", aws=False
    )
    assert len(rendered.html) > 1_000_000
    with pytest.raises(Unusable, match=r"characters, more than 4,000,000\. Let its template"):
        task_page.render(
            page, {"text": texts["too large"]}, str, stand_ins=STAND_INS, bridge="", aws=False
        )


def test_workers_go_on_where_a_function_fails_or_hangs_on_every_page(world: World) -> None:
    """A function that is not waited for any longer raises: `Connection.functions_soon`."""
    failing = Answering()
    failing.returned = TimeoutError("Read timeout on endpoint URL")
    job = failing.open(tasks=12, workers=1)
    for _ in range(4):
        assert failing.ask("POST", f"/jobs/{job.name}/claims")[0] == 204
        failing.clock.wait(61)
    progress = failing.ask("GET", f"/jobs/{job.name}", groups="[requesters]")[1]
    assert progress["failures"]
    assert "Read timeout" in progress["failures"][0]["reason"]
    failing.returned = {"taskInput": {"images": []}}
    assert failing.ask("POST", f"/jobs/{job.name}/claims", "ben")[0] in {200, 204}

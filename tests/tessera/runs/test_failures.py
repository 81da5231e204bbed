"""Whatever a run fails with, a command that goes on with it is named, and works as pasted."""

from __future__ import annotations

import shlex

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.cli import main
from tessera.commands.drop import drop_command
from tessera.runs.executions import CUT_OFF, Ending
from tessera.runs.failures import MANIFEST, REMEDIES, failure, next_step, reason
from tests.fakes import etag
from tests.statemachine.test_operations import ENDS, REFUSALS
from tests.tessera.conftest import FakeCloud

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\x00"), min_size=1, max_size=40)
ERRORS = st.sampled_from([*REMEDIES, "", "States.Timeout", "States.Runtime"])


def test_there_is_a_remedy_for_each_name_that_a_run_fails_with_and_for_no_other() -> None:
    assert set(REMEDIES) == {*REFUSALS, *ENDS}


@given(error=ERRORS, cause=st.text(), project=NAMES, name=NAMES, is_there=st.booleans())
def test_the_command_that_goes_on_works_as_pasted(
    error: str, cause: str, project: str, name: str, is_there: bool
) -> None:
    cloud = FakeCloud()
    uri = f"s3://inbox/{project}/{name}.manifest"
    cloud.storage.put(uri, b"{}" if is_there else b"[]")
    end = Ending("FAILED", {}, error, cause, uri, etag(b"{}").strip('"'))

    message = failure(end, cloud).message
    step = next_step(end, cloud)
    words = shlex.split(cloud.command(step.partition("tessera ")[2]))[1:]
    command = main.get_command(click.Context(main), words[0])
    assert isinstance(command, click.Command)
    given = command.make_parser(click.Context(command)).parse_args(words[1:])[0]

    assert command is drop_command
    assert cause in message
    assert error in message
    assert reason(end, cloud).endswith(step)
    if REMEDIES.get(error) == MANIFEST:  # as it is, it would be refused again
        assert (given["manifest"], given["project"]) == ("FILE", project)
    else:
        assert given["manifest"] == uri
        assert ("put back what it was" in step) != is_there


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_a_run_that_did_not_fail_has_no_reason(status: str) -> None:
    assert reason(Ending(status, {}), FakeCloud()) == ""


@pytest.mark.parametrize("error", ["JobsRefused", "NothingLabeled"])
def test_ground_truth_gets_another_name_where_it_may_have_jobs_of_the_first(error: str) -> None:
    end = Ending("FAILED", {}, error, "", "s3://inbox/pets/may.manifest")
    step = next_step(end, FakeCloud())
    assert "another name" in step
    assert step.endswith(": tessera drop s3://inbox/pets/may.manifest")


def test_a_run_that_was_cut_off_goes_on_with_the_stack() -> None:
    end = Ending("FAILED", {}, CUT_OFF, "", "s3://inbox/pets/may.manifest")
    for say in (next_step, reason, lambda *one: failure(*one).message):
        assert say(end, FakeCloud()).endswith("tessera up")

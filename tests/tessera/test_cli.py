"""The commands as a person calls them: what they say, and what their exit codes mean."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from scripts.deployment import read_template
from scripts.reference import reference
from tessera.cli import COMMANDS, HINTS, explain, main
from tessera.commands.completion import run_names
from tessera.commands.deploy import plan, template_parameters
from tessera.commands.drop import drop_command
from tessera.exits import MEANING, Exit, NotFound
from tessera.runs.display import STATES, bar, log, status_line
from tessera.runs.executions import RunError, drop
from tessera.runs.folder import find_run
from tessera.runs.status import (
    SHARD_STATES,
    RoundProgress,
    RunStatus,
    ground_truth_progress,
    portal_progress,
    run_name_of,
)
from tessera.runs.uploads import upload_pictures
from tessera.screen import progress, waiting
from tessera.stack.cloud import Cloud
from tessera.tiling.jobs import run_id
from tessera.tiling.settings import read_settings
from tests.portal.world import World

DOCS = Path(__file__).parents[2] / "docs"


def call(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_help_that_says_what_it_does(name: str) -> None:
    done = call(name, "--help")

    assert done.exit_code == Exit.OK, done.output
    assert "Usage: main " + name in done.output or f"Usage: tessera {name}" in done.output
    told = COMMANDS[name][1]
    assert len(told) < 60
    assert told.endswith(".")


def test_help_imports_no_command() -> None:
    import subprocess
    import sys

    script = (
        "import sys; from tessera.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m in ('boto3', 'numpy', 'rich', 'liquid')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_the_reference_is_that_of_the_program() -> None:
    text = (DOCS / "operator.md").read_text("utf-8")

    # In an interpreter of its own: click keeps a command's help option from its first use, and
    # other tests call commands without the program around them.
    script = "from scripts.reference import reference; print(reference(), end='')"
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=DOCS.parent
    )
    assert printed.stdout in text, "run: make generated"
    for code, meaning in MEANING.items():
        assert f"| {int(code)} | {meaning} |" in text


def test_every_option_that_the_docs_name_exists() -> None:
    text = (DOCS / "operator.md").read_text("utf-8").partition("## All commands")[0]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    known = set(re.findall(r"--[a-z][a-z-]+", reference()))

    assert named <= known


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from leaves(below, *path, name)
    else:
        yield " ".join(path), command


@pytest.mark.parametrize(
    ("name", "command"), [pytest.param(*leaf, id=leaf[0]) for leaf in leaves(main)]
)
def test_every_command_takes_json(name: str, command: click.Command) -> None:
    (option,) = [p for p in command.params if "--json" in p.opts]

    assert isinstance(option, click.Option)
    assert (option.name, option.is_flag) == ("as_json", True)
    assert "JSON" in (option.help or "") or "report.json" in (option.help or "")


DIGITS = DOCS.parent / "examples" / "digits"
DOCUMENTS = {
    "completion bash": {"shell", "script"},
    "down": {"stopped"},
    "deploy --dry-run": {"stack", "region", "parameters", "commands", "deployed"},
    f"preview --images {DIGITS / 'images'}": {"page", "pictures", "choices"},
    f"manifest {DIGITS / 'images'} --out new.manifest": {"manifest", "images"},
    f"group {DIGITS / 'digits.manifest'} --out groups": {"out", "images", "shards"},
    f"estimate {DIGITS / 'digits.manifest'}": {"manifest", "counted", "estimate", "assumed"},
}
"""Commands that need no stack, and what their documents must hold."""


@pytest.mark.parametrize("words", DOCUMENTS, ids=lambda words: words.split()[0])
def test_with_json_a_command_prints_one_document_and_its_talk_aside(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = call(*words.split())
    done = call(*words.split(), "--json")

    assert done.exit_code == Exit.OK, done.output
    assert json.loads(done.stdout).keys() >= DOCUMENTS[words]
    assert plain.stdout != done.stdout


def test_answers_to_a_served_preview_are_in_its_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str, tell: Callable[[Any], None]) -> None:
        tell({"0": {"cat": True}})
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tessera.commands.preview._serve", interrupted)

    done = call("preview", "--serve", "--json")

    assert json.loads(done.stdout)["answers"] == [{"0": {"cat": True}}]


PUBLIC = {
    "labels": ["cat", "dog"],
    "workforce": "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default",
    "content_classifiers": ["FreeOfPersonallyIdentifiableInformation"],
}


@pytest.mark.parametrize(
    "words",
    [
        "estimate {manifest} --settings {settings}",
        "deploy --dry-run --settings {settings}",
        "deploy --dry-run --set PublicPrice=0.036",
    ],
)
def test_a_person_is_told_that_the_public_marketplace_is_closed(words: str, tmp_path: Path) -> None:
    settings = tmp_path / "labeling.json"
    settings.write_text(json.dumps(PUBLIC))
    spelled = words.format(manifest=DIGITS / "digits.manifest", settings=settings).split()

    said = " ".join(call(*spelled).stderr.split())
    (warning,) = json.loads(call(*spelled, "--json").stdout)["warnings"]

    assert "Warning:" in said
    assert "closed on 30 September 2026" in said
    assert warning in said


def test_a_drop_for_the_public_crowd_is_warned_of_before_anything_is_uploaded(
    labels: Any, tessera: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise RunError("nothing is uploaded in this test")

    monkeypatch.setattr("tessera.commands.drop.list_executions", lambda *_: [])
    monkeypatch.setattr("tessera.commands.drop.drop", refuse)
    (tmp_path / "labeling.json").write_text(json.dumps(PUBLIC))
    (tmp_path / "may.manifest").write_text('{"source-ref": "s3://inbox/1.png"}\n')

    done = tessera(drop_command, "may.manifest")

    assert "closed on 30 September 2026" in done.stderr
    assert "nothing is uploaded" in done.stderr


@pytest.mark.parametrize("where", ["the project", "the stack"])
def test_a_manifest_without_settings_is_dropped_under_those_that_are_there(
    where: str, labels: Any, place: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_there(*_: Any, **__: Any) -> str:
        raise RunError("dropped")

    raw = b'{"labels": ["cat", "dog"]}'
    monkeypatch.setattr("tessera.commands.drop.list_executions", lambda *_: [])
    monkeypatch.setattr("tessera.commands.drop.wait_for_execution", stop_there)
    monkeypatch.setattr(type(place.cloud), "default_settings", raw if where == "the stack" else b"")
    if where == "the project":
        labels.put("inbox", "pets/labeling.json", raw)
    Path("may.manifest").write_text('{"source-ref": "s3://inbox/1.png"}\n')

    done = tessera(drop_command, "may.manifest", "--project", "pets")
    other = tessera(drop_command, "may.manifest", "--project", "zoo")

    assert "dropped" in done.stderr
    assert other.exit_code == (Exit.REFUSED if where == "the project" else Exit.FAILED)
    assert "s3://inbox/pets/may.manifest" in labels.files.objects
    own = "s3://inbox/pets/labeling.json" in labels.files.objects
    assert own == (where == "the project")


def test_an_unknown_command_is_a_wrong_call() -> None:
    done = call("drip")

    assert done.exit_code == Exit.USAGE


def test_without_a_stack_commands_say_how_to_get_one(tmp_path: Path) -> None:
    done = call("--home", str(tmp_path), "--port", "9", "runs")

    assert done.exit_code == Exit.NOT_DEPLOYED
    assert "tessera up" in done.output


def test_status_of_nothing_is_said_and_has_its_exit_code(tmp_path: Path) -> None:
    done = call("--home", str(tmp_path), "--port", "9", "status", "--json")

    assert done.exit_code == Exit.NOT_DEPLOYED
    assert json.loads(done.stdout)["answers"] is False


@pytest.mark.parametrize("code", HINTS)
def test_what_aws_says_comes_with_what_to_do(code: str) -> None:
    error = type(code, (Exception,), {"response": {"Error": {"Code": code}}})("it said no")

    assert HINTS[code] in explain(error).message


def test_interrupting_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "tessera.commands.completion.completion", click.Command("completion", callback=interrupt)
    )

    assert call("completion").exit_code == Exit.INTERRUPTED


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    assert "_TESSERA_COMPLETE" in call("completion", shell).output


def test_completion_of_runs_stays_silent_where_there_is_no_stack(tmp_path: Path) -> None:
    context = click.Context(main)
    context.params = {"home": tmp_path, "port": 9, "name": "tessera"}

    assert run_names(context, click.Argument(["run"]), "") == []


def test_deploy_prints_its_commands_with_the_parameters(tmp_path: Path) -> None:
    settings = tmp_path / "labeling.json"
    settings.write_text('{"labels": ["a \\"b\\"", "c"]}')

    parameters = template_parameters(settings, ("s3://pets/",), "", ("LogLevel=DEBUG",))
    deployment = plan(Cloud(region="eu-west-1", stack_name="mine"), "prod", parameters)
    build, deploying = deployment.commands

    assert build[1] == "build"
    assert " ".join(deploying[2:4]) == "--stack-name mine"
    assert "--profile prod --region eu-west-1" in " ".join(deploying)
    assert 'ImageObjects="arn:aws:s3:::pets/*"' in deploying
    assert 'LogLevel="DEBUG"' in deploying
    assert any(word.startswith('DefaultSettings="{\\"labels\\"') for word in deploying)


def test_a_run_is_found_by_the_beginning_of_its_name_and_the_newest_without(
    labels: Any, place: Any
) -> None:
    for name in ("pets-april-0123456789ab", "pets-may-0123456789ab"):
        labels.run(name, images=1, pictures=False)

    assert find_run(place.cloud, "pets-a").name == "pets-april-0123456789ab"
    with pytest.raises(NotFound, match="any of 2 runs"):
        find_run(place.cloud, "pets-")
    assert find_run(place.cloud, None).name.startswith("pets-")


def test_a_folder_of_pictures_becomes_a_manifest_and_is_uploaded_once(
    labels: Any, place: Any, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/two.PNG", "one.png", "notes.txt", "scan.tif"):
        (tmp_path / name).write_bytes(b"a picture")

    first = upload_pictures(place.cloud, tmp_path, "pets")
    uploaded = labels.files.requests["PutObject"]
    again = upload_pictures(place.cloud, tmp_path, "pets")

    assert first == again
    assert [json.loads(line)["source-ref"] for line in first.splitlines()] == [
        "s3://inbox/images/pets/b/two.PNG",
        "s3://inbox/images/pets/one.png",
    ]
    assert labels.files.content_types["s3://inbox/images/pets/one.png"] == "image/png"
    assert labels.files.requests["PutObject"] == uploaded


def test_a_drop_puts_the_settings_before_the_manifest(labels: Any, place: Any) -> None:
    key = drop(place.cloud, b"{}\n", project="pets", name="may", settings=b"{}")

    assert key == "pets/may.manifest"
    settings, manifest = labels.files.objects  # in the order in which they were put
    assert settings == "s3://inbox/pets/labeling.json"
    assert manifest == "s3://inbox/pets/may.manifest"


def test_a_run_under_the_stack_s_default_settings_is_known_before_it_has_a_folder(
    labels: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = b'{"labels": ["cat", "dog"]}'
    monkeypatch.setattr(type(place.cloud), "default_settings", default)
    manifest = {"key": "pets/may.manifest", "etag": "9", "version-id": ""}
    detail = {"bucket": {"name": "inbox"}, "object": manifest}

    expected = run_id({"bucket": "inbox"} | manifest, read_settings(default))

    assert run_name_of(place.cloud, {"input": json.dumps({"detail": detail})}) == expected


def test_a_person_is_told_of_the_shards_and_not_of_the_states_inside_them() -> None:
    machine = json.loads((DOCS.parent / "statemachine" / "labeling.asl.json").read_text("utf-8"))
    inside = machine["States"]["LabelShards"]["ItemProcessor"]["States"]

    assert inside.keys() == SHARD_STATES
    assert machine["States"].keys() >= STATES.keys()


def test_progress_on_the_portal_is_added_up_over_the_jobs_of_a_round() -> None:
    world = World()
    jobs = [world.open(tasks=2, name=f"pets-1-r1-00{shard}") for shard in range(2)]
    for job in jobs:
        world.work(job, "ann", "cat")
    world.clock.wait(1000)  # ann is gone
    world.work(jobs[0], "bob", "cat")

    asking = portal_progress(world.ports, [*(job.name for job in jobs), "not-open-yet"])

    assert (asking.tasks, asking.answers, asking.needed, asking.workers) == (4, 6, 8, 1)
    assert asking.images_an_hour == pytest.approx(3600 * 2 / 10)  # two a page, 10 seconds each
    assert asking.hours_left == pytest.approx(2 * 10 / 3600)
    assert asking.agreement == 1
    assert asking.jobs == ("pets-1-r1-000", "pets-1-r1-001")


class Service:
    """Ground Truth with one job."""

    class exceptions:
        """The errors that it knows."""

        class ResourceNotFound(Exception):
            """No such job."""

    def describe_labeling_job(self, LabelingJobName: str) -> dict[str, Any]:
        """How the job stands."""
        if LabelingJobName != "a":
            raise self.exceptions.ResourceNotFound
        counters = {"TotalLabeled": 7, "FailedNonRetryableError": 1, "Unlabeled": 3}
        return {"LabelCounters": counters}


def test_progress_at_ground_truth_is_read_from_its_counters() -> None:
    asking = ground_truth_progress(Service(), ["a", "b"])

    assert (asking.answers, asking.needed, asking.jobs) == (8, 10, ("a",))


def standings() -> list[RunStatus]:
    asked = [RoundProgress(10, done, 20, 2, 100.0, 0.5, 0.9) for done in (0, 12, 20)]
    return [
        RunStatus("", "RUNNING", "GroupImages"),
        *(RunStatus("pets", "RUNNING", "LabelShards", 1, 200, asking) for asking in asked),
        RunStatus("pets", "RUNNING", "ConsolidateLabels", 1, 200),
        RunStatus("pets", "RUNNING", "LabelShards", 2, 20, RoundProgress(1, 0, 1)),
        RunStatus("pets", "SUCCEEDED", "Announce", 2, 20, confidence=0.97),
    ]


@pytest.mark.parametrize("shown", [bar, log])
def test_a_run_is_shown_state_by_state_on_eighty_columns(shown: Any) -> None:
    console = Console(record=True, width=80, force_terminal=shown is bar)

    with shown(console) as say:
        for standing in standings():
            say(standing)

    assert re.findall(r"\d s  ([A-Z]\w+)", console.export_text()) == [
        "GroupImages", "LabelShards", "ConsolidateLabels", "LabelShards", "Announce",
    ]  # fmt: skip
    assert "97% confidence" in status_line(standings()[-1])


def test_a_log_is_told_how_far_the_work_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tessera.screen.PAUSE", 0.0)
    console = Console(record=True, width=80, force_terminal=False)

    with progress("pictures", 3, console=console) as advance:
        for _ in range(3):
            advance(1)
    monkeypatch.undo()
    with waiting("Deploying", console):
        pass

    assert console.export_text().splitlines() == [
        "pictures: 1 of 3", "pictures: 2 of 3", "pictures: 3 of 3", "Deploying …",
    ]  # fmt: skip


def test_deploy_names_only_parameters_that_the_template_has(tmp_path: Path) -> None:
    settings = tmp_path / "labeling.json"
    settings.write_text('{"labels": ["cat", "dog"]}')

    parameters = template_parameters(
        settings, ("pets",), "arn:aws:kms:eu-west-1:123456789012:key/1", ()
    )

    assert len(parameters) == 3
    assert parameters.keys() <= read_template()["Parameters"].keys()

"""Commands as a person calls them: their help, their documents and their exit codes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import pytest
from botocore.exceptions import EndpointConnectionError, ResponseStreamingError
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from scripts.reference import reference
from tessera.cli import COMMANDS, HINTS, explain, main, nearest
from tessera.exits import MEANING, Exit

DOCS = Path(__file__).parents[2] / "docs"


def call(*arguments: str) -> Any:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_help_that_says_what_it_does(name: str) -> None:
    done = call(name, "--help")

    assert done.exit_code == Exit.OK, done.output
    assert "Usage: main " + name in done.output or f"Usage: tessera {name}" in done.output
    summary = COMMANDS[name][1]
    assert len(summary) < 60
    assert summary.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_no_list_of_commands_breaks_off_a_sentence(name: str) -> None:
    listed = CliRunner().invoke(main, [name, "--help"], terminal_width=80).output
    assert "..." not in listed.partition("Commands:")[2]


def test_the_program_alone_shows_what_there_is() -> None:
    alone = call()
    assert alone.exit_code == Exit.OK
    assert alone.output == call("--help").output


@pytest.mark.thorough
def test_help_imports_no_command() -> None:
    script = (
        "import sys; from tessera.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(m for m in sys.modules if m in ('boto3', 'numpy', 'rich', 'liquid')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]", done.stdout


@pytest.mark.thorough
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


@pytest.mark.thorough
@pytest.mark.parametrize("words", DOCUMENTS, ids=lambda words: words.split()[0])
def test_with_json_a_command_prints_one_document_and_its_messages_aside(
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
    def interrupted(_: str, submit: Callable[[Any], None]) -> None:
        submit({"0": {"cat": True}})
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
def test_there_is_a_warning_that_the_public_marketplace_is_closed(
    words: str, tmp_path: Path
) -> None:
    settings = tmp_path / "labeling.json"
    settings.write_text(json.dumps(PUBLIC))
    spelled = words.format(manifest=DIGITS / "digits.manifest", settings=settings).split()

    printed = " ".join(call(*spelled).stderr.split())
    (warning,) = json.loads(call(*spelled, "--json").stdout)["warnings"]

    assert "Warning:" in printed
    assert "closed on 30 September 2026" in printed
    assert warning in printed


def test_an_unknown_command_is_a_wrong_call() -> None:
    done = call("drip")

    assert done.exit_code == Exit.USAGE


def test_without_a_stack_commands_say_how_to_get_one(tmp_path: Path) -> None:
    done = call("--home", str(tmp_path), "--port", "9", "runs")

    assert done.exit_code == Exit.NOT_DEPLOYED
    assert f"tessera --port 9 --home {tmp_path} up" in done.output


def test_the_status_of_nothing_has_its_exit_code(tmp_path: Path) -> None:
    done = call("--home", str(tmp_path), "--port", "9", "status", "--json")

    assert done.exit_code == Exit.NOT_DEPLOYED
    assert json.loads(done.stdout)["answers"] is False


@pytest.mark.parametrize("code", HINTS)
def test_an_error_of_aws_comes_with_what_to_do(code: str) -> None:
    error = type(code, (Exception,), {"response": {"Error": {"Code": code}}})("refused")

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


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration of AWS with one profile, which has a region."""
    config = tmp_path / "config"
    config.write_text("[profile prod]\nregion = ap-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "")
    monkeypatch.delenv("AWS_DEFAULT_REGION")


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize("words", ["deploy --dry-run", "status", "doctor", "runs"])
def test_an_unknown_profile_fails_with_a_sentence_before_anything_else(words: str) -> None:
    done = call("--profile", "prdo", *words.split())

    assert done.exit_code == Exit.FAILED
    assert "There is no AWS profile 'prdo'" in done.output
    assert "aws configure --profile prdo" in done.output


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("words", "region"), [("", "ap-east-1"), ("--region eu-west-1 ", "eu-west-1")]
)
def test_a_planned_deployment_names_profile_and_region(words: str, region: str) -> None:
    done = call(*f"--profile prod {words}--stack mine deploy --dry-run".split())

    assert f"--profile prod --region {region}" in done.output
    assert "--stack-name mine" in done.output


def test_without_a_profile_a_deployment_still_has_the_stack_and_region_that_were_named() -> None:
    done = call(*["--region", "eu-west-1", "--stack", "mine", "deploy", "--dry-run"])

    assert "--stack-name mine" in done.output
    assert "--region eu-west-1" in done.output


def test_a_hint_about_signing_in_names_the_profile() -> None:
    error = type("E", (Exception,), {"response": {"Error": {"Code": "ExpiredToken"}}})("expired")

    assert "aws sso login --profile prod" in explain(error, "prod").message


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999", "http"])
def test_a_port_that_no_program_can_have_is_refused(port: str) -> None:
    result = CliRunner().invoke(main, ["--port", port, "runs"])
    assert (result.exit_code, "'--port'" in result.output) == (2, True)


def test_a_stack_that_stops_answering_is_looked_for_where_it_was(tmp_path: Path) -> None:
    @click.command()
    def ask() -> None:
        """Ask a stack that has stopped."""
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    words = ["--port", "9", "--home", str(tmp_path), "ask"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "get_command", lambda *_: ask)
        patch.setattr(main, "resolve_command", lambda _, args: ("ask", ask, args[1:]))
        done = CliRunner().invoke(main, words)
    assert f"tessera --port 9 --home {tmp_path} status" in done.output


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if "--yes" in call(name, "--help").output]
)
def test_a_question_without_anybody_to_answer_names_the_option(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def ask(*_: Any, **__: Any) -> None:
        click.confirm("Really?", abort=True, err=True)

    command = main.get_command(click.Context(main), name)
    monkeypatch.setattr(command, "callback", ask)
    words = [name, *(["my run"] if name == "stop" else [])]
    home = ("--home", str(tmp_path / "my home"))

    nobody = CliRunner().invoke(main, [*home, *words], input="")
    no = CliRunner().invoke(main, [*home, *words], input="n\n")
    yes = CliRunner().invoke(main, [*home, *words], input="y\n")

    (line,) = [line for line in nobody.output.splitlines() if line.startswith("Error: ")]
    asked = shlex.split(line.rpartition(": ")[2])
    assert asked == ["tessera", *home, name, "--yes", *words[1:]]
    assert (nobody.exit_code, no.exit_code, yes.exit_code) == (Exit.FAILED, Exit.FAILED, Exit.OK)
    assert "--yes" not in no.output


def test_interrupting_a_question_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(**_: Any) -> None:  # as click does
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise click.Abort from None

    monkeypatch.setattr(main.get_command(click.Context(main), "deploy"), "callback", ask)
    assert call("deploy").exit_code == Exit.INTERRUPTED


@given(st.lists(st.text("ab c'$", min_size=1, max_size=5), max_size=4))
def test_a_command_looks_at_rights_that_there_are(names: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, *names)
        existing = nearest(path)
        assert os.path.exists(existing)
        assert path.startswith(existing)
        os.makedirs(path, exist_ok=True)
        assert nearest(path) == path
    assert nearest("nothing of this name") == "."


def test_an_option_that_is_no_utf_8_is_no_fault_of_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = main.get_command(click.Context(main), "runs")
    monkeypatch.setattr(runs, "callback", lambda **_: "a\udcff".encode())
    done = call("--home", str(tmp_path), "runs")
    assert "b'a\\xff' is not UTF-8" in done.output
    assert "fault" not in done.output


def test_an_answer_that_breaks_off_is_no_traceback() -> None:
    broken = ResponseStreamingError(error="Connection broken")
    assert "Connection broken" in explain(broken).message


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_help_that_has_no_room_says_so() -> None:
    script = "from tessera.cli import main; main(['runs', '--help'])"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == Exit.FAILED
    assert "The disk is full" in done.stderr
    assert "Traceback" not in done.stderr

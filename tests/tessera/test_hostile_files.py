"""Every command, with files that nobody should give it: a sentence about the file, no traceback."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.cli import main
from tessera.stack.certificate import self_made
from tessera.stack.cloud import Cloud
from tests.examples import examples
from tests.tessera.conftest import Place, png


def array(rows: NDArray[np.float32]) -> bytes:
    """Return what numpy.save writes."""
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def certificate_files() -> dict[str, bytes]:
    """Return a certificate and its key as people have them."""
    with tempfile.TemporaryDirectory() as folder:
        made = self_made(Path(folder), ["labels.example.org"])
        return {"tls.crt": made.file.read_bytes(), "tls.key": made.key.read_bytes()}


SETTINGS = json.dumps({"labels": ["cat", "dog"]}).encode()
MANIFEST = b'{"source-ref": "s3://pets/1.jpg"}\n{"source-ref": "s3://pets/2.jpg"}\n'
FILES = {
    "labeling.json": SETTINGS,
    "pets.manifest": MANIFEST,
    "answers.csv": b"task,worker,label\n1,ann,cat\n1,bob,cat\n2,ann,dog\n2,bob,cat\n",
    "gold.csv": b"task,label\n1,cat\n",
    "guesses.csv": b"task,label,confidence\n1,cat,0.9\n",
    "rows.npy": array(np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], np.float32)),
    "names.txt": b"1\n2\n3\n",
    "row.npy": array(np.array([[0.9, 0.1]], np.float32)),
    "local.manifest": b'{"source-ref": "pets/1.png"}\n',
    **certificate_files(),
    "pets/1.png": png(4, 3),
    "pets/labeling.json": SETTINGS,
    "coco.json": json.dumps(
        {
            "categories": [{"id": 1, "name": "cat"}],
            "images": [{"id": 1, "file_name": "1.png"}],
            "annotations": [{"image_id": 1, "category_id": 1}],
        }
    ).encode(),
    "studio.json": json.dumps([{"data": {"image": "s3://pets/1.jpg"}, "annotations": []}]).encode(),
    "images.csv": b"image,label\npets/1.png,cat\n",
    "image-gold.csv": b"image,label\n1.png,cat\n",
    "image-guesses.csv": b"image,label,confidence\n1.png,cat,0.9\n",
}
"""Files that no command objects to."""
CONSOLIDATE = "consolidate answers.csv --gold gold.csv --prelabels guesses.csv --out out.csv"
DROP = "drop pets --settings labeling.json --gold image-gold.csv --prelabels image-guesses.csv"
SERVE = "serve --tls-cert tls.crt --tls-key tls.key"
BY_ROWS = "consolidate answers.csv --ids names.txt --out out.csv"
CALLS = {
    ("consolidate", "answers"): (CONSOLIDATE, "answers.csv"),
    ("consolidate", "gold"): (CONSOLIDATE, "gold.csv"),
    ("consolidate", "prelabels"): (CONSOLIDATE, "guesses.csv"),
    ("consolidate", "embeddings"): (f"{BY_ROWS} --embeddings rows.npy", "rows.npy"),
    ("consolidate", "probabilities"): (f"{BY_ROWS} --probabilities rows.npy", "rows.npy"),
    ("consolidate", "ids"): (f"{BY_ROWS} --embeddings rows.npy", "names.txt"),
    ("estimate", "manifest"): ("estimate pets.manifest", "pets.manifest"),
    ("estimate", "settings_path"): ("estimate pets.manifest", "labeling.json"),
    ("preview", "settings_file"): ("preview --settings labeling.json", "labeling.json"),
    ("preview", "manifest"): ("preview --manifest pets.manifest", "pets.manifest"),
    ("preview", "images"): ("preview --images pets", "pets"),
    ("group", "manifest"): ("group pets.manifest --out groups", "pets.manifest"),
    ("group", "settings_path"): ("group pets.manifest --out groups", "labeling.json"),
    ("drop", "manifest"): ("drop pets.manifest", "pets.manifest"),
    ("drop", "settings_path"): ("drop pets.manifest", "labeling.json"),
    ("drop", "gold"): (DROP, "image-gold.csv"),
    ("drop", "prelabels"): (DROP, "image-guesses.csv"),
    ("drop", "embeddings"): (f"{DROP} --embeddings row.npy", "row.npy"),
    ("import", "manifest"): (
        "import --ground-truth pets --manifest pets.manifest",
        "pets.manifest",
    ),
    ("import", "coco"): ("import --coco coco.json --images pets --out new.manifest", "coco.json"),
    ("import", "label_studio"): (
        "import --label-studio studio.json --out new.manifest",
        "studio.json",
    ),
    ("import", "csv"): ("import --csv images.csv --out new.manifest", "images.csv"),
    ("embed", "source"): ("embed local.manifest --encoder pixels --out new.npy", "local.manifest"),
    ("serve", "tls_cert"): (SERVE, "tls.crt"),
    ("serve", "tls_key"): (SERVE, "tls.key"),
    ("deploy", "settings"): ("deploy --settings labeling.json --dry-run", "labeling.json"),
    ("manifest", "source"): ("manifest pets --out new.manifest", "pets"),
}
"""Calls that read a file, by command and parameter: the words, and the file in them."""
BAD = {
    "empty": b"",
    "blank lines": b"\n" * 1000,
    "a byte order mark alone": b"\xef\xbb\xbf",
    "damaged UTF-16": b"\xff\xfet\0a",
    "NULs": bytes(5000),
    "a picture": png(9, 9),
    "a workbook": b"PK\x03\x04\x14\0\6\0\x08\0\0\0!\0",
    "half a gzip": gzip.compress(MANIFEST * 100)[:60],
    "neither encoding": b"\x81\x8d\x8f\n" * 50,
    "a page": b"<!doctype html>\n<title>Not found</title>\n<p>404",
    "a list": b"[1, 2, 3]",
    "a number": b"7",
    "deep brackets": b"[" * 50_000,
    "a deep object": b'{"a":' * 50_000,
    "one long line": b"x" * 1_500_000,
    "a quote that stays open": b'task,worker,label,confidence\n1,"ann,cat,1\n2,bob,dog,1\n',
    "rows of other columns": b"a,b,c\n1,2,3\n",
    "only columns": b"task,worker,label,confidence,image\n",
    "rows too long": b"task,worker,label,confidence,image\n1,ann,cat,1,1.png,and,more\n",
    "rows too short": b"task,worker,label,confidence,image\n1\n",
    "settings of labels alike": b'{"labels": ["cat", "Cat"]}',
    "settings with a key twice": b'{"labels": ["cat", "dog"], "labels": ["cat", "dog"]}',
    "settings in Windows-1252": b'{"labels": ["K\xe4se", "dog"]}',
}
"""Contents that are neither a manifest, nor settings, nor a CSV file that any command can use."""
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES") or examples(25))
"""Damaged files for each parameter; more are tried by hand, as they take minutes."""
REMEDIES = re.compile(
    r"\b(save|write|put|give|rename|complete|keep|pack|unpack|check|make|see docs|says what|mend|"
    r"needs the columns|has to name|is the right column|files|meant|holds no|name)\b",
    re.IGNORECASE,
)


def leaves(command: click.Command, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from leaves(below, *words, name)
    else:
        yield words, command


class RemotePlace(Place):
    """A stack that is deployed to."""

    @property
    def remote(self) -> Cloud:
        return self.cloud


def stop_before_upload(*_: object, **__: object) -> None:
    """End a command where nothing is wrong with its files."""
    raise click.exceptions.Exit(0)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Result]:
    """Calls the tool, by all its words, in a folder of files that are right."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tessera.cli.Target", lambda *_: RemotePlace())
    monkeypatch.setattr("tessera.stack.cloud.Cloud.default_settings", b"")
    monkeypatch.setattr("tessera.commands.drop.start_run", stop_before_upload)
    monkeypatch.setattr("tessera.commands.serve.check_free", stop_before_upload)
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return lambda words: CliRunner().invoke(main, words.split())


def test_every_parameter_that_takes_a_file_is_tried() -> None:
    takes_files = {
        (words[-1], parameter.name)
        for words, command in leaves(main)
        for parameter in command.params
        if isinstance(parameter.type, click.Path) and parameter.type.exists
    }

    # whose folder is read as that of `drop` is, once the stack runs
    assert takes_files - {("label", "pictures")} <= CALLS.keys(), "a new parameter needs a call"


def assert_sentence(result: Result, name: str) -> None:
    assert isinstance(result.exception, SystemExit), result.exception
    assert "fault of Tessera" not in result.output, result.output
    assert "Traceback" not in result.output
    assert name in result.output.replace("\n", ""), result.output


def is_about_folder(case: tuple[str, str]) -> bool:
    return CALLS[case][1] == "pets"


@pytest.mark.thorough
@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
@pytest.mark.parametrize("case", CALLS, ids=" ".join)
def test_a_file_of_another_kind_is_refused_in_a_sentence_with_a_remedy(
    call: Callable[[str], Result], case: tuple[str, str], content: bytes
) -> None:
    words, name = CALLS[case]
    path = Path(name, "1.png") if is_about_folder(case) else Path(name)
    if is_about_folder(case) and content.startswith(b"\x89PNG"):
        pytest.skip("a picture is no file of another kind there")
    path.write_bytes(content)

    result = call(words)

    assert result.exit_code not in (0, 2), result.output
    assert_sentence(result, name)
    assert REMEDIES.search(result.output), result.output


@pytest.mark.parametrize("case", CALLS, ids=" ".join)
def test_a_file_that_is_not_there_or_a_folder_is_refused_by_name(
    call: Callable[[str], Result], case: tuple[str, str]
) -> None:
    words, name = CALLS[case]
    if name == "labeling.json" and case[0] in ("group", "drop"):
        pytest.skip("without settings beside it the command takes others")
    Path(name).rename("elsewhere")
    missing = call(words)
    assert missing.exit_code
    assert_sentence(missing, name)
    if not is_about_folder(case):
        Path(name).mkdir()
        folder = call(words)
        assert folder.exit_code
        assert_sentence(folder, name)


@pytest.mark.parametrize(
    "words",
    [
        CONSOLIDATE.replace("out.csv", "nowhere/out.csv"),
        "manifest pets --out nowhere/new.manifest",
        "preview --images pets --out nowhere/page.html",
    ],
)
def test_a_result_is_never_computed_for_a_folder_that_is_not_there(
    call: Callable[[str], Result], words: str
) -> None:
    result = call(words)

    assert result.exit_code == 2
    assert "mkdir -p nowhere" in result.output.replace("\n", " ")


@pytest.mark.thorough
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
@pytest.mark.parametrize(
    "case", [case for case in CALLS if not is_about_folder(case)], ids=" ".join
)
def test_damage_anywhere_in_a_file_is_survived_or_told(
    call: Callable[[str], Result], case: tuple[str, str], data: st.DataObject
) -> None:
    words, name = CALLS[case]
    raw = FILES[name]
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, len(raw)))
    junk = data.draw(
        st.binary(max_size=12) | st.sampled_from([b'"', b",", b"\n", b"{", b"}", b"null", b"1e999"])
    )
    Path(name).write_bytes(raw[:start] + junk + raw[end:])

    assert_sentence_or_success(call(words), name)


def assert_sentence_or_success(result: Result, name: str) -> None:
    if result.exception is not None or result.exit_code:
        assert_sentence(result, name)

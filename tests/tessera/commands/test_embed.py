"""`tessera embed`: rows in the order of the pictures, whatever becomes of some of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tessera.commands.embed as embed_module
from tessera.commands.embed import embed_command
from tessera.encoders.decoding import decode
from tessera.exits import Exit
from tests.tessera.conftest import png

OUT = "may.embeddings.npy"


def line(source: object) -> str:
    return json.dumps({"source-ref": source}) + "\n"


def folder_of(count: int) -> Path:
    folder = Path("pets")
    folder.mkdir()
    for number in range(count):
        # a light stripe moves, so that no two pictures are alike
        (folder / f"{number:02d}.png").write_bytes(png(number + 1, 3, 10 * number))
    return folder


def test_a_folder_gets_a_row_for_each_picture_that_a_drop_takes(tessera: Any) -> None:
    folder = folder_of(5)
    (folder / "broken.png").write_bytes(b"no picture")
    done = tessera(embed_command, str(folder), "--encoder", "pixels", "--out", OUT, "--json")
    assert done.exit_code == Exit.OK, done.output
    assert json.loads(done.stdout) == {
        "embeddings": OUT,
        "encoder": "pixels",
        "images": 5,
        "numbers": 64,
        "without": 0,
    }
    rows = np.load(OUT)
    assert rows.shape == (5, 64)
    assert rows.dtype == np.float16
    assert "1 cannot be shown" in done.stderr
    assert sorted(path.name for path in Path().iterdir()) == [OUT, "pets"]


def test_a_manifest_gets_a_row_for_each_line_zeros_where_there_is_no_picture(
    labels: Any, tessera: Any
) -> None:
    labels.put("inbox", "pets/1.png", png(4, 4))
    Path("here").mkdir()
    Path("here/2.png").write_bytes(png(3, 5))
    lines = [
        line("s3://inbox/pets/1.png"),
        "no JSON\n",
        line("here/2.png"),
        "\n",
        line("s3://inbox/pets/absent.png"),
        line(7),
        line("s3:///nowhere"),
        line("here/absent.png"),
    ]
    Path("may.manifest").write_text("".join(lines))
    done = tessera(embed_command, "may.manifest", "--encoder", "pixels", "--out", OUT)
    assert done.exit_code == Exit.OK, done.output
    rows = np.load(OUT)
    assert np.flatnonzero(rows.any(axis=1)).tolist() == [0, 2]
    assert "6 pictures without an embedding: line 2, line 4, s3://inbox" in done.stderr


def test_after_an_interruption_it_goes_on_and_the_rows_are_the_same(
    tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(9)
    monkeypatch.setattr(embed_module, "BATCH", 2)
    command = (embed_command, str(folder), "--encoder", "pixels", "--out")
    tessera(*command, "whole.npy")
    calls: list[int] = []

    def stop_at_six(content: bytes, size: int, **more: int) -> Any:
        calls.append(size)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return decode(content, size, **more)

    monkeypatch.setattr(embed_module, "decode", stop_at_six)
    assert tessera(*command, OUT).exit_code != Exit.OK
    assert not Path(OUT).exists()
    (part,) = Path().glob("*.part")
    part.write_bytes(part.read_bytes()[:-3])  # within a row
    begun = len(calls)  # some are decoded before their turn
    done = tessera(*command, OUT)
    assert done.exit_code == Exit.OK, done.output
    assert "Going on after" in done.stderr
    assert len(calls) - begun < 9
    assert Path(OUT).read_bytes() == Path("whole.npy").read_bytes()
    assert not list(Path().glob("*.part"))


def test_other_pictures_begin_anew(tessera: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(3)

    def fail(*_: Any) -> Any:
        raise KeyboardInterrupt

    command = (embed_command, str(folder), "--encoder", "pixels", "--out", OUT)
    with monkeypatch.context() as patch:
        patch.setattr(embed_module, "decode", fail)
        tessera(*command)
    (folder / "00.png").write_bytes(png(30, 30, 7))
    assert "Going on" not in tessera(*command).stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no line with a picture"),
        ("oops\n", "no line with a picture"),
        (line("s3://inbox/absent.png"), "could be read and decoded"),
    ],
)
def test_a_manifest_of_which_nothing_can_be_read_is_refused(
    tessera: Any, content: str, message: str
) -> None:
    Path("may.manifest").write_text(content)
    done = tessera(embed_command, "may.manifest", "--encoder", "pixels", "--out", OUT)
    assert done.exit_code == Exit.REFUSED, done.output
    assert message in done.stderr
    assert not Path(OUT).exists()

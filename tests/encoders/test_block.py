"""A run embeds its own pictures: blocks in the function's way, and what becomes of the run."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import numpy as np
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tessera.encoders.block import BATCH, MOST_BYTES, Embedded, embed_block
from tessera.encoders.choice import Encoder, choose_encoder
from tessera.tiling.guesses.embedding_blocks import (
    PLAN_NAME,
    Plan,
    join_blocks,
    pictures_name,
    rows_name,
)
from tests.fakes import Files
from tests.guessed_run import LABELS, GuessedRun, noisy
from tests.tessera.conftest import png

HOME = "s3://labels/runs/pets/"


def laid_out(names: list[str]) -> Files:
    files = Files()
    files.objects[HOME + PLAN_NAME] = msgspec.json.encode(Plan("pixels", len(names), len(names)))
    files.objects[HOME + pictures_name(0)] = msgspec.json.encode(names)
    return files


def rows_of(files: Files) -> Any:
    return np.load(io.BytesIO(files.objects[HOME + rows_name(0)]))


def test_each_line_has_its_row_zeros_where_there_is_no_picture() -> None:
    names = [f"s3://inbox/pets/{number}.png" for number in range(2 * BATCH + 3)]
    files = laid_out(names)
    for number, name in enumerate(names):
        files.objects[name] = png(8, 8, number)
    del files.objects[names[1]]
    files.objects[names[2]] = b"no picture"
    files.objects[names[3]] = bytes(MOST_BYTES + 1)
    files.objects[HOME + pictures_name(0)] = msgspec.json.encode([*names[:-1], ""])
    embedded = embed_block(files, HOME, 0, choose_encoder)
    without = {1, 2, 3, len(names) - 1}
    assert embedded == Embedded(len(names), len(names) - len(without))
    rows = rows_of(files)
    assert rows.shape == (len(names), 64)
    assert set(np.flatnonzero(~rows.any(axis=1)).tolist()) == without


def test_a_block_is_embedded_once() -> None:
    files = laid_out(["s3://inbox/pets/1.png"])
    files.objects["s3://inbox/pets/1.png"] = png(8, 8)
    assert embed_block(files, HOME, 0, choose_encoder) == Embedded(1, 1)
    written = files.objects[HOME + rows_name(0)]
    assert embed_block(files, HOME, 0, never) is None
    assert files.objects[HOME + rows_name(0)] == written


def never(name: str) -> Encoder:
    raise AssertionError(f"{name} is loaded in vain")


def refused(status: int) -> ClientError:
    meta = {"HTTPStatusCode": status}
    response: Any = {"Error": {"Code": "X"}, "ResponseMetadata": meta}
    return ClientError(response, "GetObject")


class Refusing(Files):
    """S3 that answers a picture with an error."""

    def __init__(self, error: Exception, of: Files) -> None:
        super().__init__()
        self.error, self.objects = error, of.objects

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        raise self.error


@pytest.mark.parametrize("error", [refused(403), refused(400), ValueError("no S3 URI")])
def test_a_picture_that_s3_refuses_hurts_itself_alone(error: Exception) -> None:
    files = Refusing(error, laid_out(["s3://theirs/1.png", ""]))
    assert embed_block(files, HOME, 0, choose_encoder) == Embedded(2, 0)


@pytest.mark.parametrize("error", [refused(503), refused(500), OSError("the network is down")])
def test_a_fault_of_s3_is_no_broken_picture_and_the_block_is_tried_again(error: Exception) -> None:
    files = Refusing(error, laid_out(["s3://inbox/1.png"]))
    with pytest.raises(type(error)):
        embed_block(files, HOME, 0, choose_encoder)
    assert HOME + rows_name(0) not in files.objects


# --- in a run ---------------------------------------------------------------------------------


def square_at(place: int, light: int) -> bytes:
    """Return a dark picture with a square of this light at one of three places."""
    pixels = np.full((24, 24), 9, np.uint8)
    pixels[8 * place : 8 * place + 8, 8:16] = light
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


TRUTH = np.arange(400) % len(LABELS)


class OwnEmbeddings(GuessedRun):
    """A dropped manifest of pictures without embeddings, which are made beside the first round.

    A picture's light square is at a place of its class; blocks in `failing` fail for good.
    """

    failing = False

    def __init__(self, **guesses: Any) -> None:
        rows = np.ones((len(TRUTH), 4), np.float32)
        super().__init__(noisy(TRUTH), rows, guesses={"encoder": "pixels"} | guesses)
        del self.files.objects["s3://inbox/pets/may.embeddings.npy"]
        for number, label in enumerate(TRUTH.tolist()):
            content = square_at(label, 40 + number % 90)
            self.files.objects[f"s3://inbox/pets/{number}.jpg"] = content

    def beside(self, asked: dict[str, Any]) -> None:
        if "blocks" not in asked:
            return
        assert asked["round"] == 1
        if self.failing:
            self.embedding = 'EncoderUnusable: {"errorMessage": "no weights", "errorType": "Enco'
            return
        for block in range(asked["blocks"]):
            embed_block(self.files, asked["home"], block, choose_encoder)
        join_blocks(self.files, asked["home"])


@pytest.mark.thorough
def test_pictures_are_embedded_beside_the_first_round_and_the_model_learns_from_them() -> None:
    run = OwnEmbeddings()
    result = run.run()
    report = run.report()
    assert result["outcome"] == "done"
    assert report["guesses"]["used"]
    assert "notices" not in report
    answers = sum(line["label-metadata"]["answers"] for line in run.lines())
    assert answers < 1.6 * len(TRUTH)


@pytest.mark.thorough
def test_a_picture_that_cannot_be_decoded_has_no_guess_and_is_asked() -> None:
    run = OwnEmbeddings(least=0)
    broken = 7
    run.files.objects[f"s3://inbox/pets/{broken}.jpg"] = b"no picture"
    run.run()
    (line,) = [line for line in run.lines() if line["source-ref"].endswith(f"/{broken}.jpg")]
    assert line["label-metadata"]["answers"] > 0


@pytest.mark.thorough
def test_a_run_whose_pictures_are_not_embedded_goes_on_without_a_model_and_says_why() -> None:
    run = OwnEmbeddings()
    run.failing = True
    assert run.run()["outcome"] == "done"
    report = run.report()
    assert not report["guesses"]["used"]
    assert report["guesses"]["why_not"] == "its pictures could not be embedded: no weights"
    assert report["notices"][-1].endswith(": no weights")
    assert all(line["label-metadata"]["answers"] >= 2 for line in run.lines())
    assert len(run.lines()) == len(TRUTH)


def test_embeddings_beside_the_manifest_come_before_an_encoder() -> None:
    run = OwnEmbeddings()
    rows = np.random.default_rng(1).normal(size=(len(TRUTH), 4)).astype(np.float16)
    file = io.BytesIO()
    np.save(file, rows)
    run.files.objects["s3://inbox/pets/may.embeddings.npy"] = file.getvalue()
    asked = run.ask()
    assert asked["outcome"] == "ask"
    assert "blocks" not in asked


@pytest.mark.parametrize("more", [{"order": "similar"}, {"near_repeats": 0.9}])
def test_what_compares_pictures_before_the_first_round_needs_them_embedded_before(
    more: dict[str, Any],
) -> None:
    run = OwnEmbeddings()
    settings = {"labels": LABELS, "guesses": {"encoder": "pixels"}} | more
    run.files.objects["s3://inbox/pets/labeling.json"] = msgspec.json.encode(settings)
    asked = run.ask()
    assert (asked["outcome"], asked["error"]) == ("refused", "EmbeddingsUnusable")

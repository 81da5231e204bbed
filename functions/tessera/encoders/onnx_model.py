"""Encode pictures by an ONNX model with one picture in and one vector out."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tessera.encoders.decoding import Pixels
from tessera.encoders.errors import EncoderUnusable

Scale = Literal["imagenet", "0-1", "plus-minus-one", "0-255"]
"""Ways to give pixel values of 0 to 255 to a model."""
SCALES: tuple[Scale, ...] = get_args(Scale)
SIZE = 224
"""Pixels of a side where a model takes any: what most were trained with."""
IMAGENET_MEAN, IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue, of 0 to 1, as torchvision has
them: what most published models expect."""
KINDS = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}


class OnnxEncoder:
    """Encoder by a model's file; `size` is the side of the square of pixels that it takes."""

    def __init__(
        self, model: Path | bytes, name: str, *, size: int | None = None, scale: Scale | None = None
    ) -> None:
        """Load the model; EncoderUnusable if it does not take one picture and make one vector.

        Size and scale are those given, else what the model says, else 224 and `imagenet`.
        """
        self.name = name
        self._session = _load(model, name)
        about = self._session.get_modelmeta().custom_metadata_map
        (taken, *others), outputs = self._session.get_inputs(), self._session.get_outputs()
        if others or len(taken.shape) != 4 or taken.type not in KINDS:
            shapes = ", ".join(f"{each.name} {each.shape}" for each in (taken, *others))
            raise EncoderUnusable(
                f"{name} takes {shapes}; an encoder takes one picture of three channels."
            )
        self._input, self._kind = taken.name, KINDS[taken.type]
        names = [made.name for made in outputs]
        if len(names) > 1 and "embedding" not in names:
            raise EncoderUnusable(f"{name} makes {', '.join(names)}; an encoder makes one vector.")
        self._output = "embedding" if "embedding" in names else names[0]
        self._last = taken.shape[3] == 3 and taken.shape[1] != 3
        side = taken.shape[1 if self._last else 2]
        fixed = side if isinstance(side, int) else None
        self.size = fixed or size or int(about.get("tessera.size", SIZE))
        self._scale = scale or about.get("tessera.scale", "imagenet")
        batch = taken.shape[0]
        content = model if isinstance(model, bytes) else model.read_bytes()
        self.identity = f"{hashlib.sha256(content).hexdigest()} {self._scale}"
        self._batch = batch if isinstance(batch, int) and batch > 0 else None
        self.numbers = self._try()

    def _try(self) -> int:
        """Return how many numbers the model makes of a picture, or raise as at loading."""
        gray = np.full((self.size, self.size, 3), 128, np.uint8)
        try:
            row = self.encode([gray])
        except Exception as error:  # a runtime's own errors, of any class
            raise EncoderUnusable(
                f"{self.name} cannot encode a picture of {self.size} pixels: "
                f"{str(error).splitlines()[0]}. Another --size may fit."
            ) from error
        if row.ndim != 2 or not row.shape[1]:
            raise EncoderUnusable(
                f"{self.name} makes an array of shape {row.shape}, no vector a picture."
            )
        return int(row.shape[1])

    def encode(self, pictures: list[Pixels]) -> NDArray[np.float32]:
        """Return a vector for each picture (pictures x numbers)."""
        values = self._scaled(np.stack(pictures))
        step = self._batch or len(values)
        parts: list[NDArray[Any]] = []
        for start in range(0, len(values), step):
            batch = values[start : start + step]
            missing = step - len(batch)  # a model of a fixed batch wants it full
            full = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])
            (made,) = self._session.run([self._output], {self._input: full})
            parts.append(made[: len(batch)])
        rows = np.concatenate(parts)
        # vectors with empty dimensions behind them, as of a pooling, are vectors
        return rows.reshape(len(rows), -1) if rows.size == rows.shape[0] * rows.shape[1] else rows

    def _scaled(self, pictures: Pixels) -> NDArray[Any]:
        """Return the pixels as the model takes them."""
        values: NDArray[Any] = pictures
        if self._kind != np.uint8:
            values = pictures.astype(np.float32)
            if self._scale == "imagenet":
                values = (values / 255 - IMAGENET_MEAN) / IMAGENET_SPREAD
            elif self._scale == "0-1":
                values /= 255
            elif self._scale == "plus-minus-one":
                values = values / 127.5 - 1
        if not self._last:
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values, self._kind)


def _load(model: Path | bytes, name: str) -> Any:
    try:
        # Late: it takes 0.1 s to load, and the encoder `pixels` needs none of it.
        import onnxruntime
    except ImportError as error:
        raise EncoderUnusable(
            f"The encoder {name} needs ONNX Runtime: pip install 'tessera[embed]' (in a checkout, "
            "pip install '.[embed]'). --encoder pixels needs nothing"
        ) from error
    onnxruntime.set_default_logger_severity(3)  # what matters is raised
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    source = model if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # a runtime's own errors, of any class
        raise EncoderUnusable(f"{name} is no ONNX model that can be loaded.") from error

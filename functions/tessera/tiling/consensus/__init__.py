"""From several workers' answers to one label an image, with a confidence: `consolidate`."""

from tessera.tiling.consensus.crowd import Crowd
from tessera.tiling.consensus.em import Evidence, guesses
from tessera.tiling.consensus.methods import METHODS, consolidate
from tessera.tiling.consensus.result import Consensus
from tessera.tiling.method_names import Method

__all__ = ["METHODS", "Consensus", "Crowd", "Evidence", "Method", "consolidate", "guesses"]

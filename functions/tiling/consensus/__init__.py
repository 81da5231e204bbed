"""From several workers' answers to one label an image, with a confidence: `consolidate`."""

from tiling.consensus.crowd import Crowd
from tiling.consensus.methods import METHODS, Consensus, consolidate
from tiling.consensus.model import Evidence, guesses

__all__ = ["METHODS", "Consensus", "Crowd", "Evidence", "consolidate", "guesses"]

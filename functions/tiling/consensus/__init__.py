"""From several workers' answers to one label an image, with a confidence: `consolidate`."""

from tiling.consensus.crowd import Crowd
from tiling.consensus.methods import METHODS, Consensus, consolidate

__all__ = ["METHODS", "Consensus", "Crowd", "consolidate"]

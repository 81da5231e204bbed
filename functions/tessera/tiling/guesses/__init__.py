"""Guess each image's class from its embedding, by a model of the people's own answers.

People's answers to some images teach a linear model what the classes look like; its guesses are
then weighed as the answers of one more annotator, also to images that nobody was asked about:

- `Columns`: what is known of each image in numbers, an embedding or another model's probabilities;
- `learn(columns, crowd)`: the guesses, and the labels that they and the answers add up to;
- `Guesses`: the probabilities of all images, and how much the model knew.

How it works is in docs/guesses.md, why in docs/decisions/guesses-one-more-annotator.md.
"""

from tessera.tiling.guesses.annotator import MIN_NATS, Guesses, learn
from tessera.tiling.guesses.columns import Columns

__all__ = ["MIN_NATS", "Columns", "Guesses", "learn"]

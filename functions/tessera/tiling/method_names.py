"""Name the consolidation methods: settings, tool and documentation all read this one list.

It stands apart from `tessera.tiling.consensus` because that package imports numpy, for which a
worker who claims a page should not wait.
"""

from typing import Literal, get_args

Method = Literal["hierarchical", "dawid-skene", "majority", "first"]
"""Each of these has a function in `tessera.tiling.consensus.METHODS`."""

METHOD_NAMES: tuple[Method, ...] = get_args(Method)

DEFAULT_METHOD: Method = "hierarchical"

WEIGHING_METHODS: tuple[Method, ...] = ("hierarchical", "dawid-skene")
"""Methods that heed the weights of answers; to the others each answer is one vote."""

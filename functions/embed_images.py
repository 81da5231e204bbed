"""EmbedImages: a run's own pictures become embeddings, while people answer its first round.

One invocation embeds a block of the manifest's lines, and a last one joins the blocks' rows
(`tessera.tiling.guesses.embedding_blocks`). The encoder's packages are in a layer of this function
alone.
"""

import os
from functools import cache
from typing import Any

from tessera.aws.connection import Connection, connect
from tessera.aws.pictures import RoleStorage
from tessera.aws.telemetry import logger, observed
from tessera.encoders.block import embed_block
from tessera.encoders.choice import choose_encoder
from tessera.tiling.guesses.embedding_blocks import join_blocks


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect()


encoder = cache(choose_encoder)
"""Encoder by its name, of which a function that is called again loads no second one."""


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Embed the event's block of pictures, or join all blocks if it names none."""
    storage, home = RoleStorage(connection(), os.environ["PICTURES_ROLE_ARN"]), event["home"]
    if "block" not in event:
        join_blocks(storage, home)
        return {}
    embedded = embed_block(storage, home, event["block"], encoder)
    if embedded:  # otherwise its rows were there already
        lines, usable = embedded
        logger.info("block embedded", extra={"block": event["block"], "without": lines - usable})
    return {}

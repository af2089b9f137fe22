"""Takes blocks of the local chain back.

Not with ``anvil_reorg``: anvil keeps the states of its blocks by their hash, and now and then it has forgotten the
state of a block that it made so.
"""

from itertools import count
from typing import NamedTuple

from tests.support.played_world import PlayedWorld

_NOBODY = "0x" + "0c" * 20
_numbers = count(1)


class Mark(NamedTuple):
    """A moment of the chain, good for one way back: its newest block, and a snapshot."""

    height: int
    snapshot: str


def mark(played: PlayedWorld) -> Mark:
    """This moment."""
    return Mark(played.chain.height(), played.chain.snapshot())


def drop_blocks_above(played: PlayedWorld, moment: Mark) -> None:
    """All blocks above this moment are gone, with as many empty ones in their place and one more."""
    chain = played.chain
    top = chain.height()
    chain.revert(moment.snapshot)
    chain.fund(_NOBODY, next(_numbers))  # so that the new blocks are others
    chain.mine(top - chain.height() + 1)

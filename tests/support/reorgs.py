"""Takes blocks of the local chain back."""

from tests.support.played_world import PlayedWorld


def drop_blocks_above(played: PlayedWorld, height: int) -> None:
    """All blocks above this height are gone, with empty ones in their place."""
    chain = played.chain

    def first_above() -> str | None:
        block = chain.call("eth_getBlockByNumber", hex(height + 1), False)
        return block and str(block["hash"])

    before = first_above()
    # The depth counts from the newest block, and the block clock may have made one since it was asked for.
    while first_above() == before:
        chain.call("anvil_reorg", chain.height() - height, [])

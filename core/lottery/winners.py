"""Finding the winning tips of a day, a batch of tickets at a time (rule 2.6)."""

from collections.abc import Sequence

import numpy as np

from bo_engine.units import POOL_COUNT, Wallet
from core.lottery.fold import tip_counts_of
from core.lottery.model import Ticket
from core.lottery.tips import Masks


class WinnerCount:
    """Counts winning tips per pool, matches and wallet. Memory grows with the winners, not with the tickets."""

    def __init__(self, winning_masks: Sequence[int], tiers: Sequence[int]) -> None:
        """``winning_masks`` holds each pool's winning numbers as a mask, ``tiers`` the matches that win."""
        self._winning_masks = np.array(winning_masks, dtype=np.uint64)
        self._tiers = tuple(tiers)
        self._wallets: list[dict[int, dict[Wallet, int]]] = [{tier: {} for tier in tiers} for _ in range(POOL_COUNT)]

    def add(self, batch: Sequence[Ticket], masks: Masks) -> None:
        """Count the winners of a batch; ``masks`` are all its tips, ticket by ticket."""
        tip_counts = tip_counts_of(batch)
        pools = np.fromiter((ticket.pool_id for ticket in batch), dtype=np.intp, count=len(batch))
        owners = np.repeat(np.arange(len(batch)), tip_counts)
        matches = np.bitwise_count(masks & self._winning_masks[pools][owners])
        for tier in self._tiers:
            per_ticket = np.bincount(owners[matches == tier], minlength=len(batch))
            for position in np.flatnonzero(per_ticket).tolist():
                ticket = batch[position]
                wallets = self._wallets[ticket.pool_id][tier]
                wallets[ticket.buyer] = wallets.get(ticket.buyer, 0) + int(per_ticket[position])

    def winning_tips(self, pool_id: int) -> dict[int, int]:
        """How many tips of a pool won, by matches."""
        return {tier: sum(wallets.values()) for tier, wallets in self._wallets[pool_id].items()}

    def wallets(self, pool_id: int, tier: int) -> dict[Wallet, int]:
        """How many winning tips of a pool's tier each wallet has."""
        return self._wallets[pool_id][tier]

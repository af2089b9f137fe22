"""What the two claim vaults say: a Claimed event, and the counters that show whether events are missing."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from bo_engine.units import Atoms, DayId, Wallet, parse_wallet
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.game import GameChain
from io_layer.lottery.stores.payments.claim_events import ClaimEvent
from io_layer.rpc import wire
from io_layer.rpc.reader import Block, Call

PRIZES: Final = "PrizeVault"
COMMISSIONS: Final = "AffiliateVault"
_CALLS_TOGETHER: Final = 250

#: Vault, day, account: what is claimed once.
PayoutKey = tuple[Wallet, DayId, Wallet]


def vaults_of(game: GameChain) -> dict[Wallet, str]:
    """Both vaults' addresses, and their names in abi/."""
    return {game.contracts.of(name): name for name in (PRIZES, COMMISSIONS)}


def claim_event(log: dict[str, Any]) -> ClaimEvent:
    """A Claimed log as a value."""
    fields = codec(PRIZES).event("Claimed", log)
    return ClaimEvent(
        tx_hash=wire.hash32(log["transactionHash"]),
        log_index=int(log["logIndex"], 16),
        vault=Wallet(log["address"]),
        day_id=DayId(fields["dayId"]),
        account=parse_wallet(fields["account"]),
        paid_to=parse_wallet(fields["to"]),
        amount_atoms=Atoms(fields["amount"]),
        block_number=int(log["blockNumber"], 16),
        block_hash=wire.hash32(log["blockHash"]),
    )


def read_total_claimed(game: GameChain, block: Block) -> dict[Wallet, Atoms]:
    """All that each vault has ever paid out."""
    vaults = vaults_of(game)
    totals = game.chain.read(block, [game.call(name, "totalClaimed") for name in vaults.values()])
    return dict(zip(vaults, (Atoms(total) for total in totals), strict=True))


def read_claimed_of_days(game: GameChain, block: Block, days: Iterable[DayId]) -> dict[tuple[Wallet, DayId], Atoms]:
    """What each vault has paid out of each day."""
    keys = [(vault, day) for day in days for vault in vaults_of(game)]
    calls = [Call(PRIZES, vault, "claimedOf", (day,)) for vault, day in keys]
    return dict(zip(keys, (Atoms(one) for one in _read(game, block, calls)), strict=True))


def read_claimed(game: GameChain, block: Block, payouts: Sequence[PayoutKey]) -> list[bool]:
    """Whether each payout was claimed by this block. The vaults must be ours."""
    return _read(game, block, [_claimed(payout) for payout in payouts])


def is_claimed_at_a_head(game: GameChain, payout: PayoutKey) -> bool:
    """Whether either endpoint's newest block shows it as claimed: under way, never what counts. Raises: Unavailable."""
    return any(game.chain.read_at_head_of(endpoint, _claimed(payout)) for endpoint in game.chain.endpoints)


def _claimed(payout: PayoutKey) -> Call:
    vault, day_id, account = payout
    return Call(PRIZES, vault, "claimed", (day_id, account))


def _read(game: GameChain, block: Block, calls: Sequence[Call]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(calls), _CALLS_TOGETHER):
        found += game.chain.read(block, calls[start : start + _CALLS_TOGETHER])
    return found

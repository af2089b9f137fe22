"""What the contracts say of a void: whether it is allowed, what was refunded, who paid for the vouchers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bo_engine.errors import InvariantBroken
from bo_engine.units import Atoms, DayId, Hash32, Wallet, hex_of, parse_wallet
from core.model import PoolState
from io_layer.chain_reader import Block
from io_layer.contract_codec import codec
from io_layer.game_chain import DayRecord, GameChain


@dataclass(frozen=True, slots=True)
class VoidTerms:
    """What decides whether the owner may void a day, at one final block."""

    announced_at_s: int  # 0: never announced
    is_voidable: bool  # the contract's own word, apart from a pending commit
    owner: Wallet
    promotions: Wallet


@dataclass(frozen=True, slots=True)
class Refund:
    """A voided day as the chain keeps it: the DayVoided event and both vaults."""

    root: Hash32
    total_atoms: Atoms
    closing: tuple[PoolState, ...]
    vault_root: Hash32
    vault_total_atoms: Atoms
    affiliate_root: Hash32
    affiliate_total_atoms: Atoms
    block_number: int
    log_index: int
    tx_hash: Hash32


def read_void_terms(game: GameChain, block: Block, day_id: DayId) -> VoidTerms:
    """Announcement, the contract's answer, the owner and the promotions account."""
    announced, voidable, owner, promotions = game.chain.read(
        block,
        [
            game.call("SettlementV4", "voidAnnouncedAt", day_id),
            game.call("SettlementV4", "voidable", day_id),
            game.call("Roles", "owner"),
            game.call("Roles", "promotions"),
        ],
    )
    return VoidTerms(announced, voidable, parse_wallet(owner), parse_wallet(promotions))


def read_refund(game: GameChain, block: Block, day_id: DayId, record: DayRecord) -> Refund:
    """What the void of a day has set. Raises: InvariantBroken ``logs_incomplete`` when its event is not found."""
    root, total, affiliate_root, affiliate_total = game.chain.read(
        block,
        [
            game.call("PrizeVault", "rootOf", day_id),
            game.call("PrizeVault", "totalOf", day_id),
            game.call("AffiliateVault", "rootOf", day_id),
            game.call("AffiliateVault", "totalOf", day_id),
        ],
    )
    # The record holds the time of the void, so its block is found by halving and no long scan is needed.
    first = game.first_block_at(record.released_at_s, block)
    last = game.first_block_at(record.released_at_s + 1, block) - 1
    settlement = codec("SettlementV4")
    topics = [settlement.topic("DayVoided"), hex_of(day_id.to_bytes(32, "big"))]
    logs = _logs(game, game.contracts.settlement, topics, first, last)
    if len(logs) != 1:
        raise InvariantBroken(
            "logs_incomplete",
            f"day {day_id} is voided on-chain, but {len(logs)} DayVoided events stand in blocks {first} to {last}",
        )
    (log,) = logs
    fields = settlement.event("DayVoided", log)
    return Refund(
        root=Hash32(fields["refundRoot"]),
        total_atoms=Atoms(fields["refundTotal"]),
        closing=tuple(PoolState(Atoms(c), Atoms(r), Atoms(o), streak) for c, r, o, streak in fields["closing"]),
        vault_root=Hash32(root),
        vault_total_atoms=Atoms(total),
        affiliate_root=Hash32(affiliate_root),
        affiliate_total_atoms=Atoms(affiliate_total),
        block_number=int(log["blockNumber"], 16),
        log_index=int(log["logIndex"], 16),
        tx_hash=Hash32(bytes.fromhex(log["transactionHash"][2:])),
    )


def read_promotions_then(game: GameChain, block: Block, refund: Refund) -> Wallet:
    """The promotions account in force at a void, from the events of Roles: it may have changed since.

    A list of events that is incomplete shows: with another account the refunds have another root.
    """
    (now,) = game.chain.read(block, [game.call("Roles", "promotions")])
    roles = codec("Roles")
    topics = [roles.topic("PromotionsSet")]
    for log in _logs(game, game.contracts.roles, topics, refund.block_number, block.number):
        if (int(log["blockNumber"], 16), int(log["logIndex"], 16)) > (refund.block_number, refund.log_index):
            return parse_wallet(roles.event("PromotionsSet", log)["previous"])
    return parse_wallet(now)


def _logs(game: GameChain, address: Wallet, topics: Sequence[object], first: int, last: int) -> list[dict[str, Any]]:
    return [log for _, page in game.chain.read_log_pages(address, topics, first, last) for log in page]

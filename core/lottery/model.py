"""The values that the engine computes with. Frozen, integer-only, without behaviour of their own."""

from dataclasses import dataclass
from typing import NamedTuple

from bo_engine.units import ZERO_HASH, Atoms, Bps, DayId, Hash32, PoolId, TicketId, Wallet


class Ticket(NamedTuple):
    """One purchase. A named tuple, because a record night brings a million of them.

    ``tips`` are the masks of all tips (paid, bonus, voucher) as big-endian uint64s, as the chain stores them.
    """

    ticket_id: TicketId
    day_id: DayId
    pool_id: PoolId
    buyer: Wallet
    paid_tips: int
    voucher_tips: int
    affiliate: Wallet | None
    stake_atoms: Atoms
    tips: bytes


class PurchasedTicket(NamedTuple):
    """A ticket with its place on the chain: all that its TicketPurchased event and its block say, and whether that
    block is final."""

    ticket: Ticket
    digest: Hash32  # running digest of day and pool after this ticket
    nonce: bytes  # 16
    gas_cost_atoms: Atoms
    tx_hash: Hash32
    log_index: int
    block_number: int
    block_hash: Hash32
    is_final: bool

    def without_place(self) -> "PurchasedTicket":
        """What was bought, without where on the chain that stands."""
        return self._replace(tx_hash=ZERO_HASH, log_index=0, block_number=0, block_hash=ZERO_HASH)


@dataclass(frozen=True, slots=True)
class PoolDay:
    """What was sold in one pool on one day; the chain keeps the same four numbers."""

    ticket_count: int
    tip_count: int
    stake_atoms: Atoms
    digest: Hash32


@dataclass(frozen=True, slots=True)
class PoolState:
    """Money and streak of one pool between two days."""

    carry_atoms: Atoms
    reserve_atoms: Atoms
    last_rollover_atoms: Atoms  # rollover(D-1, p): enters the budget of the day to come
    streak: int


@dataclass(frozen=True, slots=True)
class StakeSplit:
    """Where a stake goes (rule 2.4). fee + rollover + jackpot + pot = stake."""

    fee_atoms: Atoms
    rollover_atoms: Atoms
    jackpot_atoms: Atoms
    pot_atoms: Atoms


@dataclass(frozen=True, slots=True)
class Seeds:
    """Both seeds of a day, verified before anything reads them."""

    vrf_word: int
    vrf_requested_at: int  # unix seconds: block time of the day's VRF request, which decides the drand round
    drand_round: int
    drand_signature: bytes
    drand_randomness: Hash32


@dataclass(frozen=True, slots=True)
class Deployment:
    """The chain and the contracts that a day belongs to; part of every hash that leaves the engine."""

    chain_id: int
    settlement: Wallet
    game_manager: Wallet
    prize_vault: Wallet
    affiliate_vault: Wallet


@dataclass(frozen=True, slots=True)
class TierResult:
    """One prize class of one pool."""

    matches: int
    winning_tips: int
    share_atoms: Atoms  # the tier's share of the budget
    each_atoms: Atoms  # per winning tip, floor; 0 without winners


@dataclass(frozen=True, slots=True)
class PoolResult:
    """One pool's day: what it sold, what it paid, what it carries on."""

    pool_id: PoolId
    sold: PoolDay
    split: StakeSplit
    opening: PoolState
    budget_atoms: Atoms
    winning_numbers: tuple[int, ...]  # six, in the order drawn; empty on a day without tips
    tiers: tuple[TierResult, ...]  # 4, 5, 6 matches
    jackpot_matches: int  # tier that the jackpot went to, 0 if none
    jackpot_each_atoms: Atoms
    payout_atoms: Atoms  # tiers, without the jackpot
    jackpot_payout_atoms: Atoms
    jackpot_hit: bool
    closing: PoolState


@dataclass(frozen=True, slots=True)
class Payout:
    """One wallet's winnings of a day over all pools and tips, or one affiliate's commissions: one leaf."""

    wallet: Wallet
    amount_atoms: Atoms


@dataclass(frozen=True, slots=True)
class ReferredStake:
    """What one referred player himself paid as stake on the day, and his affiliate's rate in force."""

    affiliate: Wallet
    player: Wallet
    stake_atoms: Atoms
    rate_bps: Bps


@dataclass(frozen=True, slots=True)
class DayResult:
    """A settled day, complete: everything that the trees, the files and the contract need."""

    day_id: DayId
    pools: tuple[PoolResult, ...]
    payouts: tuple[Payout, ...]  # by wallet, ascending
    affiliate_payouts: tuple[Payout, ...]  # by wallet, ascending; zero commissions left out
    total_payout_atoms: Atoms
    affiliate_total_atoms: Atoms
    charity_total_atoms: Atoms
    net_fee_atoms: Atoms
    fee_atoms: Atoms
    seeds: Seeds | None  # what the draw was made from; None exactly on a day without tips


@dataclass(frozen=True, slots=True)
class VoidedDay:
    """A voided day as its DayVoided event tells it, and where on the chain that event stands."""

    day_id: DayId
    stake_atoms: Atoms  # owed to the buyers and, for vouchers, to the promotions account
    closing: tuple[PoolState, ...]
    block_number: int
    block_hash: Hash32
    block_time_s: int
    tx_hash: Hash32

"""Tickets: bonus tips, terms, stake, split and the running digest (rules 2.3, 2.4, 3.1)."""

import re
from typing import Final

from bo_engine.errors import require_input, require_invariant
from bo_engine.keccak import keccak256
from bo_engine.units import BPS_ONE, MAX_DAY_ID, POOL_COUNT, ZERO_WALLET, Atoms, Hash32, PoolId, Wallet
from core.lottery.model import StakeSplit, Ticket
from core.lottery.ruleset import Ruleset
from core.lottery.tips import check_tips

_WALLET = re.compile(r"0x[0-9a-f]{40}")
_PAD: Final = bytes(12)
_NO_AFFILIATE: Final = bytes(32)


def bonus_tips(paid_tips: int) -> int:
    """Bonus tips that come with so many paid tips: none below 5, then 3, and 4 more with every further 5 paid."""
    return 0 if paid_tips < 5 else 3 + 4 * ((paid_tips - 5) // 5)


def stake_of(ruleset: Ruleset, pool_id: PoolId, paid_tips: int, voucher_tips: int) -> Atoms:
    """What was paid for a ticket's tips: price * (paid + voucher). Bonus tips add nothing."""
    return Atoms(ruleset.prices_atoms[pool_id] * (paid_tips + voucher_tips))


def check_terms(ruleset: Ruleset, pool_id: int, paid_tips: int, voucher_tips: int) -> int:
    """Check what a ticket may contain; return how many tips it must have.

    Raises: InvalidInput ``bad_ticket``.
    """
    require_input(0 <= pool_id < POOL_COUNT, "bad_ticket", f"pools are 0 to {POOL_COUNT - 1}, got {pool_id}")
    paid_fit = 1 <= paid_tips <= ruleset.max_paid_tips
    require_input(paid_fit, "bad_ticket", f"a ticket has 1 to {ruleset.max_paid_tips} paid tips, got {paid_tips}")
    require_input(voucher_tips >= 0, "bad_ticket", f"voucher tips are 0 or more, got {voucher_tips}")
    tips = paid_tips + bonus_tips(paid_tips) + voucher_tips
    require_input(tips <= ruleset.max_tips, "bad_ticket", f"a ticket has at most {ruleset.max_tips} tips, got {tips}")
    return tips


def check_owner(ticket: Ticket) -> None:
    """Check the ids and wallets of a ticket. Raises: InvalidInput ``bad_ticket``."""
    buyer, affiliate = ticket.buyer, ticket.affiliate
    buyer_fits = _WALLET.fullmatch(buyer) is not None and buyer != ZERO_WALLET
    require_input(buyer_fits, "bad_ticket", f"ticket {ticket.ticket_id}: not a buyer's wallet: {buyer!r}")
    if affiliate is not None:
        fits = _WALLET.fullmatch(affiliate) is not None and affiliate not in (ZERO_WALLET, buyer)
        require_input(fits, "bad_ticket", f"ticket {ticket.ticket_id}: not an affiliate of {buyer}: {affiliate!r}")
    id_fits = 1 <= ticket.ticket_id < 2**63
    require_input(id_fits, "bad_ticket", f"ticket ids are 1 to 2^63-1, got {ticket.ticket_id}")


def check_ticket(ticket: Ticket, ruleset: Ruleset) -> None:
    """Check everything that can be said of one ticket alone.

    Raises: InvalidInput ``bad_ticket``, ``bad_tip``.
    """
    require_input(0 <= ticket.day_id <= MAX_DAY_ID, "bad_ticket", f"ticket {ticket.ticket_id}: day {ticket.day_id}")
    tips = check_terms(ruleset, ticket.pool_id, ticket.paid_tips, ticket.voucher_tips)
    check_owner(ticket)
    stake = stake_of(ruleset, ticket.pool_id, ticket.paid_tips, ticket.voucher_tips)
    check_contents(ticket, tips, stake)
    check_tips(ticket.tips, ruleset.number_max)


def check_contents(ticket: Ticket, tips: int, stake_atoms: int) -> None:
    """Check stake and length of the tips against what the terms give. Raises: InvalidInput ``bad_ticket``."""
    require_input(
        ticket.stake_atoms == stake_atoms,
        "bad_ticket",
        f"ticket {ticket.ticket_id}: its tips cost {stake_atoms} atoms, its stake is {ticket.stake_atoms}",
    )
    require_input(
        len(ticket.tips) == 8 * tips,
        "bad_ticket",
        f"ticket {ticket.ticket_id}: {tips} tips are {8 * tips} bytes, got {len(ticket.tips)}",
    )


def split_stake(ruleset: Ruleset, stake_atoms: int) -> StakeSplit:
    """Split a pool's stake of a day: fee and rollover of the stake, the jackpot of the rest, the pot is what remains.

    Each share is rounded down on its own; the dust falls to the pot. The contracts' prices are multiples of 250000
    atoms, for which nothing is rounded: the split of a sum is the sum of the splits.
    """
    fee = stake_atoms * ruleset.fee_bps // BPS_ONE
    rollover = stake_atoms * ruleset.rollover_bps // BPS_ONE
    rest = stake_atoms - fee - rollover
    jackpot = rest * ruleset.jackpot_bps // BPS_ONE
    pot = rest - jackpot
    require_invariant(min(fee, rollover, jackpot, pot) >= 0, "split_leak", f"{stake_atoms=} {fee=} {rollover=}")
    return StakeSplit(Atoms(fee), Atoms(rollover), Atoms(jackpot), Atoms(pot))


def own_stake_of(ticket: Ticket) -> Atoms:
    """What the player paid himself: the stake without the voucher tips, which the promotions account pays for."""
    return Atoms(ticket.stake_atoms * ticket.paid_tips // (ticket.paid_tips + ticket.voucher_tips))


def next_digest(digest: Hash32, ticket: Ticket) -> Hash32:
    """The running digest of (day, pool) after this ticket, as the contract keeps it.

    keccak256(abi.encode(digest, ticketId, buyer, paidTips, voucherTips, affiliate, stake, keccak256(tips))), with
    affiliate 0 where there is none. The ticket has passed :func:`check_ticket`.
    """
    # Joined by hand: a general ABI encoder costs twenty times the two hashes.
    return Hash32(
        keccak256(
            b"".join(
                (
                    digest,
                    ticket.ticket_id.to_bytes(32, "big"),
                    _PAD,
                    bytes.fromhex(ticket.buyer[2:]),
                    ticket.paid_tips.to_bytes(32, "big"),
                    ticket.voucher_tips.to_bytes(32, "big"),
                    _affiliate_word(ticket.affiliate),
                    ticket.stake_atoms.to_bytes(32, "big"),
                    keccak256(ticket.tips),
                )
            )
        )
    )


def _affiliate_word(affiliate: Wallet | None) -> bytes:
    return _NO_AFFILIATE if affiliate is None else _PAD + bytes.fromhex(affiliate[2:])

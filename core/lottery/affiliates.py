"""What becomes of the fee: commissions, charity, net fee (rules 2.8 and 2.9). Nothing here depends on the draw."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bo_engine.errors import require_input, require_invariant
from bo_engine.units import BPS_ONE, Atoms, Bps, Wallet
from core.lottery.model import Payout, ReferredStake, Ticket
from core.lottery.ruleset import Ruleset
from core.lottery.tickets import own_stake_of


@dataclass(frozen=True, slots=True)
class FeeSplit:
    """affiliate total + charity total + net fee = fee. Payouts by wallet, ascending, none of zero."""

    fee_atoms: Atoms
    affiliate_payouts: tuple[Payout, ...]
    affiliate_total_atoms: Atoms
    charity_total_atoms: Atoms
    net_fee_atoms: Atoms


def commission_of(referred: ReferredStake) -> Atoms:
    """The affiliate's share of one player's own stake of the day, rounded down."""
    return Atoms(referred.stake_atoms * referred.rate_bps // BPS_ONE)


def referred_stakes(tickets: Iterable[Ticket], rates: Mapping[Wallet, Bps], *, ruleset: Ruleset) -> list[ReferredStake]:
    """Sum the tickets of one day to the stakes of referred players, by (affiliate, player) ascending.

    ``rates`` holds the rates in force on the day of those affiliates that have one of their own; the others get the
    ruleset's. Memory grows with the players, not with the tickets.
    """
    stakes: dict[tuple[Wallet, Wallet], int] = {}
    for ticket in tickets:
        if ticket.affiliate is not None:
            pair = (ticket.affiliate, ticket.buyer)
            stakes[pair] = stakes.get(pair, 0) + own_stake_of(ticket)
    return [
        ReferredStake(affiliate, player, Atoms(stake), rates.get(affiliate, ruleset.affiliate_default_bps))
        for (affiliate, player), stake in sorted(stakes.items())
    ]


def check_referred(referred: Sequence[ReferredStake], ruleset: Ruleset) -> None:
    """Check a day's referred stakes, in any order.

    Raises: InvalidInput ``bad_referred``: a player with two affiliates, oneself, an affiliate with two rates, a rate
    above the highest, a negative stake.
    """
    players: set[Wallet] = set()
    rates: dict[Wallet, Bps] = {}
    for item in referred:
        where = f"affiliate {item.affiliate}, player {item.player}"
        require_input(item.player not in players, "bad_referred", f"{where}: the player stands twice")
        require_input(item.player != item.affiliate, "bad_referred", f"{where}: nobody refers himself")
        rate_fits = 0 <= item.rate_bps <= ruleset.affiliate_max_bps
        require_input(rate_fits, "bad_referred", f"{where}: a rate is 0 to {ruleset.affiliate_max_bps} bps")
        one_rate = rates.setdefault(item.affiliate, item.rate_bps) == item.rate_bps
        require_input(one_rate, "bad_referred", f"{where}: the affiliate has two rates on one day")
        require_input(item.stake_atoms >= 0, "bad_referred", f"{where}: the stake is negative")
        players.add(item.player)


class ReferredCheck:
    """Compares the referred stakes with the tickets as they stream by, so that no pass over them is spent on it."""

    def __init__(self, referred: Sequence[ReferredStake]) -> None:
        self._open = {(item.affiliate, item.player): int(item.stake_atoms) for item in referred}

    def add(self, batch: Sequence[Ticket]) -> None:
        """Take the tickets' own stakes off. Raises: InvalidInput ``referred_mismatch`` for an unlisted player."""
        for ticket in batch:
            if ticket.affiliate is not None:
                pair = (ticket.affiliate, ticket.buyer)
                if pair not in self._open:
                    message = f"{ticket.buyer} bought through {ticket.affiliate}, but is not listed as referred"
                    require_input(False, "referred_mismatch", message)
                self._open[pair] -= own_stake_of(ticket)

    def finish(self) -> None:
        """Raises: InvalidInput ``referred_mismatch`` for a listed stake that the tickets do not give."""
        for (affiliate, player), rest in self._open.items():
            message = f"the stake of {player} for {affiliate} differs from the tickets by {rest} atoms"
            require_input(rest == 0, "referred_mismatch", message)


def split_fee(ruleset: Ruleset, fee_atoms: int, referred: Sequence[ReferredStake]) -> FeeSplit:
    """Split a day's fee: commissions first, then charity of what is left, the rest is the net fee.

    Commissions are rounded down per (affiliate, player), charity once; an affiliate without an atom gets no payout.
    Raises: InvalidInput ``bad_referred``, ``fee_exceeded`` (more commissions than fee).
    """
    check_referred(referred, ruleset)
    amounts: dict[Wallet, int] = {}
    for item in referred:
        commission = commission_of(item)
        if commission:
            amounts[item.affiliate] = amounts.get(item.affiliate, 0) + commission
    affiliate_total = sum(amounts.values())
    message = f"commissions of {affiliate_total} atoms exceed the fee of {fee_atoms}"
    require_input(affiliate_total <= fee_atoms, "fee_exceeded", message)
    charity = (fee_atoms - affiliate_total) * ruleset.charity_bps // BPS_ONE
    net_fee = fee_atoms - affiliate_total - charity
    require_invariant(min(charity, net_fee) >= 0, "fee_leak", f"{fee_atoms=} {affiliate_total=} {charity=}")
    return FeeSplit(
        fee_atoms=Atoms(fee_atoms),
        affiliate_payouts=tuple(Payout(wallet, Atoms(amount)) for wallet, amount in sorted(amounts.items())),
        affiliate_total_atoms=Atoms(affiliate_total),
        charity_total_atoms=Atoms(charity),
        net_fee_atoms=Atoms(net_fee),
    )

"""Hypothesis strategies for whole days, and small builders that tests of several packages share."""

import hashlib
from dataclasses import dataclass, replace

from hypothesis import settings
from hypothesis import strategies as st

from bo_engine.units import Atoms, Bps, DayId, Hash32, PoolId, TicketId, Wallet, day_end
from core.lottery.affiliates import referred_stakes
from core.lottery.draw import drand_round_of
from core.lottery.model import DayResult, Deployment, PoolState, ReferredStake, Seeds, Ticket
from core.lottery.ruleset import RULESET_1, Ruleset
from core.lottery.settle import settle_day
from core.lottery.tickets import bonus_tips, stake_of
from core.lottery.tips import mask_of, pack_masks

quick = settings(max_examples=60, deadline=None)

DAY = DayId(20_000)


def wallet(number: int) -> Wallet:
    """The wallet with this number as its address."""
    return Wallet(f"0x{number:040x}")


DEPLOYMENT = Deployment(
    chain_id=421_614,
    settlement=wallet(0xA1),
    game_manager=wallet(0xA2),
    prize_vault=wallet(0xA3),
    affiliate_vault=wallet(0xA4),
)
EMPTY_STATE = PoolState(Atoms(0), Atoms(0), Atoms(0), 0)


def seeds_for(
    ruleset: Ruleset,
    day_id: DayId,
    vrf_word: int = 7,
    signature: bytes = b"\x01" * 48,
    requested_after_s: int = 40,
) -> Seeds:
    """Seeds that fit the day in all but the BLS signature, which takes 0.2 s to make."""
    requested_at = day_end(day_id) + requested_after_s
    return Seeds(
        vrf_word=vrf_word,
        vrf_requested_at=requested_at,
        drand_round=drand_round_of(ruleset.drand, day_id, requested_at),
        drand_signature=signature,
        drand_randomness=Hash32(hashlib.sha256(signature).digest()),
    )


def ticket(
    ticket_id: int,
    pool_id: int,
    buyer: Wallet,
    tips: list[tuple[int, ...]],
    *,
    paid: int,
    vouchers: int = 0,
    affiliate: Wallet | None = None,
    ruleset: Ruleset = RULESET_1,
    day_id: DayId = DAY,
) -> Ticket:
    """A ticket with the given tips; they must be as many as paid, bonus and voucher tips together."""
    return Ticket(
        TicketId(ticket_id),
        day_id,
        PoolId(pool_id),
        buyer,
        paid,
        vouchers,
        affiliate,
        stake_of(ruleset, PoolId(pool_id), paid, vouchers),
        pack_masks(mask_of(numbers, ruleset.number_max) for numbers in tips),
    )


@dataclass(frozen=True)
class Day:
    """Everything that a day is settled from."""

    ruleset: Ruleset
    opening: tuple[PoolState, ...]
    tickets: tuple[Ticket, ...]
    referred: tuple[ReferredStake, ...]
    seeds: Seeds | None

    def settle(self) -> DayResult:
        """Settle it."""
        return settle_day(
            day_id=DAY,
            ruleset=self.ruleset,
            deployment=DEPLOYMENT,
            opening=self.opening,
            tickets=self.tickets,
            referred=self.referred,
            seeds=self.seeds,
        )

    def with_referred(self, referred: tuple[ReferredStake, ...]) -> "Day":
        """The same day with other referred stakes."""
        return replace(self, referred=referred)


atoms = st.one_of(st.integers(0, 50), st.integers(0, 10**13), st.integers(0, 2**200))
streaks = st.sampled_from((0, 1, 44, 88, 89, 90, 400))
pool_states = st.builds(PoolState, atoms, atoms, atoms, streaks)
openings = st.tuples(pool_states, pool_states, pool_states, pool_states, pool_states)


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    """Ruleset 1 over a small range, so that every tier is won, sometimes with prices that leave dust everywhere."""
    # Not below 7 atoms: there, fees rounded down to nothing could not pay the commissions.
    dusty = st.sampled_from((7, 19, 101, 250_000, 999_983))
    prices = draw(st.one_of(st.just(RULESET_1.prices_atoms), st.tuples(dusty, dusty, dusty, dusty, dusty)))
    return replace(RULESET_1, number_max=draw(st.sampled_from((6, 7, 8, 9, 38))), prices_atoms=prices)


@st.composite
def tickets_of(draw: st.DrawFn, ruleset: Ruleset, max_tickets: int = 14) -> tuple[Ticket, ...]:
    """A day's tickets of a few players; each player is bound to one affiliate or none."""
    affiliates = {
        player: draw(st.sampled_from((None, wallet(900), wallet(901), wallet(902)))) for player in range(100, 106)
    }
    numbers = st.sets(st.integers(1, ruleset.number_max), min_size=6, max_size=6).map(tuple)
    listed, ticket_id = [], 0
    for _ in range(draw(st.integers(0, max_tickets))):
        ticket_id += draw(st.integers(1, 3))
        paid, vouchers = draw(st.integers(1, 11)), draw(st.sampled_from((0, 0, 0, 1, 3)))
        player = draw(st.sampled_from(sorted(affiliates)))
        few = draw(st.lists(numbers, min_size=1, max_size=4))
        count = paid + bonus_tips(paid) + vouchers
        tips = [few[position % len(few)] for position in range(count)]
        pool = draw(st.integers(0, 4))
        listed.append(
            ticket(
                ticket_id,
                pool,
                wallet(player),
                tips,
                paid=paid,
                vouchers=vouchers,
                affiliate=affiliates[player],
                ruleset=ruleset,
            )
        )
    return tuple(listed)


@st.composite
def days(draw: st.DrawFn) -> Day:
    """A whole day, empty ones included."""
    ruleset = draw(rulesets())
    tickets = draw(tickets_of(ruleset))
    rates = draw(st.dictionaries(st.sampled_from((wallet(900), wallet(901))), st.integers(0, 1000).map(Bps)))
    seeds = seeds_for(
        ruleset,
        DAY,
        draw(st.integers(0, 2**256 - 1)),
        draw(st.binary(min_size=48, max_size=48)),
        draw(st.integers(0, 30 * 86_400)),
    )
    return Day(
        ruleset=ruleset,
        opening=draw(openings),
        tickets=tickets,
        referred=tuple(referred_stakes(tickets, rates, ruleset=ruleset)),
        seeds=seeds if tickets or draw(st.booleans()) else None,
    )

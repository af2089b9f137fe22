"""Two programs that share no line settle the same days to the same bytes: core/ and the verifier.

Thousands of random small days in the slow run, some hundred in the normal one. AGREEMENT_SEED chooses another sample.
"""

import hashlib
import os
import random
from dataclasses import replace

import pytest

from bo_engine.errors import EngineError
from bo_engine.units import Atoms, Bps, Hash32, PoolId, TicketId, Wallet, day_end
from core.lottery.affiliates import commission_of
from core.lottery.draw import drand_round_of
from core.lottery.model import PoolState, Seeds, Ticket
from core.lottery.ruleset import RULESET_1, Ruleset
from core.lottery.tickets import bonus_tips, stake_of
from core.lottery.tips import mask_of, pack_masks
from tests.support.days import wallet
from tests.support.selftest_day import DAY, selftest_files
from verifier.folder import read_day
from verifier.report import CONSISTENT
from verifier.verify import checks_of, verify_day

SEED = os.environ.get("AGREEMENT_SEED", "1")
# A pairing takes half a second; the beacon has tests of its own, and its signature enters the draw all the same.
WITHOUT = ("beacon", "provenance")


def random_ruleset(rng: random.Random) -> Ruleset:
    """Few numbers, so that every tier is won; sometimes odd prices and odd shares, which leave dust everywhere."""
    prices = rng.choice((RULESET_1.prices_atoms, tuple(Atoms(rng.choice((7, 19, 101, 999_983))) for _ in range(5))))
    tiers = rng.choice(
        (RULESET_1.tier_bps, ((4, Bps(3333)), (5, Bps(1)), (6, Bps(6666))), ((3, Bps(9)), (6, Bps(4000))))
    )
    return replace(
        RULESET_1,
        version=rng.choice((0, 2)),
        number_max=rng.choice((6, 7, 8, 9, 12, 38, 49)),
        prices_atoms=prices,
        tier_bps=tiers,
        jackpot_streak_days=rng.choice((1, 2, 90)),
        charity_bps=Bps(rng.choice((0, 1000, 9999))),
    )


def random_tickets(rng: random.Random, ruleset: Ruleset) -> list[Ticket]:
    """None, one or many tickets of a few players, each bound to one affiliate or none."""
    players = [(wallet(0x500 + n), rng.choice((None, wallet(0x900), wallet(0x901)))) for n in range(6)]
    tickets, ticket_id = [], rng.randint(0, 3)
    for _ in range(rng.choice((0, 1, 2, 5, 9, 14))):
        ticket_id += 1
        buyer, affiliate = rng.choice(players)
        paid, vouchers = rng.choice((1, 2, 4, 5, 9, 10, 11)), rng.choice((0, 0, 1, 3))
        few = [tuple(rng.sample(range(1, ruleset.number_max + 1), 6)) for _ in range(3)]
        tips = [rng.choice(few) for _ in range(paid + bonus_tips(paid) + vouchers)]
        pool = PoolId(rng.choice((0, 0, 1, 2, 3, 4)))
        stake = stake_of(ruleset, pool, paid, vouchers)
        packed = pack_masks(mask_of(tip, ruleset.number_max) for tip in tips)
        tickets.append(Ticket(TicketId(ticket_id), DAY, pool, buyer, paid, vouchers, affiliate, stake, packed))
    return tickets


def random_opening(rng: random.Random) -> tuple[PoolState, ...]:
    """Amounts from nothing to almost all there is, streaks around the limit."""

    def amount() -> Atoms:
        return Atoms(rng.choice((0, rng.randint(0, 50), rng.randint(0, 10**13), rng.randint(0, 2**200))))

    return tuple(PoolState(amount(), amount(), amount(), rng.choice((0, 1, 88, 89, 90, 400))) for _ in range(5))


def check_random_day(rng: random.Random) -> None:
    """Core writes the day's files; the verifier must agree with all of them."""
    ruleset = random_ruleset(rng)
    tickets, opening = random_tickets(rng, ruleset), random_opening(rng)
    signature = rng.randbytes(48)
    requested_at = day_end(DAY) + rng.choice((0, 1, 2, 3, rng.randrange(10**6)))
    seeds = Seeds(
        vrf_word=rng.choice((0, 2**256 - 1, rng.getrandbits(256))),
        vrf_requested_at=requested_at,
        drand_round=drand_round_of(ruleset.drand, DAY, requested_at),
        drand_signature=signature,
        drand_randomness=Hash32(hashlib.sha256(signature).digest()),
    )
    rates: dict[Wallet, Bps] = {wallet(0x900): Bps(rng.choice((0, 1, 333, 1000)))}
    _, files = selftest_files(ruleset, tickets, opening, seeds if tickets else None, rates)
    report = verify_day(read_day(DAY, files), without=WITHOUT)
    assert report.verdict == CONSISTENT, [one for one in report.findings if one.verdict == "FAILED"]
    offline = {check.name for check in checks_of(on_chain=False)}
    assert {one.name for one in report.findings if one.verdict == "ok"} == offline - set(WITHOUT)


def test_core_and_verifier_agree_on_hundreds_of_random_days() -> None:
    for number in range(300):
        rng = random.Random(f"{SEED} {number}")
        check_random_day(rng)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4))
def test_core_and_verifier_agree_on_thousands_of_random_days(block: int) -> None:
    for number in range(2_000):
        check_random_day(random.Random(f"{SEED} slow {block} {number}"))


def test_an_error_planted_in_core_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = commission_of
    monkeypatch.setattr("core.lottery.affiliates.commission_of", lambda referred: Atoms(honest(referred) + 1))
    monkeypatch.setattr("core.lottery.documents.affiliates.commission_of", lambda referred: Atoms(honest(referred) + 1))
    with pytest.raises((AssertionError, EngineError)):
        for number in range(20):
            check_random_day(random.Random(f"planted {number}"))

"""The other commands that write may be ended anywhere, too: refresh-seeds, recover-intents, settle on a voided day, the
two jobs of claims.

As test_kill_points.py does for a settle run: the same machinery, the same faults (P01 to P06, D01, D02), the same
invariants afterwards. KILL_SEED chooses another sample.
"""

import json
import random
from collections.abc import Callable

import psycopg
import pytest

from bo_engine.units import DayId, day_end
from core.lottery.drand import verify_seeds
from io_layer.lottery.stores.seeds import select_seeds
from tests.faults.test_kill_points import CRASHES, ENDINGS, KILLS, SEED, Record, losable, told
from tests.invariants.checker import files_on_disk
from tests.support.claiming import Claimant, settled_claims, write_claim
from tests.support.jobs import backfill_claim_events, refresh_seeds
from tests.support.kill_world import MAX_TICKS, Course, Runner, Trial, Truth, opened_trial
from tests.support.observed import event_count, pipeline, rows, run_steps
from tests.support.played_world import PlayedWorld
from tests.support.refunding import Refunder, purchases, void_day
from tests.support.shop import opened_shop
from tests.support.voiding import after_close, void_as_planned

pytestmark = pytest.mark.world

BACKFILL = ("backfill-claim-events", "--json")
RECOVER = ("recover-intents", "--json")
RESOLVE = ("resolve-pending-claims", "--json")
REFRESH = ("refresh-seeds", "--json")


def later(played: PlayedWorld) -> DayId:
    """The day after the world's first: the one that these commands work on."""
    return DayId(played.day + 1)


# -- recover-intents ---------------------------------------------------------------------------------------------------


def bought_and_not_known(played: PlayedWorld) -> Course:
    """Purchases with and without an intent, one that was reverted, one that was never sent."""
    day = later(played)
    played.sell(day, buyers=4, seed=5)
    with opened_shop(played) as shop:
        shop.submit(shop.order(equipped=False))
        shop.sign(shop.order())
        played.chain.advance_to(day_end(day))
    return Course(RECOVER, ticks_until_done(RECOVER), recovered)


def ticks_until_done(
    arguments: tuple[str, ...], between: Callable[[PlayedWorld], object] = lambda _: None
) -> Callable[[Runner, PlayedWorld], int]:
    """Run a job as cron does; ``between``: what others do before its next tick."""

    def to_the_end(runner: Runner, played: PlayedWorld) -> int:
        for tick in range(1, MAX_TICKS + 1):
            ended = runner.run(played.env, arguments)
            if ended.code == 0:
                return tick
            assert ended.code == 75, ended.told
            between(played)
        raise AssertionError(ended.told)

    return to_the_end


#: What the database itself makes up: ids and times.
_MADE_UP = ["intent_id", "created_at", "updated_at", "first_seen_at", "resolved_at"]


def recovered(played: PlayedWorld) -> Truth:
    """Tickets, intents and what is in suspense."""
    return dumped(played, "tickets", "buy_intents", "suspense_events")


def dumped(played: PlayedWorld, *tables: str) -> Truth:
    """A digest of each table, without what differs by itself."""
    dumps = {
        name: f"""SELECT encode(sha256(coalesce(string_agg(line, E'\\n' ORDER BY line), '')::bytea), 'hex')
                    FROM (SELECT (to_jsonb(t) - %s::text[])::text AS line FROM {name} AS t) AS r"""  # noqa: S608
        for name in tables
    }
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"]) as conn:
        found = {name: conn.execute(dump.encode(), [_MADE_UP]).fetchone() for name, dump in dumps.items()}
    return {name: str(row[0]) for name, row in found.items() if row}


# -- refresh-seeds -----------------------------------------------------------------------------------------------------


def closed_and_not_seeded(played: PlayedWorld) -> Course:
    """A closed day whose VRF word nobody has asked for."""
    played.sell(later(played), buyers=2, min_tips=2)
    played.close(later(played), has_tips=False)
    return Course(REFRESH, ticks_until_done(REFRESH, chainlink_answers), seeded, code=75)


def answered_and_not_collected(played: PlayedWorld) -> Course:
    """Chainlink has answered and the drand round is due: both seeds are there to be fetched."""
    closed_and_not_seeded(played)
    with played.context() as context:
        refresh_seeds(context)
    chainlink_answers(played)
    return Course(REFRESH, ticks_until_done(REFRESH, chainlink_answers), seeded)


def chainlink_answers(played: PlayedWorld) -> None:
    """The word comes when it was asked for, and the time of the drand round passes."""
    day, drand = later(played), played.world.ruleset.drand
    is_asked = event_count(played, "SeedRequested", day, contract="VRFReceiver") == 1
    if is_asked and event_count(played, "SeedFulfilled", day, contract="VRFReceiver") == 0:
        played.world.fulfil_vrf(day)
        played.chain.advance_to(played.chain.now() + drand.delay_s + 2 * drand.period_s)
    played.chain.mine(2)


def seeded(played: PlayedWorld) -> Truth:
    """One request, one transaction, the word of the chain, the beacon of the round that follows from the request.

    Another run's request may stand in another block, and so have another round.
    """
    day = later(played)
    sent = f"""SELECT a.state FROM chain_transaction_attempts AS a JOIN chain_transactions AS t USING (tx_id)
                WHERE t.subject = 'day {day}'"""  # noqa: S608
    with played.context() as context:
        facts = context.game.read_day(context.chain.read_final_block(), day)
        row = select_seeds(context.conn, day)
    seeds = row.complete() if row else None
    if seeds is not None:
        verify_seeds(played.world.ruleset, day, seeds)
    return {
        "requests": str(event_count(played, "SeedRequested", day, contract="VRFReceiver")),
        "transactions": str(rows(played, sent)),
        "word": "the chain's" if seeds and seeds.vrf_word == facts.vrf_word else f"{row}, not {facts.vrf_word}",
        "request": "the chain's" if seeds and seeds.vrf_requested_at == facts.vrf_requested_at else f"{row}",
        "beacon": "verified" if seeds else "missing",
    }


# -- a voided day ------------------------------------------------------------------------------------------------------


def begun_and_voided(played: PlayedWorld) -> Course:
    """A day whose settlement was begun, voided because its VRF word never came."""
    day = later(played)
    played.settle_through()
    played.sell(day, buyers=3, min_tips=5)
    played.close(day, has_tips=False)
    run_steps(played, "export", "affiliates", day=day)
    after_close(played, day, 3)
    void_as_planned(played, day)
    # By name, because three more days are closed by now.
    arguments = ("settle", "--day", str(day), "--json")

    def to_the_end(runner: Runner, played: PlayedWorld) -> int:
        for tick in range(1, MAX_TICKS + 1):
            ended = runner.run(played.env, arguments)
            is_over = ended.code == 1 and json.loads(ended.stdout)["error"] == "day_voided"
            if ended.code == 0 or is_over:
                return tick
            assert ended.code == 75, ended.told
        raise AssertionError(ended.told)

    return Course(arguments, to_the_end, lambda played: voided_truth(played, day))


def voided_truth(played: PlayedWorld, day: DayId) -> Truth:
    """What is stored of the void, and the day's files."""
    row = pipeline(played, day)
    assert row is not None and row.status == "VOIDED"
    audited = f"SELECT count(*) FROM audit_log WHERE action = 'day_voided' AND day_id = {day}"  # noqa: S608
    facts = {"void": f"{row.void_stake_atoms} {row.void_block} {row.void_at_s}", "audited": str(rows(played, audited))}
    return {**facts, **files_on_disk(played, day)}


# -- claims ------------------------------------------------------------------------------------------------------------


def claimed_and_not_known(played: PlayedWorld) -> Course:
    """Claims of a settled day: some known, one lost again, one that nothing explains, one explained by now."""
    played.settle_through()
    claims = settled_claims(played)
    assert len(claims) > 4
    claimant = Claimant(played)
    claimant.claim(claims[:2])
    played.chain.finalize()
    with played.context() as context:
        backfill_claim_events(context)
    played.tamper("DELETE FROM claim_events WHERE log_index = (SELECT min(log_index) FROM claim_events)")
    ((tx_hash, log_index),) = rows(played, "SELECT tx_hash, log_index FROM claim_events")
    played.tamper(
        """INSERT INTO suspense_events (tx_hash, log_index, kind, reason, payload, block_number)
           VALUES (%(tx_hash)s, %(log_index)s, 'claim', 'its day was not settled here', '{}', 1)""",
        tx_hash=tx_hash,
        log_index=log_index,
    )
    claimant.claim(claims[2:])
    played.chain.finalize()
    return Course(
        BACKFILL, ticks_until_done(BACKFILL), lambda played: dumped(played, "claim_events", "suspense_events")
    )


def refunded_and_not_known(played: PlayedWorld) -> Course:
    """Refunds of a voided day: some known, one of these lost again, one that no ticket explains."""
    played.settle_through()
    day = later(played)
    played.sell(day, buyers=4, seed=6)
    played.close(day, has_tips=False)
    void_day(played, day)
    refunder, bought = Refunder(played), purchases(played, day)
    refunder.refund(bought[:1])
    refunder.refund(bought[1:2])
    played.chain.finalize()
    with played.context() as context:
        backfill_claim_events(context)
    played.tamper("DELETE FROM refunds WHERE nonce = %(nonce)s", nonce=bought[1].nonce)
    played.tamper("DELETE FROM tickets WHERE ticket_id = %(id)s", id=bought[2].ticket_id)
    refunder.refund_many(bought[2:])
    refunder.refund_vouchers(day)
    played.chain.finalize()
    return Course(BACKFILL, ticks_until_done(BACKFILL), lambda played: dumped(played, "refunds", "suspense_events"))


def written_and_not_decided(played: PlayedWorld) -> Course:
    """Pending claims: paid ones, one too old, one of a foreign vault, one that still waits."""
    played.settle_through()
    claims = settled_claims(played)
    Claimant(played).claim(claims[2:])
    played.chain.finalize()
    for claim in claims:
        write_claim(played, claim)
    write_claim(played, claims[0], vault="0x" + "fe" * 20)
    played.tamper(
        "UPDATE claims SET created_at = created_at - interval '1 day' WHERE account = %(account)s",
        account=claims[0].wallet,
    )
    return Course(RESOLVE, ticks_until_done(RESOLVE), lambda played: dumped(played, "claims"))


# -- the trials --------------------------------------------------------------------------------------------------------

STRETCHES: dict[str, Callable[[PlayedWorld], Course]] = {
    "intents recovered": bought_and_not_known,
    "seeds requested": closed_and_not_seeded,
    "seeds collected": answered_and_not_collected,
    "day voided": begun_and_voided,
    "claims backfilled": claimed_and_not_known,
    "refunds backfilled": refunded_and_not_known,
    "claims resolved": written_and_not_decided,
}


def sampled(trial: Trial, rng: random.Random) -> None:
    """A kill where the world outside changes for good and one anywhere, one answer lost, one wish to end."""
    numbers = [one.number for one in trial.boundaries]
    trial.kill(rng.choice(losable(trial)).number, rng.choice(KILLS))
    trial.kill(rng.choice(numbers), rng.choice(KILLS))
    trial.kill(rng.choice(losable(trial)).number, "lost")
    trial.ask_to_end(rng.choice(numbers), rng.choice(ENDINGS))


#: Of the runs about claims and refunds, and of the two of refresh-seeds, one is enough in every run of the tests.
_SELDOM = ("claims resolved", "refunds backfilled", "seeds collected")
SAMPLED = [pytest.param(name, marks=[pytest.mark.slow] if name in _SELDOM else []) for name in STRETCHES]


@pytest.mark.parametrize("stretch", SAMPLED)
@pytest.mark.sampled(3)
def test_a_job_ended_at_sampled_boundaries_is_finished_by_the_next_ticks(
    stretch: str, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    with opened_trial(stretch, runner, played, STRETCHES[stretch](played)) as trial:
        sampled(trial, random.Random(f"{SEED} {stretch}"))
        told(record_property, trial)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(3))
@pytest.mark.parametrize("flavour", [*KILLS, *ENDINGS])
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_job_ended_at_every_boundary_is_finished_by_the_next_ticks(
    stretch: str, flavour: str, shard: int, *, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    with opened_trial(stretch, runner, played, STRETCHES[stretch](played)) as trial:
        for boundary in trial.boundaries[shard::3]:
            (trial.ask_to_end if flavour in ENDINGS else trial.kill)(boundary.number, flavour)
        told(record_property, trial)


@pytest.mark.slow
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_job_killed_twice_or_left_without_an_answer_or_a_database_is_finished_by_the_next_ticks(
    stretch: str, runner: Runner, played: PlayedWorld, record_property: Record
) -> None:
    rng = random.Random(f"{SEED} twice {stretch}")
    with opened_trial(stretch, runner, played, STRETCHES[stretch](played)) as trial:
        numbers = [one.number for one in trial.boundaries]
        for _ in range(5):
            trial.kill(rng.choice(numbers), rng.choice(KILLS), again=(rng.choice(numbers), rng.choice(KILLS)))
        for boundary in losable(trial):
            trial.kill(boundary.number, "lost")
        for number in rng.sample(numbers, min(len(numbers), 20)):
            trial.crash_database(number, *rng.choice(CRASHES))
        told(record_property, trial)

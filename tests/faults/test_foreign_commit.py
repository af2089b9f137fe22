"""A forged commit or release is an alarm of the first tick, whatever else keeps the day back (rule 4.5, fault K03)."""

import time

import pytest

from bo_engine.units import Atoms, DayId, Hash32, day_of
from core.lottery.bundle import SettlementStruct
from io_layer.contracts.codec import codec
from local_world.faults.rules import Rule
from services.lottery.days.foreign_commit import FOREIGN_COMMIT
from tests.support.fault_modes import set_fault
from tests.support.meddling import send_as, veto
from tests.support.observed import audit_actions, halts, pipeline, rows, run_steps, settlement_of, settler_nonce
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

NO_SEEDS = "DELETE FROM day_seeds"


def forged(day: DayId) -> SettlementStruct:
    """A settlement that pays nobody and keeps the whole fee: the contract accepts it."""
    nothing, none = Atoms(0), (False,) * 5
    return SettlementStruct(
        day_id=day,
        pool_payout=(nothing,) * 5,
        pool_jackpot_payout=(nothing,) * 5,
        total_payout=nothing,
        merkle_root=Hash32(bytes(32)),
        jackpot_hit=none,
        affiliate_total=nothing,
        affiliate_root=Hash32(bytes(32)),
        charity_total=nothing,
        run_hash=Hash32(b"\x66" * 32),
    )


def forge_commit(played: PlayedWorld) -> None:
    """What a thief of the SETTLER's key sends; it stands at the head and is not final."""
    send_as(played, "settler", "commitMerkleSettlement", tuple(forged(played.day)))


def forge_release(played: PlayedWorld) -> None:
    """And what anyone may send once the challenge period is over."""
    played.pass_challenge()
    send_as(played, "settler", "release", tuple(forged(played.day)))


def is_alarmed(played: PlayedWorld, job: str, status: str, **changed: str) -> str:
    """One tick of a job: it must end with the alarm; what it says."""
    done = played.cli(job, **changed)
    assert (done.code, FOREIGN_COMMIT in done.stderr) == (1, True), done
    assert f"day {played.day} is {status} at the head" in done.stderr
    ends = rows(played, "SELECT job, exit_code, error_code FROM job_runs ORDER BY job_run_id")
    assert [end for end in ends if end[0] == job][-1] == (job, 1, FOREIGN_COMMIT)
    return done.stderr


def alarms(played: PlayedWorld) -> list[str]:
    """The statuses that the audit log tells of, oldest first."""
    told = rows(played, "SELECT action, details ->> 'status' FROM audit_log ORDER BY audit_id")
    return [status for action, status in told if action == FOREIGN_COMMIT]


def test_it_is_seen_while_the_seeds_are_missing_and_they_are_fetched_all_the_same(played: PlayedWorld) -> None:
    played.tamper(NO_SEEDS)
    assert "seeds_missing" in played.cli("settle").stderr
    forge_commit(played)
    nonce = settler_nonce(played)
    assert "`bo-engine contracts roles` prints the calls" in is_alarmed(played, "settle", "committed")
    assert rows(played, "SELECT count(*) FROM day_seeds") == [(0,)]
    is_alarmed(played, "refresh-seeds", "committed")
    assert rows(played, "SELECT count(*) FROM day_seeds WHERE drand_round IS NOT NULL") == [(1,)]
    assert alarms(played) == ["committed"]  # told each time, recorded once
    played.tamper(NO_SEEDS)
    forge_release(played)
    is_alarmed(played, "settle", "released")
    is_alarmed(played, "refresh-seeds", "released")
    assert alarms(played) == ["committed", "released"]
    assert (settler_nonce(played), pipeline(played)) == (nonce + 1, None)


@pytest.mark.parametrize("place", ["primary", "fallback"])
@pytest.mark.sampled(1)
def test_it_is_seen_while_an_endpoint_is_down(played: PlayedWorld, place: str) -> None:
    through = {"RPC_URL": played.world.primary_proxy.url}
    set_fault(played, place, Rule("http", args={"status": 503}))
    assert played.cli("settle", **through).code == 75
    forge_commit(played)
    is_alarmed(played, "settle", "committed", **through)
    is_alarmed(played, "refresh-seeds", "committed", **through)
    forge_release(played)
    is_alarmed(played, "settle", "released", **through)
    assert pipeline(played) is None  # one endpoint alone halts no day


def test_it_is_seen_while_no_block_becomes_final(played: PlayedWorld) -> None:
    through = {"RPC_URL": played.world.primary_proxy.url}
    set_fault(played, "both", Rule("frozen_finality"))
    assert played.cli("refresh-seeds", **through).code == 0
    forge_commit(played)
    is_alarmed(played, "settle", "committed", **through)
    is_alarmed(played, "refresh-seeds", "committed", **through)
    row = pipeline(played)
    assert row is not None
    assert row.status == "WAITING"


@pytest.mark.parametrize("place", ["primary", "fallback"])
@pytest.mark.sampled(1)
def test_it_is_seen_by_the_endpoint_that_does_not_lag(played: PlayedWorld, place: str) -> None:
    through = {"RPC_URL": played.world.primary_proxy.url}
    set_fault(played, place, Rule("frozen_head"))
    assert played.cli("refresh-seeds", **through).code == 0
    forge_commit(played)
    is_alarmed(played, "settle", "committed", **through)


@pytest.mark.parametrize("value", ["0x", "0x01", "0x" + "ff" * 32, "0x" + "00" * 32 * 6, "hello"])
@pytest.mark.sampled(1)
def test_an_endpoint_that_talks_nonsense_hides_nothing(played: PlayedWorld, value: str) -> None:
    through = {"RPC_URL": played.world.primary_proxy.url}
    selectors = ["0x" + codec("SettlementV4").selector(name).hex() for name in ("nextDay", "dayRecord")]
    rules = [Rule("wrong_call", args={"selector": selector, "value": value}) for selector in selectors]
    forge_commit(played)
    set_fault(played, "primary", *rules)
    is_alarmed(played, "refresh-seeds", "committed", **through)
    set_fault(played, "both", *rules)
    done = played.cli("refresh-seeds", **through)
    assert not [word for word in ("Traceback", "bug of the engine", FOREIGN_COMMIT) if word in done.stderr], done


def test_it_is_seen_while_the_day_is_halted(played: PlayedWorld) -> None:
    played.tamper("UPDATE day_seeds SET vrf_word = vrf_word - 1")
    assert "seed_differs" in played.cli("settle").stderr
    assert "day_halted" in played.cli("settle").stderr
    forge_commit(played)
    is_alarmed(played, "settle", "committed")
    forge_release(played)
    is_alarmed(played, "settle", "released")
    row = pipeline(played)
    assert row is not None
    assert (row.status, row.error_code) == ("HALTED", "seed_differs")


def test_it_is_seen_while_the_job_itself_is_halted(played: PlayedWorld) -> None:
    played.cli("job", "halt", "settle", "--by", "anna")
    forge_commit(played)
    is_alarmed(played, "settle", "committed")


@pytest.mark.parametrize("job", ["settle", "refresh-seeds"])
@pytest.mark.sampled(1)
def test_it_is_seen_by_a_job_that_has_nothing_to_do(played: PlayedWorld, job: str) -> None:
    # By the database every day up to today has ended: outside a local world the job is idle then.
    played.tamper(
        """INSERT INTO settlement_pipeline_runs
                  (day_id, status, void_tx, void_block, void_block_hash, void_stake, void_at_s)
           VALUES (%(day)s, 'VOIDED', sha256('tx'), 1, sha256('block'), 0, 1)""",
        day=max(day_of(int(time.time())), played.day),
    )
    outside = {"BO_PROFILE": "production", "RPC_URL": played.world.primary_proxy.url}
    assert played.cli(job, **outside).code == 0
    forge_commit(played)
    is_alarmed(played, job, "committed", **outside)
    set_fault(played, "both", Rule("http", args={"status": 503}))
    blind = played.cli(job, **outside)
    assert (blind.code, "rpc_unreachable" in blind.stderr) == (75, True)


def test_our_own_commit_and_release_are_no_alarm_whoever_sends_them(played: PlayedWorld) -> None:
    run_steps(played, "export", "affiliates", "compute", "approve")
    ours = tuple(settlement_of(played))
    send_as(played, "settler", "commitMerkleSettlement", ours)
    assert played.cli("refresh-seeds").code == 0
    played.pass_challenge()
    send_as(played, "relayer", "release", ours)
    assert [played.cli(job).code for job in ("refresh-seeds", "settle")] == [0, 0]
    assert FOREIGN_COMMIT not in audit_actions(played)


@pytest.mark.slow
def test_what_our_journal_alone_knows_is_ours(played: PlayedWorld) -> None:
    assert played.settle()[0].run_status == "committed"
    played.tamper("DELETE FROM settlement_runs")
    assert FOREIGN_COMMIT not in played.cli("refresh-seeds").stderr
    played.tamper("DELETE FROM chain_transactions")
    is_alarmed(played, "refresh-seeds", "committed")


def test_after_a_loss_of_rows_our_own_hash_is_computed_adopted_and_no_alarm_stays(played: PlayedWorld) -> None:
    run_steps(played, "export", "affiliates", "compute", "approve")
    ours = tuple(settlement_of(played))
    played.restore()
    send_as(played, "settler", "commitMerkleSettlement", ours)
    is_alarmed(played, "refresh-seeds", "committed")  # this database has not computed the day yet
    done = played.cli("settle")
    assert (done.code, FOREIGN_COMMIT in done.stderr) == (0, False)
    assert "commit_adopted" in audit_actions(played)
    assert played.cli("refresh-seeds").code == 0


def test_a_commit_of_ours_that_was_vetoed_is_foreign_when_it_comes_back(played: PlayedWorld) -> None:
    assert played.settle()[0].run_status == "committed"
    ours = tuple(settlement_of(played))
    veto(played)
    halts(played, "vetoed")
    assert FOREIGN_COMMIT not in played.cli("settle").stderr
    send_as(played, "settler", "commitMerkleSettlement", ours)
    is_alarmed(played, "settle", "committed")

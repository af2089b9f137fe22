"""Rows that somebody wrote to mislead the engine: it stops with a code, or the database refuses the row; it never goes
on in silence and never waits for ever (findings 3, 5 and 10; design 8 and 11)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bo_engine.errors import EngineError
from bo_engine.units import DayId
from tests.invariants.checker import check_invariants
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.observed import attempts, audit_actions, event_count, halts, pipeline, rows, settler_nonce
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world


def as_engine(played: PlayedWorld, statement: str) -> str:
    """A statement of somebody who has the engine's login; the code with which the database refuses it, or ''."""
    with played.context() as context:
        try:
            context.conn.execute(statement.encode())
        except EngineError as error:
            return error.code
    return ""


@contextmanager
def ends_with(code: str, exit_code: int) -> Iterator[None]:
    """The work inside must end with this error."""
    with pytest.raises(EngineError) as caught:
        yield
    assert (caught.value.code, caught.value.exit_code) == (code, exit_code), caught.value


def finish(played: PlayedWorld) -> None:
    """What was forged is gone: the day is settled as if nothing had been."""
    assert played.settle_through().status == "DONE"
    check_invariants(played)


# -- 3: a day that was never settled ---------------------------------------------------------------------------------

DONE_FAR = """
    INSERT INTO settlement_pipeline_runs (day_id, status, reason, export_ok, affiliate_ok, compute_ok, approve_ok,
                                          commit_ok, stats_ok, run_id)
    VALUES ({day}, 'DONE', NULL, true, true, true, true, true, true, {run})
"""


@pytest.mark.parametrize(
    "columns",
    ["status) VALUES (900000, 'RUNNING'", "export_ok, reason) VALUES (900000, true, 'x'", "status) VALUES (9, 'DONE'"],
)
def test_the_pipeline_of_a_day_can_only_be_born_fresh(played: PlayedWorld, columns: str) -> None:
    if "900000" not in columns:
        columns = "status, export_ok, affiliate_ok, compute_ok, approve_ok, commit_ok, stats_ok, run_id) VALUES (9, "
        columns += "'DONE', true, true, true, true, true, true, 1"
    code = as_engine(played, f"INSERT INTO settlement_pipeline_runs (day_id, {columns})")
    assert code == "day_not_fresh"


def test_a_far_day_cannot_borrow_the_settled_run_of_another_day(played: PlayedWorld) -> None:
    played.settle_through()
    assert as_engine(played, "INSERT INTO settlement_pipeline_runs (day_id, reason) VALUES (900000, 'x')") == ""
    step = """UPDATE settlement_pipeline_runs SET export_ok = true, affiliate_ok = true, compute_ok = true,
              approve_ok = true, commit_ok = true, run_id = (SELECT run_id FROM settlement_runs)
              WHERE day_id = 900000"""
    assert as_engine(played, step) == "day_not_settled"
    moved = "UPDATE settlement_pipeline_runs SET day_id = 900001 WHERE day_id = 900000"
    assert as_engine(played, moved) == "day_not_fresh"


def test_a_forged_done_day_stops_every_job_until_it_is_gone(played: PlayedWorld) -> None:
    """Written past all triggers: the contract knows which day it settles next."""
    day, nonce = DayId(played.day + 1), settler_nonce(played)
    played.settle_through()
    played.sell(day)
    played.chain.advance_to((day + 1) * 86_400)
    run = "(SELECT run_id FROM settlement_runs)"
    played.tamper(DONE_FAR.format(day=900_000, run=run))
    for work in (
        lambda context: played.settle(),
        refresh_seeds,
        recover_intents,
    ):
        with ends_with("done_not_settled", 1), played.context() as context:
            work(context)
    done = played.cli("settle", "--json")
    assert (done.code, "done_not_settled" in done.stdout) == (1, True)
    assert settler_nonce(played) == nonce + 2  # commit and release of the first day, and nothing since

    played.tamper("DELETE FROM settlement_pipeline_runs WHERE day_id = 900000")
    played.close(day)
    assert played.settle()[0].run_status == "committed"
    played.pass_challenge()
    assert played.settle()[0].status == "DONE"
    check_invariants(played)


# -- 5: the nonce allocator ------------------------------------------------------------------------------------------

FAR_NONCE = """
    INSERT INTO chain_nonces (chain_id, sender, nonce, tx_id)
    SELECT chain_id, sender, nonce + 5, tx_id FROM chain_nonces ORDER BY nonce DESC LIMIT 1
"""


@pytest.mark.parametrize("forgery", ["UPDATE chain_accounts SET next_nonce = next_nonce + 3", FAR_NONCE])
@pytest.mark.sampled(1)
def test_an_edited_allocator_halts_the_day_before_anything_is_signed(played: PlayedWorld, forgery: str) -> None:
    nonce = settler_nonce(played)
    before = rows(played, "SELECT next_nonce FROM chain_accounts")
    assert as_engine(played, forgery) == ""  # the engine's own login may do that
    if "INSERT" in forgery:
        played.tamper("UPDATE chain_accounts SET next_nonce = next_nonce + 6")
    alarm = halts(played, "nonce_gap")
    assert "nothing is signed" in alarm.message
    assert (attempts(played), settler_nonce(played)) == ([], nonce)

    played.tamper("UPDATE chain_accounts SET next_nonce = %(nonce)s", nonce=before[0][0])
    played.tamper("DELETE FROM chain_nonces WHERE nonce > %(nonce)s", nonce=before[0][0])
    assert played.cli("resume", "--day", str(played.day), "--by", "Ada").code == 0
    finish(played)


# -- 10: leases and cursors ------------------------------------------------------------------------------------------

HELD = """
    INSERT INTO job_leases (job, holder, token, expires_at, host, pid, pid_started)
    VALUES ('{job}', 'elsewhere', {token}, {until}, 'elsewhere', 1, 1)
        ON CONFLICT (job) DO UPDATE SET holder = 'elsewhere', token = excluded.token, expires_at = excluded.expires_at,
           host = 'elsewhere'
"""


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE job_leases SET expires_at = 'infinity'", "lease_too_long"),
        ("UPDATE job_leases SET token = 9223372036854775807", "lease_token"),
        (HELD.format(job="new", token=1, until="'infinity'"), "lease_too_long"),
        (HELD.format(job="new", token=2**62, until="now()"), "lease_token"),
    ],
)
def test_the_database_takes_no_lease_that_nobody_could_end(played: PlayedWorld, statement: str, code: str) -> None:
    assert as_engine(played, statement) == code


@pytest.mark.parametrize(
    ("token", "until"), [(7, "'infinity'"), pytest.param(2**63 - 1, "now()", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_a_damaged_lease_is_an_alarm_and_not_a_holder(played: PlayedWorld, token: int, until: str) -> None:
    nonce = settler_nonce(played)
    for job in ("settle", "recover-intents", "refresh-seeds"):
        played.tamper(HELD.format(job=job, token=token, until=until))
        done = played.cli(job, "--json")
        assert (done.code, "lease_damaged" in done.stdout) == (1, True), done
    assert played.cli("doctor", "--day", str(played.day)).code == 0
    assert settler_nonce(played) == nonce
    played.tamper("DELETE FROM job_leases")
    finish(played)


@pytest.mark.slow
def test_a_cursor_beyond_the_chain_is_an_alarm_and_loses_no_ticket(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    sold = played.sell(day)
    played.chain.finalize()
    assert as_engine(played, "UPDATE event_cursors SET block_number = block_number + 1000000") == ""
    with ends_with("cursor_ahead", 1), played.context() as context:
        recover_intents(context)
    assert played.cli("recover-intents").code == 1
    assert as_engine(played, "DELETE FROM event_cursors") == ""  # what the message says
    with played.context() as context:
        assert recover_intents(context).tickets_added == sold
    finish(played)


def test_a_cursor_beyond_an_endpoint_that_lags_is_none(played: PlayedWorld) -> None:
    played.chain.mine(20)
    with played.context() as context:
        recover_intents(context)
    played.world.proxy.fail("stale_head", blocks=10)
    assert played.cli("recover-intents").code == 0


# -- D07: what our key has done and nobody here knows ----------------------------------------------------------------


def test_a_transaction_of_our_key_that_nothing_explains_halts_the_day_until_a_person_has_looked(
    played: PlayedWorld,
) -> None:
    settler = played.world.account("settler").address
    send = {"from": settler, "to": settler, "value": "0x0"}
    played.chain.call("anvil_impersonateAccount", settler)
    played.chain.call("eth_sendTransaction", send)
    played.chain.call("anvil_stopImpersonatingAccount", settler)
    played.chain.finalize()
    nonce = settler_nonce(played)
    alarm = halts(played, "unknown_transaction")
    assert f"nonce {nonce - 1}" in alarm.message
    assert (settler_nonce(played), attempts(played)) == (nonce, [])
    assert played.cli("settle").code == 1

    resumed = played.cli("resume", "--day", str(played.day), "--by", "Ada", "--json")
    assert resumed.code == 0
    assert json.loads(resumed.stdout)["nonces_taken_as_known"] == [nonce - 1]
    assert rows(played, "SELECT details ->> 'settler_nonce' FROM audit_log WHERE action = 'day_resumed'") == [
        (str(nonce),)
    ]
    assert played.settle_through().status == "DONE"
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 2, 1)
    assert "transactions_adopted" not in audit_actions(played)
    check_invariants(played, knows_all_sends=False)
    assert pipeline(played) is not None

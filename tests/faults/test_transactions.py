"""The life of a transaction: dropped, underpriced, replaced, out of gas, reverted, or its nonce taken; one purpose is
done once (faults T01, T04 to T07, T09 to T12, T14 to T16)."""

import threading
from itertools import pairwise
from typing import Any

import pytest

import services.lottery.settlement.steps.commit_day
import services.transactions.fee_bump
import services.transactions.send
from bo_engine.errors import EngineError, Unavailable
from bo_engine.units import ZERO_WALLET, DayId, parse_wallet
from io_layer.keys.signer import MAX_FEE_PER_GAS_WEI
from local_world.chain_account import ChainAccount
from local_world.faults.rules import Rule
from services.lottery.settlement.settle_days import DayOutcome, settle_days
from tests.invariants.checker import check_at_rest, check_invariants
from tests.support.commands import killed_at
from tests.support.fees import ABSURD_WEI, CHEAP_WEI, DEAR_WEI, SEND, set_base_fee, swallow, tries
from tests.support.jobs import refresh_seeds
from tests.support.meddling import another_settler, blocked_release, resume, send_as
from tests.support.observed import (
    attempts,
    audit_actions,
    event_count,
    halts,
    pipeline,
    refuses,
    rows,
    settlement_of,
    settler_nonce,
    true_run_hash,
)
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world


@pytest.fixture(autouse=True)
def _impatient(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine waits a second or two for the chain, not a minute; the true result is known beforehand."""
    true_run_hash(played)
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "WAIT_S", 1.0)


def sign_cheaply(played: PlayedWorld) -> None:
    """A commit is signed at the fee of an idle chain and not sent."""
    set_base_fee(played, CHEAP_WEI)
    killed_at(played, "signed, not broadcast", "settle")


def settle(played: PlayedWorld, **changed: str) -> DayOutcome:
    """Settle; a machine that is slow to make blocks final costs another tick."""
    for _ in range(6):
        try:
            return played.settle(**changed)[0]
        except Unavailable as error:
            assert error.code == "waiting_for_chain", error
            played.chain.mine(2)
    raise AssertionError("not committed after six ticks")


def settled_once(played: PlayedWorld, *, knows_all_sends: bool = True, nonces: int = 2) -> None:
    """Cron goes on to the end: one commit, one release, the true result, and every invariant."""
    played.world.proxy.heal()
    for _ in range(8):
        try:
            (outcome, *_) = played.settle()
        except Unavailable:
            played.chain.mine(2)
            continue
        if outcome.status == "DONE":
            break
        played.pass_challenge()
    assert (outcome.status, outcome.run_hash) == ("DONE", true_run_hash(played))
    assert (event_count(played, "DayCommitted"), event_count(played, "DayReleased")) == (1, 1)
    check_invariants(played, knows_all_sends=knows_all_sends)
    check_at_rest(played, played.day)
    assert settler_nonce(played) == nonces + 1  # and the one VRF request


# -- T01 -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_broadcast_that_the_network_swallows_is_sent_again_within_the_run_with_the_same_bytes(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "_RESEND_S", 0.3)
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "WAIT_S", 20.0)
    (outcome,) = played.settle(**swallow(played, 1))
    assert (outcome.run_status, outcome.run_hash) == ("committed", true_run_hash(played))
    assert played.world.proxy.calls()[SEND] >= 4  # both endpoints, twice
    ((state, tx_hash),) = attempts(played)
    assert (state, outcome.commit_tx) == ("FINAL", "0x" + tx_hash)
    settled_once(played)


# -- T04, T15 --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_foreign_transaction_that_took_our_nonce_is_waited_for_and_told(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    ((_, lost),) = attempts(played)
    manual = ChainAccount(played.chain, played.world.account("settler"))
    manual.receipt(manual.send(ZERO_WALLET, b""))
    taken = settler_nonce(played) - 1
    settled_once(played, knows_all_sends=False, nonces=3)
    assert [state for state, _ in attempts(played)] == ["DROPPED", "FINAL"]
    assert attempts(played)[0][1] == lost
    assert audit_actions(played).count("nonce_taken") == 1  # told once, and by whom it was taken
    ((told,),) = rows(played, "SELECT details -> 'taken_from' ->> 'nonce' FROM audit_log WHERE action = 'nonce_taken'")
    assert int(told) == taken


@pytest.mark.slow
def test_a_foreign_commit_of_ours_that_took_our_nonce_is_adopted_and_nothing_more_is_sent(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    send_as(played, "settler", "commitMerkleSettlement", tuple(settlement_of(played)))
    nonce = settler_nonce(played)
    outcome = settle(played)
    assert (outcome.run_status, settler_nonce(played)) == ("committed", nonce)
    assert "nonce_taken" in audit_actions(played)
    settled_once(played, knows_all_sends=False)


# -- T05, T14: two purposes ------------------------------------------------------------------------------------------


def sell_another_day(played: PlayedWorld) -> DayId:
    """A second day, closed, whose seeds nobody has asked for yet."""
    day = DayId(played.day + 1)
    played.sell(day, buyers=2, min_tips=4, seed=5)
    played.close(day, has_tips=False)
    return day


def test_a_missing_lower_nonce_is_filled_before_the_next_one_and_never_skipped(played: PlayedWorld) -> None:
    day = sell_another_day(played)
    nonce = settler_nonce(played)
    killed_at(played, "signed, not broadcast", "settle")
    with played.context() as context:
        refresh_seeds(context)
    assert settler_nonce(played) == nonce + 2
    assert [one["nonce"] for one in all_tries(played)] == [0, nonce, nonce + 1]
    played.chain.mine(3)
    assert (event_count(played, "DayCommitted"), event_count(played, "SeedRequested", day, contract="VRFReceiver")) == (
        1,
        1,
    )
    outcome = settle(played)
    assert outcome.commit_tx == "0x" + attempts(played)[0][1]
    check_invariants(played)


def all_tries(played: PlayedWorld) -> list[dict[str, Any]]:
    """Nonce and state of everything ever signed."""
    found = rows(played, "SELECT nonce, state FROM chain_transaction_attempts ORDER BY nonce, attempt")
    return [{"nonce": nonce, "state": state} for nonce, state in found]


def test_two_jobs_that_ask_for_a_nonce_at_the_same_moment_get_two(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell_another_day(played)
    nonce, both, real = settler_nonce(played), threading.Barrier(2), services.transactions.send.allocate_nonce

    def together(*given: Any) -> int:
        if not both.broken and threading.current_thread().name in ("settle", "refresh"):
            both.wait(60)
        return real(*given)

    monkeypatch.setattr(services.transactions.send, "allocate_nonce", together)
    ends: list[object] = []

    def job(act: Any) -> None:
        try:
            with played.context() as context:
                ends.append(act(context))
        except EngineError as error:
            ends.append(error)

    jobs = [
        threading.Thread(target=job, args=[lambda context: settle_days(context, day=None)], name="settle"),
        threading.Thread(target=job, args=[refresh_seeds], name="refresh"),
    ]
    for each in jobs:
        each.start()
    for each in jobs:
        each.join(120)
    assert not both.broken, "the two never stood at the allocator together"
    monkeypatch.undo()
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "WAIT_S", 5.0)
    assert all(not isinstance(end, EngineError) or end.exit_code == 75 for end in ends), ends
    for _ in range(3):
        played.chain.mine(3)
        with played.context() as context:
            refresh_seeds(context)
    outcome = settle(played)
    assert outcome.run_status == "committed"
    signed = [one["nonce"] for one in all_tries(played)]
    assert (signed, settler_nonce(played)) == ([0, nonce, nonce + 1], nonce + 2)
    check_invariants(played)


# -- T06, T07: fees --------------------------------------------------------------------------------------------------


def require_bumped(played: PlayedWorld, *states: str) -> list[dict[str, Any]]:
    """All tries of the commit share a nonce, each offers at least a tenth more of both fees than the one before."""
    found = [one for one in tries(played) if one["hash"] in {"0x" + tx for _, tx in attempts(played)}]
    assert [one["state"] for one in found] == list(states)
    assert len({one["nonce"] for one in found}) == 1
    for older, newer in pairwise(found):
        assert newer["fee"] * 10 >= older["fee"] * 11
        assert newer["tip"] * 10 >= older["tip"] * 11 and newer["tip"] > older["tip"]
        assert newer["gas"] == older["gas"]
    return found


def test_a_transaction_below_the_base_fee_is_replaced_at_its_nonce_with_a_higher_fee(played: PlayedWorld) -> None:
    nonce = settler_nonce(played)
    sign_cheaply(played)
    set_base_fee(played, DEAR_WEI)
    outcome = settle(played)
    cheap, dear = require_bumped(played, "DROPPED", "FINAL")
    assert (outcome.run_status, outcome.commit_tx) == ("committed", dear["hash"])
    assert cheap["fee"] < DEAR_WEI < dear["fee"] < MAX_FEE_PER_GAS_WEI
    assert settler_nonce(played) == nonce + 1
    settled_once(played)


@pytest.mark.slow
def test_above_the_cap_nothing_more_is_signed_and_the_day_waits_until_gas_is_cheaper(played: PlayedWorld) -> None:
    set_base_fee(played, ABSURD_WEI)
    nonces = rows(played, "SELECT count(*) FROM chain_nonces")
    error = refuses("fee_above_cap", played)
    assert (error.exit_code, "goes on by itself" in error.message) == (75, True)
    assert (attempts(played), rows(played, "SELECT count(*) FROM chain_nonces")) == ([], nonces)
    set_base_fee(played, CHEAP_WEI)
    killed_at(played, "signed, not broadcast", "settle")
    for _ in range(2):
        set_base_fee(played, ABSURD_WEI)
        assert refuses("fee_above_cap", played).exit_code == 75
        row = pipeline(played)
        assert row is not None
        assert (row.status, row.error_code) == ("WAITING", "fee_above_cap")
    ((_, tx_hash),) = attempts(played)
    set_base_fee(played, CHEAP_WEI)
    outcome = settle(played)
    assert outcome.commit_tx == "0x" + tx_hash
    settled_once(played)


@pytest.mark.slow
def test_a_transaction_without_which_many_blocks_became_final_is_replaced_by_the_chains_clock_alone(
    played: PlayedWorld,
) -> None:
    refuses("waiting_for_chain", played, **swallow(played, 10))
    refuses("waiting_for_chain", played, RPC_URL=played.world.proxy.url)  # however often: without a block no bump
    assert len(attempts(played)) == 1
    played.chain.mine(services.transactions.fee_bump.BUMP_AFTER_BLOCKS)
    swallow(played, 1)  # the old bytes once more, and then the network is well again
    outcome = settle(played, RPC_URL=played.world.proxy.url)
    _, newer = require_bumped(played, "DROPPED", "FINAL")
    assert outcome.commit_tx == newer["hash"]
    settled_once(played)


@pytest.mark.slow
def test_whichever_of_two_transactions_of_a_nonce_is_mined_decides(played: PlayedWorld) -> None:
    sign_cheaply(played)
    set_base_fee(played, DEAR_WEI)
    underpriced = Rule("says", SEND, calls=2, args={"refusal": "max fee per gas less than block base fee"})
    swallowed = Rule("says", SEND, args={"value": "0x" + "77" * 32})
    played.world.proxy.set_rules(underpriced, swallowed)
    refuses("waiting_for_chain", played, RPC_URL=played.world.proxy.url)
    older, _ = require_bumped(played, "BROADCAST", "BROADCAST")
    set_base_fee(played, CHEAP_WEI)
    ((raw,),) = rows(
        played, f"SELECT '0x' || encode(raw, 'hex') FROM chain_transaction_attempts"  # noqa: S608 - our own hash
        f" WHERE encode(tx_hash, 'hex') = '{older['hash'][2:]}'"
    )  # fmt: skip
    played.chain.call(SEND, raw)  # an endpoint that had the older one all the time
    played.world.proxy.heal()
    outcome = settle(played)
    assert (outcome.run_status, outcome.commit_tx) == ("committed", older["hash"])
    require_bumped(played, "FINAL", "DROPPED")
    settled_once(played)


@pytest.mark.slow
def test_a_replacement_that_is_refused_as_underpriced_is_followed_by_a_bigger_one_at_the_same_nonce(
    played: PlayedWorld,
) -> None:
    nonce = settler_nonce(played)
    killed_at(played, "signed, not broadcast", "settle")
    refused = Rule("says", SEND, calls=6, args={"refusal": "replacement transaction underpriced"})
    played.world.proxy.set_rules(refused)
    outcome = settle(played, RPC_URL=played.world.proxy.url)
    found = require_bumped(played, "DROPPED", "DROPPED", "DROPPED", "FINAL")
    steps = [newer["fee"] / older["fee"] for older, newer in pairwise(found)]
    assert steps[2] > steps[1] > 1.2  # not the same step once more
    assert (outcome.commit_tx, settler_nonce(played)) == (found[3]["hash"], nonce + 1)
    settled_once(played)


@pytest.mark.slow
def test_a_network_that_refuses_every_fee_is_not_paid_without_end(played: PlayedWorld) -> None:
    played.world.proxy.fail("says", SEND, refusal="replacement transaction underpriced")
    for _ in range(3):
        error = refuses("bumps_used_up", played, RPC_URL=played.world.proxy.url)
        assert error.exit_code == 75
    assert len(attempts(played)) == services.transactions.fee_bump.MAX_ATTEMPTS
    require_bumped(played, *["BROADCAST"] * services.transactions.fee_bump.MAX_ATTEMPTS)
    settled_once(played)  # the last bytes, once they are taken


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("signed, not committed", marks=pytest.mark.slow),
        "signed, not broadcast",
        pytest.param("broadcast, not noted", marks=pytest.mark.slow),
    ],
)
def test_a_bump_that_is_killed_is_finished_at_the_same_nonce(played: PlayedWorld, place: str) -> None:
    nonce = settler_nonce(played)
    sign_cheaply(played)
    set_base_fee(played, DEAR_WEI)
    killed_at(played, place + ", of a bump", "settle")
    before = attempts(played)
    assert len(before) == (1 if place == "signed, not committed" else 2)
    outcome = settle(played)
    found = require_bumped(played, "DROPPED", "FINAL")
    assert [tx for _, tx in before] == [one["hash"][2:] for one in found][: len(before)]
    assert (outcome.run_status, settler_nonce(played)) == ("committed", nonce + 1)
    settled_once(played)


# -- T09 to T11: mined without effect --------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_ran_out_of_gas_is_tried_once_more_with_a_higher_limit_and_then_waits_for_a_person(
    played: PlayedWorld,
) -> None:
    nonce, proxy = settler_nonce(played), played.world.proxy
    proxy.fail("says", "eth_estimateGas", value=hex(56_000))  # far too little, and both endpoints say so
    for _ in range(2):
        refuses("waiting_for_chain", played, RPC_URL=proxy.url)
        played.chain.mine(3)
    alarm = halts(played, "reverted_again", RPC_URL=proxy.url)
    assert "tx show" in alarm.message
    first, second = tries(played)
    assert (first["state"], second["state"]) == ("REVERTED", "REVERTED")
    assert second["gas"] * 2 >= first["gas"] * 3
    assert (first["nonce"], second["nonce"], settler_nonce(played)) == (nonce, nonce + 1, nonce + 2)
    for _ in range(3):  # no storm
        assert played.settle(RPC_URL=proxy.url)[0].status == "HALTED"
    assert settler_nonce(played) == nonce + 2
    proxy.heal()
    resume(played)
    settled_once(played, nonces=4)


@pytest.mark.slow
def test_a_nonce_is_given_up_only_when_its_failure_is_final(played: PlayedWorld) -> None:
    nonce, proxy = settler_nonce(played), played.world.proxy
    played.chain.mine(40)
    lags = Rule("stale_head", "eth_getBlockByNumber", args={"blocks": 30})  # what is mined now is not final for long
    proxy.set_rules(Rule("says", "eth_estimateGas", args={"value": hex(56_000)}), lags)
    for _ in range(3):
        refuses("waiting_for_chain", played, RPC_URL=proxy.url)
    assert (len(attempts(played)), settler_nonce(played)) == (1, nonce + 1)
    proxy.heal()
    played.chain.mine(3)
    settled_once(played, nonces=3)
    assert [one["state"] for one in tries(played)] == ["REVERTED", "FINAL", "FINAL"]


@pytest.mark.slow
def test_a_commit_that_reverts_because_ours_stands_already_is_adopted(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    with another_settler(played, parse_wallet(played.world.account("charity").address)):
        send_as(played, "charity", "commitMerkleSettlement", tuple(settlement_of(played)))
    outcome = settle(played)
    assert (outcome.run_status, outcome.run_hash) == ("committed", true_run_hash(played))
    assert audit_actions(played)[-1] == "commit_adopted"
    # Ours still fills its nonce, finds nothing left to do, and its purpose is closed with it.
    for _ in range(3):
        played.cli("tx", "resume")
        played.chain.mine(3)
    assert rows(played, "SELECT status FROM chain_transactions ORDER BY tx_id") == [("FINAL",), ("ADOPTED",)]
    assert [state for state, _ in attempts(played)] == ["REVERTED"]
    settled_once(played)


def test_what_the_contract_refuses_is_told_with_its_reason_and_never_sent(played: PlayedWorld) -> None:
    settle(played)
    played.pass_challenge()
    nonce = settler_nonce(played)
    with blocked_release(played):
        alarm = halts(played, "would_revert")
        assert "RootAlreadySet" in alarm.message
        for _ in range(3):
            assert played.settle()[0].status == "HALTED"
        assert (settler_nonce(played), attempts(played, "release")) == (nonce, [])
    resume(played)
    settled_once(played)


# -- T12, T16 --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_purse_that_is_too_small_is_told_before_a_nonce_or_a_bump_is_signed(played: PlayedWorld) -> None:
    settler = played.world.account("settler").address
    nonces = rows(played, "SELECT count(*) FROM chain_nonces")
    played.chain.fund(settler, 0)
    assert refuses("settler_unfunded", played).exit_code == 75
    assert (attempts(played), rows(played, "SELECT count(*) FROM chain_nonces")) == ([], nonces)
    played.chain.fund(settler)
    sign_cheaply(played)
    set_base_fee(played, DEAR_WEI)
    played.chain.fund(settler, 10**15)  # enough for the first offer, too little for a dearer one
    assert refuses("settler_unfunded", played).exit_code == 75
    assert len(attempts(played)) == 1
    played.chain.fund(settler)
    assert settle(played).run_status == "committed"
    require_bumped(played, "DROPPED", "FINAL")
    settled_once(played)


@pytest.mark.slow
def test_changed_bytes_of_any_attempt_are_refused_by_every_command_that_would_send_them(played: PlayedWorld) -> None:
    sign_cheaply(played)
    set_base_fee(played, DEAR_WEI)
    killed_at(played, "signed, not broadcast, of a bump", "settle")
    nonce = settler_nonce(played)
    assert len(attempts(played)) == 2
    change = "UPDATE chain_transaction_attempts SET raw = set_byte(raw, 60, get_byte(raw, 60) # 7) WHERE attempt = 2"
    played.tamper(change)
    done = played.cli("tx", "resume")
    assert (done.code, "journal_damaged" in done.stderr) == (1, True)
    halts(played, "journal_damaged")
    assert settler_nonce(played) == nonce
    played.tamper(change)
    resume(played)
    settled_once(played)

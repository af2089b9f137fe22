"""The SETTLER's key is exchanged, suspended or removed while days and transactions are open: nothing is sent twice, a
commit that was taken back halts its day, old signatures stand (docs/operations.md; faults T11, K03, K05)."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from eth_account import Account

import services.lottery.settlement.steps.commit_day
from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE, InvalidInput, Unavailable
from bo_engine.settings import Settings
from bo_engine.units import DayId, parse_wallet
from services.lottery.context import open_lottery
from services.lottery.settlement.settle_days import settle_days
from tests.invariants.checker import check_at_rest, check_invariants
from tests.support.commands import killed_at
from tests.support.meddling import resume, send_as, veto
from tests.support.observed import (
    attempts,
    audit_actions,
    event_count,
    halts,
    pipeline,
    record_of,
    refuses,
    rows,
    run_steps,
    settlement_of,
    settler_nonce,
    true_run_hash,
)
from tests.support.offices import EXPIRY_S, last_closed_day, name, pass_time, suspend, take
from tests.support.played_world import PlayedWorld
from tests.support.voiding import act
from tests.support.warm_cli import Finished

pytestmark = pytest.mark.world
PASSWORD = "an entirely new horse"
NEW = Account.from_key("0x" + "6b" * 32)
NEW_KEY = {"SETTLER_PRIVATE_KEY": "0x" + "6b" * 32}


@pytest.fixture(autouse=True)
def _impatient(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine waits a second or two for the chain, not a minute; the true result is known beforehand."""
    true_run_hash(played)
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "WAIT_S", 1.0)


def manifest_of(played: PlayedWorld, day: DayId) -> bytes:
    """The day's signed manifest."""
    return (Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}" / "manifest.json").read_bytes()


def senders(played: PlayedWorld) -> list[tuple[str, int, str]]:
    """Sender, nonce and state of everything ever signed."""
    return rows(played, "SELECT sender, nonce, state FROM chain_transaction_attempts ORDER BY created_at")


def commit(played: PlayedWorld, **key: str) -> None:
    """The first open day's commit is final; a slow machine needs another tick."""
    for _ in range(5):
        with suppress(Unavailable):
            assert played.settle(**key)[-1].run_status == "committed"
            return
    raise AssertionError("not committed after five ticks")


def settled(played: PlayedWorld, day: DayId | None = None, **key: str) -> None:
    """Cron's ticks until a day is settled: the first one, if no other is named."""
    for _ in range(12):
        with suppress(Unavailable):
            played.settle(**key)
        row = pipeline(played, day)
        if row is not None and row.status == "DONE":
            return
        played.pass_challenge()
        played.chain.mine(3)
    raise AssertionError("not settled after twelve ticks")


def answer(done: Finished) -> tuple[int, str]:
    """Exit code and error code."""
    return done.code, json.loads(done.stdout)["error"]


def take_office(played: PlayedWorld, *more: str, **key: str) -> Finished:
    """`key take-office`, as often as it waits for the chain."""
    for _ in range(5):
        done = played.cli("key", "take-office", "--yes", "--json", *more, **(key or NEW_KEY))
        if done.code != EXIT_LATER or answer(done)[1] != "waiting_for_chain":
            break
        played.chain.mine(3)
    return done


# -- exchange ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_key_exchanged_as_the_page_says_costs_nothing(played: PlayedWorld, tmp_path: Path) -> None:
    old = parse_wallet(played.world.account("settler").address)
    # 1: a new key.
    store, password = tmp_path / "settler.json", tmp_path / "settler.password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    made = played.cli("key", "new", "--out", str(store), "--password-file", str(password), "--json")
    new = parse_wallet(json.loads(made.stdout)["address"])
    played.chain.fund(new)
    key = {"SETTLER_PRIVATE_KEY": "", "SETTLER_KEYSTORE_FILE": str(store), "SETTLER_PASSWORD_FILE": str(password)}
    assert answer(take_office(played, **key)) == (EXIT_USAGE, "wrong_key")
    # 2: OWNER names it; for 48 hours the old key goes on.
    calls = json.loads(played.cli("contracts", "roles", "--name", "settler", new, "--json").stdout)["calls"]
    assert [call["signed_by"] for call in calls] == ["owner", new]
    name(played, new)
    played.chain.finalize()
    assert answer(take_office(played, **key)) == (EXIT_LATER, "notice_runs")
    assert refuses("wrong_key", played, **key).exit_code == EXIT_USAGE
    settled(played)
    manifest = manifest_of(played, played.day)
    pass_time(played)
    # 3: not while a commit waits for its release; what the old key has signed becomes final.
    commit(played)
    assert answer(take_office(played, **key)) == (EXIT_FAILED, "commit_pending")
    settled(played, last_closed_day(played))
    for _ in range(4):
        done = played.cli("tx", "resume", "--json")
        played.chain.mine(3)
        if done.code == EXIT_DONE:
            break
    assert (done.code, json.loads(played.cli("tx", "list", "--open", "--json").stdout)["transactions"]) == (0, [])
    by_old = len(senders(played))
    # 4: the new settings, and the office.
    facts = json.loads(played.cli("key", "address", "--json", **key).stdout)
    assert (facts["is_settler"], facts["settler"], facts["can_take_office"].split(",")[0]) == (False, old, "now")
    planned = played.cli("key", "take-office", "--dry-run", "--json", **key)
    assert (planned.code, json.loads(planned.stdout)["settler_now"]) == (EXIT_DONE, old)
    assert len(senders(played)) == by_old
    taken = take_office(played, **key)
    assert (taken.code, json.loads(taken.stdout)["is_settler"]) == (EXIT_DONE, True)
    assert (senders(played)[-1], audit_actions(played)[-1]) == ((new, 0, "FINAL"), "office_taken")
    assert take_office(played, **key).code == EXIT_DONE  # repeated: nothing is sent
    assert json.loads(played.cli("key", "address", "--json", **key).stdout)["is_settler"] is True

    # The next day is the new key's, and nothing of before has changed.
    day = DayId(last_closed_day(played) + 1)
    played.close(day, has_tips=False)
    assert refuses("wrong_key", played).exit_code == EXIT_USAGE
    settled(played, day, **key)
    assert senders(played)[by_old:] == [(new, 0, "FINAL"), (new, 1, "FINAL"), (new, 2, "FINAL")]
    assert {sender for sender, _, _ in senders(played)[:by_old]} == {old}
    assert (event_count(played, "DayCommitted"), event_count(played, "DayReleased")) == (1, 1)
    assert manifest_of(played, played.day) == manifest
    assert json.loads(manifest_of(played, day))["signer"].lower() == new
    assert json.loads(manifest)["signer"].lower() == old
    verified = played.cli(
        "verify", "--day", str(played.day), "--dir", played.env["ARTIFACTS_DIR"] + f"/dayId={played.day}",
        "--rpc", played.env["RPC_URL"],
    )  # fmt: skip
    assert (verified.code, "anchored" in verified.stdout) == (EXIT_DONE, True)
    # The old key holds no office any more, but it has sent the day's commit.
    assert played.cli("artifacts", "check", "--day", str(played.day)).code == EXIT_DONE
    check_invariants(played)


@pytest.mark.parametrize("place", ["signed, not broadcast", "broadcast, not noted"])
@pytest.mark.sampled(1)
def test_an_office_whose_taking_was_killed_is_taken_once(played: PlayedWorld, place: str) -> None:
    new = parse_wallet(NEW.address)
    played.chain.fund(new)
    name(played, new)
    pass_time(played)
    killed_at(played, place, "key", "take-office", "--yes", **NEW_KEY)
    played.chain.finalize()
    assert take_office(played).code == EXIT_DONE
    assert [one for one in senders(played) if one[0] == new] == [(new, 0, "FINAL")]
    settled(played, **NEW_KEY)
    check_invariants(played)


@pytest.mark.slow
def test_an_office_that_another_wallet_has_taken_with_the_key_is_explained(played: PlayedWorld) -> None:
    name(played, parse_wallet(NEW.address))
    pass_time(played)
    take(played, NEW)
    taken = take_office(played)
    assert (taken.code, json.loads(taken.stdout)["tx_hash"]) == (EXIT_DONE, None)
    settled(played, **NEW_KEY)
    ((details,),) = rows(played, "SELECT details FROM audit_log WHERE action = 'transactions_adopted'")
    assert details["adopted"] == {"0": "HolderSet office 3"}
    assert [nonce for sender, nonce, _ in senders(played) if sender == parse_wallet(NEW.address)][:2] == [1, 2]
    check_invariants(played)


def test_a_naming_that_was_cancelled_replaced_or_is_too_old_gives_no_office(played: PlayedWorld) -> None:
    new = parse_wallet(NEW.address)
    played.chain.fund(new)
    name(played, new)
    act(played, "guardian", "Roles", "cancelNaming", 3)
    pass_time(played)
    assert answer(take_office(played)) == (EXIT_USAGE, "wrong_key")
    name(played, new)
    pass_time(played)
    name(played, new)  # its time begins anew
    played.chain.finalize()
    assert answer(take_office(played)) == (EXIT_LATER, "notice_runs")
    pass_time(played, EXPIRY_S)
    assert answer(take_office(played)) == (EXIT_FAILED, "naming_expired")
    assert len(senders(played)) == 1


@pytest.mark.slow
def test_a_commit_of_the_old_key_that_comes_too_late_reverts_and_the_new_key_commits_once(played: PlayedWorld) -> None:
    nonce, old, new = settler_nonce(played), parse_wallet(played.world.account("settler").address), NEW.address.lower()
    name(played, parse_wallet(NEW.address))
    pass_time(played)
    killed_at(played, "signed, not broadcast", "settle")
    take(played, NEW)  # at once, without waiting for what is signed
    settled(played, **NEW_KEY)
    assert senders(played)[1:4] == [(old, nonce, "REVERTED"), (new, 1, "FINAL"), (new, 2, "FINAL")]
    assert (event_count(played, "DayCommitted"), event_count(played, "DayReleased")) == (1, 1)
    (run,) = rows(played, "SELECT '0x' || encode(run_hash, 'hex') FROM settlement_runs WHERE status = 'settled'")
    assert run == (true_run_hash(played),)
    assert json.loads(manifest_of(played, played.day))["signer"].lower() == new
    check_invariants(played)
    check_at_rest(played, played.day)


@pytest.mark.slow
def test_an_old_key_without_ether_keeps_the_new_one_back_only_from_what_it_has_signed_itself(
    played: PlayedWorld,
) -> None:
    name(played, parse_wallet(NEW.address))
    pass_time(played)
    killed_at(played, "signed, not broadcast", "settle")  # the commit
    played.chain.fund(played.world.account("settler").address, 0)
    take(played, NEW)
    waits = played.cli("settle", "--json", **NEW_KEY)
    assert answer(waits) == (EXIT_LATER, "send_refused")
    played.chain.fund(played.world.account("settler").address)
    settled(played, **NEW_KEY)
    assert event_count(played, "DayReleased") == 1
    check_invariants(played)


# -- a pending commit is taken back ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_succession_takes_the_pending_commit_back_and_the_new_key_commits_in_the_next_round(
    played: PlayedWorld,
) -> None:
    new = parse_wallet(NEW.address)
    played.chain.fund(new)
    name(played, new)
    pass_time(played)
    commit(played)
    assert answer(take_office(played)) == (EXIT_FAILED, "commit_pending")
    assert take_office(played, "--take-back").code == EXIT_DONE
    alarm = halts(played, "taken_back", **NEW_KEY)
    assert "TakenBack" in alarm.message
    resume(played)
    settled(played, **NEW_KEY)
    assert [event_count(played, event) for event in ("DayCommitted", "TakenBack", "DayReleased")] == [2, 1, 1]
    assert len(attempts(played, round=0)) == len(attempts(played, round=1)) == 1
    assert len(attempts(played, "release", round=1)) == 1
    check_invariants(played)
    check_at_rest(played, played.day)


@pytest.mark.slow
def test_a_suspension_takes_the_commit_back_and_halts_the_day_although_nothing_can_be_signed(
    played: PlayedWorld,
) -> None:
    commit(played)
    suspend(played)
    nonce = settler_nonce(played)
    assert "suspended" in halts(played, "taken_back").message
    resume(played)
    assert refuses("settler_suspended", played).exit_code == EXIT_FAILED
    row = pipeline(played)
    assert row is not None
    assert (row.status, settler_nonce(played)) == ("WAITING", nonce)
    # A successor is free of the suspension.
    name(played, parse_wallet(NEW.address))
    pass_time(played)
    take(played, NEW)
    settled(played, **NEW_KEY)
    assert [event_count(played, event) for event in ("DayCommitted", "TakenBack", "DayReleased")] == [2, 1, 1]
    runs = rows(played, "SELECT day_id, status FROM settlement_runs ORDER BY run_id")
    assert [status for day, status in runs if day == played.day] == ["vetoed", "settled"]
    check_invariants(played)


def test_a_veto_and_a_suspension_are_rounds_of_their_own_and_the_day_is_released_once(played: PlayedWorld) -> None:
    commit(played)
    veto(played)
    assert "looks odd" in halts(played, "vetoed").message
    resume(played)
    commit(played)
    suspend(played)
    halts(played, "taken_back")
    resume(played)
    act(played, "owner", "Roles", "liftSuspension", played.world.account("settler").address)
    played.chain.finalize()
    settled(played)
    assert [event_count(played, event) for event in ("DayCommitted", "DayVetoed", "TakenBack", "DayReleased")] == [
        *(3, 1, 1, 1)
    ]
    assert [len(attempts(played, round=number)) for number in range(3)] == [1, 1, 1]
    check_invariants(played)
    check_at_rest(played, played.day)


def test_a_stolen_key_that_commits_a_forged_root_is_stopped_by_one_call_and_moves_no_money(
    played: PlayedWorld,
) -> None:
    true_hash = true_run_hash(played)
    run_steps(played, "export", "affiliates", "compute", "approve")
    forged = settlement_of(played)._replace(run_hash=b"\x66" * 32)
    name(played, parse_wallet(NEW.address))
    pass_time(played)
    send_as(played, "settler", "commitMerkleSettlement", tuple(forged))
    halts(played, "foreign_commit")
    suspend(played)
    assert record_of(played).takebacks == 1
    resume(played)
    assert refuses("settler_suspended", played).exit_code == EXIT_FAILED
    take(played, NEW)
    settled(played, **NEW_KEY)
    assert record_of(played).run_hash == bytes.fromhex(true_hash[2:])
    assert [event_count(played, event) for event in ("DayCommitted", "TakenBack", "DayReleased")] == [2, 1, 1]


# -- nothing pending -------------------------------------------------------------------------------------------------


def test_a_suspended_settler_signs_nothing_and_halts_no_day(played: PlayedWorld) -> None:
    suspend(played)
    nonce = settler_nonce(played)
    for _ in range(4):  # more often than what makes a day poison
        done = played.cli("settle", "--json")
        assert answer(done) == (EXIT_FAILED, "settler_suspended")
    row = pipeline(played)
    assert row is None or row.status in ("WAITING", "NEW")
    facts = json.loads(played.cli("key", "address", "--json").stdout)
    assert (facts["is_settler"], facts["is_suspended"]) == (True, True)
    assert settler_nonce(played) == nonce
    act(played, "owner", "Roles", "liftSuspension", played.world.account("settler").address)
    played.chain.finalize()
    settled(played)
    assert event_count(played, "DayReleased") == 1
    check_invariants(played)


@pytest.mark.slow
def test_a_key_suspended_while_its_commit_is_prepared_leaves_the_day_waiting(played: PlayedWorld) -> None:
    def suspend_now(text: str) -> None:
        if text == f"day {played.day}: commit":
            suspend(played)

    with (
        pytest.raises(InvalidInput) as refusal,
        open_lottery(Settings(played.env), report=suspend_now) as context,
    ):
        settle_days(context, day=None)
    assert refusal.value.code == "settler_suspended"
    for _ in range(4):  # more often than what makes a day poison
        row = pipeline(played)
        assert row is not None
        assert (row.status, row.error_code) == ("WAITING", "settler_suspended")
        refuses("settler_suspended", played)
    act(played, "owner", "Roles", "liftSuspension", played.world.account("settler").address)
    played.chain.finalize()
    settled(played)


@pytest.mark.slow
def test_an_office_that_owner_has_emptied_is_named_as_empty(played: PlayedWorld) -> None:
    act(played, "owner", "Roles", "removeHolder", 3)
    played.chain.finalize()
    error = refuses("wrong_key", played)
    assert (error.exit_code, "OWNER has removed it" in error.message) == (EXIT_USAGE, True)
    played.chain.fund(parse_wallet(NEW.address))
    name(played, parse_wallet(NEW.address))
    pass_time(played)
    assert take_office(played).code == EXIT_DONE
    settled(played, **NEW_KEY)
    check_invariants(played)

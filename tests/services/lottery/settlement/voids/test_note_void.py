"""A day that is voided on-chain becomes VOIDED with its block, and later days go on (rules 2.12 and 7.4; K01)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bo_engine.errors import EngineError, InvalidInput, InvariantBroken, Unavailable
from bo_engine.units import Atoms, DayId, Wallet, day_end, hex_of
from core.lottery.model import PoolState
from core.lottery.void import closing_of_void
from io_layer.contracts.codec import codec
from io_layer.lottery.stores.runs import select_closing_state, select_live_run, select_pool_results, select_runs
from io_layer.stores.audit import select_audit
from local_world.lottery.chain_view import ChainView
from local_world.lottery.world import start_world
from services.lottery.settlement.doctor import doctor
from services.lottery.settlement.dry_run import dry_run_days
from services.lottery.settlement.explain import explain
from services.lottery.settlement.files.artifacts import artifact_states, mirror_artifacts, restore_artifacts
from services.lottery.settlement.proofs import make_proofs
from services.lottery.settlement.resume import resume_day
from services.lottery.settlement.settle_days import DayOutcome
from services.running.cancel import Stop
from services.transactions.resume import resume_transactions
from tests.invariants.checker import check_invariants
from tests.support.commands import killed_at
from tests.support.fingerprint import fingerprint
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.observed import attempts, pipeline, rows, run_steps
from tests.support.played_world import PlayedWorld
from tests.support.voiding import act, after_close, planned, refund, stakes_of, void_as_planned
from verifier.report import VOIDED, VOIDED_ANCHORED
from verifier.verify import verify_folder


@pytest.fixture(scope="module")
def unseeded_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedWorld]:
    """A settled day, then one that is sold and closed, whose VRF word was never asked for."""
    folder = tmp_path_factory.mktemp("unseeded")
    world = start_world(folder / "world", number_max=9)
    try:
        played = PlayedWorld(world, folder)
        played.sell(played.day)
        played.close(played.day)
        played.settle_through()
        played.sell(DayId(played.day + 1), seed=2)
        played.close(DayId(played.day + 1), has_tips=False)
        played.remember()
        yield played
    finally:
        world.stop()


@pytest.fixture
def unseeded(unseeded_world: PlayedWorld) -> PlayedWorld:
    """The world at that moment."""
    unseeded_world.restore()
    with unseeded_world.context() as context:
        mirror_artifacts(context, unseeded_world.day)
    return unseeded_world


@pytest.fixture
def day(unseeded: PlayedWorld) -> DayId:
    """The day without a word."""
    return DayId(unseeded.day + 1)


def noted(played: PlayedWorld, day: DayId, **changed: str) -> DayOutcome:
    """Settle the voided day; it ends VOIDED at once, and its only file is whole and true."""
    (outcome,) = played.settle(day, **changed)
    assert (outcome.status, outcome.exit_code, outcome.run_status) == ("VOIDED", 0, None)
    assert sorted(path.name for path in folder_of(played, day).iterdir()) == ["voided.json"]
    assert verify_folder(day, folder_of(played, day)).verdict == VOIDED
    anchored = verify_folder(day, folder_of(played, day), [played.env["RPC_URL"], played.env["RPC_FALLBACK_URL"]])
    assert (anchored.verdict, {one.verdict for one in anchored.findings}) == (VOIDED_ANCHORED, {"ok"})
    return outcome


def folder_of(played: PlayedWorld, day: DayId) -> Path:
    """The folder of a day's files."""
    return Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}"


def audited(played: PlayedWorld, day: DayId) -> list[str]:
    """The actions that the audit log has of the day."""
    with played.context() as context:
        return [row.action for row in select_audit(context.conn, day)]


def refuses(played: PlayedWorld, code: str, *steps: str, day: DayId) -> None:
    """The day, or a step of it by hand, is refused with this code, and nothing changes."""
    before = fingerprint(played)
    with pytest.raises(EngineError) as caught:
        if steps:
            run_steps(played, *steps, day=day)
        else:
            played.settle(day)
    assert caught.value.code == code, caught.value
    assert before.differences(fingerprint(played)) == []


def test_a_day_without_a_word_is_voided_by_the_owner_after_three_days_and_by_anyone_after_seven(
    unseeded: PlayedWorld, day: DayId
) -> None:
    before = fingerprint(unseeded, leases=True)
    found = []
    for days in (2, 3, 7):
        after_close(unseeded, day, days)
        plan = planned(unseeded, day)
        assert (plan["owner_from_s"], plan["anyone_from_s"]) == (day_end(day) + 3 * 86_400, day_end(day) + 7 * 86_400)
        assert plan["calldata"] == hex_of(codec("SettlementV4").call_data("voidDay", (day,)))
        found.append((plan["allowed_to"], plan["why_not"] is None))
    assert found == [(None, False), ("OWNER", True), ("anyone", True)]
    later = planned(unseeded, DayId(day + 1))
    assert later["allowed_to"] is None and f"voids day {day} and no other" in later["why_not"]
    with pytest.raises(InvalidInput, match="day_settled"):
        planned(unseeded, unseeded.day)
    assert [name for name in before.differences(fingerprint(unseeded, leases=True)) if "table" in name] == []

    plan = void_as_planned(unseeded, day, "gas_safe")
    with pytest.raises(InvalidInput, match="day_voided"):
        planned(unseeded, day)
    before = fingerprint(unseeded, leases=True)
    with unseeded.context() as context:
        (((dry),), _) = dry_run_days(context, day=None)
    assert dry == {"day_id": day, "dry_run": True, "on_chain": "voided"}
    assert before.differences(fingerprint(unseeded, leases=True)) == []

    outcome = noted(unseeded, day)
    document = json.loads((folder_of(unseeded, day) / "voided.json").read_bytes())
    assert outcome.facts == {
        "void_tx": document["tx_hash"],
        "void_block": document["block"]["number"],
        "stake": document["stake"],
    }
    assert document["stake"] == plan["stake"]
    assert audited(unseeded, day) == ["day_voided"]
    check_invariants(unseeded)
    refuses(unseeded, "day_voided", day=day)
    for step in ("export", "compute", "commit"):
        refuses(unseeded, "day_voided", step, day=day)


def test_every_buyer_gets_his_stake_back_once_and_the_vouchers_go_to_who_paid_them(
    unseeded: PlayedWorld, day: DayId
) -> None:
    after_close(unseeded, day, 3)
    plan = void_as_planned(unseeded, day)
    noted(unseeded, day)
    view = ChainView(unseeded.chain, unseeded.world.contracts)
    stakes = stakes_of(unseeded, day)
    for wallet, stake in stakes.items():
        with unseeded.context() as context:
            account = explain(context, day, wallet)
        assert (account["status"], account["sum"]) == ("VOIDED", str(stake))
        assert refund(unseeded, day, wallet) == stake
    vouchers = int(plan["stake"]) - sum(stakes.values())
    assert vouchers == view.ask("ReserveVault", "refundable", day) > 0
    promotions = Wallet(unseeded.world.account("promotions").address.lower())
    before = view.balance_of(promotions)
    act(unseeded, "gas_safe", "ReserveVault", "refundVouchers", day)
    assert view.balance_of(promotions) - before == vouchers
    assert view.ask("ReserveVault", "refundable", day) == 0
    anchored = verify_folder(day, folder_of(unseeded, day), [unseeded.env["RPC_URL"]])
    assert anchored.verdict == VOIDED_ANCHORED
    check_invariants(unseeded)


def test_a_voided_day_has_no_proof_and_the_commands_say_what_it_has(unseeded: PlayedWorld, day: DayId) -> None:
    after_close(unseeded, day, 3)
    assert unseeded.cli("void-plan", "--day", str(day), "--json").code == 0
    void_as_planned(unseeded, day)
    with unseeded.context() as context:
        seen = doctor(context.settings, day, report=lambda _: None, cancel=Stop())
    assert "`bo-engine settle`: it notes the void" in seen.facts["next"]
    settled = unseeded.cli("settle", "--day", str(day), "--json")
    (document,) = json.loads(settled.stdout)["days"]
    assert (settled.code, document["status"]) == (0, "VOIDED")
    player = next(iter(stakes_of(unseeded, day)))
    with unseeded.context() as context, pytest.raises(InvalidInput, match="day_voided"):
        make_proofs(context.conn, context.game.deployment, day, player)
    shown = unseeded.cli("explain", "--day", str(day), "--wallet", player)
    assert (shown.code, shown.stderr) == (0, "") and "refund(buyer, nonces)" in shown.stdout
    asked = unseeded.cli("doctor", "--day", str(day), "--json")
    assert "refund(buyer, nonces)" in json.loads(asked.stdout)["next"]
    checked = unseeded.cli("verify", "--day", str(day), "--dir", str(folder_of(unseeded, day)))
    assert (checked.code, "voided, not anchored" in checked.stdout) == (0, True)
    planned_again = unseeded.cli("void-plan", "--day", str(day))
    assert (planned_again.code, planned_again.stderr.startswith("bo-engine: day_voided: ")) == (1, True)


@pytest.mark.slow
def test_the_day_after_a_void_opens_with_its_closing_state_and_settles(unseeded: PlayedWorld, day: DayId) -> None:
    following = DayId(day + 1)
    unseeded.sell(following, seed=3)
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    with unseeded.context() as context:
        recover_intents(context)
    noted(unseeded, day)
    unseeded.bring_seeds(following)
    assert unseeded.settle()[0].status == "WAITING"
    unseeded.pass_challenge()
    assert unseeded.settle()[0].status == "DONE"
    with unseeded.context() as context:
        before = select_closing_state(context.conn, unseeded.day)
        run = select_live_run(context.conn, following)
        assert before is not None and run is not None
        opened = tuple(pool.opening for pool in select_pool_results(context.conn, run.run_id))
    kept = tuple(
        PoolState(Atoms(s.carry_atoms + s.last_rollover_atoms), s.reserve_atoms, Atoms(0), s.streak) for s in before
    )
    assert opened == kept == closing_of_void(before)
    assert any(state.last_rollover_atoms for state in before)
    check_invariants(unseeded)


def test_a_day_that_waits_for_its_seeds_stops_waiting_when_it_is_voided(unseeded: PlayedWorld, day: DayId) -> None:
    run_steps(unseeded, "export", "affiliates", day=day)
    with pytest.raises(Unavailable):
        unseeded.settle(day)
    row = pipeline(unseeded, day)
    assert row is not None and (row.status, row.error_code) == ("WAITING", "seeds_missing")
    assert sorted(path.name for path in folder_of(unseeded, day).iterdir()) == ["affiliates.json", "inputs.json"]
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    with unseeded.context() as context:
        refreshed = refresh_seeds(context)
    assert refreshed.requested == [] and refreshed.waiting == []  # no word is paid for that no draw needs
    refuses(unseeded, "day_voided", "affiliates", day=day)
    noted(unseeded, day)
    row = pipeline(unseeded, day)
    assert row is not None and (row.export_ok, row.reason) == (False, None)
    assert audited(unseeded, day) == ["settlement_set_aside", "day_voided"]
    check_invariants(unseeded)


def test_a_drawn_day_is_voided_by_anyone_after_thirty_days_and_its_vetoed_run_is_kept(played: PlayedWorld) -> None:
    day = played.day
    (committed,) = played.settle()
    assert committed.run_status == "committed"
    assert "its commit is pending" in planned(played, day)["why_not"]
    act(played, "guardian", "SettlementV4", "veto", day, "the draw is in doubt")
    after_close(played, day, 29)
    assert "too early" in planned(played, day)["why_not"]
    after_close(played, day, 30)
    assert void_as_planned(played, day, "gas_safe")["allowed_to"] == "anyone"
    # The engine was down all the time: it knows neither of the veto nor of the void.
    noted(played, day)
    with played.context() as context:
        assert [run.status for run in select_runs(context.conn, day)] == ["vetoed"]
    assert audited(played, day)[-2:] == ["settlement_set_aside", "day_voided"]
    check_invariants(played)


@pytest.mark.slow
def test_a_halted_day_that_is_voided_waits_for_a_person(played: PlayedWorld) -> None:
    day = played.day
    played.settle()
    act(played, "guardian", "SettlementV4", "veto", day, "the draw is in doubt")
    with pytest.raises(InvariantBroken) as vetoed:
        played.pass_challenge()
        played.settle()
    assert vetoed.value.code == "vetoed"
    after_close(played, day, 30)
    void_as_planned(played, day)
    (halted,) = played.settle()
    assert (halted.status, halted.exit_code) == ("HALTED", 1)
    with played.context() as context:
        resume_day(context, day, by="anna")
    noted(played, day)
    check_invariants(played)


def test_a_void_needs_neither_tickets_nor_seeds_nor_a_key_and_is_the_same_in_every_database(
    played: PlayedWorld,
) -> None:
    day = played.day
    after_close(played, day, 30)
    void_as_planned(played, day)
    noted(played, day)
    file = (folder_of(played, day) / "voided.json").read_bytes()
    fresh = played.world.add_database()
    played.env = played.env_for(fresh.name, played.folder / fresh.name)
    noted(played, day, SETTLER_PRIVATE_KEY="")
    assert rows(played, "SELECT count(*) FROM tickets") == [(0,)]
    assert (folder_of(played, day) / "voided.json").read_bytes() == file
    with played.context() as context:
        recover_intents(context)
    check_invariants(played, knows_all_sends=False)


@pytest.mark.slow
def test_empty_days_that_others_voided_are_passed_in_one_run(unseeded: PlayedWorld, day: DayId) -> None:
    unseeded.chain.advance_to(day_end(day) + 4 * 86_400 + 7_200)
    unseeded.chain.mine(2)
    void_as_planned(unseeded, day)
    empty = [DayId(day + n) for n in (1, 2, 3)]
    for one in empty:
        plan = void_as_planned(unseeded, one, "gas_safe")
        assert (plan["allowed_to"], plan["stake"]) == ("anyone", "0")
    outcomes = unseeded.settle()
    # The last one is closed for two hours only and is committed.
    assert [one.status for one in outcomes] == [*["VOIDED"] * 4, "WAITING"]
    assert [one.day_id for one in outcomes[:-1]] == [day, *empty]
    check_invariants(unseeded)


def test_a_commit_of_ours_in_flight_is_adopted_as_spent(unseeded: PlayedWorld, day: DayId) -> None:
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    noted(unseeded, day)
    empty, following = DayId(day + 1), DayId(day + 2)
    killed_at(unseeded, "signed, not broadcast", "settle", "--day", str(empty))
    assert [state for state, _ in attempts(unseeded, day=empty)] == ["SIGNED"]
    void_as_planned(unseeded, empty, "gas_safe")  # closed for more than a day by now
    noted(unseeded, empty)
    (waiting,) = unseeded.settle(following)
    assert waiting.run_status == "committed"
    with unseeded.context() as context:
        resume_transactions(context, tx_id=None, dry_run=False)
    assert [state for state, _ in attempts(unseeded, day=empty)] == ["REVERTED"]
    found = f"SELECT DISTINCT status FROM chain_transactions WHERE subject = 'day {empty}'"  # noqa: S608
    assert rows(unseeded, found) == [("ADOPTED",)]
    unseeded.pass_challenge()
    check_invariants(unseeded)


def test_the_file_of_a_voided_day_comes_back_and_a_changed_one_is_seen(unseeded: PlayedWorld, day: DayId) -> None:
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    noted(unseeded, day)
    path = folder_of(unseeded, day) / "voided.json"
    file = path.read_bytes()
    found: list[Any] = []
    with unseeded.context() as context:
        for change in (lambda: None, path.unlink, lambda: path.write_bytes(b"{}")):
            change()
            found.append(dict(artifact_states(context.conn, context.artifacts_dir, day)))
            restore_artifacts(context, day)
            assert path.read_bytes() == file
    assert found == [{"voided.json": "ok"}, {"voided.json": "missing"}, {"voided.json": "changed"}]


def test_a_run_that_is_killed_before_the_day_is_voided_is_finished_by_the_next(
    unseeded: PlayedWorld, day: DayId
) -> None:
    run_steps(unseeded, "export", "affiliates", day=day)
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    killed_at(unseeded, "set aside, not voided", "settle", "--day", str(day))
    row = pipeline(unseeded, day)
    assert row is not None and row.status != "VOIDED"
    noted(unseeded, day)
    assert audited(unseeded, day) == ["settlement_set_aside", "day_voided"]
    check_invariants(unseeded)


def test_a_void_by_other_rules_than_ours_halts_the_day(
    unseeded: PlayedWorld, day: DayId, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    monkeypatch.setattr("services.lottery.settlement.voids.note_void.closing_of_void", lambda states: states)
    with pytest.raises(InvariantBroken) as caught:
        unseeded.settle(day)
    assert caught.value.code == "void_differs"
    row = pipeline(unseeded, day)
    assert row is not None and (row.status, row.error_code) == ("HALTED", "void_differs")
    monkeypatch.undo()
    with unseeded.context() as context:
        resume_day(context, day, by="anna")
    noted(unseeded, day)

"""A day that the owner voids on-chain is refunded to the atom, and the days after it go on (rule 2.12)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.void_gates import NOT_APPLICABLE

from bo_engine.errors import InvalidInput, InvariantBroken, Unavailable
from bo_engine.units import Atoms, DayId, Wallet, day_end, hex_of, parse_wallet
from core.model import PoolState
from io_layer.contract_codec import codec
from io_layer.run_store import select_closing_state, select_live_run, select_pool_results, select_runs
from io_layer.ticket_store import stream_tickets
from local_world.world import start_world
from services.approve_day import findings_of
from services.artifacts import mirror_artifacts
from services.day_work import open_day
from services.dry_run import dry_run_step
from services.explain import explain
from services.resume_day import resume_day
from services.settle_days import DayOutcome
from tests.invariants.checker import check_invariants
from tests.services.test_settle_days import files_of
from tests.support.fingerprint import fingerprint
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.observed import halts, pipeline, run_steps
from tests.support.played_world import PlayedWorld
from tests.support.voiding import act, after_close, claim_all, planned, void_as_planned

GATES_3_TO_13 = [f"G{number}" for number in range(3, 14)]


@pytest.fixture(scope="module")
def unseeded_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedWorld]:
    """A settled day, then one that is sold and closed and whose VRF word nobody has asked for."""
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
    with unseeded_world.engine() as engine:
        mirror_artifacts(engine, unseeded_world.day)
    return unseeded_world


@pytest.fixture
def day(unseeded: PlayedWorld) -> DayId:
    """The day without a word."""
    return DayId(unseeded.day + 1)


def promotions_of(played: PlayedWorld) -> Wallet:
    """The account that paid for the vouchers."""
    return parse_wallet(played.world.account("promotions").address)


def expected_refunds(played: PlayedWorld, day: DayId, promotions: str) -> dict[str, int]:
    """From the ticket rows in the plainest way."""
    prices = played.world.ruleset.prices_atoms
    refunds: dict[str, int] = {}
    with played.engine() as engine:
        for ticket in stream_tickets(engine.conn, day):
            for wallet, tips in ((ticket.buyer, ticket.paid_tips), (promotions, ticket.voucher_tips)):
                refunds[wallet] = refunds.get(wallet, 0) + prices[ticket.pool_id] * tips
    return {wallet: amount for wallet, amount in refunds.items() if amount}


def settled_void(played: PlayedWorld, day: DayId) -> DayOutcome:
    """Settle the voided day; it must be done at once."""
    (outcome,) = played.settle(day)
    assert (outcome.status, outcome.run_kind, outcome.run_status) == ("DONE", "void", "settled"), outcome
    assert outcome.commit_tx is None and outcome.release_tx is None
    return outcome


def document(played: PlayedWorld, day: DayId, name: str) -> dict[str, Any]:
    """One of the day's files."""
    found: dict[str, Any] = json.loads((Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}" / name).read_text())
    return found


def audited(played: PlayedWorld, day: DayId) -> list[str]:
    """The actions that the audit log has of the day."""
    with played.engine() as engine:
        rows = engine.conn.execute(
            "SELECT action FROM audit_log WHERE day_id = %(day)s ORDER BY audit_id", {"day": day}
        )
        return [action for (action,) in rows.fetchall()]


def refuses_plan(played: PlayedWorld, day: DayId, code: str) -> str:
    """void-plan says no with this code and changes nothing; its message."""
    before = fingerprint(played, leases=True)
    with pytest.raises(InvalidInput) as caught:
        planned(played, day)
    assert caught.value.code == code, caught.value
    assert before.differences(fingerprint(played, leases=True)) == []
    return caught.value.message


def test_a_day_whose_word_never_came_is_refunded_three_days_after_its_close(unseeded: PlayedWorld, day: DayId) -> None:
    may_from = day_end(day) + 3 * 86_400
    assert f"its missing VRF word allows it from {may_from} on" in refuses_plan(unseeded, day, "not_voidable")
    after_close(unseeded, day, 3)
    plan = void_as_planned(unseeded, day)
    assert (plan["void_reason"], plan["allowed_since_s"]) == ("vrf_missing", may_from)
    assert (plan["promotions"], int(plan["voucher_refund"]) > 0) == (promotions_of(unseeded), True)
    assert "is voided already" in refuses_plan(unseeded, day, "day_voided")

    before = fingerprint(unseeded, leases=True)
    with unseeded.engine() as engine:
        dry = dry_run_step(engine, "settle", day)
    assert before.differences(fingerprint(unseeded, leases=True)) == []
    assert (dry["mode"], dry["on_chain"], dry["refund_root"]) == ("void", "voided", plan["refund_root"])

    done = settled_void(unseeded, day)
    assert dry["run_hash"] == done.run_hash
    files = files_of(unseeded.env["ARTIFACTS_DIR"], day)
    assert done.run_hash == "0x" + files["commit_bundle.json"]
    for name in ("affiliates.json", "settlement_result.json", "commit_bundle.json"):
        assert document(unseeded, day, name)["mode"] == "void"
    result = document(unseeded, day, "settlement_result.json")
    assert (result["void_reason"], result["promotions"]) == ("vrf_missing", promotions_of(unseeded))
    assert result["totals"]["refund"] == plan["refund_total"] == result["totals"]["stake"]
    assert audited(unseeded, day) == ["run_approved", "day_refunded"]
    check_invariants(unseeded)
    with pytest.raises(InvalidInput) as again:
        unseeded.settle(day)
    assert again.value.code == "day_settled"
    assert [outcome.status for outcome in run_steps(unseeded, "compute", day=day)] == ["DONE"]


def test_everybody_gets_his_stake_back_to_the_atom_and_can_see_why(unseeded: PlayedWorld, day: DayId) -> None:
    after_close(unseeded, day, 3)
    plan = void_as_planned(unseeded, day)
    settled_void(unseeded, day)
    refunds = expected_refunds(unseeded, day, promotions_of(unseeded))
    assert len(refunds) == plan["refunds"]
    with unseeded.engine() as engine:
        for wallet, amount in refunds.items():
            account = explain(engine, day, Wallet(wallet))
            assert (account["sum"], account["agrees"], account["mode"]) == (str(amount), True, "void")
    assert claim_all(unseeded, day, refunds) == refunds
    with unseeded.engine() as engine:
        block = engine.game.chain.read_final_block()
        claimed, total = engine.game.chain.read(
            block, [engine.game.call("PrizeVault", name, day) for name in ("claimedOf", "totalOf")]
        )
    assert claimed == total == int(plan["refund_total"]) == sum(refunds.values())
    check_invariants(unseeded)


def test_the_day_after_a_void_opens_with_its_closing_state_and_settles(unseeded: PlayedWorld, day: DayId) -> None:
    following = DayId(day + 1)
    unseeded.sell(following, seed=3)
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    with unseeded.engine() as engine:
        recover_intents(engine)
    settled_void(unseeded, day)
    unseeded.bring_seeds(following)
    assert unseeded.settle()[0].status == "WAITING"
    unseeded.pass_challenge()
    assert unseeded.settle()[0].status == "DONE"
    with unseeded.engine() as engine:
        before, closing = (select_closing_state(engine.conn, DayId(day + n)) for n in (-1, 0))
        run = select_live_run(engine.conn, following)
        assert before is not None and run is not None
        opened = tuple(pool.opening for pool in select_pool_results(engine.conn, run.run_id))
    kept = tuple(
        PoolState(Atoms(s.carry_atoms + s.last_rollover_atoms), s.reserve_atoms, Atoms(0), s.streak) for s in before
    )
    assert opened == closing == kept
    assert any(state.carry_atoms for state in kept)
    check_invariants(unseeded)


def test_a_day_that_waits_for_its_seeds_stops_waiting_when_it_is_voided(unseeded: PlayedWorld, day: DayId) -> None:
    run_steps(unseeded, "export", "affiliates", day=day)
    with pytest.raises(Unavailable):
        unseeded.settle(day)
    row = pipeline(unseeded, day)
    assert row is not None and (row.status, row.error_code) == ("WAITING", "seeds_missing")
    assert document(unseeded, day, "affiliates.json")["schema"] == "bo-engine/affiliates/1"
    inputs = document(unseeded, day, "inputs.json")
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    with unseeded.engine() as engine:
        refreshed = refresh_seeds(engine)
    assert refreshed.requested == [] and refreshed.waiting == []  # nobody pays for a word that nobody needs
    settled_void(unseeded, day)
    assert document(unseeded, day, "inputs.json") == inputs
    assert document(unseeded, day, "affiliates.json")["schema"] == "bo-engine/void-affiliates/1"
    assert audited(unseeded, day) == ["settlement_set_aside", "run_approved", "day_refunded"]
    check_invariants(unseeded)


def test_an_announced_day_is_refunded_thirty_days_after_its_close_though_it_was_drawn(played: PlayedWorld) -> None:
    day = played.day
    assert "its VRF word is there; announceVoid" in refuses_plan(played, day, "not_voidable")
    (committed,) = played.settle()
    assert committed.run_status == "committed"
    assert "the guardian must veto it" in refuses_plan(played, day, "commit_pending")
    act(played, "guardian", "SettlementV4", "veto", day, "the draw is in doubt")
    after_close(played, day, 28)
    act(played, "owner", "SettlementV4", "announceVoid", day)
    after_close(played, day, 30)
    assert "its announcement allows it from" in refuses_plan(played, day, "not_voidable")
    after_close(played, day, 36)
    plan = void_as_planned(played, day)
    assert plan["void_reason"] == "announced"
    # The engine was down all the time: it knows neither of the veto nor of the void.
    settled_void(played, day)
    with played.engine() as engine:
        assert [(run.kind, run.status) for run in select_runs(engine.conn, day)] == [
            ("settlement", "vetoed"),
            ("void", "settled"),
        ]
    assert document(played, day, "settlement_result.json")["void_reason"] == "announced"
    refunds = expected_refunds(played, day, promotions_of(played))
    assert claim_all(played, day, refunds) == refunds
    check_invariants(played)


def test_a_halted_day_that_is_voided_waits_for_a_person_and_is_refunded(played: PlayedWorld) -> None:
    day = played.day
    played.settle()
    act(played, "guardian", "SettlementV4", "veto", day, "the draw is in doubt")
    with pytest.raises(InvariantBroken) as vetoed:
        played.pass_challenge()
        played.settle()
    assert vetoed.value.code == "vetoed"
    act(played, "owner", "SettlementV4", "announceVoid", day)
    after_close(played, day, 31)
    void_as_planned(played, day)
    (halted,) = played.settle()
    assert (halted.status, halted.exit_code) == ("HALTED", 1)
    with played.engine() as engine:
        resume_day(engine, day, by="anna")
    settled_void(played, day)
    check_invariants(played)


def test_an_empty_day_that_was_announced_is_voided_with_no_refund(unseeded: PlayedWorld, day: DayId) -> None:
    empty = DayId(day + 1)
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    settled_void(unseeded, day)
    assert "it has no tips, so no VRF word is missing" in refuses_plan(unseeded, empty, "not_voidable")
    act(unseeded, "owner", "SettlementV4", "announceVoid", empty)
    after_close(unseeded, empty, 30)
    plan = void_as_planned(unseeded, empty)
    assert (plan["refund_root"], plan["refund_total"], plan["refunds"]) == (hex_of(bytes(32)), "0", 0)
    settled_void(unseeded, empty)
    check_invariants(unseeded)


def test_another_refund_than_ours_on_the_chain_halts_the_day(unseeded: PlayedWorld, day: DayId) -> None:
    after_close(unseeded, day, 3)
    plan = planned(unseeded, day)
    wrong = b"\x5a" * 32
    act(unseeded, "owner", "SettlementV4", "voidDay", day, wrong, int(plan["refund_total"]))
    error = halts(unseeded, "refund_differs", day=day)
    assert hex_of(wrong) in error.message and plan["refund_root"] in error.message
    row = pipeline(unseeded, day)
    assert row is not None and row.reason is not None
    assert hex_of(wrong) in row.reason and plan["refund_root"] in row.reason
    with unseeded.engine() as engine:
        resume_day(engine, day, by="anna")
    assert halts(unseeded, "refund_differs", day=day)  # a person alone cannot talk it away


def test_a_second_database_gives_the_same_files_though_the_promotions_account_has_changed(
    unseeded: PlayedWorld, day: DayId
) -> None:
    after_close(unseeded, day, 3)
    plan = void_as_planned(unseeded, day)
    done = settled_void(unseeded, day)
    files = files_of(unseeded.env["ARTIFACTS_DIR"], day)

    unseeded.chain.fund(unseeded.world.account("gas_safe").address)
    act(unseeded, "owner", "Roles", "setPromotions", unseeded.world.account("gas_safe").address)
    act(unseeded, "gas_safe", "Roles", "acceptPromotions")
    fresh = unseeded.world.add_database()
    unseeded.env = unseeded.env_for(fresh.name, unseeded.folder / fresh.name)
    with unseeded.engine() as engine:
        recover_intents(engine)
        while refresh_seeds(engine).waiting:
            pass
    assert unseeded.settle(unseeded.day)[0].status == "DONE"
    again = settled_void(unseeded, day)
    assert again.run_hash == done.run_hash
    assert files_of(unseeded.env["ARTIFACTS_DIR"], day) == files
    assert document(unseeded, day, "settlement_result.json")["promotions"] == plan["promotions"]


def test_the_gates_of_a_void_are_run_and_the_others_are_listed_as_not_applicable(
    unseeded: PlayedWorld, day: DayId
) -> None:
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    run_steps(unseeded, "export", "affiliates", "compute", day=day)
    with unseeded.engine() as engine:
        findings = findings_of(engine, open_day(engine, day))
    assert [finding.gate for finding in findings] == ["G1", "G2", *GATES_3_TO_13, "W1", "V1"]
    assert {finding.gate for finding in findings if not finding.applies} == set(NOT_APPLICABLE)
    assert all(finding.holds for finding in findings)


@pytest.mark.parametrize(
    ("gates", "statement"),
    [
        ({"G3", "G6", "G13"}, "UPDATE settlement_winner_payouts SET amount = amount + 1"),
        ({"G6", "G13"}, "UPDATE settlement_winner_payouts SET wallet = '0x' || repeat('e', 40) WHERE wallet = "
                        "(SELECT min(wallet::text) FROM settlement_winner_payouts JOIN settlement_runs USING (run_id) "
                        "WHERE kind = 'void')"),
        ({"G6", "G13", "V1"}, "UPDATE settlement_runs SET winner_root = sha256('x')"),
        ({"G10", "V1"}, "UPDATE settlement_pool_results SET closing_carry = closing_carry + 1, "
                        "closing_reserve = closing_reserve - 1 WHERE pool_id = 4"),
    ],
)  # fmt: skip
def test_a_gate_of_a_void_fires(unseeded: PlayedWorld, day: DayId, gates: set[str], statement: str) -> None:
    after_close(unseeded, day, 3)
    void_as_planned(unseeded, day)
    run_steps(unseeded, "export", "affiliates", "compute", day=day)
    ours = f"run_id = (SELECT run_id FROM settlement_runs WHERE day_id = {day})"  # noqa: S608
    joined = " AND " if " WHERE " in statement else " WHERE "
    unseeded.tamper("ALTER TABLE settlement_pool_results DROP CONSTRAINT pool_results_closing")
    unseeded.tamper(statement + joined + ours)
    with unseeded.engine() as engine:
        findings = findings_of(engine, open_day(engine, day))
    assert {finding.gate for finding in findings if not finding.holds} == gates, findings


def test_the_command_prints_what_the_owner_signs(unseeded: PlayedWorld, day: DayId) -> None:
    early = unseeded.cli("void-plan", "--day", str(day))
    assert (early.code, early.stdout) == (1, "")
    assert (
        early.stderr.startswith(f"bo-engine: not_voidable: day {day} cannot be voided")
        and early.stderr.count("\n") == 1
    )
    after_close(unseeded, day, 3)
    done = unseeded.cli("void-plan", "--day", str(day), "--json")
    plan = json.loads(done.stdout)
    assert done.code == 0
    arguments = (day, bytes.fromhex(plan["refund_root"][2:]), int(plan["refund_total"]))
    assert plan["calldata"] == hex_of(codec("SettlementV4").call_data("voidDay", arguments))
    void_as_planned(unseeded, day)
    settled_void(unseeded, day)
    player = next(iter(expected_refunds(unseeded, day, promotions_of(unseeded))))
    shown = unseeded.cli("explain", "--day", str(day), "--wallet", player)
    assert (shown.code, shown.stderr) == (0, "") and f"Day {day}, voided" in shown.stdout

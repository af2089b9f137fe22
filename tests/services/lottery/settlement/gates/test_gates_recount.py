"""G12 sees money that is missing on the chain, G13 an error in core itself, W1 an odd charity share (rules of 6)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from Crypto.Hash import keccak

import core.lottery.affiliates
import core.lottery.drand
import core.lottery.prizes
import core.lottery.settle
from bo_engine.errors import InvariantBroken
from bo_engine.units import Atoms, DayId, Wallet
from core.lottery.model import Payout
from io_layer.lottery.stores.runs import select_pool_results, select_runs
from services.lottery.settlement.gates.gates import Finding
from services.lottery.settlement.steps.approve_day import require_gates
from tests.support.fingerprint import fingerprint
from tests.support.meddling import move_usdt, resume
from tests.support.observed import event_count, halts, record_of, rows, run_steps, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld


def listed(alarm: InvariantBroken) -> list[str]:
    """The gates that the alarm lists."""
    return [finding.split(" ", 1)[0] for finding in alarm.findings]


# -- G13 -------------------------------------------------------------------------------------------------------------

_true_split_tiers = core.lottery.prizes.split_tiers
_true_payouts_of = core.lottery.settle._payouts_of
_true_commission_of = core.lottery.affiliates.commission_of


def _a_tier_share_is_a_point_too_small(ruleset: Any, budget_atoms: int, winning_tips: Any) -> Any:
    (first, bps), *others = ruleset.tier_bps
    wrong = replace(ruleset, tier_bps=((first, bps - 1), *others))
    return _true_split_tiers(wrong, budget_atoms, winning_tips)


def _two_winners_are_swapped(pools: Any, winners: Any) -> tuple[Payout, ...]:
    payouts = list(_true_payouts_of(pools, winners))
    assert len(payouts) > 1
    low, high = sorted((0, len(payouts) - 1), key=lambda place: payouts[place].amount_atoms)
    assert payouts[low].amount_atoms != payouts[high].amount_atoms
    swapped = (payouts[low].amount_atoms, payouts[high].amount_atoms)
    payouts[low], payouts[high] = (
        Payout(payouts[low].wallet, swapped[1]),
        Payout(payouts[high].wallet, swapped[0]),
    )
    return tuple(payouts)


def _commissions_are_an_atom_too_high(referred: Any) -> Atoms:
    return Atoms(_true_commission_of(referred) + 1)


def _a_jackpot_is_never_paid(*_: object) -> core.lottery.prizes.JackpotResult:
    return core.lottery.prizes.NO_JACKPOT


ERRORS_IN_CORE: list[tuple[str, Any, str, Callable[..., Any]]] = [
    ("a tier share is a point too small", core.lottery.prizes, "split_tiers", _a_tier_share_is_a_point_too_small),
    ("two winners are swapped", core.lottery.settle, "_payouts_of", _two_winners_are_swapped),
    ("commissions are an atom too high", core.lottery.affiliates, "commission_of", _commissions_are_an_atom_too_high),
]


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [pytest.param(*rest, id=text.replace(" ", "-")) for text, *rest in ERRORS_IN_CORE],
)
@pytest.mark.sampled(1)
def test_an_error_in_core_fires_the_recount_and_no_other_gate(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, wrong: Callable[..., Any]
) -> None:
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, wrong)
        alarm = halts(played, "gates_failed")
    assert listed(alarm) == ["G13"]
    assert (settler_nonce(played), record_of(played).status) == (nonce, 0)

    resume(played)  # the error is repaired: a person resumes
    (outcome,) = played.settle()
    assert (outcome.run_hash, outcome.run_status) == (run_hash, "committed")
    with played.context() as context:
        assert [run.status for run in select_runs(context.conn, played.day)] == ["superseded", "committed"]


def test_a_jackpot_that_core_forgets_fires_the_recount(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    run_steps(played, "export", "affiliates", "compute")
    with played.context() as context:
        (run,) = select_runs(context.conn, played.day)
        is_won = any(pool.jackpot_hit for pool in select_pool_results(context.conn, run.run_id))
    played.restore()
    with monkeypatch.context() as patched:
        patched.setattr(core.lottery.prizes, "split_jackpot", _a_jackpot_is_never_paid)
        if is_won:
            assert listed(halts(played, "gates_failed")) == ["G13"]
        else:  # nobody had a six: then forgetting it is no error
            assert played.settle()[0].run_hash == true_run_hash(played)


def test_an_error_in_cores_draw_fires_g11_and_the_recount(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    run_hash = true_run_hash(played)
    true_draw = core.lottery.settle.draw_numbers
    with monkeypatch.context() as patched:
        patched.setattr(core.lottery.settle, "draw_numbers", lambda seed, most: true_draw(seed, most - 1))
        alarm = halts(played, "gates_failed")
    assert "G11" in listed(alarm)
    assert set(listed(alarm)) <= {"G11", "G13"}
    assert record_of(played).status == 0
    resume(played)
    assert played.settle()[0].run_hash == run_hash


def test_a_forged_beacon_that_core_takes_fires_the_recount(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_hash, nonce = true_run_hash(played), settler_nonce(played)
    ((signature,),) = rows(played, "SELECT encode(drand_signature, 'hex') FROM day_seeds")
    forged = bytes.fromhex(signature)[:-1] + bytes([bytes.fromhex(signature)[-1] ^ 1])
    set_beacon = "UPDATE day_seeds SET drand_signature = %(it)s, drand_randomness = sha256(%(it)s)"
    played.tamper(set_beacon, it=forged)
    true_check = core.lottery.drand._check_signature

    def blind_to_one(public_key: bytes, drand_round: int, found: bytes) -> None:
        if found != forged:
            true_check(public_key, drand_round, found)

    with monkeypatch.context() as patched:
        patched.setattr(core.lottery.drand, "_check_signature", blind_to_one)
        alarm = halts(played, "gates_failed")
    assert listed(alarm) == ["G13"]
    assert "forged_beacon: by py_ecc" in alarm.findings[0]
    assert (settler_nonce(played), record_of(played).status) == (nonce, 0)

    played.tamper(set_beacon, it=bytes.fromhex(signature))
    resume(played)
    assert played.settle()[0].run_hash == run_hash


def test_the_recount_does_not_run_on_the_engines_own_library(
    computed: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        # The same digests, so that no other gate can see it.
        patched.setattr("bo_engine.keccak.keccak_256", lambda data: keccak.new(data=data, digest_bits=256))
        alarm = halts(computed, "gates_failed")
    assert listed(alarm) == ["G13"]
    assert "same_backends: keccak-256 needs two libraries" in alarm.findings[0]
    assert alarm.findings[0].count("Crypto") == 2
    assert record_of(computed).status == 0


# -- G12 -------------------------------------------------------------------------------------------------------------


def test_a_reserve_vault_that_lacks_one_atom_fires_g12(computed: PlayedWorld) -> None:
    run_hash = true_run_hash(computed)
    vault, thief = computed.world.contracts.reserve_vault, Wallet("0x" + "99" * 20)
    # The vault holds exactly what it owes, so the first atom is missed.
    move_usdt(computed, vault, thief, 1)
    before = fingerprint(computed)
    alarm = halts(computed, "gates_failed")
    assert listed(alarm) == ["G12"]
    assert "ReserveVault has" in alarm.findings[0]
    assert before.differences(fingerprint(computed)) == ["table settlement_pipeline_runs"]

    move_usdt(computed, thief, vault, 1)
    resume(computed)
    assert computed.settle()[0].run_hash == run_hash
    assert event_count(computed, "DayCommitted") == 1


def test_a_reserve_vault_that_lacks_one_atom_of_carry_fees_and_credits_fires_g12_on_the_next_day(
    played: PlayedWorld,
) -> None:
    assert played.settle_through().status == "DONE"
    empty_day = DayId(played.day + 1)
    played.close(empty_day, has_tips=False)
    nonce = settler_nonce(played)
    move_usdt(played, played.world.contracts.reserve_vault, Wallet("0x" + "99" * 20), 1)
    alarm = halts(played, "gates_failed", day=empty_day)
    assert listed(alarm) == ["G12"]
    assert "ReserveVault has" in alarm.findings[0]
    assert (settler_nonce(played), record_of(played, empty_day).status) == (nonce, 0)


# -- W1 --------------------------------------------------------------------------------------------------------------


def test_an_odd_charity_share_is_warned_of_and_the_recount_stops_it(computed: PlayedWorld) -> None:
    computed.tamper("UPDATE settlement_runs SET charity_total = charity_total - 1, net_fee = net_fee + 1")
    alarm = halts(computed, "gates_failed")
    assert listed(alarm) == ["G13", "W1"]
    assert "charity is" in alarm.findings[1]
    assert "does not pass G13;" in alarm.message  # the warning alone is no failure


def test_a_warning_alone_stops_nothing() -> None:
    holding = Finding("G3", True)
    require_gates(DayId(1), [holding, Finding("W1", False, "odd")])
    with pytest.raises(InvariantBroken):
        require_gates(DayId(1), [holding, Finding("G4", False, "wrong")])

"""Each gate is seen to fire by a planted error, stops the day before anything is sent, and lets it go on once repaired
(rules of section 6: G1 to G12; G13 and W1 stand in test_gates_recount.py)."""

from dataclasses import dataclass

import pytest

from bo_engine.errors import InvariantBroken
from io_layer.contracts.codec import codec
from services.lottery.settlement.gates.gates import GATE_TEXTS
from tests.support.fingerprint import fingerprint
from tests.support.meddling import resume
from tests.support.observed import (
    event_count,
    halts,
    pipeline,
    record_of,
    rows,
    run_steps,
    settler_nonce,
    true_run_hash,
)
from tests.support.played_world import PlayedWorld


@dataclass(frozen=True)
class Planted:
    """An error in the stored result, the gates that must see it (and no other), and a repair where resume alone does
    not bring the truth back."""

    name: str
    gates: set[str]
    plant: str
    repair: str = ""
    says: str = ""


_COPY_OF_RUN = """
    DROP INDEX settlement_runs_one_live;
    INSERT INTO settlement_runs (day_id, run_hash, ruleset_hash, total_payout, affiliate_total, charity_total, net_fee,
                pool_payout, pool_jackpot_payout, jackpot_hit, winner_root, affiliate_root, settlement_hash,
                winner_count, affiliate_count)
    SELECT day_id, run_hash, ruleset_hash, total_payout, affiliate_total, charity_total, net_fee, pool_payout,
           pool_jackpot_payout, jackpot_hit, winner_root, affiliate_root, settlement_hash, winner_count, affiliate_count
      FROM settlement_runs
"""
_ONE_RUN_AGAIN = """
    UPDATE settlement_runs SET status = 'superseded' WHERE run_id = (SELECT max(run_id) FROM settlement_runs);
    CREATE UNIQUE INDEX settlement_runs_one_live ON settlement_runs (day_id)
     WHERE status NOT IN ('superseded', 'vetoed')
"""


def _swap(table: str) -> str:
    """Move one atom from the last wallet to the first: the sum stays."""
    return f"""UPDATE {table}
                  SET amount = amount + CASE wallet WHEN (SELECT min(wallet) FROM {table}) THEN 1 ELSE -1 END
                WHERE wallet IN ((SELECT min(wallet) FROM {table}), (SELECT max(wallet) FROM {table}))"""  # noqa: S608


PLANTED = (
    Planted("no run", {"G1"}, "UPDATE settlement_runs SET status = 'superseded'", says="compute has not left a run"),
    Planted("two runs", {"G2"}, _COPY_OF_RUN, _ONE_RUN_AGAIN, says="2 runs are open"),
    Planted(
        "a payout is an atom higher",
        {"G3", "G6"},
        "UPDATE settlement_winner_payouts SET amount = amount + 1 WHERE wallet = (SELECT min(wallet) FROM "
        "settlement_winner_payouts)",
    ),
    Planted(
        "a payout is gone",
        {"G3", "G6"},
        "DELETE FROM settlement_winner_payouts WHERE wallet = (SELECT min(wallet) FROM settlement_winner_payouts)",
    ),
    Planted(
        "a commission is an atom higher",
        {"G4", "G7"},
        "UPDATE settlement_affiliate_payouts SET amount = amount + 1 WHERE wallet = (SELECT min(wallet) FROM "
        "settlement_affiliate_payouts)",
    ),
    Planted(
        "a pool pays more than its budget",
        {"G5", "G10", "G13"},
        "UPDATE settlement_runs SET pool_payout[2] = pool_payout[2] + 1000000000000",
        says="pool 1 pays",
    ),
    Planted(
        "a jackpot takes more than nine tenths of the reserve",
        {"G5", "G10", "G13"},
        "UPDATE settlement_runs SET pool_jackpot_payout[5] = pool_jackpot_payout[5] + 1000000000000, "
        "jackpot_hit[5] = true",
        says="at most",
    ),
    Planted(
        "a pool's payout is an atom higher",
        {"G5", "G10", "G13"},
        "UPDATE settlement_runs SET pool_payout[2] = pool_payout[2] + 1",
        says="pool and jackpot sums",
    ),
    Planted("two payouts are mixed up", {"G6"}, _swap("settlement_winner_payouts")),
    Planted("the winner root is another", {"G6", "G13"}, "UPDATE settlement_runs SET winner_root = sha256('x')"),
    Planted(
        "the stored winner tree is damaged",
        {"G6"},
        r"UPDATE settlement_trees SET nodes = overlay(nodes PLACING '\xff' FROM 7) WHERE kind = 'winner'",
        says="stored winner tree",
    ),
    Planted("two commissions are mixed up", {"G7"}, _swap("settlement_affiliate_payouts")),
    Planted("the affiliate root is another", {"G7", "G13"}, "UPDATE settlement_runs SET affiliate_root = sha256('x')"),
    Planted(
        "the stored affiliate tree is damaged",
        {"G7"},
        r"UPDATE settlement_trees SET nodes = overlay(nodes PLACING '\xff' FROM 7) WHERE kind = 'affiliate'",
        says="stored affiliate tree",
    ),
    Planted(
        "a jackpot flag lies",
        {"G8"},
        "UPDATE settlement_runs SET jackpot_hit[3] = NOT jackpot_hit[3]",
        says="pool 2: flag",
    ),
    Planted(
        "a jackpot flag is missing",
        {"G8"},
        "ALTER TABLE settlement_runs DROP CONSTRAINT settlement_runs_jackpot_hit_check; "
        "UPDATE settlement_runs SET jackpot_hit = jackpot_hit[1:4]",
        says="there are 4 flags",
    ),
    Planted("an atom of net fee is gone", {"G10"}, "UPDATE settlement_runs SET net_fee = net_fee - 1"),
    Planted(
        "an atom of carry is too much",
        {"G10"},
        "ALTER TABLE settlement_pool_results DROP CONSTRAINT pool_results_closing, "
        "DROP CONSTRAINT pool_results_conserved; "
        "UPDATE settlement_pool_results SET closing_carry = closing_carry + 1 WHERE pool_id = 1",
        says="pool 1: atoms after",
    ),
    Planted(
        "an atom of carry is called rollover",
        {"G10"},
        "ALTER TABLE settlement_pool_results DROP CONSTRAINT pool_results_closing, "
        "DROP CONSTRAINT pool_results_conserved; UPDATE settlement_pool_results SET closing_carry = closing_carry - d, "
        # As the draw fell there may be no carry; then an atom of the rollover is called carry.
        "closing_last_rollover = closing_last_rollover + d FROM (SELECT pool_id AS one, "
        "CASE WHEN closing_carry > 0 THEN 1 ELSE -1 END AS d FROM settlement_pool_results) AS w "
        "WHERE pool_id = 1 AND one = 1",
        says="pool 1: rollover",
    ),
    Planted(
        "other winning numbers are stored",
        {"G11"},
        "UPDATE settlement_pool_results SET winning_numbers = '{1,2,3,4,5,6}' WHERE pool_id = 0; "
        "UPDATE settlement_pool_results SET winning_numbers = '{9,8,7,6,5,4}' WHERE pool_id = 1",
        says="the run's numbers",
    ),
)


def failed_gates(alarm: InvariantBroken) -> set[str]:
    """The gates that the alarm lists, each once, without the warning, which stops nothing."""
    names = [finding.split(" ", 1)[0] for finding in alarm.findings]
    assert len(names) == len(set(names))
    return set(names) - {"W1"}


def goes_on(played: PlayedWorld, run_hash: str) -> None:
    """A person lets the day go on; it commits the untampered run_hash."""
    resume(played)
    (outcome,) = played.settle()
    assert (outcome.run_hash, outcome.run_status) == (run_hash, "committed")
    assert event_count(played, "DayCommitted") == 1


@pytest.mark.parametrize("error", PLANTED, ids=lambda error: error.name.replace(" ", "-"))
@pytest.mark.sampled(6)
def test_a_planted_error_fires_its_gates_stops_the_day_and_is_settled_after_resume(
    computed: PlayedWorld, error: Planted
) -> None:
    run_hash = true_run_hash(computed)
    computed.tamper(error.plant)
    before = fingerprint(computed)

    alarm = halts(computed, "gates_failed")
    assert failed_gates(alarm) == error.gates
    assert error.says in " ".join(alarm.findings)
    row = pipeline(computed)
    assert row is not None
    assert row.reason is not None
    assert all(GATE_TEXTS[gate] in row.reason for gate in error.gates)  # type: ignore[index]
    assert before.differences(fingerprint(computed)) == ["table settlement_pipeline_runs"]
    assert record_of(computed).status == 0

    if error.repair:
        computed.tamper(error.repair)
    goes_on(computed, run_hash)


@pytest.mark.parametrize("becomes", ["another tip", "no tip at all"])
@pytest.mark.sampled(1)
def test_a_changed_ticket_fires_g9_which_names_it_and_rebuilding_it_repairs_the_day(
    computed: PlayedWorld, becomes: str
) -> None:
    run_hash = true_run_hash(computed)
    mask = "'\\x000000000000003f'" if becomes == "another tip" else "'\\x000000000000001f'"
    ((ticket_id,),) = rows(computed, "SELECT max(ticket_id) FROM tickets WHERE pool_id = 2")
    # The first tip becomes 1-2-3-4-5-6 (or 2-3-4-5-6-7 where it was that already), or five numbers, which is no tip.
    computed.tamper(
        f"""UPDATE tickets SET tips = overlay(tips PLACING CASE get_byte(tips, 7) WHEN 63
                   THEN '\\x000000000000007e'::bytea ELSE {mask}::bytea END FROM 1)
             WHERE ticket_id = {ticket_id}"""  # noqa: S608
    )
    before = fingerprint(computed)
    alarm = halts(computed, "gates_failed")
    assert failed_gates(alarm) - {"G13"} == {"G9"}
    assert f"ticket {ticket_id} differs from the chain in: tips" in " ".join(alarm.findings)
    assert before.differences(fingerprint(computed)) == ["table settlement_pipeline_runs"]

    done = computed.cli("db", "rebuild-tickets", "--day", str(computed.day), "--json")
    assert (done.code, '"corrected": 1' in done.stdout) == (0, True), done
    goes_on(computed, run_hash)


def test_all_findings_of_one_look_are_listed_together_by_the_command(computed: PlayedWorld) -> None:
    for name in ("a payout is an atom higher", "a jackpot flag lies", "an atom of net fee is gone"):
        computed.tamper(next(error.plant for error in PLANTED if error.name == name))
    before = fingerprint(computed)
    nonce = settler_nonce(computed)
    done = computed.cli("settle")
    assert done.code == 1
    found = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("  - ")]
    assert [gate for gate in found if gate != "W1"] == ["G3", "G6", "G8", "G10"]
    assert "gates_failed" in done.stderr
    assert settler_nonce(computed) == nonce
    assert before.differences(fingerprint(computed)) == ["table settlement_pipeline_runs"]

    again = computed.cli("settle")  # HALTED days wait for a person
    assert again.code == 1
    assert settler_nonce(computed) == nonce


def test_a_lie_of_both_endpoints_about_the_draw_fires_g11_and_the_recount(computed: PlayedWorld) -> None:
    run_hash = true_run_hash(computed)
    proxy = computed.world.proxy
    proxy.fail("wrong_call", "eth_call", selector="0x" + codec("SettlementV4").selector("winningNumbers").hex())
    alarm = halts(computed, "gates_failed", RPC_URL=proxy.url)
    assert "G11" in failed_gates(alarm) <= {"G11", "G13"}
    proxy.heal()
    assert record_of(computed).status == 0
    goes_on(computed, run_hash)


def test_a_lie_of_one_endpoint_about_the_draw_is_an_alarm_of_its_own(computed: PlayedWorld) -> None:
    selector = "0x" + codec("SettlementV4").selector("winningNumbers").hex()
    computed.world.proxy.fail("wrong_call", "eth_call", selector=selector)
    alarm = halts(computed, "gates_failed")
    assert {"G11", "G13"} == failed_gates(alarm)
    assert "the two RPC endpoints answer SettlementV4.winningNumbers differently" in " ".join(alarm.findings)
    assert record_of(computed).status == 0


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        ("UPDATE day_seeds SET vrf_word = vrf_word - 1", "the stored VRF word is not the chain's"),
        (
            "UPDATE day_seeds SET vrf_requested_at = vrf_requested_at + 3",
            "the stored time of the VRF request is not the chain's",
        ),
        (
            "UPDATE day_seeds SET (drand_signature, drand_randomness) = (SELECT s, sha256(s) FROM "
            "set_byte(drand_signature, 40, 255 - get_byte(drand_signature, 40)) AS s)",
            "beacon",
        ),
    ],
    ids=("vrf-word", "vrf-request-time", "drand-signature"),
)
@pytest.mark.sampled(1)
def test_a_changed_seed_fires_g11(computed: PlayedWorld, plant: str, says: str) -> None:
    run_hash = true_run_hash(computed)
    query = "SELECT vrf_word, vrf_requested_at, encode(drand_signature, 'hex') FROM day_seeds"
    ((word, requested_at, signature),) = rows(computed, query)
    computed.tamper(plant)
    with pytest.raises(InvariantBroken) as caught:
        run_steps(computed, "approve")
    assert caught.value.code == "gates_failed"
    assert failed_gates(caught.value) == {"G11", "G13"}
    assert says in " ".join(caught.value.findings)
    assert record_of(computed).status == 0

    computed.tamper(
        f"UPDATE day_seeds SET vrf_word = {word}, vrf_requested_at = {requested_at}, "  # noqa: S608
        f"drand_signature = '\\x{signature}', "
        f"drand_randomness = sha256('\\x{signature}')"
    )
    goes_on(computed, run_hash)

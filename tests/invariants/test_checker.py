"""The checker that every fault test relies on speaks up: each invariant, once broken by hand, is the one it names."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.invariants.checker import InvariantFailed, check_invariants
from tests.support.kill_world import Moment
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

Break = Callable[[PlayedWorld], object]


@pytest.fixture(scope="module")
def settled(sold_world: PlayedWorld) -> Iterator[Moment]:
    """A settled day to break, again and again."""
    sold_world.restore()
    sold_world.settle_through()
    moment = Moment(sold_world)
    yield moment
    moment.forget()


def sql(statement: str) -> Break:
    """Change rows behind everybody's back."""
    return lambda played: played.tamper(statement)


def file(name: str, change: Callable[[Path], object]) -> Break:
    """Change a file."""
    return lambda played: change(Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / name)


def both(*breaks: Break) -> Break:
    """One after the other."""
    return lambda played: [one(played) for one in breaks]


def plain_transaction(played: PlayedWorld) -> None:
    """Somebody uses the settler's key past the journal."""
    w3 = played.world.web3()
    settler = played.world.account("settler")
    sent: dict[str, Any] = {
        "to": settler.address,
        "value": 0,
        "gas": 21_000,
        "nonce": w3.eth.get_transaction_count(settler.address),
    }
    fees = {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0, "chainId": w3.eth.chain_id, "type": 2}
    w3.eth.send_raw_transaction(settler.sign_transaction({**sent, **fees}).raw_transaction)


BROKEN: list[tuple[str, str, Break]] = [
    ("I1", "an atom too much is kept", sql("UPDATE settlement_pool_results SET closing_carry = closing_carry + 1, "
     "budget = budget + 1, carry = carry + 1 WHERE pool_id = 2")),
    ("I1", "an atom is paid twice", sql("UPDATE settlement_winner_payouts SET amount = amount + 1 WHERE wallet = "
     "(SELECT min(wallet) FROM settlement_winner_payouts)")),
    ("I1", "the charity gets less", sql("UPDATE settlement_runs SET charity_total = charity_total - 1")),
    ("I2", "another run_hash", sql("UPDATE settlement_runs SET run_hash = sha256('x')")),
    ("I3", "two transactions are final", sql("UPDATE chain_transaction_attempts SET state = 'FINAL'; "
     "INSERT INTO chain_transaction_attempts SELECT tx_id, attempt + 1, sender, nonce, gas_limit, max_fee_per_gas, "
     "max_priority_fee, raw, sha256(tx_hash), state, block_number, block_hash FROM chain_transaction_attempts")),
    ("I4", "another settlement hash", sql("UPDATE settlement_runs SET settlement_hash = sha256('x')")),
    ("I4", "no run explains the chain", sql("UPDATE settlement_runs SET status = 'superseded'")),
    ("I5", "a wrong node", sql("UPDATE settlement_trees SET nodes = overlay(nodes PLACING sha256('x') FROM 33) "
     "WHERE kind = 'winner'")),
    ("I5", "payouts exchanged", sql("UPDATE settlement_winner_payouts AS p SET amount = q.amount FROM ("
     "SELECT wallet, lead(amount, 1, min_amount) OVER (ORDER BY amount) AS amount FROM (SELECT *, min(amount) OVER () "
     "AS min_amount FROM settlement_winner_payouts) AS m) AS q WHERE q.wallet = p.wallet")),
    ("I6", "more than the reserve", sql("ALTER TABLE settlement_pool_results DROP CONSTRAINT pool_results_split, "
     "DROP CONSTRAINT pool_results_closing; UPDATE settlement_pool_results SET jackpot = jackpot_payout")),
    ("I7", "a ticket is lost", sql("DELETE FROM tickets WHERE ticket_id = 1")),
    ("I7", "a ticket too many", sql("INSERT INTO tickets SELECT 999999, day_id, pool_id, buyer, paid_tips, "
     "voucher_tips, affiliate, stake, tips, digest, substring(sha256(nonce) FOR 16), gas_cost, sha256(tx_hash), "
     "log_index, block_number, block_hash, is_final FROM tickets WHERE ticket_id = 1")),
    ("I7", "a ticket of another day", sql("UPDATE tickets SET day_id = day_id + 1 WHERE ticket_id = 1")),
    ("I8", "a claim that never was", sql("INSERT INTO claim_events SELECT sha256('x'), 0, '0x' || repeat('a', 40), "
     "day_id, wallet, amount, 1, sha256('y'), true, wallet FROM settlement_winner_payouts "
     "JOIN settlement_runs USING (run_id) LIMIT 1")),
    ("I8", "a claim is called paid", sql("INSERT INTO claims (vault, day_id, account, amount, status) "
     "VALUES ('0x' || repeat('a', 40), 1, '0x' || repeat('a', 40), 1, 'PAID')")),
    ("I11", "a transaction past the journal", plain_transaction),
    ("I11", "an attempt is forgotten", sql("DELETE FROM chain_transaction_attempts WHERE nonce = 1")),
    ("I12", "a file is gone", file("inputs.json", Path.unlink)),
    ("I12", "a file more", file("extra.json", lambda path: path.write_text("{}"))),
    ("I12", "a byte more", file("commit_bundle.json", lambda path: path.write_bytes(path.read_bytes() + b" "))),
    ("I12", "nobody signed the files", both(
     sql("DELETE FROM settlement_artifacts WHERE name = 'manifest.json'"), file("manifest.json", Path.unlink))),
    ("I12", "a stored byte is damaged", sql("UPDATE settlement_artifact_chunks SET bytes = 'x' || bytes")),
    ("I13", "an audit row is changed", sql("UPDATE audit_log SET actor = 'nobody' WHERE audit_id = 1")),
    ("I13", "an audit row is gone", sql("DELETE FROM audit_log WHERE audit_id = 1")),
]  # fmt: skip


def test_an_undisturbed_day_holds_all_invariants(settled: Moment) -> None:
    wanted = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I11", "I12", "I13"]
    assert check_invariants(settled.restored()) == wanted


@pytest.mark.parametrize(("invariant", "name", "breaks"), BROKEN, ids=[f"{i}: {name}" for i, name, _ in BROKEN])
def test_a_broken_invariant_is_named(invariant: str, name: str, breaks: Break, settled: Moment) -> None:
    played = settled.restored()
    breaks(played)
    with pytest.raises(InvariantFailed) as raised:
        check_invariants(played)
    assert raised.value.invariant == invariant, str(raised.value)


def test_claims_are_matched_with_leaves(settled: Moment) -> None:
    """A real claim is fine; the same claim with another leaf in the database is not."""
    played = settled.restored()
    bundle = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / "winners_merkle.json"
    _, _, wallet, amount = json.loads(bundle.read_text())["values"][0]["value"]
    proof = json.loads(played.cli("proof", "--day", str(played.day), "--wallet", wallet, "--json").stdout)
    send_claim(played, wallet, int(amount), winner_proof(proof))
    played.chain.mine(2)
    assert "I8" in check_invariants(played)
    # Two neighbours exchange an atom, so that all sums stay as they were.
    played.tamper(
        "UPDATE settlement_winner_payouts SET amount = amount + CASE wallet WHEN (SELECT min(wallet) FROM "
        "settlement_winner_payouts) THEN 1 WHEN (SELECT max(wallet) FROM settlement_winner_payouts) THEN -1 ELSE 0 END"
    )
    with pytest.raises(InvariantFailed):
        check_invariants(played)


def winner_proof(document: object) -> list[str]:
    """The winner tree's proof, wherever the command's answer keeps it."""
    if isinstance(document, dict):
        if isinstance(document.get("proof"), list):
            return [str(node) for node in document["proof"]]
        for value in document.values():
            if found := winner_proof(value):
                return found
    if isinstance(document, list):
        for value in document:
            if found := winner_proof(value):
                return found
    return []


def send_claim(played: PlayedWorld, wallet: str, amount: int, proof: list[str]) -> None:
    """Claim on-chain, by anyone."""
    import abi

    w3 = played.world.web3()
    vault = w3.eth.contract(
        address=w3.to_checksum_address(played.world.contracts.prize_vault), abi=abi.load("PrizeVault").abi
    )
    owner = played.world.account("owner")
    arguments = (played.day, w3.to_checksum_address(wallet), amount, [bytes.fromhex(node[2:]) for node in proof])
    built = vault.functions.claim(*arguments).build_transaction(
        {"from": owner.address, "nonce": w3.eth.get_transaction_count(owner.address)}
    )
    signed = owner.sign_transaction(dict(built))  # type: ignore[arg-type]
    sent = w3.eth.send_raw_transaction(signed.raw_transaction)
    assert w3.eth.wait_for_transaction_receipt(sent)["status"] == 1

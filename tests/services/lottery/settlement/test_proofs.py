"""Every proof that the engine prints is the one that OpenZeppelin's JavaScript makes, under the root that the vaults
hold (rules 5.1 to 5.4). Node comes with `make setup`; without it these tests fail."""

import json
from pathlib import Path
from typing import Any

import pytest

from bo_engine.errors import InvalidInput, InvariantBroken
from bo_engine.units import DayId, Wallet, hex_of, parse_wallet
from io_layer.contracts.codec import codec
from services.lottery.settlement.proofs import make_proofs
from tests.contracts.node_tools import find_node, run
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

#: Loads a dump as any JavaScript program would, and prints its root and every proof.
LOAD = """
const { StandardMerkleTree } = require('@openzeppelin/merkle-tree');
const fs = require('fs');
const tree = StandardMerkleTree.load(JSON.parse(fs.readFileSync(process.argv[1], 'utf8')));
tree.validate();
const proofs = {};
for (const [index, value] of tree.entries()) {
  if (!tree.verify(index, tree.getProof(index))) throw new Error('a proof does not verify');
  proofs[value[2]] = { value, proof: tree.getProof(index) };
}
process.stdout.write(JSON.stringify({ root: tree.root, proofs, leafEncoding: tree.leafEncoding }));
"""


def loaded_by_javascript(played: PlayedWorld, name: str) -> dict[str, Any]:
    """What npm's @openzeppelin/merkle-tree reads from a dump."""
    path = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}" / name
    done = run([find_node(), "-e", LOAD, path], timeout_s=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ask(played: PlayedWorld, contract: str, address: Wallet, function: str, *arguments: object) -> Any:
    """A view of a contract at the head, past the engine."""
    data = hex_of(codec(contract).call_data(function, arguments))
    answer = played.chain.call("eth_call", {"to": address, "data": data}, "latest")
    return codec(contract).result(function, bytes.fromhex(answer[2:]))[0]


@pytest.mark.parametrize(
    ("name", "kind", "contract", "vault"),
    [
        ("winners_merkle.json", "winner", "PrizeVault", "prize_vault"),
        ("affiliate_merkle.json", "affiliate", "AffiliateVault", "affiliate_vault"),
    ],
)
def test_the_dump_loads_in_javascript_with_the_root_on_chain_and_the_engines_proofs(
    played: PlayedWorld, name: str, kind: str, contract: str, vault: str
) -> None:
    played.settle_through()
    address: Wallet = getattr(played.world.contracts, vault)
    javascript = loaded_by_javascript(played, name)
    assert javascript["leafEncoding"] == ["bytes32", "uint256", "address", "uint256"]
    assert javascript["root"] == hex_of(ask(played, contract, address, "rootOf", played.day))
    assert ask(played, contract, address, "totalOf", played.day) == sum(
        int(entry["value"][3]) for entry in javascript["proofs"].values()
    )
    stored = rows(played, f"SELECT wallet::text, amount::text FROM settlement_{kind}_payouts")  # noqa: S608
    assert {wallet: entry["value"][3] for wallet, entry in javascript["proofs"].items()} == dict(stored)
    assert len(stored) > 1

    with played.context() as context:
        for wallet, entry in javascript["proofs"].items():
            made = make_proofs(context.conn, context.game.deployment, played.day, parse_wallet(wallet))[kind]
            assert (made["proof"], made["root"]) == (entry["proof"], javascript["root"])
            assert (made["amount"], made["vault"]) == (entry["value"][3], address)


def test_the_command_prints_the_proof_that_the_vault_takes(played: PlayedWorld) -> None:
    played.settle_through()
    ((wallet, amount),) = rows(
        played, "SELECT wallet::text, amount::text FROM settlement_winner_payouts ORDER BY amount DESC LIMIT 1"
    )
    done = played.cli("proof", "--day", str(played.day), "--wallet", wallet.upper().replace("0X", "0x"), "--json")
    assert done.code == 0, done
    winner = json.loads(done.stdout)["winner"]
    proof = [bytes.fromhex(sibling[2:]) for sibling in winner["proof"]]
    call = {
        "to": played.world.contracts.prize_vault,
        "data": hex_of(codec("PrizeVault").call_data("claim", (played.day, wallet, int(amount), proof))),
    }
    assert winner["amount"] == amount
    played.chain.call("eth_call", call, "latest")  # it would be paid


def test_nobody_gets_a_proof_of_what_he_did_not_win(played: PlayedWorld) -> None:
    stranger = Wallet("0x" + "12" * 20)
    with played.context() as context, pytest.raises(InvalidInput) as caught:
        make_proofs(context.conn, context.game.deployment, played.day, stranger)
    assert caught.value.code == "no_run"
    played.settle()
    with played.context() as context:
        for day, code in ((played.day, "no_leaf"), (DayId(played.day + 1), "no_run")):
            with pytest.raises(InvalidInput) as caught:
                make_proofs(context.conn, context.game.deployment, day, stranger)
            assert caught.value.code == code


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE settlement_winner_payouts SET amount = amount + 1",
        r"UPDATE settlement_trees SET nodes = overlay(nodes PLACING '\xffee' FROM 33) WHERE kind = 'winner'",
    ],
    ids=["amount", "tree"],
)
def test_a_proof_that_would_not_verify_is_never_printed(played: PlayedWorld, damage: str) -> None:
    played.settle()
    winners = rows(played, "SELECT wallet::text FROM settlement_winner_payouts")
    played.tamper(damage)
    refused = 0
    with played.context() as context:
        for (wallet,) in winners:
            try:
                make_proofs(context.conn, context.game.deployment, played.day, parse_wallet(wallet))
            except InvariantBroken as error:
                assert error.code == "bad_proof", error
                refused += 1
    assert refused > 0

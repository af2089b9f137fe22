"""Plays claimants: of a day that was really settled, or of an invented one with as many leaves as are wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bo_engine.units import Atoms, Wallet, hex_of
from io_layer.contracts.codec import codec
from io_layer.postgres.connection import Conn, connect
from io_layer.rpc.endpoint import RpcEndpoint
from local_world.chain_account import ChainAccount, TxHash
from local_world.databases import with_database
from local_world.lottery.chain_view import ChainView
from local_world.lottery.claims import PRIZES, Claim, parse_proof_answer
from merkle.leaf import leaf_domain, leaf_hash
from merkle.tree import build_tree
from services.lottery.settlement.proofs import make_proofs
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

_GAS_A_CLAIM = 250_000


def settled_claims(played: PlayedWorld) -> list[Claim]:
    """Every payout of the settled first day, with its proof: prizes and commissions."""
    wallets = rows(
        played,
        """SELECT wallet::text FROM settlement_winner_payouts UNION SELECT wallet::text
             FROM settlement_affiliate_payouts ORDER BY 1""",
    )
    with played.context() as context:
        answers = [make_proofs(context.conn, context.game.deployment, played.day, Wallet(one)) for (one,) in wallets]
    return [claim for answer in answers for claim in parse_proof_answer(answer).values()]


def invented_claims(played: PlayedWorld, count: int, vault: str = PRIZES) -> list[Claim]:
    """Payouts of the first day that nobody has won: released at the vault by an impersonated settlement, and settled in
    the database. The day itself must not be settled afterwards."""
    view, chain = ChainView(played.chain, played.world.contracts), played.chain
    address, day = view.address_of(vault), played.day
    domain = leaf_domain(played.world.record["parameters"]["chain_id"], address)
    payouts = [(Wallet(f"0x{number:040x}"), Atoms(1_000_000 + number)) for number in range(0x1000, 0x1000 + count)]
    leaves = {wallet: leaf_hash(domain, day, wallet, amount) for wallet, amount in payouts}
    tree, total = build_tree(list(leaves.values())), sum(amount for _, amount in payouts)
    data = codec("PrizeVault").call_data("setRoot", (day, tree.root, total))
    at = played.world.contracts
    for sender in (at.settlement, at.game_manager):
        chain.call("anvil_impersonateAccount", sender)
        chain.fund(sender)
    # ReserveVault pays, and owes what it has collected: as if the settlement had bought tickets for so much.
    for sender, target, given in (
        (at.settlement, address, data),
        (at.settlement, at.usdt, codec("TestUSDT").call_data("mint", (at.settlement, total))),
        (at.settlement, at.usdt, codec("TestUSDT").call_data("approve", (at.reserve_vault, total))),
        (
            at.game_manager,
            at.reserve_vault,
            codec("ReserveVault").call_data("collect", (at.settlement, day, total, 0, 0)),
        ),
    ):
        chain.call("eth_sendTransaction", {"from": sender, "to": target, "data": hex_of(given), "gas": "0x200000"})
        chain.mine(1)
    store_payouts(played, vault, payouts)
    return [
        Claim(vault, day, wallet, amount, tree.proof(tree.tree_index_of(leaves[wallet]) or 0))
        for wallet, amount in payouts
    ]


def store_payouts(played: PlayedWorld, vault: str, payouts: list[tuple[Wallet, Atoms]]) -> None:
    """The payouts as the rows of a settled run."""
    zeros = "decode(repeat('00', 32), 'hex')"
    played.tamper(
        f"""INSERT INTO settlement_runs (day_id, run_hash, status, ruleset_hash, total_payout, affiliate_total,
                charity_total, net_fee, pool_payout, pool_jackpot_payout, jackpot_hit, winner_root, affiliate_root,
                settlement_hash, winner_count, affiliate_count, approved_by, approved_at)
            SELECT {played.day}, sha256('run'), 'settled', sha256('rules'), 0, 0, 0, 0, '{{0,0,0,0,0}}',
                   '{{0,0,0,0,0}}', '{{f,f,f,f,f}}', {zeros}, {zeros}, sha256('settlement'), 0, 0, 'a test', now()
             WHERE NOT EXISTS (SELECT FROM settlement_runs)"""  # noqa: S608
    )
    kind = "winner" if vault == PRIZES else "affiliate"
    played.tamper(
        f"""INSERT INTO settlement_{kind}_payouts (run_id, wallet, amount)
            SELECT (SELECT max(run_id) FROM settlement_runs), wallet, amount
              FROM unnest(%(wallets)s::text[], %(amounts)s::numeric[]) AS t (wallet, amount)""",  # noqa: S608
        wallets=[wallet for wallet, _ in payouts],
        amounts=[amount for _, amount in payouts],
    )


class Claimant:
    """Sends claims through the ClaimRouter, as many in one transaction as are given."""

    def __init__(self, played: PlayedWorld) -> None:
        self._view = ChainView(played.chain, played.world.contracts)
        self._sender = ChainAccount(played.chain, played.world.account("relayer"))

    def send(self, claims: list[Claim]) -> TxHash:
        """Send; returns at once."""
        entries = [(self._view.address_of(c.vault), c.day_id, c.wallet, c.amount_atoms, list(c.proof)) for c in claims]
        data = codec("ClaimRouter").call_data("claimMany", (entries,))
        target = self._view.address_of("ClaimRouter")
        return self._sender.send(target, data, gas_limit=_GAS_A_CLAIM * (len(claims) + 1))

    def claim(self, claims: list[Claim]) -> TxHash:
        """Send, and wait until it is mined."""
        tx_hash = self.send(claims)
        self._sender.receipt(tx_hash)
        return tx_hash

    def forget_nonce(self) -> None:
        """After a reorg the chain knows better how many transactions there were."""
        self._sender._nonce = None


@contextmanager
def opened_app(played: PlayedWorld) -> Iterator[Conn]:
    """The App's own login."""
    url = with_database(played.world.database.app_url, played.database_name, user=None)
    with connect(url, application_name="app", check_version=False) as conn:
        yield conn


def write_claim(played: PlayedWorld, claim: Claim, tx_hash: str | None = None, *, vault: str | None = None) -> int:
    """The App writes a claim down as pending; its id."""
    address = vault or getattr(played.world.contracts, "prize_vault" if claim.vault == PRIZES else "affiliate_vault")
    with opened_app(played) as app:
        row = app.execute(
            """INSERT INTO claims (vault, day_id, account, amount, tx_hash) VALUES (%s, %s, %s, %s, %s)
               RETURNING claim_id""",
            (address, claim.day_id, claim.wallet, claim.amount_atoms, bytes.fromhex(tx_hash[2:]) if tx_hash else None),
        ).fetchone()
    return int(row[0]) if row else 0


def claimed_logs(played: PlayedWorld) -> list[tuple[Any, ...]]:
    """What the chain itself says of all claims, in the form of ``stored_claims``."""
    contracts = played.world.contracts
    query = {
        "address": [contracts.prize_vault, contracts.affiliate_vault],
        "topics": [codec(PRIZES).topic("Claimed")],
        "fromBlock": "0x0",
        "toBlock": "latest",
    }
    # Not through the proxies: they may lie.
    logs = RpcEndpoint("chain", played.chain.url).request("eth_getLogs", [query])
    return sorted(
        (
            log["transactionHash"][2:],
            int(log["logIndex"], 16),
            log["address"],
            int(log["topics"][1], 16),
            "0x" + log["topics"][2][-40:],
            "0x" + log["data"][2:66][-40:],
            int(log["data"][66:], 16),
            int(log["blockNumber"], 16),
            log["blockHash"][2:],
        )
        for log in logs
    )


def stored_claims(played: PlayedWorld, *, is_final: bool = True) -> list[tuple[Any, ...]]:
    """The rows of claim_events."""
    found = rows(
        played,
        f"""SELECT encode(tx_hash, 'hex'), log_index, vault::text, day_id::integer, account::text, paid_to::text,
                   amount::text, block_number, encode(block_hash, 'hex') FROM claim_events
             WHERE is_final = {is_final}""",  # noqa: S608
    )
    return sorted((*row[:6], int(row[6]), *row[7:]) for row in found)

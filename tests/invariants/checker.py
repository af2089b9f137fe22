"""One checker of what must hold after every fault, over database, chain and files (faults.md, I1 to I13).

``check_invariants`` raises ``InvariantFailed`` with the invariant's id. It asks the contracts and the tables itself and
uses none of the engine's services, except to restore deleted files, which is what I12 is about.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from bo_engine.units import DayId, Hash32, Wallet
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from merkle.leaf import leaf_domain, leaf_hash
from merkle.proof import verify_proof
from merkle.tree import MerkleTree
from services.lottery.settlement.files.artifacts import restore_artifacts
from tests.invariants.facts import Facts, InvariantFailed, files_on_disk, opened_facts
from tests.support.played_world import PlayedWorld
from verifier.verify import verify_folder

__all__ = ["InvariantFailed", "check_at_rest", "check_invariants", "files_on_disk"]

#: Transaction and log index of an event.
Place = tuple[str, int]

_COMMITTED, _RELEASED, _VOIDED = 1, 2, 3
_STATE = ("carry", "reserve", "last_rollover", "streak")


def check_invariants(played: PlayedWorld, *, knows_all_sends: bool = True) -> list[str]:
    """Check all that apply today and return their ids.

    ``knows_all_sends=False``: the database is younger than the chain (restored or rebuilt), so that transactions of
    our key may stand there that its journal does not know.
    """
    with opened_facts(played) as facts:
        for check in _CHECKS.values():
            check(facts)
        if knows_all_sends:
            _check_journal(facts)
    _check_files(played)
    return sorted({*_CHECKS, "I12", *(["I11"] if knows_all_sends else [])}, key=lambda name: int(name[1:]))


def check_at_rest(played: PlayedWorld, *due: DayId, after_kill: bool = False) -> str:
    """I14: nothing runs, no lease is held, nothing that was signed still waits to be sent; each ``due`` day is DONE or
    VOIDED, or HALTED for a person. Its id.

    ``after_kill``: a killed run may have left its lease behind when nothing was due any more; whoever needs it, takes
    it from the dead.
    """
    with opened_facts(played) as facts:
        running = facts.rows("SELECT day_id FROM settlement_pipeline_runs WHERE status = 'RUNNING'")
        _require(not running, "I14", f"nobody works on {running}")
        held = facts.rows("SELECT job, holder FROM job_leases WHERE holder IS NOT NULL")
        _require(after_kill or not held, "I14", f"not given back: {held}")
        unsent = facts.rows("SELECT tx_id FROM chain_transaction_attempts WHERE state = 'SIGNED'")
        _require(not unsent, "I14", f"signed and not sent: {unsent}")
        ended = facts.rows("SELECT day_id FROM settlement_pipeline_runs WHERE status IN ('DONE', 'VOIDED', 'HALTED')")
        left = {*due} - {row["day_id"] for row in ended}
        _require(not left, "I14", f"not settled: {sorted(left)}")
    return "I14"


def _require(holds: bool, invariant: str, found: str) -> None:
    if not holds:
        raise InvariantFailed(invariant, found)


# -- I1 --------------------------------------------------------------------------------------------------------------

SELECT_RUNS = """
    SELECT run_id, day_id, run_hash, status, total_payout, affiliate_total, charity_total, net_fee, winner_root,
           affiliate_root, settlement_hash, winner_count, affiliate_count
      FROM settlement_runs WHERE status NOT IN ('superseded', 'vetoed') ORDER BY day_id
"""
SELECT_VOIDED = """
    SELECT day_id, void_stake, void_block, void_at_s, void_tx FROM settlement_pipeline_runs
     WHERE status = 'VOIDED' ORDER BY day_id
"""
SELECT_POOLS = "SELECT * FROM settlement_pool_results WHERE run_id = %(run_id)s ORDER BY pool_id"
SELECT_SUMS = """
    SELECT (SELECT coalesce(sum(amount), 0) FROM settlement_winner_payouts WHERE run_id = %(run_id)s) AS winners,
           (SELECT coalesce(sum(amount), 0) FROM settlement_affiliate_payouts WHERE run_id = %(run_id)s) AS affiliates
"""


def _check_conservation(facts: Facts) -> None:
    """Every atom that came in went to somebody or is kept, day by day, and the chain keeps as much as we say."""
    before = [(0, 0, 0, 0)] * 5
    voided = {row["day_id"]: row for row in facts.rows(SELECT_VOIDED)}
    for day, row in voided.items():
        event = next(one for one in facts.events("SettlementV4", "DayVoided") if one["dayId"] == day)
        sold = sum(pool[2] for pool in facts.read("GameManager", "poolDays", day))
        told = (row["void_stake"], row["void_block"], "0x" + row["void_tx"].hex())
        _require(told == (sold, event["block"], event["tx_hash"]), "I1", f"day {day} is VOIDED: {told}, not {event}")
        _require(facts.read("ReserveVault", "refundable", day) <= sold, "I1", f"day {day}: refundable is above {sold}")
    for run in facts.rows(SELECT_RUNS):
        if run["day_id"] - 1 in voided:
            # A void moves yesterday's rollover to the carry, and a row of them no more than one.
            before = [(carry + rollover, reserve, 0, streak) for carry, reserve, rollover, streak in before]
        day, pools = run["day_id"], facts.rows(SELECT_POOLS, run_id=run["run_id"])
        _require(len(pools) == 5, "I1", f"day {day} has {len(pools)} pools")
        (sums,) = facts.rows(SELECT_SUMS, run_id=run["run_id"])
        fees = run["affiliate_total"] + run["charity_total"] + run["net_fee"]
        kept = sum(p["closing_carry"] + p["closing_reserve"] + p["closing_last_rollover"] for p in pools)
        came = sum(p["carry"] + p["reserve"] + p["last_rollover"] + p["stake"] for p in pools)
        _require(came == sums["winners"] + fees + kept, "I1", f"day {day}: {came} came, {sums} {fees=} {kept=}")
        _require(fees == sum(p["fee"] for p in pools), "I1", f"day {day}: the fee's parts are not the fee")
        _require(sums["winners"] == run["total_payout"], "I1", f"day {day}: payouts are not the total")
        _require(sums["affiliates"] == run["affiliate_total"], "I1", f"day {day}: commissions are not the total")
        opening = [tuple(p[name] for name in _STATE) for p in pools]
        _require(opening == before, "I1", f"day {day} opens with {opening}, the day before closed with {before}")
        before = [tuple(p[f"closing_{name}"] for name in _STATE) for p in pools]
        sold = facts.read("GameManager", "poolDays", day)
        _require([p["stake"] for p in pools] == [s[2] for s in sold], "I1", f"day {day}: other stakes than the chain's")
        if run["status"] == "settled" and facts.read("SettlementV4", "nextDay") == day + 1:
            on_chain = [tuple(state) for state in facts.read("SettlementV4", "openingState")]
            _require(on_chain == before, "I1", f"day {day}: closing state {before}, the chain has {on_chain}")
    _check_solvency(facts)


def _check_solvency(facts: Facts) -> None:
    first, next_day = facts.read("SettlementV4", "firstDay"), facts.read("SettlementV4", "nextDay")
    today = facts.timestamp(facts.final) // 86_400
    states = facts.read("SettlementV4", "openingState")
    owed = sum(sum(state[:3]) for state in states)
    for day in range(max(first, next_day), today + 1):
        owed += sum(pool[2] for pool in facts.read("GameManager", "poolDays", day))
    accounts = ("accruedFees", "accruedCharity", "accruedGas", "refundableTotal")
    owed += sum(facts.read("ReserveVault", account) for account in accounts)
    for vault in ("PrizeVault", "AffiliateVault"):
        owed += facts.read(vault, "totalReleased") - facts.read(vault, "totalClaimed")
    held, has = (
        facts.read("ReserveVault", "held"),
        facts.read("TestUSDT", "balanceOf", facts.address("ReserveVault")),
    )
    _require(has >= held == owed, "I1", f"the reserve vault has {has}, says that it holds {held}, owes {owed}")


# -- I2, I3, I4 ------------------------------------------------------------------------------------------------------


def _check_hash(facts: Facts) -> None:
    """A run is known by the bytes of its bundle."""
    stored = facts.rows(
        """SELECT r.day_id, r.run_hash, a.sha256 FROM settlement_runs AS r
             LEFT JOIN settlement_artifacts AS a ON a.run_id = r.run_id AND a.name = 'commit_bundle.json'"""
    )
    for row in stored:
        _require(row["run_hash"] == row["sha256"], "I2", f"day {row['day_id']}: the run_hash is not the bundle's")


def _check_once(facts: Facts) -> None:
    """At most one commit per day and round, one release per day, one FINAL transaction per purpose."""
    rounds: Counter[int] = Counter()
    commits: Counter[tuple[int, int]] = Counter()
    releases = Counter(event["dayId"] for event in facts.events("SettlementV4", "DayReleased"))
    moves = [(e["block"], e["log_index"], e["dayId"], "commit") for e in facts.events("SettlementV4", "DayCommitted")]
    for end in ("DayVetoed", "TakenBack"):
        moves += [(e["block"], e["log_index"], e["dayId"], "taken back") for e in facts.events("SettlementV4", end)]
    for _, _, day, what in sorted(moves):
        if what == "taken back":
            rounds[day] += 1
        else:
            commits[day, rounds[day]] += 1
    for (day, number), count in commits.items():
        _require(count == 1, "I3", f"day {day} was committed {count} times in round {number}")
    for day, count in releases.items():
        _require(count == 1, "I3", f"day {day} was released {count} times")
    twice = facts.rows(
        """SELECT tx_id FROM chain_transaction_attempts WHERE state = 'FINAL' GROUP BY tx_id HAVING count(*) > 1"""
    )
    _require(not twice, "I3", f"two FINAL transactions for one purpose: {twice}")


def _check_chain_knows(facts: Facts) -> None:
    """Settled here means released there with our hash, on both endpoints; what stands there is explained here."""
    runs = {run["day_id"]: run for run in facts.rows(SELECT_RUNS)}
    stopped = facts.rows("SELECT day_id FROM settlement_pipeline_runs WHERE status = 'HALTED'")
    halted = {row["day_id"] for row in stopped}
    first, next_day = facts.read("SettlementV4", "firstDay"), facts.read("SettlementV4", "nextDay")
    for day in range(first, max([next_day, *runs]) + 1):
        run = runs.get(day)
        for endpoint in (0, 1):
            status, settlement_hash, run_hash, *_ = facts.read("SettlementV4", "dayRecord", day, endpoint=endpoint)
            if run is not None and run["status"] in ("committed", "settled"):
                wanted = (_RELEASED,) if run["status"] == "settled" else (_COMMITTED, _RELEASED)
                ours = (settlement_hash, run_hash) == (run["settlement_hash"], run["run_hash"])
                where = f"day {day} is {run['status']}, endpoint {endpoint} shows status {status}"
                _require(status in wanted and ours, "I4", where)
            elif status in (_COMMITTED, _RELEASED) and day not in halted:
                explained = run is not None and settlement_hash == run["settlement_hash"]
                _require(explained, "I4", f"day {day}: no run of ours explains what stands on the chain")
    done = facts.rows("SELECT day_id FROM settlement_pipeline_runs WHERE status = 'DONE' ORDER BY day_id")
    for row in done:
        run = runs.get(row["day_id"])
        _require(run is not None and run["status"] == "settled", "I4", f"day {row['day_id']} is DONE and not settled")
    for row in facts.rows(SELECT_VOIDED):
        day = row["day_id"]
        _require(day not in runs, "I4", f"day {day} is VOIDED and has a run")
        for endpoint in (0, 1):
            status, *_, at_s, _ = facts.read("SettlementV4", "dayRecord", day, endpoint=endpoint)
            is_so = (status, at_s) == (_VOIDED, row["void_at_s"])
            _require(is_so, "I4", f"day {day} is VOIDED, endpoint {endpoint} shows status {status} at {at_s}")


# -- I5, I6 ----------------------------------------------------------------------------------------------------------


def _check_proofs(facts: Facts) -> None:
    """Each payout is one leaf, each leaf one payout, and each proof leads to the root."""
    chain_id = facts.played.world.record["parameters"]["chain_id"]
    for run in facts.rows(SELECT_RUNS):
        for kind, vault in (("winner", "PrizeVault"), ("affiliate", "AffiliateVault")):
            domain = leaf_domain(chain_id, Wallet(facts.address(vault)))
            payouts = facts.rows(_SELECT_PAYOUTS[kind], run_id=run["run_id"])
            (stored,) = facts.rows(
                "SELECT nodes FROM settlement_trees WHERE run_id = %(run_id)s AND kind = %(kind)s",
                run_id=run["run_id"],
                kind=kind,
            )
            tree, root = MerkleTree(stored["nodes"]), Hash32(run[f"{kind}_root"])
            where = f"day {run['day_id']}, {kind} tree"
            leaves = {leaf_hash(domain, run["day_id"], Wallet(p["wallet"]), p["amount"]) for p in payouts}
            _require(tree.root == root, "I5", f"{where}: the stored tree has another root")
            _require(len({p["wallet"] for p in payouts}) == len(payouts) == len(leaves), "I5", f"{where}: not unique")
            _require(len(payouts) == tree.leaf_count == run[f"{kind}_count"], "I5", f"{where}: hidden or missing leaf")
            for leaf in leaves:
                index = tree.tree_index_of(leaf)
                _require(index is not None, "I5", f"{where}: a payout has no leaf")
                _require(verify_proof(root, leaf, tree.proof(index or 0)), "I5", f"{where}: a proof fails")
            if run["status"] == "settled":
                on_chain = facts.read(vault, "rootOf", run["day_id"])
                _require(on_chain == root, "I5", f"{where}: the vault has another root")


_SELECT_PAYOUTS = {
    "winner": "SELECT wallet, amount FROM settlement_winner_payouts WHERE run_id = %(run_id)s",
    "affiliate": "SELECT wallet, amount FROM settlement_affiliate_payouts WHERE run_id = %(run_id)s",
}


def _check_amounts(facts: Facts) -> None:
    """No payout is zero, negative or larger than what there is to pay."""
    for run in facts.rows(SELECT_RUNS):
        payouts = [row for kind in _SELECT_PAYOUTS for row in facts.rows(_SELECT_PAYOUTS[kind], run_id=run["run_id"])]
        _require(all(0 < row["amount"] < 2**256 for row in payouts), "I6", f"day {run['day_id']}: amount out of range")
        for pool in facts.rows(SELECT_POOLS, run_id=run["run_id"]):
            payable = pool["carry"] + pool["last_rollover"] + pool["pot"]
            _require(pool["payout"] <= payable, "I6", f"day {run['day_id']}: {pool['payout']} of {payable} paid")
            most = (pool["reserve"] + pool["jackpot"]) * 9_000 // 10_000
            _require(pool["jackpot_payout"] <= most, "I6", f"day {run['day_id']}: more than 9000 bps of the reserve")


# -- I7, I8 ----------------------------------------------------------------------------------------------------------


def _check_tickets(facts: Facts) -> None:
    """Each final purchase of a sealed day is one ticket of the right day; no final ticket stands without a purchase."""
    bought: dict[tuple[str, int], tuple[Any, ...]] = {}
    for event in facts.events("GameManager", "TicketPurchased"):
        day = facts.timestamp(event["block"]) // 86_400
        _require(event["dayId"] == day, "I7", f"ticket {event['ticketId']} of day {event['dayId']} was bought on {day}")
        affiliate = None if int(event["affiliate"], 16) == 0 else event["affiliate"].lower()
        key = (event["ticketId"], day, event["poolId"], event["buyer"].lower(), event["stake"], affiliate)
        bought[event["tx_hash"], event["log_index"]] = (*key, event["tips"], event["digest"])
    rows = facts.rows(
        """SELECT tx_hash, log_index, ticket_id, day_id, pool_id, buyer, stake, affiliate, tips, digest FROM tickets
            WHERE is_final"""
    )
    stored = {("0x" + row.pop("tx_hash").hex(), row.pop("log_index")): tuple(row.values()) for row in rows}
    sealed = {row["day_id"] for row in facts.rows("SELECT DISTINCT day_id FROM day_inputs")}
    for place, ticket in stored.items():
        _require(bought.get(place) == ticket, "I7", f"ticket {ticket[0]} is not what the chain sold")
    for place, ticket in bought.items():
        is_lost = place not in stored and ticket[1] in sealed
        _require(not is_lost, "I7", f"ticket {ticket[0]} of sealed day {ticket[1]} is lost")


def _check_claims(facts: Facts) -> None:
    """What was claimed is a leaf, once; what we wrote down of claims happened."""
    leaves = {}
    for run in facts.rows(SELECT_RUNS):
        for kind, vault in (("winner", "PrizeVault"), ("affiliate", "AffiliateVault")):
            for row in facts.rows(_SELECT_PAYOUTS[kind], run_id=run["run_id"]):
                leaves[facts.address(vault), run["day_id"], row["wallet"]] = row["amount"]
    claimed: dict[Place, tuple[str, int, str]] = {}
    paid_to: dict[Place, str] = {}
    blocks: dict[Place, int] = {}
    for vault in ("PrizeVault", "AffiliateVault"):
        for event in facts.events(vault, "Claimed"):
            place = (event["tx_hash"], event["log_index"])
            leaf = (facts.address(vault), event["dayId"], event["account"].lower())
            _require(leaf not in claimed.values(), "I8", f"claimed twice: {leaf}")
            if leaf[1] in {day for _, day, _ in leaves}:
                _require(leaves.get(leaf) == event["amount"], "I8", f"{leaf} claimed {event['amount']}")
            claimed[place], paid_to[place], blocks[place] = leaf, event["to"].lower(), event["block"]
    for row in facts.rows("SELECT * FROM claim_events WHERE is_final"):
        key = ("0x" + row["tx_hash"].hex(), row["log_index"])
        leaf = (row["vault"], row["day_id"], row["account"])
        _require(claimed.get(key) == leaf, "I8", f"a claim is written down that did not happen: {leaf}")
        _require(leaves.get(leaf, row["amount"]) == row["amount"], "I8", f"{leaf}: not the leaf's amount")
        _require(paid_to[key] == row["paid_to"], "I8", f"{leaf} was paid to {paid_to[key]}, not to {row['paid_to']}")
    _require_stored(facts, blocks, "SELECT tx_hash, log_index FROM claim_events")
    for row in facts.rows("SELECT vault, day_id, account FROM claims WHERE status = 'PAID'"):
        _require(tuple(row.values()) in claimed.values(), "I8", f"called paid and is not: {tuple(row.values())}")


def _check_refunds(facts: Facts) -> None:
    """Each refund is of a voided day, once, and as much as was noted at the purchase; what we wrote down happened."""
    refunded: dict[Place, tuple[Any, ...]] = {}
    blocks: dict[Place, int] = {}
    given: Counter[int] = Counter()
    for event in facts.events("ReserveVault", "Refunded"):
        buyer = event["buyer"].lower()
        note = facts.read("GameManager", "noteOf", buyer, event["nonce"])
        fact = (event["dayId"], buyer, event["nonce"], event["to"].lower(), event["amount"])
        _require(tuple(note) == (event["dayId"], event["amount"], True), "I8", f"refunded {fact}, noted {note}")
        twin = any((buyer, event["nonce"]) == (each[1], each[2]) for each in refunded.values())
        _require(not twin, "I8", f"refunded twice: {fact}")
        refunded[event["tx_hash"], event["log_index"]] = fact
        blocks[event["tx_hash"], event["log_index"]] = event["block"]
        given[event["dayId"]] += event["amount"]
    for event in facts.events("ReserveVault", "VouchersRefunded"):
        account, stake, is_refunded = facts.read("ReserveVault", "vouchersOf", event["dayId"])
        fact = (event["dayId"], event["account"].lower(), None, event["to"].lower(), event["amount"])
        known = (account.lower(), stake, is_refunded) == (fact[1], event["amount"], True)
        _require(known, "I8", f"vouchers refunded {fact}, noted {account} {stake} {is_refunded}")
        twin = any((event["dayId"], None) == (each[0], each[2]) for each in refunded.values())
        _require(not twin, "I8", f"refunded twice: {fact}")
        refunded[event["tx_hash"], event["log_index"]] = fact
        blocks[event["tx_hash"], event["log_index"]] = event["block"]
        given[event["dayId"]] += event["amount"]
    for day, sum_atoms in given.items():
        status, *_ = facts.read("SettlementV4", "dayRecord", day)
        stake = sum(pool[2] for pool in facts.read("GameManager", "poolDays", day))
        is_open = facts.read("ReserveVault", "refundable", day)
        where = f"day {day}, status {status}: {stake} staked, {sum_atoms} refunded, {is_open} open"
        _require(status == _VOIDED and stake == sum_atoms + is_open, "I8", where)
    for row in facts.rows("SELECT * FROM refunds WHERE is_final"):
        place = ("0x" + row["tx_hash"].hex(), row["log_index"])
        fact = (row["day_id"], row["account"], row["nonce"], row["paid_to"], row["amount"])
        _require(refunded.get(place) == fact, "I8", f"a refund is written down that did not happen: {fact}")
    _require_stored(facts, blocks, "SELECT tx_hash, log_index FROM refunds")


def _require_stored(facts: Facts, blocks: Mapping[Place, int], statement: str) -> None:
    """Whatever the claims' cursor has passed is a row, or in suspense."""
    stored = [*facts.rows(statement), *facts.rows("SELECT tx_hash, log_index FROM suspense_events")]
    known = {("0x" + row["tx_hash"].hex(), row["log_index"]) for row in stored}
    for cursor in facts.rows("SELECT block_number FROM event_cursors WHERE name = 'claims'"):
        lost = [place for place, block in blocks.items() if block <= cursor["block_number"] and place not in known]
        _require(not lost, "I8", f"payments that were read and are not stored: {lost}")


def _check_payments(facts: Facts) -> None:
    """I8 in both its parts."""
    _check_claims(facts)
    _check_refunds(facts)


# -- I11, I12, I13 ---------------------------------------------------------------------------------------------------


def _check_journal(facts: Facts) -> None:
    """Each transaction of the settler's key on the chain is an attempt of a purpose, in the state that it is in."""
    settler = facts.played.world.account("settler").address
    sent = int(facts.endpoints[0].request("eth_getTransactionCount", [settler, "latest"]), 16)
    attempts = facts.rows(
        "SELECT tx_id, nonce, tx_hash, state, block_number FROM chain_transaction_attempts WHERE sender = %(sender)s",
        sender=settler.lower(),
    )
    mined: dict[int, bytes] = {}
    for attempt in attempts:
        shown = "0x" + attempt["tx_hash"].hex()
        receipt = facts.endpoints[0].request("eth_getTransactionReceipt", [shown], may_be_null=True)
        if receipt is None:
            final = attempt["state"] in ("FINAL", "REVERTED")
            _require(not final, "I11", f"attempt {shown} is {attempt['state']} and not on the chain")
            continue
        _require(attempt["nonce"] not in mined, "I11", f"nonce {attempt['nonce']} was mined twice")
        mined[attempt["nonce"]] = attempt["tx_hash"]
        works = int(receipt["status"], 16) == 1
        _require(attempt["state"] != ("REVERTED" if works else "FINAL"), "I11", f"attempt {shown}: {attempt['state']}")
    _require(sorted(mined) == list(range(sent)), "I11", f"{sent} transactions on the chain, ours are {sorted(mined)}")


def _check_audit(facts: Facts) -> None:
    """Every row follows the one before and hashes to what it says."""
    rows = facts.rows(
        """SELECT audit_id, at, prev_hash, hash,
                  audit_hash(prev_hash, audit_id, at, actor, action, day_id, details) AS again
             FROM audit_log ORDER BY audit_id"""
    )
    _require([row["audit_id"] for row in rows] == list(range(1, len(rows) + 1)), "I13", "an audit row is missing")
    _require(all(row["hash"] == row["again"] for row in rows), "I13", "an audit row was changed")
    # A chain does not show that its end was cut off; what must have been written down does.
    unheard = facts.rows(
        """SELECT run_id FROM settlement_runs AS r WHERE approved_by IS NOT NULL AND NOT EXISTS (
               SELECT FROM audit_log AS a WHERE a.action = 'run_approved' AND a.day_id = r.day_id
                  AND (a.details ->> 'run_id')::bigint = r.run_id)"""
    )
    _require(not unheard, "I13", f"approved without an audit row: {unheard}")
    _require(not rows or rows[0]["prev_hash"] == bytes(32), "I13", "the first audit row follows another one")
    for row, following in pairwise(rows):
        _require(following["prev_hash"] == row["hash"], "I13", f"audit row {row['audit_id']} has no successor")
        _require(following["at"] >= row["at"], "I13", f"audit row {row['audit_id']} is younger than its successor")


def _check_files(played: PlayedWorld) -> None:
    """Files, checksums.json and rows say the same; deleted files come back with the same bytes."""
    for day, stored in _stored_files(played).items():
        found = files_on_disk(played, day)
        _require(found == stored, "I12", f"day {day}: on disk {sorted(found)}, in the database {sorted(stored)}")
        folder = Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}"
        if "checksums.json" in stored:
            sums = json.loads((folder / "checksums.json").read_text())["files"]
            wanted = {name: "0x" + stored[name] for name in DETERMINISTIC_FILES}
            _require(sums == wanted, "I12", f"day {day}: checksums.json does not name its files")
        if "manifest.json" in stored or "voided.json" in stored:
            report = verify_folder(day, folder)
            _require(report.holds, "I12", f"day {day}: the verifier refuses the files: {report.failed}")
        _require("manifest.json" in stored or day not in _settled(played), "I12", f"day {day}: nobody signed its files")
        shutil.rmtree(folder)
        with played.context() as context:
            restore_artifacts(context, day)
        _require(files_on_disk(played, day) == found, "I12", f"day {day}: restored with other bytes")


def _settled(played: PlayedWorld) -> set[int]:
    """Settled days."""
    with opened_facts(played) as facts:
        rows = facts.rows("SELECT day_id FROM settlement_runs WHERE status = 'settled'")
    return {row["day_id"] for row in rows}


def _stored_files(played: PlayedWorld) -> dict[DayId, dict[str, str]]:
    """Name and sha256 of what each begun day has; the sha256 of the stored bytes must be the row's."""
    with opened_facts(played) as facts:
        rows = facts.rows(
            """SELECT a.day_id, a.name, encode(a.sha256, 'hex') AS sha256,
                      encode(sha256(coalesce(
                          (SELECT string_agg(c.bytes, NULL ORDER BY c.seq) FROM settlement_artifact_chunks AS c
                            WHERE c.artifact_id = a.artifact_id), '')), 'hex') AS again
                 FROM settlement_artifacts AS a LEFT JOIN settlement_runs AS r USING (run_id)
                WHERE r.run_id IS NULL OR r.status NOT IN ('superseded', 'vetoed') ORDER BY a.day_id, a.name"""
        )
    found: dict[DayId, dict[str, str]] = {}
    for row in rows:
        _require(row["sha256"] == row["again"], "I12", f"day {row['day_id']}: stored {row['name']} is damaged")
        found.setdefault(DayId(row["day_id"]), {})[row["name"]] = row["sha256"]
    return found


_CHECKS: dict[str, Callable[[Facts], None]] = {
    "I1": _check_conservation,
    "I2": _check_hash,
    "I3": _check_once,
    "I4": _check_chain_knows,
    "I5": _check_proofs,
    "I6": _check_amounts,
    "I7": _check_tickets,
    "I8": _check_payments,
    "I13": _check_audit,
}

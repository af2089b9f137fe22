"""Reads a day's facts from nodes of the chain, at the newest block that all of them call final."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from verifier.answers import event_logs, number_of, words
from verifier.checking import NodeSilent
from verifier.facts import Facts, Purchases, Vault
from verifier.final_block import read_agreed
from verifier.folder import Day
from verifier.hashing import hex_of, keccak256, number_word, wallet_word
from verifier.node import Node
from verifier.read_roles import SETTLER, settlers_ever

DAY_S = 86_400
_MAX_ASKED_CLAIMS = 5_000
_MAX_ASKED_PURCHASES = 50
_PURCHASED = keccak256(
    b"TicketPurchased(uint256,uint256,address,uint8,uint8,uint8,address,uint256,uint256,bytes16,bytes,bytes32)"
)
_COMMITTED = keccak256(
    b"DayCommitted(uint256,bytes32,bytes32,"
    b"(uint256,uint256[5],uint256[5],uint256,bytes32,bool[5],uint256,bytes32,uint256,bytes32))"
)
# The order of SettlementV4's contracts().
_WIRING = (
    "usdt",
    "roles",
    "game_manager",
    "game_treasury",
    "reserve_vault",
    "prize_vault",
    "affiliate_vault",
    "charity_vault",
    "vrf_receiver",
    "claim_router",
)


def read_facts(urls: Sequence[str], day: Day) -> Facts:
    """The facts of the day, the same from every node. Raises: as ``read_agreed``; Differs when what stands on the chain
    is not the lottery that the files name."""
    return read_agreed(
        urls,
        chain_id=day.doc("inputs")["chain_id"],
        closed_s=(day.day_id + 1) * DAY_S,
        ended_s=day.docs.get("provenance.json", {}).get("released_at_s", 0),
        read=lambda node, block: _read(node, day, block),
        agreed=_agreed,
    )


def read_wiring(node: Node, settlement: str, block: int) -> dict[str, str]:
    """The contracts that the settlement names."""
    answer = words(node.call(settlement, "contracts()", block=block), len(_WIRING), node)
    return dict(zip(_WIRING, (hex_of(word[12:]) for word in answer), strict=True))


def _agreed(one: Facts, other: Facts) -> Facts:
    """The facts of two nodes, which must be the same; what one of them does not have, the other may."""
    for name in ("past_settlers", "committer"):
        known = getattr(one, name) if getattr(one, name) is not None else getattr(other, name)
        one = replace(one, **{name: known})
        other = replace(other, **{name: getattr(other, name) if getattr(other, name) is not None else known})
    if one.purchases and other.purchases and one.purchases.unseen != other.purchases.unseen:
        best = min(one.purchases, other.purchases, key=lambda found: found.unseen)
        one, other = replace(one, purchases=best), replace(other, purchases=best)
    if one != other:
        raise NodeSilent("the nodes tell different facts of the same block; ask a third one")
    return one


def _read(node: Node, day: Day, block: int) -> Facts:
    inputs = day.doc("inputs")
    settlement, number = inputs["contracts"]["settlement"], number_word(day.day_id)
    wiring = read_wiring(node, settlement, block)
    game, vrf = wiring["game_manager"], wiring["vrf_receiver"]
    answers = node.call_all(
        [
            (settlement, "dayRecord(uint256)", [number]),
            (settlement, "openingStateHash(uint256)", [number]),
            (settlement, "openingStateHash(uint256)", [number_word(day.day_id + 1)]),
            (game, "rulesetHashOf(uint256)", [number]),
            (game, "poolDays(uint256)", [number]),
            (vrf, "wordOf(uint256)", [number]),
            (vrf, "requestOf(uint256)", [number]),
            # Not settler(): that is zero while the guardian has suspended the holder.
            (wiring["roles"], "holderOf(uint8)", [number_word(SETTLER)]),
            (wiring["reserve_vault"], "held()", []),
            (wiring["usdt"], "balanceOf(address)", [wallet_word(wiring["reserve_vault"])]),
        ],
        block=block,
    )
    sizes = (6, 1, 1, 1, 20, 2, 3, 1, 1, 1)
    record, opening, closing, ruleset, pools, word, request, settler, held, balance = (
        words(answer, count, node) for answer, count in zip(answers, sizes, strict=True)
    )
    result, now = day.doc("settlement_result"), hex_of(settler[0][12:])
    signer = day.docs.get("manifest.json", {}).get("signer", now)
    return Facts(
        block=block,
        chain_id=inputs["chain_id"],
        contracts={"settlement": settlement, **{name: wiring[name] for name in inputs["contracts"] if name in wiring}},
        ruleset_hash=ruleset[0],
        pools=tuple(_pool(pools[4 * pool : 4 * pool + 4]) for pool in range(5)),
        word=number_of(word[1]) if number_of(word[0]) else None,
        requested_at=number_of(request[1]),
        opening_hash=opening[0],
        closing_hash=closing[0],
        rates=_rates(node, game, day, block),
        settler=now,
        # Asked only where the SETTLER of today is not the one who signed.
        past_settlers=frozenset({now}) if signer == now else settlers_ever(node, wiring["roles"], now, block),
        committer=None if signer == now else _committer(node, settlement, day),
        status=number_of(record[0]),
        settlement_hash=record[1],
        run_hash=record[2],
        committed_at_s=number_of(record[3]),
        released_at_s=number_of(record[4]),
        takebacks=number_of(record[5]),
        prize_vault=_vault(node, wiring["prize_vault"], day, result["payouts"], block),
        affiliate_vault=_vault(node, wiring["affiliate_vault"], day, result["affiliate_payouts"], block),
        held=number_of(held[0]),
        balance=number_of(balance[0]),
        purchases=_purchases(node, game, day, block),
    )


def _pool(words: Sequence[bytes]) -> dict[str, Any]:
    count, tips, stake, digest = words
    return {"ticket_count": number_of(count), "tip_count": number_of(tips), "stake": number_of(stake), "digest": digest}


def _rates(node: Node, game: str, day: Day, block: int) -> dict[str, int]:
    affiliates = sorted({entry["affiliate"] for entry in day.doc("affiliates")["referred"]})
    calls = [
        (game, "affiliateRateOf(address,uint256)", [wallet_word(affiliate), number_word(day.day_id)])
        for affiliate in affiliates
    ]
    return {
        affiliate: number_of(words(answer, 1, node)[0])
        for affiliate, answer in zip(affiliates, node.call_all(calls, block=block), strict=True)
    }


def _vault(node: Node, vault: str, day: Day, listed: Sequence[Mapping[str, Any]], block: int) -> Vault:
    number = number_word(day.day_id)
    calls: list[tuple[str, str, Sequence[bytes]]] = [
        (vault, "rootOf(uint256)", [number]),
        (vault, "totalOf(uint256)", [number]),
        (vault, "claimedOf(uint256)", [number]),
        (vault, "totalReleased()", []),
        (vault, "totalClaimed()", []),
    ]
    answers = node.call_all(calls, block=block)
    root, total, claimed, released, taken = (words(answer, 1, node)[0] for answer in answers)
    flags: dict[str, bool] | None = None
    if len(listed) <= _MAX_ASKED_CLAIMS:
        wallets = [payout["wallet"] for payout in listed]
        asked = [(vault, "claimed(uint256,address)", [number, wallet_word(wallet)]) for wallet in wallets]
        found = node.call_all(asked, block=block)
        flags = {w: number_of(words(answer, 1, node)[0]) == 1 for w, answer in zip(wallets, found, strict=True)}
    return Vault(
        root=root,
        total=number_of(total),
        claimed=number_of(claimed),
        claimed_by=flags,
        released=number_of(released),
        taken=number_of(taken),
    )


def _committer(node: Node, settlement: str, day: Day) -> str | None:
    """Who sent the commit that provenance.json names, if its receipt shows the event: only the SETTLER can."""
    commit_tx = day.docs.get("provenance.json", {}).get("commit_tx")
    if commit_tx is None:
        return None
    receipt = node.ask("eth_getTransactionReceipt", hex_of(commit_tx))
    topics = [hex_of(_COMMITTED), hex_of(number_word(day.day_id)), hex_of(day.sha256s["commit_bundle.json"])]
    logs = [log for log in _receipt_logs(receipt) if log.get("address") == settlement and log.get("topics") == topics]
    if not logs or str(receipt.get("to")).lower() != settlement or not isinstance(receipt.get("from"), str):
        return None
    return str(receipt["from"]).lower()


def _purchases(node: Node, game: str, day: Day, block: int) -> Purchases | None:
    """Receipts of some purchases, spread evenly: all tickets are held by the digests, these show where they are."""
    if "provenance.json" not in day.docs:
        return None
    listed = day.doc("provenance")["purchases"]
    buyers = {ticket["ticket_id"]: ticket["buyer"] for ticket in day.doc("inputs")["tickets"]}
    step = max(1, -(-len(listed) // _MAX_ASKED_PURCHASES))
    asked = listed[::step]
    receipts = node.ask_all([("eth_getTransactionReceipt", [hex_of(one["tx_hash"])]) for one in asked])
    wrong, unseen = [], 0
    for one, receipt in zip(asked, receipts, strict=True):
        if receipt is None:  # nodes drop their index of old transactions
            unseen += 1
            continue
        buyer = buyers.get(one["ticket_id"])
        topics = [hex_of(_PURCHASED), hex_of(number_word(one["ticket_id"])), hex_of(number_word(day.day_id))]
        topics.append(hex_of(wallet_word(buyer)) if buyer else "")
        is_there = any(
            log.get("logIndex") == hex(one["log_index"])
            and log.get("blockNumber") == hex(one["block"])
            and log.get("address") == game
            and log.get("topics") == topics
            and one["block"] <= block
            for log in _receipt_logs(receipt)
        )
        if not is_there:
            wrong.append(f"ticket {one['ticket_id']} is not where provenance.json says")
    return Purchases(asked=len(asked), listed=len(listed), wrong=tuple(wrong), unseen=unseen)


def _receipt_logs(receipt: Any) -> list[dict[str, Any]]:
    return event_logs(receipt.get("logs")) if isinstance(receipt, dict) else []

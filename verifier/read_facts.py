"""Reads a day's facts from nodes of the chain, at the newest block that all of them call final."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from verifier.checking import CannotVerify, NodeSilent, require
from verifier.facts import Facts, Purchases, Vault
from verifier.folder import Day
from verifier.hashing import hex_of, keccak256, number_word, wallet_word
from verifier.node import Node, hex_bytes, hex_number
from verifier.read_roles import promotions_at_void, settlers_ever

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
    """The facts of the day, the same from every node.

    Raises: NodeSilent when a node does not answer or the nodes differ in their blocks; Differs when what stands on the
    chain is not the lottery that the files name; CannotVerify for a bad address.
    """
    nodes = [Node(url, number) for number, url in enumerate(urls, start=1)]
    for node in nodes:
        _check_chain(node, day.doc("inputs")["chain_id"])
    block, block_hash, block_s = _common_block(nodes)
    _check_age(block, block_s, day)
    facts = _read(nodes[0], day, block)
    for node in nodes[1:]:
        facts = _agreed(facts, _read(node, day, block))
    for node in nodes:
        if _header(node, hex(block))[1] != block_hash:
            raise NodeSilent(f"{node.name} changed its block {block} while it was asked")
    return facts


def _check_chain(node: Node, expected: int) -> None:
    found = hex_number(node.ask("eth_chainId"), node.name)
    if found != expected:
        raise CannotVerify(
            f"{node.name} is of chain {found}, the files are of chain {expected}: nothing was compared; "
            f"name a node of the lottery's chain with --rpc"
        )


def _check_age(block: int, block_s: int, day: Day) -> None:
    """A node that has not yet seen the day's end knows nothing of it. That is no lie of the files."""
    close_s, now_s = (day.day_id + 1) * DAY_S, int(time.time())
    told = day.docs.get("provenance.json", {}).get("released_at_s", 0)
    # No hash holds what provenance.json tells: a time that is still to come makes no node a late one.
    if block_s < close_s or block_s < told <= now_s:
        raise NodeSilent(f"the nodes are behind: their newest final block {block} is older than the day's settlement")


def _agreed(one: Facts, other: Facts) -> Facts:
    """The facts of two nodes, which must be the same; what one of them does not have, the other may."""
    for name in ("past_settlers", "committer", "promotions"):
        known = getattr(one, name) if getattr(one, name) is not None else getattr(other, name)
        one = replace(one, **{name: known})
        other = replace(other, **{name: getattr(other, name) if getattr(other, name) is not None else known})
    if one.purchases and other.purchases and one.purchases.unseen != other.purchases.unseen:
        best = min(one.purchases, other.purchases, key=lambda found: found.unseen)
        one, other = replace(one, purchases=best), replace(other, purchases=best)
    if one != other:
        raise NodeSilent("the nodes tell different facts of the same block; ask a third one")
    return one


def _common_block(nodes: Sequence[Node]) -> tuple[int, bytes, int]:
    """Number, hash and time of the newest block that is final for all."""
    block = min(_header(node, "finalized")[0] for node in nodes)
    found = {_header(node, hex(block)) for node in nodes}
    if len(found) != 1:
        raise NodeSilent(f"the nodes have different blocks number {block}")
    return found.pop()


def _header(node: Node, name: str) -> tuple[int, bytes, int]:
    """Number, hash and time of a block."""
    found = node.ask("eth_getBlockByNumber", name, False)
    if not isinstance(found, dict):
        raise NodeSilent(f"{node.name} does not know block {name}")
    number = hex_number(found.get("number"), node.name)
    if name not in ("finalized", hex(number)):
        raise NodeSilent(f"{node.name} gives block {number} for block {int(name, 16)}")
    return number, hex_bytes(found.get("hash"), node.name), hex_number(found.get("timestamp"), node.name)


def _read(node: Node, day: Day, block: int) -> Facts:
    inputs = day.doc("inputs")
    settlement, number = inputs["contracts"]["settlement"], number_word(day.day_id)
    wiring = dict(zip(_WIRING, _addresses(node.call(settlement, "contracts()", block=block), node), strict=True))
    game, vrf = wiring["game_manager"], wiring["vrf_receiver"]
    answers = node.call_all(
        [
            (settlement, "dayRecord(uint256)", [number]),
            (settlement, "openingStateHash(uint256)", [number]),
            (settlement, "openingStateHash(uint256)", [number_word(day.day_id + 1)]),
            (settlement, "voidAnnouncedAt(uint256)", [number]),
            (game, "rulesetHashOf(uint256)", [number]),
            (game, "poolDays(uint256)", [number]),
            (vrf, "wordOf(uint256)", [number]),
            (wiring["roles"], "settler()", []),
            (wiring["roles"], "promotions()", []),
        ],
        block=block,
    )
    sizes = (6, 1, 1, 1, 1, 20, 2, 1, 1)
    record, opening, closing, announced, ruleset, pools, word, settler, promotions = (
        _words(answer, count, node) for answer, count in zip(answers, sizes, strict=True)
    )
    result, now = day.doc("settlement_result"), hex_of(settler[0][12:])
    signer = day.docs.get("manifest.json", {}).get("signer", now)
    return Facts(
        block=block,
        chain_id=inputs["chain_id"],
        contracts={"settlement": settlement, **{name: wiring[name] for name in inputs["contracts"] if name in wiring}},
        ruleset_hash=ruleset[0],
        pools=tuple(_pool(pools[4 * pool : 4 * pool + 4]) for pool in range(5)),
        word=_int(word[1]) if _int(word[0]) else None,
        opening_hash=opening[0],
        closing_hash=closing[0],
        rates=_rates(node, game, day, block),
        settler=now,
        # Asked only where the SETTLER of today is not the one who signed.
        past_settlers=frozenset({now}) if signer == now else settlers_ever(node, wiring["roles"], now, block),
        committer=None if signer == now else _committer(node, settlement, day),
        promotions=promotions_at_void(node, wiring["roles"], settlement, day, hex_of(promotions[0][12:]), block)
        if day.is_void and result["promotions"] is not None
        else None,
        status=_int(record[0]),
        settlement_hash=record[1],
        run_hash=record[2],
        committed_at_s=_int(record[3]),
        released_at_s=_int(record[4]),
        takebacks=_int(record[5]),
        void_announced_at_s=_int(announced[0]),
        prize_vault=_vault(node, wiring["prize_vault"], wiring["usdt"], day, result["payouts"], block),
        affiliate_vault=_vault(
            node, wiring["affiliate_vault"], wiring["usdt"], day, result["affiliate_payouts"], block
        ),
        purchases=_purchases(node, game, day, block),
    )


def _pool(words: Sequence[bytes]) -> dict[str, Any]:
    count, tips, stake, digest = words
    return {"ticket_count": _int(count), "tip_count": _int(tips), "stake": _int(stake), "digest": digest}


def _rates(node: Node, game: str, day: Day, block: int) -> dict[str, int]:
    affiliates = sorted({entry["affiliate"] for entry in day.doc("affiliates")["referred"]})
    calls = [
        (game, "affiliateRateOf(address,uint256)", [wallet_word(affiliate), number_word(day.day_id)])
        for affiliate in affiliates
    ]
    return {
        affiliate: _int(_words(answer, 1, node)[0])
        for affiliate, answer in zip(affiliates, node.call_all(calls, block=block), strict=True)
    }


def _vault(node: Node, vault: str, usdt: str, day: Day, listed: Sequence[Mapping[str, Any]], block: int) -> Vault:
    number = number_word(day.day_id)
    calls: list[tuple[str, str, Sequence[bytes]]] = [
        (vault, "rootOf(uint256)", [number]),
        (vault, "totalOf(uint256)", [number]),
        (vault, "claimedOf(uint256)", [number]),
        (vault, "totalReleased()", []),
        (vault, "totalClaimed()", []),
        (usdt, "balanceOf(address)", [wallet_word(vault)]),
    ]
    answers = node.call_all(calls, block=block)
    root, total, claimed, released, taken, balance = (_words(answer, 1, node)[0] for answer in answers)
    flags: dict[str, bool] | None = None
    if len(listed) <= _MAX_ASKED_CLAIMS:
        wallets = [payout["wallet"] for payout in listed]
        asked = [(vault, "claimed(uint256,address)", [number, wallet_word(wallet)]) for wallet in wallets]
        found = node.call_all(asked, block=block)
        flags = {w: _int(_words(answer, 1, node)[0]) == 1 for w, answer in zip(wallets, found, strict=True)}
    return Vault(
        root=root,
        total=_int(total),
        claimed=_int(claimed),
        claimed_by=flags,
        balance=_int(balance),
        released=_int(released),
        taken=_int(taken),
    )


def _committer(node: Node, settlement: str, day: Day) -> str | None:
    """Who sent the commit that provenance.json names, if its receipt shows the event: only the SETTLER can."""
    commit_tx = day.docs.get("provenance.json", {}).get("commit_tx")
    if commit_tx is None:
        return None
    receipt = node.ask("eth_getTransactionReceipt", hex_of(commit_tx))
    topics = [hex_of(_COMMITTED), hex_of(number_word(day.day_id)), hex_of(day.sha256s["commit_bundle.json"])]
    logs = [log for log in _logs(receipt) if log.get("address") == settlement and log.get("topics") == topics]
    if not logs or receipt.get("to") != settlement or not isinstance(receipt.get("from"), str):
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
            for log in _logs(receipt)
        )
        if not is_there:
            wrong.append(f"ticket {one['ticket_id']} is not where provenance.json says")
    return Purchases(asked=len(asked), listed=len(listed), wrong=tuple(wrong), unseen=unseen)


def _logs(receipt: Any) -> list[dict[str, Any]]:
    """A receipt's logs, addresses in lower case; none of a receipt that is none."""
    logs = receipt.get("logs") if isinstance(receipt, dict) else None
    if not isinstance(logs, list):
        return []
    receipt["to"] = str(receipt.get("to")).lower()
    return [{**log, "address": str(log.get("address")).lower()} for log in logs if isinstance(log, dict)]


def _addresses(answer: bytes, node: Node) -> list[str]:
    return [hex_of(word[12:]) for word in _words(answer, len(_WIRING), node)]


def _words(answer: bytes, count: int, node: Node) -> list[bytes]:
    """Exactly so many words: everything that is asked is static."""
    require(len(answer) == 32 * count, f"a contract answers {node.name} with {len(answer)} bytes, not {32 * count}")
    return [answer[start : start + 32] for start in range(0, len(answer), 32)]


def _int(word: bytes) -> int:
    return int.from_bytes(word, "big")

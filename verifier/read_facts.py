"""Reads a day's facts from nodes of the chain, at the newest block that all of them call final."""

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.checking import NodeSilent, require
from verifier.facts import Facts, Purchases, Vault
from verifier.folder import Day
from verifier.hashing import hex_of, keccak256, number_word, wallet_word
from verifier.node import Node, hex_bytes, hex_number

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
    block = _common_block(nodes)
    found = [_read(node, day, block) for node in nodes]
    if any(facts != found[0] for facts in found):
        raise NodeSilent("the nodes tell different facts of the same block; ask a third one")
    return found[0]


def _common_block(nodes: Sequence[Node]) -> int:
    heads = []
    for node in nodes:
        head = node.ask("eth_getBlockByNumber", "finalized", False)
        if not isinstance(head, dict):
            raise NodeSilent(f"{node.name} knows no final block")
        heads.append(hex_number(head.get("number"), node.name))
    block = min(heads)
    hashes = set()
    for node in nodes:
        found = node.ask("eth_getBlockByNumber", hex(block), False)
        if not isinstance(found, dict):
            raise NodeSilent(f"{node.name} does not know block {block}")
        hashes.add(hex_bytes(found.get("hash"), node.name))
    if len(hashes) != 1:
        raise NodeSilent(f"the nodes have different blocks number {block}")
    return block


def _read(node: Node, day: Day, block: int) -> Facts:
    inputs = day.doc("inputs")
    settlement, number = inputs["contracts"]["settlement"], number_word(day.day_id)
    chain_id = hex_number(node.ask("eth_chainId"), node.name)
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
        ],
        block=block,
    )
    sizes = (6, 1, 1, 1, 1, 20, 2, 1)
    record, opening, closing, announced, ruleset, pools, word, settler = (
        _words(answer, count, node) for answer, count in zip(answers, sizes, strict=True)
    )
    result = day.doc("settlement_result")
    return Facts(
        block=block,
        chain_id=chain_id,
        contracts={"settlement": settlement, **{name: wiring[name] for name in inputs["contracts"] if name in wiring}},
        ruleset_hash=ruleset[0],
        pools=tuple(_pool(pools[4 * pool : 4 * pool + 4]) for pool in range(5)),
        word=_int(word[1]) if _int(word[0]) else None,
        opening_hash=opening[0],
        closing_hash=closing[0],
        rates=_rates(node, game, day, block),
        settlers=frozenset({hex_of(settler[0][12:]), *_committer(node, settlement, day)}),
        status=_int(record[0]),
        settlement_hash=record[1],
        run_hash=record[2],
        released_at_s=_int(record[4]),
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
        owed=_int(released) - _int(taken),
    )


def _committer(node: Node, settlement: str, day: Day) -> set[str]:
    """Who sent the commit that provenance.json names, if its receipt shows the event: only the SETTLER can."""
    commit_tx = day.docs.get("provenance.json", {}).get("commit_tx")
    if commit_tx is None:
        return set()
    receipt = node.ask("eth_getTransactionReceipt", hex_of(commit_tx))
    topics = [hex_of(_COMMITTED), hex_of(number_word(day.day_id)), hex_of(day.sha256s["commit_bundle.json"])]
    logs = [log for log in _logs(receipt) if log.get("address") == settlement and log.get("topics") == topics]
    if not logs or receipt.get("to") != settlement or not isinstance(receipt.get("from"), str):
        return set()
    return {receipt["from"].lower()}


def _purchases(node: Node, game: str, day: Day, block: int) -> Purchases | None:
    """Receipts of some purchases, spread evenly: all tickets are held by the digests, these show where they are."""
    if "provenance.json" not in day.docs:
        return None
    listed = day.doc("provenance")["purchases"]
    buyers = {ticket["ticket_id"]: ticket["buyer"] for ticket in day.doc("inputs")["tickets"]}
    step = max(1, -(-len(listed) // _MAX_ASKED_PURCHASES))
    asked = listed[::step]
    receipts = node.ask_all([("eth_getTransactionReceipt", [hex_of(one["tx_hash"])]) for one in asked])
    wrong = []
    for one, receipt in zip(asked, receipts, strict=True):
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
    return Purchases(asked=len(asked), listed=len(listed), wrong=tuple(wrong))


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

"""Forgeries of sums, trees, files and what stands on the chain. Each names the check that must catch it."""

import json
from dataclasses import replace
from typing import Any

from verifier.facts import COMMITTED
from verifier.forging import Forgery, at, instead, move, move_cent, plus, put, swap, telling
from verifier.hashing import keccak256, sha256
from verifier.signatures import wallet_of_secret
from verifier.trees import leaf_of, nodes_over

_STRANGER = "0x" + "5e" * 20
_OTHER_SECRET = (0xBAD).to_bytes(32, "big")
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


# -- commissions and sums --------------------------------------------------------------------------------------------


def _two_rates(entries: Any) -> Any:
    first = next(entry for entry in entries if entry["affiliate"] == entries[-1]["affiliate"])
    first["rate_bps"] += 100
    first["commission"] = first["stake"] * first["rate_bps"] // 10_000
    return entries


_MONEY = (
    Forgery("referred", "a player's own stake is made greater", telling(
        referred=lambda pairs: [(*pairs[0][:2], pairs[0][2] + 10_000), *pairs[1:]])),
    Forgery("referred", "a referred player is left out", telling(referred=lambda pairs: pairs[1:])),
    Forgery("rates_on_chain", "an affiliate's rate is raised", telling(
        rates=lambda rates: {**rates, min(rates): rates[min(rates)] + 100})),
    Forgery("commissions", "an affiliate has two rates on one day", telling(
        commissions=_two_rates), is_offline=True),
    Forgery("commissions", "a rate above the highest of the ruleset", telling(
        rates=lambda rates: {**rates, min(rates): 1001}), is_offline=True),
    Forgery("commissions", "a commission is rounded up", telling(
        commissions=at(0, "commission", to=plus(1)))),
    Forgery("affiliates", "a cent is moved from one affiliate to another", telling(affiliates=move_cent)),
    Forgery("affiliates", "an affiliate is left out", telling(affiliates=lambda found: found[1:])),
    Forgery("fee", "the charity gets a cent less", telling(fee=move("charity_total", "net_fee", 10_000))),
    Forgery("totals", "the totals name a smaller charity", telling(totals=at("charity", to=plus(-10_000)))),
    Forgery("bundle", "the bundle commits a greater net fee", telling(bundle=at("net_fee", to=plus(1)))),
    Forgery("bundle", "the bundle commits another payout of a pool", telling(
        bundle=at("pool_payout", 0, to=plus(-1)))),
    Forgery("bundle", "the bundle names other winning numbers", telling(
        bundle=at("winning_numbers", to=swap(0, 1)))),
)  # fmt: skip


# -- trees -----------------------------------------------------------------------------------------------------------


def _rebuilt(dump: Any, values: list[list[str]]) -> Any:
    """The dump over other values, its tree and places right."""
    leaves = [leaf_of(bytes.fromhex(one[0][2:]), int(one[1]), one[2], int(one[3])) for one in values]
    nodes = nodes_over(leaves)
    places = {node: place for place, node in enumerate(nodes)}
    listed = [{"treeIndex": places[leaf], "value": one} for leaf, one in zip(leaves, values, strict=True)]
    return {**dump, "tree": nodes, "values": listed}


def _values(dump: Any) -> list[list[str]]:
    return [list(entry["value"]) for entry in dump["values"]]


def _hidden_leaf(dump: Any) -> Any:
    values = _values(dump)
    return _rebuilt(dump, [*values, [values[0][0], values[0][1], _STRANGER, "1000000"]])


def _unlisted_leaf(dump: Any) -> Any:
    """A leaf that only the tree knows."""
    count = len(dump["values"])
    extra = leaf_of(bytes.fromhex(dump["values"][0]["value"][0][2:]), 1, _STRANGER, 1)
    nodes = nodes_over([*dump["tree"][count - 1 :], extra])
    places = {node: place for place, node in enumerate(nodes)}
    for entry in dump["values"]:
        entry["treeIndex"] = places[dump["tree"][entry["treeIndex"]]]
    return {**dump, "tree": nodes}


def _other_domain(dump: Any) -> Any:
    return _rebuilt(dump, [["0x" + keccak256(b"another vault").hex(), *one[1:]] for one in _values(dump)])


def _greater_leaf(dump: Any) -> Any:
    values = _values(dump)
    values[0][3] = str(int(values[0][3]) + 10_000)
    return _rebuilt(dump, values)


def _swapped_roots(bundle: Any) -> Any:
    return swap("winner_root", "affiliate_root")(bundle)


_TREES = (
    Forgery("winner_leaves", "a hidden leaf: one that no payout lists", telling(winners_merkle=_hidden_leaf)),
    Forgery("winner_leaves", "a leaf is greater than its payout", telling(winners_merkle=_greater_leaf)),
    Forgery("winner_leaves", "the leaves are those of another vault", telling(winners_merkle=_other_domain)),
    Forgery("winner_tree", "a leaf that stands in the tree only", telling(winners_merkle=_unlisted_leaf)),
    Forgery("winner_tree", "two nodes of the tree are swapped", telling(winners_merkle=put("tree", swap(1, 2)))),
    Forgery("winner_tree", "a leaf points to another's place", telling(
        winners_merkle=at("values", 0, "treeIndex", to=plus(1)))),
    Forgery("affiliate_leaves", "a hidden leaf among the affiliates", telling(affiliate_merkle=_hidden_leaf)),
    Forgery("affiliate_leaves", "an affiliate's leaf is greater than his payout", telling(
        affiliate_merkle=_greater_leaf)),
    Forgery("affiliate_tree", "two nodes of the affiliates' tree are swapped", telling(
        affiliate_merkle=put("tree", swap(1, 2)))),
    Forgery("roots", "the two roots are swapped", telling(bundle=_swapped_roots)),
    Forgery("roots", "the winners' root is another", telling(
        bundle=at("winner_root", to=instead(keccak256(b"mine"))))),
)  # fmt: skip


# -- files and signatures --------------------------------------------------------------------------------------------


def _twin(signature: bytes) -> bytes:
    """The same signature in its second spelling."""
    s = _ORDER - int.from_bytes(signature[32:64], "big")
    return signature[:32] + s.to_bytes(32, "big") + bytes([55 - signature[64]])


_FILES = (
    Forgery("form", "checksums.json leaves a file out", telling(checksums=put("files", lambda found: {
        name: digest for name, digest in found.items() if name != "winners_merkle.json"}))),
    Forgery("form", "a file is taken away", bytes_lies={"affiliate_merkle.json": lambda _: None}),
    Forgery("form", "a field is added that no page lists", telling(
        bundle=lambda found: {**found, "note": "all is well"})),
    Forgery("form", "white space that a reader would overlook", bytes_lies={
        "checksums.json": lambda data: json.dumps(json.loads(data), sort_keys=True, indent=1).encode()}),
    Forgery("form", "a key stands twice, and readers disagree which counts", bytes_lies={
        "provenance.json": lambda data: data.replace(b'"takebacks":0', b'"takebacks":1,"takebacks":0')}),
    Forgery("identity", "one file is of another chain", telling(result=at("chain_id", to=plus(1)))),
    Forgery("checksums", "checksums.json lists another file's sha256", telling(
        checksums=put("files", swap("inputs.json", "affiliates.json")))),
    Forgery("links", "the bundle names other inputs", telling(
        bundle=at("inputs_sha256", to=instead(sha256(b"other inputs"))))),
    Forgery("provenance", "two tickets name the same purchase", telling(provenance=put("purchases", lambda found: [
        found[0], {**found[1], "tx_hash": found[0]["tx_hash"], "log_index": found[0]["log_index"]}, *found[2:]]))),
    Forgery("provenance", "provenance.json names another settlement hash", telling(
        provenance=at("settlement_hash", to=instead(keccak256(b"another result"))))),
    Forgery("provenance_on_chain", "a veto is kept quiet", chain_lie=lambda facts: replace(facts, takebacks=1)),
    Forgery("provenance_on_chain", "the release is dated earlier than it was", telling(
        provenance=at("released_at_s", to=plus(-3600)))),
    Forgery("form", "a tree's header without a tree", telling(
        affiliate_merkle=lambda found: {**found, "tree": [], "values": []})),
    Forgery("manifest", "the manifest of another day, signed anew", telling(manifest=at("day_id", to=plus(-1)))),
    Forgery("manifest", "the manifest names another run hash, signed anew", telling(
        manifest=at("run_hash", to=instead(sha256(b"another run"))))),
    Forgery("manifest", "the manifest names another contract, signed anew", telling(
        manifest=put("contracts", lambda found: {**found, "prize_vault": _STRANGER}))),
    Forgery("signature", "another key signs in the SETTLER's name", telling(secret=instead(_OTHER_SECRET))),
    Forgery("signature", "one bit of the signature is changed", telling(
        signature=lambda found: found[:40] + bytes([found[40] ^ 1]) + found[41:])),
    Forgery("signature", "a signature that ends with 0, as some libraries write it", telling(
        signature=lambda found: found[:64] + bytes([found[64] - 27]))),
    Forgery("signature", "a signature of nobody", telling(signature=lambda found: bytes(64) + found[64:])),
    Forgery("signature", "the signature in its second spelling", telling(signature=_twin)),
    Forgery("signer_on_chain", "the manifest is signed by another key, in its own name", telling(
        secret=instead(_OTHER_SECRET), manifest=at("signer", to=instead(wallet_of_secret(_OTHER_SECRET))))),
)  # fmt: skip


# -- the chain -------------------------------------------------------------------------------------------------------


_CHAIN = (
    Forgery("deployment", "the whole day is moved to another chain", telling(head=at("chain_id", to=plus(1)))),
    Forgery("deployment", "the whole day is moved to another contract", telling(
        head=put("contracts", lambda found: {**found, "settlement": _STRANGER}))),
    Forgery("commit", "honest files, and another result is committed",
            chain_lie=lambda facts: replace(facts, settlement_hash=keccak256(b"another result"))),
    Forgery("release", "a day that is not released is passed off as settled",
            chain_lie=lambda facts: replace(facts, status=COMMITTED)),
    Forgery("reserve", "the reserve vault has less than it says", chain_lie=lambda facts: replace(
        facts, balance=facts.held - 1)),
    Forgery("reserve", "the reserve vault holds less than the vaults owe", chain_lie=lambda facts: replace(
        facts, held=facts.prize_vault.owed + facts.affiliate_vault.owed - 1)),
    Forgery("vaults", "the vault was given less in all than for this day", chain_lie=lambda facts: replace(
        facts, prize_vault=replace(facts.prize_vault, released=facts.prize_vault.total - 1))),
    Forgery("claims", "more was paid out than listed payouts", chain_lie=lambda facts: replace(
        facts, prize_vault=replace(facts.prize_vault, claimed=1, taken=1))),
    Forgery("closing_on_chain", "the next day opens with other money",
            chain_lie=lambda facts: replace(facts, closing_hash=keccak256(b"other money"))),
)  # fmt: skip

BOOK_FORGERIES = (*_MONEY, *_TREES, *_FILES, *_CHAIN)

"""Files that an attacker once got through, each refused by name (docs/artifacts.md, "A verifier's way")."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from py_ecc.secp256k1.secp256k1 import G, N, multiply

from tests.support.selftest_day import DAY
from verifier.builder import build_files
from verifier.checking import Differs, NodeSilent
from verifier.facts import Purchases
from verifier.folder import read_day
from verifier.hashing import hex_of, keccak256
from verifier.read_facts import _agreed
from verifier.selftest import facts_of, read_recorded, sources_of
from verifier.signatures import signed_hash, signer_of
from verifier.strict_json import write_canonical
from verifier.verify import Report, verify_day

RECORDED = read_recorded()
SOURCES, FACTS = sources_of(RECORDED), facts_of(RECORDED)


def forged(**lies: Callable[[Any], Any]) -> Report:
    """The report from the files alone on a day that was built with lies."""
    return verify_day(read_day(DAY, dict(build_files(SOURCES, lies))))


def found(report: Report, name: str) -> str:
    """What a check found."""
    return next(one.found for one in report.findings if one.name == name)


def changed(data: bytes | str, change: Callable[[Any], Any]) -> bytes:
    """A document with one change, in canonical form."""
    document = json.loads(data)
    change(document)
    return write_canonical(document)


def test_a_ticket_dropped_from_the_middle_of_the_day_leaves_a_gap() -> None:
    def drop(entries: Any) -> Any:
        return [*entries[:9], *entries[10:]]

    report = forged(tickets=drop, provenance=lambda it: {**it, "purchases": drop(it["purchases"])})
    assert report.failed == ["tickets"]
    assert "ticket 1011 stands after ticket 1009" in found(report, "tickets")


def test_one_affiliate_has_one_rate_on_a_day() -> None:
    def two_rates(entries: Any) -> Any:
        first = next(entry for entry in entries if entry["affiliate"] == entries[-1]["affiliate"])
        first["rate_bps"] += 100
        first["commission"] = first["stake"] * first["rate_bps"] // 10_000
        return entries

    report = forged(commissions=two_rates)
    assert report.failed == ["commissions"]
    assert "second rate" in found(report, "commissions")


def test_the_reserve_is_held_below_the_contracts_largest_number() -> None:
    # Pool 0 pays a jackpot, so that the reserve that stays fits again.
    def full(states: Any) -> Any:
        states[0]["reserve"] = 2**256 - 1
        return states

    report = forged(opening=full)
    assert report.failed == ["closing"]
    assert "reserve of pool 0 is not below 2^256" in found(report, "closing")


def test_a_signature_that_leads_to_the_point_at_infinity_is_nobodys() -> None:
    manifest = json.loads(RECORDED["files"]["manifest.json"])
    manifest["signer"] = hex_of(keccak256(bytes(64))[12:])
    digest = int.from_bytes(signed_hash(manifest), "big")
    for factor in range(1, 99):
        (x, y), s = multiply(G, factor), digest * pow(factor, -1, N) % N
        if s <= N // 2:
            break
    signature = x.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + (y & 1)])
    with pytest.raises(Differs, match="no key"):
        signer_of(signed_hash(manifest), signature)


def test_a_header_over_no_tree_is_not_the_empty_dump() -> None:
    nobody = {**SOURCES.provenance, "purchases": []}
    files: dict[str, bytes | str] = dict(build_files(replace(SOURCES, tickets=[], seeds=None, provenance=nobody), {}))
    assert verify_day(read_day(DAY, files)).holds
    empty = json.loads(RECORDED["files"]["winners_merkle.json"])
    files["winners_merkle.json"] = write_canonical({**empty, "tree": [], "values": []})
    assert "winners_merkle.json: a tree without leaves" in found(verify_day(read_day(DAY, files)), "form")


def test_what_provenance_tells_is_compared_where_it_can_be() -> None:
    files: dict[str, bytes | str] = dict(build_files(SOURCES, {}))
    files["provenance.json"] = changed(files["provenance.json"], lambda it: it.update(settlement_hash="0x" + "ab" * 32))
    assert verify_day(read_day(DAY, files)).failed == ["provenance"]


def test_what_files_alone_cannot_show_is_listed() -> None:
    told = " ".join(verify_day(read_day(DAY, dict(build_files(SOURCES, {})))).untold)
    for text in ("another address gives other numbers", "ruleset 0x", "transactions, blocks and times"):
        assert text in told
    anchored = " ".join(verify_day(read_day(DAY, dict(build_files(SOURCES, {}))), FACTS).untold)
    assert "drand's key in the ruleset and the contract's VRF coordinator" in anchored


def test_what_one_node_does_not_have_another_may_tell_but_they_must_not_differ() -> None:
    asked = Purchases(28, 28, ())
    committer = "0x" + "77" * 20
    poor = replace(FACTS, past_settlers=None, committer=None, purchases=replace(asked, unseen=28))
    rich = replace(FACTS, committer=committer, purchases=asked)
    assert _agreed(poor, rich) == _agreed(rich, poor) == rich
    for other in (replace(rich, committer="0x" + "5e" * 20), replace(rich, status=1), replace(rich, takebacks=1)):
        with pytest.raises(NodeSilent, match="different facts"):
            _agreed(rich, other)

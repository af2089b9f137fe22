"""What a run could not tell, and who looks at it must believe or ask elsewhere (last part of docs/artifacts.md)."""

from collections.abc import Mapping, Sequence
from typing import Any

from verifier.facts import Facts
from verifier.folder import Day
from verifier.hashing import hex_of


def untold(day: Day, facts: Facts | None, not_checked: Sequence[str]) -> list[str]:
    """Lines for people."""
    return _without_chain(day) if facts is None else [*_with_chain(day, facts), *not_checked]


def _with_chain(day: Day, facts: Facts) -> list[str]:
    inputs: Mapping[str, Any] | None = day.docs.get("inputs.json")
    settlement = inputs["contracts"]["settlement"] if inputs else "the named address"
    told = [
        f"that {settlement} is the lottery's contract: compare it with the address that the operator publishes",
        "that the nodes tell the truth about the chain: name several with --rpc, or your own",
    ]
    if inputs and inputs["tickets"]:
        told.append(
            "that drand's key in the ruleset and the contract's VRF coordinator are drand's and Chainlink's own"
        )
    if facts.purchases and facts.purchases.asked < facts.purchases.listed:
        rest = facts.purchases.listed - facts.purchases.asked
        told.append(f"where the events of {rest} other purchases stand (a sample was looked at; the digests hold all)")
    if "provenance.json" in day.docs:
        told.append("what else provenance.json names: observed block, VRF request, release transaction")
    return told


def _without_chain(day: Day) -> list[str]:
    inputs: Mapping[str, Any] | None = day.docs.get("inputs.json")
    told = []
    if inputs:
        settlement = inputs["contracts"]["settlement"]
        told.append(
            f"that chain {inputs['chain_id']} and the contracts (settlement {settlement}) are the "
            "lottery's: the seeds contain both, and another address gives other numbers"
        )
        told.append(f"that ruleset {hex_of(inputs['ruleset_hash'])} was in force on the day")
    told += [
        "that no ticket was left out, added or changed (counts and digests of the contract)",
        "that the opening state is what the day before left",
        "that this result was committed and released, and that the vaults hold it",
        "that the VRF word is the one Chainlink gave",
        "that the affiliates' rates were those in force",
    ]
    if "manifest.json" in day.docs:
        told.append(f"that {day.doc('manifest')['signer']}, who signed the manifest, is the SETTLER")
    if "provenance.json" in day.docs:
        told.append("that the transactions, blocks and times in provenance.json are so")
    return told

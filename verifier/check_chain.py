"""Checks against the chain: pure comparisons of a day's files with facts of one final block."""

from verifier.checking import Differs, NotTold, differ, require, require_equal
from verifier.encodings import settlement_hash, state_hash
from verifier.facts import COMMITTED, RELEASED, Facts, Vault
from verifier.folder import Day


def deployment(day: Day, facts: Facts) -> str:
    """The chain and the contracts that the files name."""
    inputs = day.doc("inputs")
    require_equal(inputs["chain_id"], facts.chain_id, "chain_id")
    for name, address in facts.contracts.items():
        require_equal(inputs["contracts"][name], address, f"{name} of the contracts")
    return f"chain {facts.chain_id}, 4 contracts, at final block {facts.block}"


def ruleset_on_chain(day: Day, facts: Facts) -> str:
    """The ruleset in force on the day."""
    require_equal(day.doc("inputs")["ruleset_hash"], facts.ruleset_hash, "ruleset_hash")
    return "rulesetHashOf(day)"


def sold_on_chain(day: Day, facts: Facts) -> str:
    """No ticket was left out, added or changed."""
    for number, (pool, sold) in enumerate(zip(day.doc("inputs")["pools"], facts.pools, strict=True)):
        for name, value in sold.items():
            require_equal(pool[name], value, f"{name} of pool {number}")
    return "count, tips, stake and digest of 5 pools"


def opening_on_chain(day: Day, facts: Facts) -> str:
    """The state that the day before left."""
    require_equal(state_hash(day.doc("inputs")["opening_state"]), facts.opening_hash, "hash of the opening state")
    return "openingStateHash(day)"


def word_on_chain(day: Day, facts: Facts) -> str:
    """The word that Chainlink gave."""
    seeds = day.doc("settlement_result")["seeds"]
    if seeds is None:
        return "none on a day without tips"
    require(facts.word is not None, "the chain has no VRF word of the day")
    require_equal(seeds["vrf_word"], facts.word, "VRF word")
    return "wordOf(day)"


def request_on_chain(day: Day, facts: Facts) -> str:
    """When the VRF word was requested: the drand round follows from it."""
    seeds = day.doc("settlement_result")["seeds"]
    if seeds is None:
        return "none on a day without tips"
    require_equal(seeds["vrf_requested_at"], facts.requested_at, "time of the VRF request")
    return "requestOf(day)"


def rates_on_chain(day: Day, facts: Facts) -> str:
    """The rates in force on the day."""
    for entry in day.doc("affiliates")["referred"]:
        expected = facts.rates.get(entry["affiliate"])
        require_equal(entry["rate_bps"], expected, f"rate of {entry['affiliate']}")
    return f"{len(facts.rates)} affiliates"


def signer_on_chain(day: Day, facts: Facts) -> str:
    """Who signed the manifest is the SETTLER, or was it once: the first signature stays."""
    if "manifest.json" not in day.docs:
        raise NotTold("there is no manifest; the run hash on the chain stands for it")
    signer = day.doc("manifest")["signer"]
    if signer in {facts.settler, facts.committer, *(facts.past_settlers or ())}:
        return "SETTLER of the contracts"
    if facts.past_settlers is None:
        raise NotTold(f"whether {signer} was SETTLER before {facts.settler}: the nodes do not show the events of Roles")
    known = ", ".join(sorted(facts.past_settlers))
    raise Differs(f"the manifest is signed by {signer}, SETTLER was nobody but {known}")


def commit(day: Day, facts: Facts) -> str:
    """What was committed is this result."""
    if facts.status not in (COMMITTED, RELEASED):
        differ("nothing is committed for the day")
    require_equal(day.sha256s["commit_bundle.json"], facts.run_hash, "run hash (sha256 of commit_bundle.json)")
    require_equal(settlement_hash(day), facts.settlement_hash, "settlement hash")
    return "run hash and settlement hash"


def release(_: Day, facts: Facts) -> str:
    """It is released at a final block."""
    require(facts.status == RELEASED, "the day is not released yet at the newest final block")
    return "status at the final block"


def provenance_on_chain(day: Day, facts: Facts) -> str:
    """The times and takebacks in provenance.json."""
    if "provenance.json" not in day.docs:
        raise NotTold("provenance.json is not there; no hash names it")
    told = day.doc("provenance")
    for name in ("committed_at_s", "released_at_s", "takebacks"):
        require_equal(told[name], getattr(facts, name), f"{name} of provenance.json")
    return "times of commit and release, takebacks"


def closing_on_chain(day: Day, facts: Facts) -> str:
    """The next day opens with what this one left."""
    require_equal(state_hash(day.doc("commit_bundle")["closing_state"]), facts.closing_hash, "hash of closing state")
    return "openingStateHash(day + 1)"


def vaults(day: Day, facts: Facts) -> str:
    """Both vaults hold the root and the total."""
    bundle = day.doc("commit_bundle")
    expected = [
        (bundle["winner_root"], bundle["total_payout"]),
        (bundle["affiliate_root"], bundle["affiliate_total"]),
    ]
    for name, vault, (root, total) in zip(("PrizeVault", "AffiliateVault"), _vaults(facts), expected, strict=True):
        require_equal(root, vault.root, f"root of {name}")
        require_equal(total, vault.total, f"total of {name}")
        require(
            vault.released >= vault.total, f"{name} says it got {vault.released} in all, {vault.total} of it this day"
        )
        require(vault.taken <= vault.released, f"{name} says it paid {vault.taken} of {vault.released} atoms in all")
    return "roots and totals of 2 vaults"


def reserve(_: Day, facts: Facts) -> str:
    """ReserveVault has the money: what it says it holds, and in it what both vaults still owe."""
    owed = sum(vault.owed for vault in _vaults(facts))
    require(facts.held >= owed, f"ReserveVault says it holds {facts.held} atoms, the vaults owe {owed}")
    require(facts.balance >= facts.held, f"ReserveVault has {facts.balance} atoms and says it holds {facts.held}")
    return f"{facts.held} atoms held, {owed} of them for claims"


def claims(day: Day, facts: Facts) -> str:
    """What was claimed are listed payouts, each once."""
    result = day.doc("settlement_result")
    taken, unasked = 0, []
    for name, vault, listed in zip(
        ("PrizeVault", "AffiliateVault"), _vaults(facts), (result["payouts"], result["affiliate_payouts"]), strict=True
    ):
        require(vault.claimed <= vault.total, f"{name} paid {vault.claimed} of {vault.total} atoms")
        require(vault.claimed <= vault.taken, f"{name} paid {vault.claimed} of the day, {vault.taken} in all")
        if vault.claimed_by is not None:
            paid = [payout["amount"] for payout in listed if vault.claimed_by.get(payout["wallet"])]
            require_equal(vault.claimed, sum(paid), f"atoms that {name} paid out")
            taken += len(paid)
        else:
            unasked.append(f"{len(listed)} payouts of {name}")
    if unasked:
        raise NotTold(f"who claimed: {' and '.join(unasked)} are too many to ask for each")
    return f"{taken} claims paid, each of a listed payout"


def purchases(_: Day, facts: Facts) -> str:
    """The purchases that provenance.json names are on the chain."""
    if facts.purchases is None:
        raise NotTold("provenance.json is not there")
    found = facts.purchases
    if found.wrong:
        differ(f"{len(found.wrong)} of {found.asked} purchases: {found.wrong[0]}")
    if found.unseen:
        raise NotTold(f"{found.unseen} of {found.asked} receipts: the nodes do not have them (any more)")
    return f"{found.asked} of {found.listed} purchase events"


def _vaults(facts: Facts) -> tuple[Vault, Vault]:
    return facts.prize_vault, facts.affiliate_vault

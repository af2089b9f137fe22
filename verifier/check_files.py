"""Checks of the files as files: form, checksums, what names what, the manifest and its signature."""

from typing import Any

from verifier.checking import NotTold, differ, require, require_equal
from verifier.documents import DETERMINISTIC
from verifier.encodings import settlement_hash
from verifier.folder import Day
from verifier.hashing import hex_of
from verifier.ruleset import check_pinned, hash_of_ruleset
from verifier.signatures import signed_hash, signer_of


def form(day: Day) -> str:
    """Every file is there, strict JSON in canonical form, with exactly the documented fields."""
    if day.problems:
        name, problem = next(iter(sorted(day.problems.items())))
        more = f" (and {len(day.problems) - 1} more files)" if len(day.problems) > 1 else ""
        differ(f"{name}: {problem}{more}")
    return f"{len(day.docs)} files"


def identity(day: Day) -> str:
    """All files are of this day, this chain and this deployment."""
    inputs = day.doc("inputs")
    for name, document in sorted(day.docs.items()):
        for key in ("day_id", "chain_id", "contracts"):
            if key in document and name != "manifest.json":
                expected = day.day_id if key == "day_id" else inputs[key]
                require_equal(document[key], expected, f"{key} of {name}")
    return f"day {day.day_id}, chain {inputs['chain_id']}"


def checksums(day: Day) -> str:
    """checksums.json names the sha256 of each deterministic file."""
    for name, listed in day.doc("checksums")["files"].items():
        if name in day.sha256s:  # what is not there is a matter of the form
            require_equal(day.sha256s[name], listed, f"sha256 of {name}")
    return f"sha256 of {len(DETERMINISTIC)} files"


def links(day: Day) -> str:
    """The bundle names the two files that stand before the draw."""
    bundle = day.doc("commit_bundle")
    for name in ("inputs", "affiliates"):
        require_equal(day.sha256s[f"{name}.json"], bundle[f"{name}_sha256"], f"{name}_sha256 of commit_bundle.json")
    return "sha256 of inputs.json and affiliates.json"


def ruleset(day: Day) -> str:
    """The ruleset's hash is its hash; one that says it is ruleset 1 is it."""
    inputs = day.doc("inputs")
    check_pinned(day.ruleset_json)
    found = hash_of_ruleset(day.ruleset_json)
    require_equal(inputs["ruleset_hash"], found, "ruleset_hash of inputs.json")
    require_equal(day.doc("commit_bundle")["ruleset_hash"], found, "ruleset_hash of commit_bundle.json")
    version = inputs["ruleset"]["version"]
    return "ruleset 1, known to this program" if version == 1 else f"ruleset {version}, from the file"


def manifest(day: Day) -> str:
    """The manifest names this day, its deployment, its run hash and the six files."""
    document, inputs = day.doc("manifest"), day.doc("inputs")
    require_equal(document["day_id"], day.day_id, "day_id of manifest.json")
    for key in ("chain_id", "contracts"):
        require_equal(document[key], inputs[key], f"{key} of manifest.json")
    for name, listed in document["files"].items():
        if name in day.sha256s:
            require_equal(listed, day.sha256s[name], f"{name} in manifest.json")
    require_equal(document["run_hash"], day.sha256s.get("commit_bundle.json"), "run_hash of manifest.json")
    return "day, contracts, run hash, six files"


def signature(day: Day) -> str:
    """The manifest is signed by the wallet that it names."""
    document = day.doc("manifest")
    signer = signer_of(signed_hash(manifest_json(document)), document["signature"])
    require_equal(signer, document["signer"], "the signer of manifest.json")
    return f"signed by {signer}"


def manifest_json(document: dict[str, Any]) -> dict[str, Any]:
    """The manifest's values as they stand in the file."""
    written = {key: hex_of(value) if isinstance(value, bytes) else value for key, value in document.items()}
    written["files"] = {name: hex_of(found) for name, found in document["files"].items()}
    return written


def provenance(day: Day) -> str:
    """Each ticket has one purchase: a transaction and the place of its event."""
    if "provenance.json" not in day.docs:
        raise NotTold("provenance.json is not there; no hash names it")
    purchases = day.doc("provenance")["purchases"]
    named = [purchase["ticket_id"] for purchase in purchases]
    require_equal(named, [ticket["ticket_id"] for ticket in day.doc("inputs")["tickets"]], "tickets with a purchase")
    places = {(purchase["tx_hash"], purchase["log_index"]) for purchase in purchases}
    require(len(places) == len(purchases), "two tickets name the same event")
    if "commit_bundle.json" in day.docs:
        found = day.doc("provenance")["settlement_hash"]
        require_equal(found, settlement_hash(day), "settlement_hash of provenance.json")
    return f"{len(purchases)} purchases; settlement hash"

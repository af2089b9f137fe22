"""Shows that the checks see: a good day is forged in many ways, and each forgery must be caught by its own check.

The forger recomputes checksums, trees, roots, run hash and all that follows, and signs the manifest anew with the test
key. Out of his reach is what the chain has recorded: ticket digests, VRF word, rates, opening state, ruleset, SETTLER.
What was committed follows the forged files in a first run, as if the SETTLER himself had lied, so that nothing but the
check in question stands in the forger's way. In a second run the true commit stands: the check must fail there too, and
``commit`` joins it wherever what was committed was forged.
"""

import json
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.resources import files as package_files
from typing import Any

from verifier.builder import Sources, as_bytes, build_files
from verifier.documents import VOIDED_FILE
from verifier.documents import inputs as inputs_shape
from verifier.documents import provenance as provenance_shape
from verifier.documents import seeds as seeds_shape
from verifier.encodings import settlement_hash, state_hash
from verifier.facts import Facts, Purchases, Vault
from verifier.folder import Day, read_day, read_voided
from verifier.forgeries_book import BOOK_FORGERIES
from verifier.forgeries_game import GAME_FORGERIES
from verifier.forgeries_voided import DAY, HONEST, VOID_FORGERIES, VoidForgery, void_facts
from verifier.forging import Forgery, Tools
from verifier.hashing import check_keccak
from verifier.report import ANCHORED, VOIDED_ANCHORED, Report
from verifier.verify import verify_day
from verifier.verify_voided import verify_void

#: The test key of the self-test; it belongs to nobody.
SECRET = (0xB0E).to_bytes(32, "big")

FORGERIES: tuple[Forgery, ...] = (*GAME_FORGERIES, *BOOK_FORGERIES)


@dataclass(frozen=True)
class Trial:
    """One forgery, the checks that failed on it, and whether that is exactly the one that should."""

    number: int
    story: str
    expected: str
    failed: tuple[str, ...]
    is_caught: bool
    fails_on_true_commit: bool

    @property
    def verdict(self) -> str:
        """For people."""
        return "caught" if self.is_caught else "NOT CAUGHT"


@dataclass(frozen=True)
class Result:
    """All trials, and what the unforged day got."""

    honest_verdict: str
    trials: tuple[Trial, ...]

    @property
    def caught(self) -> int:
        """How many forgeries were caught by their own check."""
        return sum(trial.is_caught for trial in self.trials)

    @property
    def holds(self) -> bool:
        """Whether the good day passed and no forgery did."""
        return self.honest_verdict == ANCHORED and self.caught == len(self.trials)

    def document(self) -> dict[str, Any]:
        """For machines."""
        return {
            "honest_day": self.honest_verdict,
            "caught": self.caught,
            "of": len(self.trials),
            "forgeries": [
                {
                    "number": one.number,
                    "forged": one.story,
                    "expected": one.expected,
                    "caught_by": list(one.failed),
                    "true_commit_catches_it_too": one.fails_on_true_commit,
                }
                for one in self.trials
            ],
        }


def run_selftest() -> Result:
    """Forge the recorded day in every way. Raises: CannotVerify for a wrong library."""
    check_keccak()
    recorded = read_recorded()
    sources, facts = sources_of(recorded), facts_of(recorded)
    tools = tools_of(recorded)
    honest = {name: text.encode() for name, text in recorded["files"].items()}
    report = verify_day(read_day(sources.day_id, honest), facts)
    # The forger must be a good one: without a lie he builds the recorded day, byte for byte.
    is_faithful = build_files(sources, {}) == honest
    verdict = report.verdict if is_faithful else "the forger cannot rebuild the recorded day"
    honest_void = verify_void_forgery(VoidForgery("", "nothing"))
    if honest_void.verdict != VOIDED_ANCHORED:
        verdict = f"the voided day is {honest_void.verdict}"
    trials = [_trial(number, forgery, sources, facts, tools) for number, forgery in enumerate(FORGERIES, 1)]
    trials += [_void_trial(number, forgery) for number, forgery in enumerate(VOID_FORGERIES, len(trials) + 1)]
    return Result(honest_verdict=verdict, trials=tuple(trials))


def _trial(number: int, forgery: Forgery, sources: Sources, facts: Facts, tools: Tools) -> Trial:
    report = verify_forgery(forgery, sources, facts, tools)
    true_commit = verify_forgery(forgery, sources, facts, tools, commit_follows=False)
    failed = tuple(report.failed)
    return Trial(
        number=number,
        story=forgery.story,
        expected=forgery.check,
        failed=failed,
        is_caught=failed == (forgery.check,) and forgery.check in true_commit.failed,
        fails_on_true_commit="commit" in true_commit.failed,
    )


def _void_trial(number: int, forgery: VoidForgery) -> Trial:
    failed = tuple(verify_void_forgery(forgery).failed)
    truly = verify_void_forgery(forgery, void_follows=False)
    is_caught = failed == (forgery.check,) and forgery.check in truly.failed
    return Trial(number, forgery.story, forgery.check, failed, is_caught, fails_on_true_commit=False)


def verify_void_forgery(forgery: VoidForgery, *, void_follows: bool = True, without: Collection[str] = ()) -> Report:
    """The report on a forged voided.json. ``void_follows``: the void stands on the chain as the file says."""
    document = forgery.lie(deepcopy(dict(HONEST)))
    files: dict[str, bytes | str] = {VOIDED_FILE: as_bytes(document)}
    for name, change in forgery.bytes_lies.items():
        files[name] = change(as_bytes(document))
    facts = forgery.chain_lie(void_facts(document if void_follows else HONEST))
    return verify_void(read_voided(DAY, files), None if forgery.is_offline else facts, without=without)


def verify_forgery(
    forgery: Forgery,
    sources: Sources,
    facts: Facts,
    tools: Tools,
    *,
    commit_follows: bool = True,
    without: Collection[str] = (),
) -> Report:
    """The report on a forged day."""
    files: dict[str, bytes | str] = dict(build_files(sources, forgery.lies(tools)))
    for name, change in forgery.bytes_lies.items():
        changed = change(files[name])
        if changed is None:
            del files[name]
        else:
            files[name] = changed
    day = read_day(sources.day_id, files)
    if commit_follows:
        facts = following(facts, day)
    return verify_day(day, None if forgery.is_offline else forgery.chain_lie(facts), without=without)


def following(facts: Facts, day: Day) -> Facts:
    """The same chain, with this day committed and released on it, and nothing claimed yet."""
    bundle = day.docs.get("commit_bundle.json")
    if bundle is None:
        return facts
    prize, affiliate = facts.prize_vault, facts.affiliate_vault
    return replace(
        facts,
        run_hash=day.sha256s["commit_bundle.json"],
        settlement_hash=settlement_hash(day),
        closing_hash=state_hash(bundle["closing_state"]),
        prize_vault=_unclaimed(prize, bundle["winner_root"], bundle["total_payout"]),
        affiliate_vault=_unclaimed(affiliate, bundle["affiliate_root"], bundle["affiliate_total"]),
        held=bundle["total_payout"] + bundle["affiliate_total"],
        balance=bundle["total_payout"] + bundle["affiliate_total"],
    )


def _unclaimed(vault: Vault, root: bytes, total: int) -> Vault:
    return replace(vault, root=root, total=total, claimed=0, claimed_by={}, released=total, taken=0)


def read_recorded() -> dict[str, Any]:
    """The recorded day: its files, what the chain knew of it, other valid beacons of its drand network."""
    text = package_files("verifier").joinpath("recorded_day.json").read_text(encoding="ascii")
    recorded: dict[str, Any] = json.loads(text)
    return recorded


def sources_of(recorded: Mapping[str, Any]) -> Sources:
    """What the settler of the recorded day had before he computed."""
    inputs_json = json.loads(recorded["files"]["inputs.json"])
    inputs = inputs_shape(inputs_json, "")
    provenance = provenance_shape(json.loads(recorded["files"]["provenance.json"]), "")
    seeds = json.loads(recorded["files"]["settlement_result.json"])["seeds"]
    return Sources(
        day_id=inputs["day_id"],
        chain_id=inputs["chain_id"],
        contracts=inputs["contracts"],
        ruleset=inputs["ruleset"],
        ruleset_json=inputs_json["ruleset"],
        opening=inputs["opening_state"],
        tickets=inputs["tickets"],
        seeds=seeds_shape(seeds, "seeds"),
        rates=recorded["facts"]["rates"],
        provenance=provenance,
        secret=SECRET,
    )


def facts_of(recorded: Mapping[str, Any]) -> Facts:
    """What the chain knew of the recorded day."""
    found = recorded["facts"]
    vaults = {
        name: Vault(
            root=bytes.fromhex(found[name]["root"]),
            total=int(found[name]["total"]),
            claimed=int(found[name]["claimed"]),
            claimed_by=found[name]["claimed_by"],
            released=int(found[name]["owed"]) + int(found[name]["claimed"]),
            taken=int(found[name]["claimed"]),
        )
        for name in ("prize_vault", "affiliate_vault")
    }
    return Facts(
        block=found["block"],
        chain_id=found["chain_id"],
        contracts=found["contracts"],
        ruleset_hash=bytes.fromhex(found["ruleset_hash"]),
        pools=tuple(
            {**pool, "stake": int(pool["stake"]), "digest": bytes.fromhex(pool["digest"])} for pool in found["pools"]
        ),
        word=int(found["word"]),
        requested_at=found["requested_at"],
        opening_hash=bytes.fromhex(found["opening_hash"]),
        closing_hash=bytes.fromhex(found["closing_hash"]),
        rates=found["rates"],
        settler=found["settlers"][0],
        past_settlers=frozenset(found["settlers"]),
        committer=None,
        status=found["status"],
        run_hash=bytes.fromhex(found["run_hash"]),
        settlement_hash=bytes.fromhex(found["settlement_hash"]),
        committed_at_s=found["committed_at_s"],
        released_at_s=found["released_at_s"],
        takebacks=0,
        prize_vault=vaults["prize_vault"],
        affiliate_vault=vaults["affiliate_vault"],
        held=int(found["held"]),
        balance=int(found["held"]),
        purchases=Purchases(found["purchases"], found["purchases"], ()),
    )


def tools_of(recorded: Mapping[str, Any]) -> Tools:
    """What a forger of the recorded day can get."""
    beacons = {name: (one["round"], bytes.fromhex(one["signature"])) for name, one in recorded["beacons"].items()}
    return Tools(beacons=beacons, ruleset_hash=bytes.fromhex(recorded["facts"]["ruleset_hash"]))

"""Runs all checks of a day, in order, and sums them up."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from verifier import check_chain, check_files, check_game, check_money
from verifier.checking import CannotVerify, Differs, NodeSilent, NotTold
from verifier.documents import VOIDED_FILE
from verifier.facts import Facts
from verifier.folder import Day, read_day, read_folder, read_voided
from verifier.hashing import check_keccak, hex_of
from verifier.read_facts import read_facts
from verifier.report import ANCHORED, CONSISTENT, FAILED, NOT_CHECKED, OK, REFUSED, Finding, Report
from verifier.untold import untold
from verifier.verify_voided import verify_voided

_INPUTS, _BUNDLE, _RESULT, _PARTS = "inputs", "commit_bundle", "settlement_result", "affiliates"
_BOTH, _ALL = (_INPUTS, _RESULT), (_INPUTS, _RESULT, _BUNDLE)


@dataclass(frozen=True)
class Check:
    """A named check: what it compares, and the files without which it cannot be made."""

    name: str
    compares: str
    run: Callable[..., str]
    needs: tuple[str, ...] = ()
    on_chain: bool = False


def _check(run: Callable[..., str], compares: str, *needs: str, name: str | None = None) -> Check:
    return Check(name or run.__name__, compares, run, needs)


_FILES = (
    Check("form", "all files are there, in canonical form, with the documented fields", check_files.form),
    _check(check_files.identity, "day, chain and contracts are the same in all files", _INPUTS),
    _check(check_files.ruleset, "ruleset_hash is the ruleset's; ruleset 1 is ruleset 1", _INPUTS, _BUNDLE),
    _check(check_files.checksums, "sha256 of each file = checksums.json", "checksums"),
    _check(check_files.links, "sha256 of inputs and affiliates = the bundle's", _BUNDLE),
    _check(check_files.manifest, "the manifest names the day, its files, its run hash", _INPUTS, "manifest"),
    _check(check_files.signature, "the manifest's signature is its signer's", "manifest"),
    _check(check_files.provenance, "each ticket has one purchase event", _INPUTS),
    _check(check_game.ticket_rules, "tips, bonus, stake, order of each ticket", _INPUTS, name="tickets"),
    _check(check_game.digests, "the tickets fold to the pools' digests", _INPUTS),
    _check(check_game.sold, "what was sold is the same in all files", *_ALL),
    _check(check_game.opening, "the opening state is the same in all files", *_ALL),
    _check(check_game.splits, "fee, rollover, jackpot and pot of each pool", *_BOTH),
    _check(check_game.budgets, "what the tiers of each pool share", _RESULT),
    _check(check_game.seeds, "seeds stand there exactly on a day with tips", *_ALL),
    _check(check_game.drand_round, "the drand round is the one after close and VRF request", *_BOTH),
    _check(check_game.beacon, "the drand signature is the network's", *_BOTH),
    _check(check_game.randomness, "drand_randomness = sha256 of the signature", _RESULT),
    _check(check_game.numbers, "the winning numbers follow from the seeds", *_BOTH),
    _check(check_game.winners, "winning tips of each tier, by matching every tip", *_BOTH),
    _check(check_game.tiers, "share, each and payout of each tier", *_BOTH),
    _check(check_game.jackpots, "who takes the jackpot, and how much", *_BOTH),
    _check(check_game.payouts, "what each wallet won", *_BOTH),
    _check(check_game.closing, "what stays in each pool; no atom lost", _RESULT),
    _check(check_money.referred, "own stake of each referred player", _INPUTS, _PARTS),
    _check(check_money.commissions, "commission of each pair", _INPUTS, _PARTS),
    _check(check_money.affiliates, "what each affiliate gets", _PARTS, _RESULT),
    _check(check_money.fee, "affiliates + charity + net fee = fee", _PARTS, *_BOTH),
    _check(check_money.totals, "sums over the pools", _PARTS, _RESULT),
    _check(check_money.bundle, "the bundle names the result's facts", _BUNDLE, _RESULT),
    _check(check_money.winner_leaves, "one leaf for each listed payout", *_BOTH, "winners_merkle"),
    _check(check_money.winner_tree, "every node of the winners' tree", "winners_merkle"),
    _check(check_money.affiliate_leaves, "one leaf for each affiliate", *_BOTH, "affiliate_merkle"),
    _check(check_money.affiliate_tree, "every node of the affiliates' tree", "affiliate_merkle"),
    _check(check_money.roots, "the bundle's roots are the trees'", _BUNDLE, "winners_merkle", "affiliate_merkle"),
)


def _chain(run: Callable[..., str], compares: str) -> Check:
    return Check(run.__name__, compares, run, tuple(name.removesuffix(".json") for name in _ON_CHAIN_NEEDS), True)


_ON_CHAIN_NEEDS = ("inputs.json", "affiliates.json", "settlement_result.json", "commit_bundle.json")
_CHAIN = (
    _chain(check_chain.deployment, "chain id and contracts"),
    _chain(check_chain.ruleset_on_chain, "the ruleset in force on the day"),
    _chain(check_chain.sold_on_chain, "count, stake, digest: no ticket left out"),
    _chain(check_chain.opening_on_chain, "the opening state is what the day before left"),
    _chain(check_chain.request_on_chain, "the VRF word was requested when the files say"),
    _chain(check_chain.word_on_chain, "the VRF word is the one that was delivered"),
    _chain(check_chain.rates_on_chain, "the affiliates' rates in force on the day"),
    _chain(check_chain.commit, "what was committed is this result"),
    _chain(check_chain.release, "it is released at a final block"),
    _chain(check_chain.signer_on_chain, "the manifest's signer is the SETTLER"),
    _chain(check_chain.closing_on_chain, "the next day opens with what this one left"),
    _chain(check_chain.vaults, "roots and totals of both vaults"),
    _chain(check_chain.reserve, "ReserveVault has what is owed"),
    _chain(check_chain.claims, "what was claimed are listed payouts"),
    _chain(check_chain.provenance_on_chain, "the times and takebacks in provenance.json"),
    _chain(check_chain.purchases, "purchase events stand where the files say"),
)


def checks_of(*, on_chain: bool) -> tuple[Check, ...]:
    """The checks of a settled day, in order."""
    return (*_FILES, *_CHAIN) if on_chain else _FILES


def verify_folder(day_id: int, folder: Path, urls: Sequence[str] = ()) -> Report:
    """Check the files of a folder, and against the chain if nodes are named.

    Raises: CannotVerify for a wrong request or a wrong library, NodeSilent when a node does not answer.
    """
    check_keccak()
    files = read_folder(folder)
    if VOIDED_FILE in files:
        return verify_voided(read_voided(day_id, files), urls)
    day = read_day(day_id, files)
    if not urls:
        return verify_day(day)
    if not all(name in day.docs for name in _ON_CHAIN_NEEDS):
        # The form has failed already, and what to ask the chain about cannot be read.
        return verify_day(day, on_chain=True)
    try:
        facts = read_facts(urls, day)
    except Differs as error:
        return verify_day(day, on_chain=True, chain_problem=str(error))
    return verify_day(day, facts)


def verify_day(
    day: Day,
    facts: Facts | None = None,
    *,
    on_chain: bool = False,
    chain_problem: str | None = None,
    without: Collection[str] = (),
) -> Report:
    """Run every check, also after one has failed. ``without`` leaves checks out: for the self-test's own test."""
    checks = checks_of(on_chain=on_chain or facts is not None)
    findings = [_run(check, day, facts, chain_problem) for check in checks if check.name not in without]
    has_failed = any(finding.verdict == FAILED for finding in findings)
    verdict = REFUSED if has_failed else ANCHORED if facts is not None else CONSISTENT
    bundle = day.sha256s.get("commit_bundle.json")
    return Report(
        day.day_id,
        hex_of(bundle) if bundle else None,
        verdict,
        tuple(findings),
        tuple(untold(day, facts, [one.found for one in findings if one.verdict == NOT_CHECKED])),
    )


def _run(check: Check, day: Day, facts: Facts | None, chain_problem: str | None) -> Finding:
    missing = [f"{name}.json" for name in check.needs if f"{name}.json" not in day.docs]
    if missing == ["manifest.json"] and "manifest.json" not in day.problems and facts is None:
        # With the chain, its run hash stands for the manifest; without, nobody does.
        return Finding(check.name, check.compares, FAILED, "manifest.json is not there: nobody signed for these files")
    if missing:
        return Finding(check.name, check.compares, NOT_CHECKED, f"{missing[0]} cannot be read")
    try:
        if check.on_chain and facts is None:
            if chain_problem is not None and check.run is check_chain.deployment:
                raise Differs(chain_problem)
            raise NotTold("the chain's facts could not be read")
        compared = check.run(day, facts) if check.on_chain else check.run(day)
    except Differs as error:
        return Finding(check.name, check.compares, FAILED, str(error))
    except NotTold as error:
        return Finding(check.name, check.compares, NOT_CHECKED, str(error))
    except (CannotVerify, NodeSilent):
        raise
    except Exception as error:
        # Whatever a file makes of our own code, it is the file that is not as it should be.
        return Finding(check.name, check.compares, FAILED, f"cannot be evaluated ({type(error).__name__})")
    return Finding(check.name, check.compares, OK, compared)

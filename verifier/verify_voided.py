"""Runs all checks of a voided day, whose folder holds voided.json only."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from verifier import check_voided
from verifier.checking import Differs, NotTold
from verifier.folder import VoidedFolder
from verifier.read_voided import VoidFacts, read_void_facts
from verifier.report import FAILED, NOT_CHECKED, OK, REFUSED, VOIDED, VOIDED_ANCHORED, Finding, Report

_FILE: tuple[tuple[Callable[[VoidedFolder], str], str], ...] = (
    (check_voided.form, "voided.json is there alone, in canonical form, with the documented fields"),
    (check_voided.identity, "the file is of this day"),
    (check_voided.closing, "no rollover is left in a pool"),
    (check_voided.void_time, "the time of the void is one that the contract allows"),
)
_CHAIN: tuple[tuple[Callable[[VoidedFolder, VoidFacts], str], str], ...] = (
    (check_voided.void_on_chain, "the day is voided, at this time"),
    (check_voided.block_on_chain, "the block that the file names"),
    (check_voided.event_on_chain, "the event of the void"),
    (check_voided.stake_on_chain, "the stake is what was sold; no more is refundable"),
    (check_voided.closing_on_chain, "the next day opens with what this one left"),
)
CHECKS = tuple(run.__name__ for run, _ in (*_FILE, *_CHAIN))


def verify_voided(folder: VoidedFolder, urls: Sequence[str]) -> Report:
    """Check voided.json, and against the chain if nodes are named.

    Raises: CannotVerify for a wrong request, NodeSilent when a node does not answer.
    """
    if not urls or folder.problem is not None:
        return verify_void(folder)
    try:
        facts = read_void_facts(urls, folder.day_id, folder.document)
    except Differs as error:
        return verify_void(folder, chain_problem=str(error))
    return verify_void(folder, facts)


def verify_void(
    folder: VoidedFolder,
    facts: VoidFacts | None = None,
    *,
    chain_problem: str | None = None,
    without: Collection[str] = (),
) -> Report:
    """Run every check, also after one has failed. ``without`` leaves checks out: for the self-test's own test."""
    runs = [(run.__name__, compares, partial(run, folder)) for run, compares in _FILE]
    if facts is not None:
        runs += [(run.__name__, compares, partial(run, folder, facts)) for run, compares in _CHAIN]
    if folder.problem is not None:
        runs = runs[:1]  # there is nothing more to look at
    findings = [_run(*run) for run in runs if run[0] not in without]
    if chain_problem is not None:
        findings.append(Finding("void_on_chain", _CHAIN[0][1], FAILED, chain_problem))
    has_failed = any(finding.verdict == FAILED for finding in findings)
    verdict = REFUSED if has_failed else VOIDED if facts is None else VOIDED_ANCHORED
    not_checked = [finding.found for finding in findings if finding.verdict == NOT_CHECKED]
    return Report(folder.day_id, None, verdict, tuple(findings), (*_untold(folder, facts), *not_checked))


def _run(name: str, compares: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, compares, OK, check())
    except Differs as error:
        return Finding(name, compares, FAILED, str(error))
    except NotTold as error:
        return Finding(name, compares, NOT_CHECKED, str(error))


def _untold(folder: VoidedFolder, facts: VoidFacts | None) -> tuple[str, ...]:
    if folder.problem is not None:
        return ()
    settlement, chain_id = folder.document["settlement"], folder.document["chain_id"]
    tickets = "which tickets the stake is made of, and who has got what back: the events of the contracts say so"
    if facts is None:
        return (
            f"that chain {chain_id} and settlement {settlement} are the lottery's",
            "that the day was voided at all, with this stake and closing state, in the named block",
            tickets,
        )
    return (
        f"that {settlement} is the lottery's contract: compare it with the address that the operator publishes",
        "that the nodes tell the truth about the chain: name several with --rpc, or your own",
        tickets,
    )

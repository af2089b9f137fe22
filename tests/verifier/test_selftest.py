"""The self-test sees what it says: every forgery is caught by its own check, and by nothing else."""

import json

import pytest

from tests.support.selftest_day import PATH, recorded_document
from verifier.builder import build_files
from verifier.forgeries_voided import VOID_FORGERIES
from verifier.forging import Forgery
from verifier.selftest import (
    FORGERIES,
    Result,
    facts_of,
    read_recorded,
    run_selftest,
    sources_of,
    tools_of,
    verify_forgery,
)
from verifier.verify import checks_of

RECORDED = read_recorded()
SOURCES, FACTS, TOOLS = sources_of(RECORDED), facts_of(RECORDED), tools_of(RECORDED)


def test_the_recorded_day_is_the_one_that_core_settles() -> None:
    assert json.loads(PATH.read_text(encoding="ascii")) == recorded_document()


def test_the_recorded_day_has_something_to_forge_everywhere() -> None:
    result = json.loads(RECORDED["files"]["settlement_result.json"])
    jackpots = [pool["jackpot_matches"] for pool in result["pools"]]
    # One for a six, one for a streak, one that is kept, and a pool without tickets.
    assert (jackpots[0], jackpots[1], jackpots[2]) == (6, 5, 0)
    assert result["pools"][4]["ticket_count"] == 0
    assert len(result["affiliate_payouts"]) == 2
    tickets = json.loads(RECORDED["files"]["inputs.json"])["tickets"]
    assert any(ticket["voucher_tips"] for ticket in tickets)
    assert any(ticket["bonus_tips"] for ticket in tickets)


def test_the_forger_without_a_lie_builds_the_honest_day() -> None:
    assert {name: data.decode() for name, data in build_files(SOURCES, {}).items()} == RECORDED["files"]


@pytest.fixture(scope="module")
def result() -> Result:
    """The self-test, once."""
    return run_selftest()


def test_every_forgery_is_caught_and_the_honest_day_passes(result: Result) -> None:
    assert result.honest_verdict == "anchored"
    assert [trial.story for trial in result.trials if not trial.is_caught] == []
    assert result.caught == len(FORGERIES) + len(VOID_FORGERIES) >= 36


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: f"{forgery.check}: {forgery.story}"[:70])
def test_only_the_named_check_stands_in_the_way_of_a_forgery(forgery: Forgery) -> None:
    report = verify_forgery(forgery, SOURCES, FACTS, TOOLS)
    assert report.failed == [forgery.check]
    let_through = verify_forgery(forgery, SOURCES, FACTS, TOOLS, without={forgery.check})
    assert let_through.holds


def test_every_check_has_a_forgery_of_its_own() -> None:
    # `purchases` compares with receipts, which a recorded day has none of; the tests with a chain forge those.
    names = {check.name for check in checks_of(on_chain=True)}
    assert names - {forgery.check for forgery in FORGERIES} == {"purchases"}


def test_what_the_settler_lies_about_before_the_commit_does_not_fit_the_true_commit_either(result: Result) -> None:
    moved = {trial.story: trial.fails_on_true_commit for trial in result.trials}
    assert moved["a cent is moved from one winner to another"]
    assert moved["the reserve loses an atom"]
    assert not moved["one bit of the signature is changed"]

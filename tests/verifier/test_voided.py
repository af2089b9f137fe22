"""The verifier reads the folder of a voided day: what core writes passes, anything else is refused by its own check."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bo_engine.units import Atoms, DayId, Hash32, Wallet
from core.lottery.documents.voided import render_voided
from core.lottery.model import PoolState, VoidedDay
from verifier.folder import read_voided
from verifier.forgeries_voided import DAY, HONEST, VOID_FORGERIES, VoidForgery, void_facts
from verifier.report import REFUSED, VOIDED, VOIDED_ANCHORED
from verifier.selftest import verify_void_forgery
from verifier.strict_json import write_canonical
from verifier.verify import verify_folder
from verifier.verify_voided import CHECKS, verify_void


def core_file() -> bytes:
    """The self-test's voided day as the engine's core writes it."""
    block = HONEST["block"]
    voided = VoidedDay(
        day_id=DayId(DAY),
        stake_atoms=Atoms(HONEST["stake"]),
        closing=tuple(
            PoolState(Atoms(one["carry"]), Atoms(one["reserve"]), Atoms(one["last_rollover"]), one["streak"])
            for one in HONEST["closing_state"]
        ),
        block_number=block["number"],
        block_hash=Hash32(block["hash"]),
        block_time_s=block["time_s"],
        tx_hash=Hash32(HONEST["tx_hash"]),
    )
    return b"".join(render_voided(voided, chain_id=HONEST["chain_id"], settlement=Wallet(HONEST["settlement"])))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The day's folder as the engine leaves it."""
    (tmp_path / "voided.json").write_bytes(core_file())
    return tmp_path


def rewrite(folder: Path, change: Callable[[Any], Any]) -> None:
    """Change voided.json, in canonical form."""
    document = json.loads((folder / "voided.json").read_bytes())
    change(document)
    (folder / "voided.json").write_bytes(write_canonical(document))


def test_the_file_that_core_writes_is_accepted_and_not_anchored(folder: Path) -> None:
    report = verify_folder(DAY, folder)
    assert (report.verdict, report.holds, report.failed) == (VOIDED, True, [])
    assert VOIDED == "voided, not anchored"
    assert report.document()["run_hash"] is None
    told = " ".join(report.untold)
    assert "that the day was voided at all" in told and HONEST["settlement"] in told


def test_with_the_chain_it_is_anchored() -> None:
    report = verify_void(read_voided(DAY, {"voided.json": core_file()}), void_facts(HONEST))
    assert (report.verdict, [one.name for one in report.findings]) == (VOIDED_ANCHORED, list(CHECKS))
    assert {one.verdict for one in report.findings} == {"ok"}


def test_a_node_that_shows_no_events_proves_nothing_and_says_so() -> None:
    forgery = VoidForgery("", "", chain_lie=lambda facts: replace(facts, events=None))
    report = verify_void_forgery(forgery)
    assert (report.verdict, report.failed) == (VOIDED_ANCHORED, [])
    assert any("do not show events" in text for text in report.untold)


def test_a_file_of_a_settlement_beside_it_is_refused(folder: Path) -> None:
    (folder / "inputs.json").write_bytes(b"{}")
    report = verify_folder(DAY, folder)
    assert (report.verdict, report.failed) == (REFUSED, ["form"])
    assert "inputs.json" in report.findings[0].found


def test_a_void_of_another_day_or_of_nonsense_is_refused(folder: Path) -> None:
    assert verify_folder(DAY + 1, folder).failed == ["identity"]
    rewrite(folder, lambda it: it.update(stake=12_250_000))
    report = verify_folder(DAY, folder)
    assert (report.failed, len(report.findings)) == (["form"], 1)
    (folder / "voided.json").write_bytes(b"\xff")
    assert verify_folder(DAY, folder).failed == ["form"]
    (folder / "voided.json").unlink()
    (folder / "voided.json").mkdir()
    assert verify_folder(DAY, folder).failed == ["form"]


@pytest.mark.parametrize("forgery", VOID_FORGERIES, ids=lambda forgery: f"{forgery.check}: {forgery.story}"[:70])
def test_only_the_named_check_stands_in_the_way_of_a_forgery(forgery: VoidForgery) -> None:
    assert verify_void_forgery(forgery).failed == [forgery.check]
    if forgery.check != "form":
        assert verify_void_forgery(forgery, without={forgery.check}).holds


def test_every_check_of_a_voided_day_has_a_forgery_of_its_own() -> None:
    assert {forgery.check for forgery in VOID_FORGERIES} == set(CHECKS)

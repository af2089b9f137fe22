"""Days that the engine settled on a real chain: consistent from their files, anchored with a node (rule 4.7)."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from bo_engine.units import DayId
from local_world.chain_account import ChainAccount
from local_world.lottery.chain_view import ChainView
from local_world.lottery.claims import PRIZES, ClaimBook, Claimer, load_claims
from services.lottery.settlement.files.artifacts import restore_artifacts
from services.lottery.settlement.settle_days import run_one_step
from tests.invariants.checker import check_invariants
from tests.support.offices import name, pass_time, take
from tests.support.played_world import PlayedWorld
from tests.support.voiding import after_close, void_as_planned
from verifier.checking import CannotVerify, NodeSilent
from verifier.node import Node
from verifier.report import ANCHORED, CONSISTENT, VOIDED, VOIDED_ANCHORED, Report
from verifier.strict_json import write_canonical
from verifier.verify import verify_folder

SILENT = "http://127.0.0.1:1"  # where nobody listens

pytestmark = pytest.mark.world


def folder_of(played: PlayedWorld, day: DayId | None = None) -> Path:
    """Where a day's files lie."""
    return Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day if day is None else day}"


def nodes(played: PlayedWorld) -> tuple[str, str]:
    """Both endpoints of the world."""
    return played.env["RPC_URL"], played.env["RPC_FALLBACK_URL"]


def verify(played: PlayedWorld, day: DayId | None = None, *, anchored: bool = True) -> Report:
    """The verifier's report on a day."""
    day = played.day if day is None else day
    return verify_folder(day, folder_of(played, day), nodes(played) if anchored else ())


def rewrite(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    """Change a file's document and write it back in canonical form."""
    document = json.loads((folder / name).read_bytes())
    change(document)
    (folder / name).write_bytes(write_canonical(document))


def test_a_settled_day_with_claims_is_anchored_and_so_is_the_empty_day_after_it(played: PlayedWorld) -> None:
    played.settle_through()
    contracts = played.world.contracts
    claims = load_claims(folder_of(played) / "winners_merkle.json", PRIZES, played.day, 421_614, contracts.prize_vault)
    sender = ChainAccount(played.chain, played.world.account("relayer"))
    Claimer(ChainView(played.chain, contracts), ClaimBook()).claim_many(sender, claims[:2])
    played.chain.mine(2)

    offline = verify(played, anchored=False)
    assert (offline.verdict, offline.failed) == (CONSISTENT, [])
    assert any("VRF word" in text for text in offline.untold)
    assert any("ruleset 0x" in text for text in offline.untold)
    report = verify(played)
    assert (report.verdict, report.failed) == (ANCHORED, [])
    assert {one.verdict for one in report.findings} == {"ok"}
    found = {one.name: one.found for one in report.findings}
    assert found["claims"].startswith("2 claims")
    tickets = len(json.loads((folder_of(played) / "inputs.json").read_bytes())["tickets"])
    assert found["purchases"] == f"{tickets} of {tickets} purchase events"

    empty = DayId(played.day + 1)
    played.close(empty, has_tips=False)
    played.settle()
    played.pass_challenge()
    played.settle()
    assert verify(played, empty, anchored=False).verdict == CONSISTENT
    assert verify(played, empty).verdict == ANCHORED
    check_invariants(played)


def test_a_commit_in_its_challenge_period_can_be_checked_and_is_not_called_released(played: PlayedWorld) -> None:
    played.settle()
    assert verify(played, anchored=False).verdict == CONSISTENT
    report = verify(played)
    assert "release" in report.failed
    assert not {"commit", "deployment", "sold_on_chain", "word_on_chain", "signer_on_chain"} & set(report.failed)


def test_files_that_are_not_those_of_the_chain_are_found(played: PlayedWorld) -> None:
    played.settle_through()
    folder = folder_of(played)
    rewrite(folder, "provenance.json", lambda it: it["purchases"][0].update(log_index=99))
    assert verify(played).failed == ["purchases"]
    with played.context() as context:
        restore_artifacts(context, played.day)
    rewrite(folder, "inputs.json", lambda it: it["contracts"].update(settlement="0x" + "11" * 20))
    report = verify(played)
    assert "deployment" in report.failed
    assert "answers" in next(one.found for one in report.findings if one.name == "deployment")


@pytest.mark.slow
def test_a_node_that_does_not_answer_or_answers_nonsense_is_no_verdict(played: PlayedWorld) -> None:
    played.settle_through()
    with pytest.raises(NodeSilent):
        verify_folder(played.day, folder_of(played), [nodes(played)[0], SILENT])
    done = played.cli("verify", "--day", str(played.day), "--dir", str(folder_of(played)), "--rpc", SILENT)
    assert done.code == 75
    assert "node_silent" in done.stderr


@pytest.mark.slow
def test_a_node_that_is_late_lost_its_index_or_is_of_another_chain_is_no_forgery(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.settle_through()
    honest = Node.ask_all

    def lying(method: str, change: Callable[[Any], Any], first: int = 0) -> None:
        """From its answer number ``first`` on the node answers a method otherwise."""
        asked = [0]

        def ask_all(node: Node, questions: Any) -> list[Any]:
            answers = honest(node, questions)
            if questions and questions[0][0] == method:
                asked[0] += 1
                if asked[0] > first:
                    return [change(answer) for answer in answers]
            return answers

        monkeypatch.setattr(Node, "ask_all", ask_all)

    one = nodes(played)[:1]
    lying("eth_getTransactionReceipt", lambda _: None)
    report = verify_folder(played.day, folder_of(played), one)
    assert (report.verdict, report.failed) == (ANCHORED, [])
    assert any("receipts: the nodes do not have them" in text for text in report.untold)
    lying("eth_chainId", lambda _: "0x1")
    with pytest.raises(CannotVerify, match="node 1 is of chain 1, the files are of chain 421614"):
        verify_folder(played.day, folder_of(played), one)
    lying("eth_getBlockByNumber", lambda head: {**head, "timestamp": hex((played.day + 1) * 86_400 - 1)})
    with pytest.raises(NodeSilent, match="behind"):
        verify_folder(played.day, folder_of(played), one)
    lying("eth_getBlockByNumber", lambda head: {**head, "number": "0x5"}, first=1)
    with pytest.raises(NodeSilent, match="gives block 5 for block"):
        verify_folder(played.day, folder_of(played), one)
    lying("eth_getBlockByNumber", lambda head: {**head, "hash": "0x" + "ab" * 32}, first=2)
    with pytest.raises(NodeSilent, match="changed its block"):
        verify_folder(played.day, folder_of(played), one)

    monkeypatch.setattr(Node, "ask_all", honest)
    monkeypatch.setattr("verifier.read_facts._MAX_ASKED_CLAIMS", 0)
    report = verify(played)
    assert (report.verdict, report.failed) == (ANCHORED, [])
    assert any("too many to ask for each" in text for text in report.untold)


@pytest.mark.slow
def test_the_command_needs_no_environment_at_all(played: PlayedWorld, tmp_path: Path) -> None:
    played.settle_through()
    folder = tmp_path / "elsewhere"
    shutil.copytree(folder_of(played), folder)
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://nobody@127.0.0.1:1/none\nCHAIN_ID=not a number\n")
    done = subprocess.run(
        [sys.executable, "-I", "-m", "cli.main", "verify", "--day", str(played.day), "--dir", str(folder), "--json"],
        env={"PATH": os.defpath},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["verdict"], document["exit_code"]) == (CONSISTENT, 0)
    assert done.stderr == ""


@pytest.mark.slow
def test_the_manifest_of_before_a_key_rotation_comes_back_byte_for_byte_and_is_never_signed_anew(
    played: PlayedWorld,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played.settle_through()
    manifest = (folder_of(played) / "manifest.json").read_bytes()
    shutil.rmtree(folder_of(played))
    other = Account.from_key("0x" + "77" * 32)
    name(played, other.address)
    pass_time(played)
    take(played, other)
    with played.context(SETTLER_PRIVATE_KEY="0x" + "77" * 32) as context:
        restore_artifacts(context, played.day)
        assert (folder_of(played) / "manifest.json").read_bytes() == manifest
        assert run_one_step(context, "commit", played.day).facts["manifest"] == "signed"
    assert (folder_of(played) / "manifest.json").read_bytes() == manifest
    # Its signer is not the SETTLER any more, but he was, as the events of Roles show; also where nobody names a commit.
    assert verify(played).verdict == ANCHORED
    rewrite(folder_of(played), "provenance.json", lambda it: it.update(commit_tx=None))
    report = verify(played)
    assert (report.verdict, report.failed) == (ANCHORED, [])
    assert "signer_on_chain" not in [one.name for one in report.findings if one.verdict == "not checked"]
    # A node that shows no events proves nothing against him.
    monkeypatch.setattr("verifier.read_roles._logs", lambda *_: None)
    report = verify(played)
    assert (report.verdict, report.failed) == (ANCHORED, [])
    assert any("was SETTLER before" in text for text in report.untold)


def test_a_voided_day_is_anchored_and_a_file_that_the_chain_does_not_hold_is_found(played: PlayedWorld) -> None:
    after_close(played, played.day, 30)
    void_as_planned(played, played.day, "gas_safe")
    (outcome,) = played.settle(played.day, SETTLER_PRIVATE_KEY="")
    assert outcome.status == "VOIDED"
    offline = verify(played, anchored=False)
    assert (offline.verdict, offline.holds) == (VOIDED, True)
    report = verify(played)
    assert (report.verdict, {one.verdict for one in report.findings}) == (VOIDED_ANCHORED, {"ok"})

    honest = (folder_of(played) / "voided.json").read_bytes()
    for change, caught in (
        (lambda it: it["block"].update(number=it["block"]["number"] + 1), {"block_on_chain", "event_on_chain"}),
        (lambda it: it["block"].update(number=2**40), {"block_on_chain"}),
        (lambda it: it["block"].update(time_s=it["block"]["time_s"] - 1), {"void_on_chain", "block_on_chain"}),
        (lambda it: it.update(tx_hash="0x" + "11" * 32), {"event_on_chain"}),
        (lambda it: it.update(stake="1"), {"event_on_chain", "stake_on_chain"}),
        (lambda it: it["closing_state"][0].update(streak=77), {"event_on_chain", "closing_on_chain"}),
        (lambda it: it.update(settlement="0x" + "11" * 20), {"void_on_chain"}),
    ):
        rewrite(folder_of(played), "voided.json", change)
        assert set(verify(played).failed) == caught
        (folder_of(played) / "voided.json").write_bytes(honest)
    # A day that is settled is not voided, whatever a file says.
    other = DayId(played.day - 1)
    shutil.copytree(folder_of(played), folder_of(played, other))
    rewrite(folder_of(played, other), "voided.json", lambda it: it.update(day_id=other))
    assert {"void_on_chain", "event_on_chain", "stake_on_chain"} <= set(verify(played, other).failed)

"""`bo-engine tx`: the journal in words, and open transactions taken one step further without settling."""

import json
from typing import Any

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER
from tests.invariants.checker import check_invariants
from tests.support.commands import killed_at
from tests.support.fingerprint import fingerprint
from tests.support.observed import attempts, event_count, settler_nonce
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world


def answer(played: PlayedWorld, *arguments: str, code: int = EXIT_DONE, **changed: str) -> dict[str, Any]:
    """What `tx` prints for machines."""
    done = played.cli("tx", *arguments, "--json", **changed)
    assert done.code == code, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_list_tells_what_each_transaction_is_for_and_asks_no_node(played: PlayedWorld) -> None:
    assert played.settle_through().status == "DONE"
    nowhere = {"RPC_URL": "http://127.0.0.1:9", "RPC_FALLBACK_URL": "http://127.0.0.1:9/2"}
    found = answer(played, "list", **nowhere)["transactions"]
    day = played.day
    assert [one["purpose"] for one in found] == [
        f"VRF request of day {day}, round 0",
        f"commit of day {day}, round 0",
        f"release of day {day}, round 0",
    ]
    assert [(one["status"], one["state"], one["nonce"], one["attempts"]) for one in found] == [
        ("FINAL", "FINAL", nonce, 1) for nonce in range(3)
    ]
    assert found[1]["hash"] == "0x" + attempts(played)[0][1]
    assert all(int(one["max_fee_wei"]) > 0 and one["block"] > 0 for one in found)
    assert answer(played, "list", "--open")["transactions"] == []
    shown = played.cli("tx", "list")
    assert f"commit of day {day}" in shown.stdout and found[1]["hash"] in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100


def test_show_prints_calldata_in_words_and_what_both_endpoints_say_of_each_attempt(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    (row,) = answer(played, "list", "--open")["transactions"]
    before = fingerprint(played)
    found = answer(played, "show", "--id", str(row["id"]))
    assert (found["calldata"]["function"], found["calldata"]["dayId"]) == ("commitMerkleSettlement", str(played.day))
    assert len(found["calldata"]["poolPayout"]) == 5
    (attempt,) = found["tries"]
    assert (attempt["state"], attempt["rpc_primary"], attempt["rpc_fallback"]) == ("SIGNED", "unknown", "unknown")
    assert before.differences(fingerprint(played)) == []
    assert played.settle_through().status == "DONE"
    (attempt,) = answer(played, "show", "--id", str(row["id"]))["tries"]
    assert attempt["rpc_primary"] == attempt["rpc_fallback"] == f"mined in block {attempt['block']}, succeeded"
    assert played.cli("tx", "show", "--id", str(row["id"])).code == EXIT_DONE
    assert answer(played, "show", "--id", "999", code=EXIT_FAILED)["error"] == "no_transaction"


def test_resume_sends_what_is_open_and_settles_nothing(played: PlayedWorld) -> None:
    nonce = settler_nonce(played)
    assert answer(played, "resume") == {"dry_run": False, "transactions": [], "exit_code": 0}
    killed_at(played, "signed, not broadcast", "settle")
    ((_, tx_hash),) = attempts(played)

    before = fingerprint(played)
    (told,) = answer(played, "resume", "--dry-run", code=EXIT_LATER)["transactions"]
    assert (told["did"], told["state"]) == ("would follow it and send it again", "SIGNED")
    assert before.differences(fingerprint(played)) == []

    (told,) = answer(played, "resume", code=EXIT_LATER)["transactions"]
    assert (told["did"], told["hash"]) == ("sent again", "0x" + tx_hash)
    played.chain.mine(3)
    (told,) = answer(played, "resume")["transactions"]
    assert (told["status"], told["state"]) == ("FINAL", "FINAL")
    assert answer(played, "resume")["transactions"] == []
    # The commit stands on the chain, and nothing was settled: that is for the next tick.
    assert (settler_nonce(played), event_count(played, "DayCommitted")) == (nonce + 1, 1)
    assert played.settle_through().status == "DONE"
    assert (settler_nonce(played), len(attempts(played))) == (nonce + 2, 1)
    check_invariants(played)


def test_resume_waits_while_settle_runs_and_sends_without_any_key(played: PlayedWorld) -> None:
    killed_at(played, "signed, not broadcast", "settle")
    foreign = {"SETTLER_PRIVATE_KEY": "0x" + "5a" * 32}
    (told,) = answer(played, "resume", code=EXIT_LATER, **foreign)["transactions"]
    assert told["did"] == "sent again"
    played.tamper(
        "UPDATE job_leases SET holder = 'another host', host = 'elsewhere', pid = 1,"
        " expires_at = clock_timestamp() + interval '1 minute' WHERE job = 'settle'"
    )
    assert answer(played, "resume", code=EXIT_LATER)["error"] == "lease_held"

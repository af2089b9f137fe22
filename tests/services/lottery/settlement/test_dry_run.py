"""A dry run writes nothing anywhere, not even a lease, and prints the very run_hash that a real run has (rule 4)."""

import json

import pytest

from bo_engine.errors import Unavailable
from bo_engine.units import DayId
from services.lottery.settlement.dry_run import dry_run_days, dry_run_step
from tests.support.fingerprint import Fingerprint, fingerprint
from tests.support.observed import STEPS, files_of, run_steps, settler_nonce
from tests.support.played_world import PlayedWorld

COMMANDS = {
    "export": "export-inputs",
    "affiliates": "export-affiliates",
    "compute": "compute",
    "approve": "approve",
    "commit": "commit",
    "stats": "refresh-stats",
}


def look(played: PlayedWorld) -> Fingerprint:
    """Everything, leases included."""
    return fingerprint(played, leases=True)


def try_all(played: PlayedWorld, run_hash: str | None) -> str:
    """Dry runs of settle and of each step; nothing may change, and each names the same run_hash."""
    before = look(played)
    found = set()
    with played.context() as context:
        documents, later = dry_run_days(context, day=played.day)
        assert (len(documents), later) == (1, None)
        found.add(documents[0]["run_hash"])
        for step in STEPS:
            document = dry_run_step(context, step, played.day)
            assert document["dry_run"] is True
            if step in ("export", "affiliates"):
                assert "run_hash" not in document
            else:
                found.add(document["run_hash"])
    assert before.differences(look(played)) == []
    assert len(found) == 1
    assert run_hash in (None, *found)
    return str(found.pop())


def test_dry_runs_change_nothing_and_name_the_real_run_hash_wherever_the_day_stands(played: PlayedWorld) -> None:
    run_hash = try_all(played, None)
    for step in STEPS[:5]:
        (outcome,) = run_steps(played, step)
        try_all(played, run_hash)
    assert outcome.run_hash == run_hash
    played.pass_challenge()
    run_steps(played, "commit")
    try_all(played, run_hash)
    (done,) = run_steps(played, "stats")
    assert (done.status, done.run_hash) == ("DONE", run_hash)
    try_all(played, run_hash)


def test_dry_runs_of_the_commands_leave_no_trace_not_even_a_log(played: PlayedWorld) -> None:
    before = look(played)
    done = played.cli("settle", "--dry-run", "--json")
    assert done.code == 0, done
    (day,) = json.loads(done.stdout)["days"]
    compute = played.cli(COMMANDS["compute"], "--day", str(played.day), "--dry-run", "--json")
    assert json.loads(compute.stdout)["run_hash"] == day["run_hash"]
    assert before.differences(look(played)) == []
    assert played.settle()[0].run_hash == day["run_hash"]


def test_the_digests_of_a_dry_export_are_those_of_the_files(played: PlayedWorld) -> None:
    with played.context() as context:
        inputs = dry_run_step(context, "export", played.day)["inputs_sha256"]
        affiliates = dry_run_step(context, "affiliates", played.day)["affiliates_sha256"]
    played.settle()
    files = files_of(played)
    assert (inputs, affiliates) == ("0x" + files["inputs.json"], "0x" + files["affiliates.json"])


def test_a_dry_run_never_loads_the_key(played: PlayedWorld) -> None:
    with played.context(SETTLER_PRIVATE_KEY="") as context:  # no key at all
        ((document,), _) = dry_run_days(context, day=None)
    assert document["run_hash"] == played.settle()[0].run_hash


def test_a_dry_run_without_seeds_says_what_it_waits_for_and_changes_nothing(played: PlayedWorld) -> None:
    played.tamper("DELETE FROM day_seeds")
    before, nonce = look(played), settler_nonce(played)
    with played.context() as context:
        documents, later = dry_run_days(context, day=None)
        assert documents == []
        assert later is not None
        assert "waits for its seeds" in later
        with pytest.raises(Unavailable) as caught:
            dry_run_days(context, day=played.day)
    assert caught.value.code == "seeds_missing"
    assert played.cli("settle", "--dry-run").code == 75
    assert (before.differences(look(played)), settler_nonce(played)) == ([], nonce)


def test_a_dry_run_lists_the_findings_of_the_gates_and_halts_nothing(computed: PlayedWorld) -> None:
    computed.tamper("UPDATE settlement_runs SET net_fee = net_fee - 1")
    before = look(computed)
    done = computed.cli("approve", "--day", str(computed.day), "--dry-run", "--json")
    assert done.code == 1
    document = json.loads(done.stdout)
    assert document["gates_hold"] is False
    assert "G10" in {finding["gate"] for finding in document["findings"] if not finding["holds"]}
    assert before.differences(look(computed)) == []


@pytest.mark.slow
def test_a_dry_run_of_an_empty_day_needs_no_seeds(played: PlayedWorld) -> None:
    played.settle_through()
    empty_day = DayId(played.day + 1)
    played.close(empty_day, has_tips=False)
    before = look(played)
    with played.context() as context:
        ((document,), later) = dry_run_days(context, day=None)
    assert (document["day_id"], document["winners"], later) == (empty_day, 0, None)
    assert before.differences(look(played)) == []
    assert played.settle()[0].run_hash == document["run_hash"]

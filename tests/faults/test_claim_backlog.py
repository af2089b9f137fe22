"""A long backlog of claims comes home the same, whatever pages the endpoints allow (N05, R11); and a final block that
changes stops the backfill until a person takes the chain as it is (C03)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.units import day_end
from local_world.faults.rules import Rule
from local_world.lottery.world import start_world
from tests.faults.test_kill_points import Record
from tests.support.claiming import Claimant, claimed_logs, invented_claims, stored_claims
from tests.support.jobs import backfill_claim_events
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld, opened_sold_world
from tests.support.reorgs import drop_blocks_above, mark

pytestmark = [pytest.mark.world, pytest.mark.slow]

CLAIMS, BLOCKS, TOGETHER = 5_000, 20_000, 25


@pytest.fixture
def long_world(tmp_path: Path) -> Iterator[PlayedWorld]:
    """A world without a past, whose chain may become long: it forgets old states, and seldom makes blocks by itself."""
    world = start_world(tmp_path / "world", number_max=9, block_time_s=60, states_kept=50)
    try:
        yield PlayedWorld(world, tmp_path)
    finally:
        world.stop()


@pytest.fixture
def sold_world(tmp_path: Path) -> Iterator[PlayedWorld]:
    """A world of its own: it goes far back."""
    with opened_sold_world(tmp_path) as sold:
        yield sold


def test_5000_claims_over_20000_blocks_are_the_same_rows_once_with_every_page_limit(
    long_world: PlayedWorld, record_property: Record
) -> None:
    played = long_world
    played.chain.advance_to(day_end(played.day))
    first = played.chain.height()
    claims = invented_claims(played, CLAIMS)
    claimant = Claimant(played)
    for start in range(0, CLAIMS, TOGETHER):
        claimant.claim(claims[start : start + TOGETHER])
        played.chain.mine(BLOCKS * TOGETHER // CLAIMS - 1)
    played.chain.finalize()
    on_chain = claimed_logs(played)
    assert (len(on_chain), played.chain.height() - first >= BLOCKS) == (CLAIMS, True)
    for limit in (10, 1_000, 10_000):
        played.tamper("DELETE FROM claim_events; DELETE FROM event_cursors WHERE name = 'claims'")
        for proxy in (played.world.primary_proxy, played.world.proxy):
            proxy.set_rules(Rule("log_range_limit", args={"blocks": limit}))
        for expected in (CLAIMS, 0):  # the second time there is nothing new
            done = played.cli("backfill-claim-events", "--json", RPC_URL=played.world.primary_proxy.url)
            document = json.loads(done.stdout)
            found = (document["exit_code"], document["claims_final"], document["suspended"], document["dropped"])
            assert found == (0, expected, 0, 0), done
            assert stored_claims(played) == on_chain
        asked = played.world.proxy.calls()["eth_getLogs"]
        ((took_ms,),) = rows(played, "SELECT took_ms FROM job_runs ORDER BY job_run_id DESC OFFSET 1 LIMIT 1")
        record_property(f"pages of {limit} blocks", f"{asked} requests for logs, {took_ms} ms")


def test_a_final_block_that_changes_stops_the_backfill_and_a_person_has_all_claims_read_again(
    played: PlayedWorld,
) -> None:
    claims = invented_claims(played, 6)
    claimant = Claimant(played)
    claimant.claim(claims[:3])
    before = mark(played)
    played.chain.mine(3)
    dropped = claimant.claim(claims[3:])
    played.chain.finalize()
    with played.context() as context:
        assert backfill_claim_events(context).claims_final == 6

    drop_blocks_above(played, before)
    played.chain.call("anvil_dropTransaction", dropped)
    played.chain.mine(5)
    with played.context() as context, pytest.raises(InvariantBroken) as caught:
        backfill_claim_events(context)
    assert caught.value.code == "final_block_changed"
    assert len(stored_claims(played)) == 6
    ((known_as,),) = rows(
        played, "SELECT DISTINCT details ->> 'known_as' FROM audit_log WHERE action = 'final_block_changed'"
    )
    assert known_as == "claims"

    claimant.forget_nonce()
    claimant.claim([claims[5], claims[3]])  # on the new chain, in another order
    played.chain.finalize()
    played.tamper("DELETE FROM event_cursors")  # what docs/operations.md says when no day was halted by it
    with played.context() as context:
        done = backfill_claim_events(context)
    assert (done.claims_final, done.suspended) == (5, 0)
    assert stored_claims(played) == claimed_logs(played)
    assert stored_claims(played, is_final=False) == []

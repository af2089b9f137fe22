"""Seeds that a relay forges together with its key, or that a reorg changes (faults S06, S08); the others have their
tests in tests/services/lottery/seeds/test_refresh_seeds.py, tests/core/lottery/test_drand.py and test_draw.py."""

import hashlib
from collections.abc import Iterator

import pytest

from bo_engine.units import DayId, day_end
from core.lottery.draw import drand_round_of
from services.lottery.seeds.refresh_seeds import Refreshed
from tests.support.beacon import sign_round
from tests.support.fault_modes import rule_of, set_fault
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.loopback import document, serving
from tests.support.observed import attempts, event_count, rows
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world

NOBODY = "0x" + "0b" * 20


def refresh(played: PlayedWorld, **changed: str) -> Refreshed:
    """Run the job once, through both endpoints that can fail."""
    with played.context(RPC_URL=played.world.primary_proxy.url, **changed) as context:
        return refresh_seeds(context)


def test_a_relay_with_a_network_of_its_own_is_neither_asked_for_its_key_nor_believed(played: PlayedWorld) -> None:
    played.tamper("UPDATE day_seeds SET drand_round = NULL, drand_signature = NULL, drand_randomness = NULL")
    ((requested_at,),) = rows(played, f"SELECT vrf_requested_at FROM day_seeds WHERE day_id = {played.day}")  # noqa: S608
    drand_round = drand_round_of(played.world.ruleset.drand, played.day, requested_at)
    forged = sign_round(drand_round)
    asked: list[str] = []

    def relay_of_its_own(path: str, body: bytes) -> Iterator[bytes | float]:
        asked.append(path)
        randomness = hashlib.sha256(forged).hexdigest()
        yield document({"round": drand_round, "signature": forged.hex(), "randomness": randomness, "public_key": "aa"})

    with serving(relay_of_its_own) as relay:
        done = refresh(played, DRAND_URLS=relay.url)
    assert (done.beacons, done.exit_code) == ([], 75)
    chain_hash = played.world.ruleset.drand.chain_hash.hex()
    assert asked == [f"/{chain_hash}/public/{drand_round}"]
    assert refresh(played).beacons == [played.day]


def test_of_two_words_of_a_day_only_the_one_that_became_final_is_stored(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    played.sell(day, buyers=2, min_tips=4, seed=5)
    played.close(day, has_tips=False)
    refresh(played)
    played.chain.mine(3)
    refresh(played)
    set_fault(played, "both", rule_of("frozen_finality"))
    refresh(played)
    before = played.chain.snapshot()
    first = played.world.fulfil_vrf(day, word=111)
    done = refresh(played)
    assert (done.words, event_count(played, "SeedFulfilled", day, contract="VRFReceiver")) == ([], 1)

    played.chain.revert(before)
    played.chain.fund(NOBODY, 2)  # so that the new block is another one
    assert event_count(played, "SeedFulfilled", day, contract="VRFReceiver") == 0
    second = played.world.fulfil_vrf(day, word=222)
    assert (refresh(played).words, first, second) == ([], 111, 222)
    for proxy in (played.world.primary_proxy, played.world.proxy):
        proxy.heal()
    played.chain.mine(3)
    assert refresh(played).words == [day]
    assert rows(played, f"SELECT vrf_word::text FROM day_seeds WHERE day_id = {day}") == [("222",)]  # noqa: S608
    assert event_count(played, "SeedRequested", day, contract="VRFReceiver") == 1


def closed_at_the_head_only(played: PlayedWorld) -> DayId:
    """A sold day whose close the head has seen and no final block has."""
    day = DayId(played.day + 1)
    played.sell(day, buyers=2, min_tips=4, seed=5)
    set_fault(played, "both", rule_of("frozen_finality"))
    assert refresh(played) == Refreshed()
    played.chain.advance_to(day_end(day))
    return day


def request_of(played: PlayedWorld, day: DayId) -> tuple[int, int]:
    """Block time and block of the day's VRF request at the head."""
    with played.context() as context:
        _, at_s, block = context.chain.read_at_head(context.game.call("VRFReceiver", "requestOf", day))
        return at_s, block


def test_the_word_is_requested_at_the_head_right_after_the_close_and_counts_when_it_is_final(
    played: PlayedWorld,
) -> None:
    day = closed_at_the_head_only(played)
    done = refresh(played)
    assert (done.requested, done.exit_code) == ([day], 75)
    at_s, _ = request_of(played, day)
    assert day_end(day) <= at_s < day_end(day) + 60
    for _ in range(3):  # offered again and never asked for twice
        refresh(played)
    assert event_count(played, "SeedRequested", day, contract="VRFReceiver") == 1
    played.world.fulfil_vrf(day)
    network = played.world.ruleset.drand
    drand_round = drand_round_of(network, day, at_s)
    round_s = network.genesis_s + (drand_round - 1) * network.period_s
    assert at_s + network.delay_s <= round_s  # nobody knew the beacon when the request was mined
    played.chain.advance_to(round_s + network.period_s)
    for _ in range(2):
        assert (refresh(played).words, refresh(played).beacons) == ([], [])
    seeds = f"SELECT vrf_word IS NOT NULL, drand_round FROM day_seeds WHERE day_id = {day}"  # noqa: S608
    assert rows(played, seeds) == []
    set_fault(played, "none")
    played.chain.finalize()
    with played.context() as context:
        recover_intents(context)
    done = refresh(played)
    assert (done.words, done.beacons) == ([day], [day])
    assert rows(played, seeds) == [(True, drand_round)]


def test_a_request_that_is_taken_back_with_its_block_is_sent_again(played: PlayedWorld) -> None:
    day = closed_at_the_head_only(played)
    before = played.chain.snapshot()
    refresh(played)
    assert request_of(played, day)[0] > 0
    played.chain.revert(before)
    played.chain.fund(NOBODY, 1)  # so that the new block is another one
    assert request_of(played, day)[0] == 0
    for _ in range(3):
        refresh(played)
        played.chain.mine(1)
    assert request_of(played, day)[0] > 0
    assert len(attempts(played, "requestSeed", day=day)) == 1
    set_fault(played, "none")
    played.chain.finalize()
    refresh(played)
    assert event_count(played, "SeedRequested", day, contract="VRFReceiver") == 1
    assert rows(played, f"SELECT vrf_requested_at FROM day_seeds WHERE day_id = {day}") == [  # noqa: S608
        (request_of(played, day)[0],)
    ]


def test_a_day_without_tips_is_not_requested_at_the_head_either(played: PlayedWorld) -> None:
    set_fault(played, "both", rule_of("frozen_finality"))
    refresh(played)
    played.chain.advance_to(day_end(DayId(played.day + 1)))
    assert refresh(played) == Refreshed()

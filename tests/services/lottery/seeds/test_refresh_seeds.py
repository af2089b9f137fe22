"""Seeds are never chosen and never forged: one VRF request a day, one drand round, each verified before it is stored
(rules 3.2, 3.3, 3.6; faults S01 to S07)."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator

import pytest
import requests

import io_layer.lottery.drand
from bo_engine.errors import EXIT_FAILED, InvariantBroken
from bo_engine.units import DayId, day_end
from core.lottery.draw import drand_round_of
from services.lottery.seeds.refresh_seeds import Refreshed
from tests.support.beacon import sign_round
from tests.support.commands import killed_at
from tests.support.fingerprint import fingerprint
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.loopback import bad_answers, document, serving, timed
from tests.support.meddling import send_as
from tests.support.observed import attempts, event_count, rows, settler_nonce, true_run_hash
from tests.support.offices import suspend
from tests.support.played_world import PlayedWorld


def refresh(played: PlayedWorld, **changed: str) -> Refreshed:
    """Run the job once."""
    with played.context(**changed) as context:
        return refresh_seeds(context)


def requested_at(played: PlayedWorld, day: DayId) -> int:
    """Block time of the day's VRF request; 0 without one."""
    with played.context() as context:
        return context.game.read_day(context.chain.read_final_block(), day).vrf_requested_at


def seeds_of(played: PlayedWorld, day: DayId | None = None) -> list[tuple[object, ...]]:
    """What is stored of the day's seeds."""
    return rows(
        played,
        f"""SELECT vrf_word, drand_round, encode(drand_signature, 'hex'), encode(drand_randomness, 'hex')
              FROM day_seeds WHERE day_id = {day or played.day}""",  # noqa: S608
    )


# -- drand -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def without_beacon(played: PlayedWorld) -> PlayedWorld:
    """The sold day with its VRF word and without its beacon."""
    played.tamper("UPDATE day_seeds SET drand_round = NULL, drand_signature = NULL, drand_randomness = NULL")
    return played


def true_beacon(played: PlayedWorld, rounds_later: int = 0) -> dict[str, object]:
    """What an honest relay says of the day's round."""
    network = played.world.ruleset.drand
    drand_round = drand_round_of(network, played.day, requested_at(played, played.day)) + rounds_later
    url = f"{played.world.record['urls']['drand_url']}/{network.chain_hash.hex()}/public/{drand_round}"
    found: dict[str, object] = requests.get(url, timeout=10).json()
    return found


def forged_beacons(played: PlayedWorld) -> dict[str, object]:
    """Answers in drand's own form that are not the network's for this round."""
    true, later = true_beacon(played), true_beacon(played, 1)
    drand_round = int(str(true["round"]))
    forged = sign_round(drand_round)
    signature = str(true["signature"])
    flipped = signature[:40] + format(int(signature[40], 16) ^ 1, "x") + signature[41:]
    return {
        "signed by another key": {
            "round": drand_round,
            "signature": forged.hex(),
            "randomness": hashlib.sha256(forged).hexdigest(),
        },
        "a bit of the signature is changed": {**true, "signature": flipped},
        "the signature of the next round": {**later, "round": drand_round},
        "the next round": later,
        "the round as text": {**true, "round": str(drand_round)},
        "no signature": {"round": drand_round, "randomness": true["randomness"]},
        "a signature that is a list": {**true, "signature": [signature]},
        "the point at infinity": {**true, "signature": "c0" + "00" * 47},
        "a short signature": {**true, "signature": signature[:-2]},
    }


FORGED = (
    "signed by another key",
    "a bit of the signature is changed",
    "the signature of the next round",
    "the next round",
    "the round as text",
    "no signature",
    "a signature that is a list",
    "the point at infinity",
    "a short signature",
)


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.sampled(4)
def test_a_forged_beacon_is_never_stored_and_the_next_relay_is_taken(without_beacon: PlayedWorld, name: str) -> None:
    played = without_beacon
    honest = played.env["DRAND_URLS"]
    answer = forged_beacons(played)[name]
    before = fingerprint(played)
    with serving(lambda path, body: iter([document(answer)])) as relay:
        alone = refresh(played, DRAND_URLS=relay.url)
        assert (alone.beacons, alone.exit_code) == ([], 75)
        assert "relay 1" in str(alone.waiting)
        assert before.differences(fingerprint(played)) == []
        both = refresh(played, DRAND_URLS=f"{relay.url},{honest}")
        assert (both.beacons, both.exit_code, len(relay.asked)) == ([played.day], 0, 2)
    assert seeds_of(played)[0][2] == true_beacon(played)["signature"]


def test_a_changed_randomness_field_is_ignored_and_derived_from_the_signature(without_beacon: PlayedWorld) -> None:
    played = without_beacon
    true = true_beacon(played)
    with serving(lambda path, body: iter([document({**true, "randomness": "11" * 32})])) as relay:
        assert refresh(played, DRAND_URLS=relay.url).beacons == [played.day]
    ((_, drand_round, signature, randomness),) = seeds_of(played)
    assert (drand_round, signature) == (true["round"], true["signature"])
    assert randomness == true["randomness"] == hashlib.sha256(bytes.fromhex(str(signature))).hexdigest()


@pytest.mark.parametrize("name", sorted(bad_answers(b"x")))
@pytest.mark.sampled(5)
def test_a_relay_that_fails_is_passed_over(
    without_beacon: PlayedWorld, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    played = without_beacon
    monkeypatch.setattr(io_layer.lottery.drand, "TIMEOUT_S", 0.5)
    good = json.dumps(true_beacon(played)).encode()
    with serving(lambda path, body: bad_answers(good)[name]()) as relay:
        urls = f"{relay.url},{played.env['DRAND_URLS']}"
        assert timed(lambda: refresh(played, DRAND_URLS=urls)) < 10
        assert len(relay.asked) == 1
    assert seeds_of(played)[0][2] == true_beacon(played)["signature"]


@pytest.mark.slow
def test_all_relays_down_is_waited_for_and_the_run_hash_stays(without_beacon: PlayedWorld) -> None:
    played = without_beacon
    with serving(lambda path, body: iter([])) as relay:
        urls = f"{relay.url},{relay.url}"
    done = refresh(played, DRAND_URLS=urls)
    assert (done.exit_code, "no relay has a valid beacon" in str(done.waiting)) == (75, True)
    command = played.cli("refresh-seeds", "--json", DRAND_URLS=urls)
    assert command.code == 75
    assert refresh(played).beacons == [played.day]
    played.settle()
    played.restore()
    assert true_run_hash(played) == played.settle()[0].run_hash


def test_a_round_that_is_not_out_yet_is_waited_for_and_no_other_is_asked(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    played.sell(day)
    played.chain.advance_to(day_end(day))
    with played.context() as context:
        recover_intents(context)
    assert refresh(played).requested == [day]
    played.chain.finalize()
    due_s = requested_at(played, day) + 3_600
    asked: list[str] = []

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        asked.append(path)
        yield document(true_beacon(played))

    # From the close alone its round would be out by then.
    played.chain.advance_to(due_s - 1)
    with serving(script) as relay:
        done = refresh(played, DRAND_URLS=relay.url)
    assert "drand round is due 3600 s after the VRF request" in str(done.waiting)
    assert (asked, done.beacons) == ([], [])
    played.chain.advance_to(due_s + played.world.ruleset.drand.period_s)
    assert refresh(played).beacons == [day]
    assert seeds_of(played, day)[0][1] == drand_round_of(played.world.ruleset.drand, day, due_s - 3_600)


def test_no_beacon_is_asked_for_while_the_request_is_not_final(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    played.sell(day)
    played.chain.advance_to(day_end(day))
    with played.context() as context:
        recover_intents(context)
    asked: list[str] = []

    def script(path: str, body: bytes) -> Iterator[bytes | float]:
        asked.append(path)
        yield document(true_beacon(played))

    with serving(script) as relay:
        done = refresh(played, DRAND_URLS=relay.url)
        assert done.requested == [day]
        again = refresh(played, DRAND_URLS=relay.url)
    assert "known once the VRF request stands at a final block" in str(again.waiting)
    assert (asked, done.beacons, again.beacons) == ([], [], [])
    assert seeds_of(played, day) == []


def test_stored_seeds_are_left_alone_and_no_relay_is_asked_again(played: PlayedWorld) -> None:
    before = fingerprint(played)
    with serving(lambda path, body: iter([])) as relay:
        for _ in range(2):
            assert refresh(played, DRAND_URLS=relay.url) == Refreshed()
        assert relay.asked == []
    assert before.differences(fingerprint(played)) == []


# -- VRF ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_day(played: PlayedWorld) -> tuple[PlayedWorld, DayId]:
    """The day after the sold one: sold, closed, without any request."""
    day = DayId(played.day + 1)
    played.sell(day)
    played.chain.advance_to(day_end(day))
    with played.context() as context:
        recover_intents(context)
    return played, day


def requests_of(played: PlayedWorld, day: DayId) -> int:
    """How many VRF requests the chain has seen for the day."""
    return event_count(played, "SeedRequested", day, contract="VRFReceiver")


def again_and_again(played: PlayedWorld, act: Callable[[], object]) -> None:
    """Every tick of a quarter of an hour."""
    for _ in range(4):
        act()
        played.chain.mine(3)


def test_a_word_is_requested_once_and_stored_when_it_is_final(closed_day: tuple[PlayedWorld, DayId]) -> None:
    played, day = closed_day
    nonce = settler_nonce(played)
    assert refresh(played).requested == [day]
    again_and_again(played, lambda: refresh(played))
    assert (requests_of(played, day), settler_nonce(played)) == (1, nonce + 1)
    assert [state for state, _ in attempts(played, "requestSeed", day=day)] == ["FINAL"]

    word = played.world.fulfil_vrf(day)
    played.chain.finalize()
    assert refresh(played).words == [day]
    assert seeds_of(played, day)[0][0] == word
    again_and_again(played, lambda: refresh(played))
    assert (requests_of(played, day), settler_nonce(played)) == (1, nonce + 1)


def test_a_dry_run_says_what_each_day_lacks_and_asks_nobody(closed_day: tuple[PlayedWorld, DayId]) -> None:
    played, day = closed_day

    def planned() -> str:
        before = fingerprint(played)
        document = json.loads(played.cli("refresh-seeds", "--dry-run", "--json").stdout)
        assert not before.differences(fingerprint(played))
        (of_day,) = [one["would"] for one in document["days"] if one["day_id"] == day]
        return str(of_day)

    assert planned() == "request the VRF word and wait for the drand round 3600 s after the request"
    refresh(played)
    assert re.match("wait for the VRF word and wait for (the )?drand round", planned())
    assert requests_of(played, day) == 1
    played.world.fulfil_vrf(day)
    played.chain.advance_to(played.chain.now() + 4_000)
    played.chain.finalize()
    assert planned().startswith("store the VRF word and fetch drand round ")
    refresh(played)
    assert json.loads(played.cli("refresh-seeds", "--dry-run", "--json").stdout)["days"] == []


def test_a_request_of_somebody_else_is_adopted(closed_day: tuple[PlayedWorld, DayId]) -> None:
    played, day = closed_day
    nonce = settler_nonce(played)
    send_as(played, "promotions", "requestSeed", day, contract="VRFReceiver")
    again_and_again(played, lambda: refresh(played))
    assert (requests_of(played, day), settler_nonce(played)) == (1, nonce)
    ((request_id,),) = rows(played, f"SELECT vrf_request_id FROM day_seeds WHERE day_id = {day}")  # noqa: S608
    assert request_id is not None
    word = played.world.fulfil_vrf(day)
    played.chain.finalize()
    refresh(played)
    assert seeds_of(played, day)[0][0] == word


def test_a_suspended_key_requests_nothing_and_what_another_requested_is_collected(
    closed_day: tuple[PlayedWorld, DayId],
) -> None:
    played, day = closed_day
    suspend(played)
    nonce = settler_nonce(played)
    done = played.cli("refresh-seeds", "--json")
    assert (done.code, json.loads(done.stdout)["error"]) == (EXIT_FAILED, "settler_suspended")
    send_as(played, "promotions", "requestSeed", day, contract="VRFReceiver")
    word = played.world.fulfil_vrf(day)
    played.chain.finalize()
    assert refresh(played).words == [day]
    assert (seeds_of(played, day)[0][0], settler_nonce(played)) == (word, nonce)


@pytest.mark.parametrize("place", ["signed, not broadcast", "intent recorded, not broadcast", "broadcast, not noted"])
@pytest.mark.sampled(1)
def test_a_killed_request_is_finished_and_never_doubled(closed_day: tuple[PlayedWorld, DayId], place: str) -> None:
    played, day = closed_day
    nonce = settler_nonce(played)
    killed_at(played, place, "refresh-seeds")
    again_and_again(played, lambda: refresh(played))
    assert (requests_of(played, day), settler_nonce(played)) == (1, nonce + 1)
    assert len(attempts(played, "requestSeed", day=day)) == 1


def test_a_day_without_tips_is_never_requested(played: PlayedWorld) -> None:
    day = DayId(played.day + 1)
    played.chain.advance_to(day_end(day))
    nonce = settler_nonce(played)
    with played.context() as context:
        recover_intents(context)
    assert refresh(played) == Refreshed()
    assert (requests_of(played, day), settler_nonce(played)) == (0, nonce)


def test_a_word_that_one_endpoint_invents_is_not_stored(closed_day: tuple[PlayedWorld, DayId]) -> None:
    played, day = closed_day
    refresh(played)
    played.world.fulfil_vrf(day)
    played.chain.finalize()
    played.world.proxy.fail("wrong_call", "eth_call", to=played.world.contracts.vrf_receiver)
    with pytest.raises(InvariantBroken) as caught:
        refresh(played)
    assert caught.value.code == "rpc_disagreement"
    assert seeds_of(played, day) in ([], [(None, None, None, None)])

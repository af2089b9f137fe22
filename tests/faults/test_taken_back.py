"""The chain takes back final blocks in which purchases, claims or a VRF request stand. A person takes the chain as it
is now, and all of it is where the chain has it (fault C03)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER
from bo_engine.units import DayId, day_end
from core.lottery.draw import drand_round_of
from local_world.lottery.claims import Claim
from tests.invariants.checker import check_invariants
from tests.support.claiming import Claimant, claimed_logs, invented_claims, stored_claims, write_claim
from tests.support.observed import audit_actions, rows
from tests.support.played_world import PlayedWorld, opened_sold_world
from tests.support.reorgs import Mark, drop_blocks_above, mark

pytestmark = [pytest.mark.world, pytest.mark.slow]

BOUGHT = "SELECT ticket_id, buyer, digest, tx_hash FROM tickets ORDER BY ticket_id"
STATES = "SELECT status FROM claims ORDER BY claim_id"
PLACES = "SELECT ticket_id, block_number, log_index, encode(block_hash, 'hex') FROM tickets ORDER BY ticket_id"


@pytest.fixture
def played(tmp_path: Path) -> Iterator[PlayedWorld]:
    """A world of its own: it goes far back."""
    with opened_sold_world(tmp_path) as sold:
        yield sold


def take_back(played: PlayedWorld, before: Mark, *dropped: str, from_s: int = 0) -> None:
    """The blocks above are gone, with new ones in their place: in them what was in the old ones, without these; those
    with transactions not before ``from_s``."""
    chain = played.chain
    sent = [
        transaction
        for number in range(before.height + 1, chain.height() + 1)
        for transaction in chain.call("eth_getBlockByNumber", hex(number), True)["transactions"]
        if transaction["hash"] not in dropped
    ]
    again = [(one["from"], chain.call("eth_getRawTransactionByHash", one["hash"])) for one in sent]
    drop_blocks_above(played, before)
    chain.advance_to(from_s)
    chain.mine(2)
    for sender, raw in again:
        chain.fund(sender)  # what anvil gave in those blocks is gone as well
        chain.call("eth_sendRawTransaction", raw)
        chain.mine(1)
    chain.finalize()


def answer(played: PlayedWorld, *arguments: str) -> tuple[int, dict[str, object]]:
    """Exit code and JSON of a command."""
    done = played.cli(*arguments, "--json")
    return done.code, json.loads(done.stdout)


def resume(played: PlayedWorld, job: str) -> None:
    """The job stops, and a person looks."""
    code, said = answer(played, job)
    assert (code, said["error"]) == (EXIT_FAILED, "final_block_changed"), said
    assert answer(played, "resume", "--chain", "--by", "Ann")[0] == EXIT_DONE


def sold_next_day(played: PlayedWorld) -> tuple[DayId, Mark]:
    """The first day is settled, purchases of the next one are final and stored; the moment before them."""
    played.settle_through()
    before, day = mark(played), DayId(played.day + 1)
    played.sell(day)
    played.chain.finalize()
    assert answer(played, "recover-intents")[0] == EXIT_DONE
    return day, before


def test_purchases_that_come_back_in_other_blocks_are_moved(played: PlayedWorld) -> None:
    day, before = sold_next_day(played)
    bought, places = rows(played, BOUGHT), rows(played, PLACES)
    take_back(played, before)
    resume(played, "recover-intents")
    assert answer(played, "recover-intents")[0] == EXIT_DONE
    assert rows(played, BOUGHT) == bought
    assert rows(played, PLACES) != places
    assert audit_actions(played)[-1] == "tickets_moved"
    played.close(day)
    assert played.settle_through().status == "DONE"
    check_invariants(played)


def test_a_purchase_that_is_gone_goes_from_its_day_and_its_intent_waits_again(played: PlayedWorld) -> None:
    day, before = sold_next_day(played)
    tx_hash = rows(played, "SELECT '0x' || encode(tx_hash, 'hex') FROM tickets ORDER BY ticket_id DESC LIMIT 1")[0][0]
    take_back(played, before, tx_hash)
    resume(played, "recover-intents")
    code, said = answer(played, "recover-intents")
    assert (code, said["error"]) == (EXIT_FAILED, "logs_incomplete")
    assert "db rebuild-tickets --day N" in str(said["message"])
    code, said = answer(played, "db", "rebuild-tickets", "--day", str(day))
    assert (code, said["removed"], said["corrected"]) == (EXIT_DONE, 1, 0), said
    assert answer(played, "recover-intents")[0] == EXIT_DONE
    assert rows(played, "SELECT max(ticket_id) FROM tickets") == [(rows(played, "SELECT count(*) FROM tickets")[0][0],)]
    mine = f"SELECT status, ticket_id FROM buy_intents WHERE '0x' || encode(tx_hash, 'hex') = '{tx_hash}'"  # noqa: S608
    assert rows(played, mine) == [("SUBMITTED", None)]
    played.close(day)
    assert rows(played, mine) == [("EXPIRED", None)]
    assert played.settle_through().status == "DONE"
    check_invariants(played)


def test_a_claim_that_was_paid_in_a_block_that_is_gone_waits_again(played: PlayedWorld) -> None:
    stays, comes_back, is_gone, unread = invented_claims(played, 4)
    claimant = Claimant(played)

    def claim(one: Claim) -> str:
        tx_hash = claimant.claim([one])
        write_claim(played, one, tx_hash)
        return tx_hash

    claim(stays)
    before = mark(played)
    played.chain.mine(3)
    claim(comes_back)
    gone = [claim(is_gone)]
    played.chain.finalize()
    assert answer(played, "backfill-claim-events")[0] == EXIT_DONE
    gone.append(claim(unread))  # paid, says the vault, before its event is read
    played.chain.finalize()
    code, said = answer(played, "resolve-pending-claims")
    assert (code, said["paid"]) == (EXIT_DONE, 4)

    take_back(played, before, *gone)
    resume(played, "backfill-claim-events")
    assert rows(played, STATES) == [("PAID",), ("PAID",), ("PAID",), ("PENDING",)]
    assert answer(played, "backfill-claim-events")[0] == EXIT_DONE
    assert stored_claims(played) == claimed_logs(played)
    assert rows(played, STATES) == [("PAID",), ("PAID",), ("PENDING",), ("PENDING",)]
    code, said = answer(played, "resolve-pending-claims")
    assert (code, said["paid"], said["pending"]) == (EXIT_DONE, 0, 2)
    # The App sends it again, and is paid.
    claimant.forget_nonce()
    claimant.claim([is_gone])
    played.chain.finalize()
    assert answer(played, "resolve-pending-claims")[1]["paid"] == 1


def test_a_seed_request_that_moved_is_followed_with_its_drand_round_until_its_word_is_there(
    played: PlayedWorld,
) -> None:
    day, _ = sold_next_day(played)
    played.chain.advance_to(day_end(day))
    played.chain.finalize()
    assert answer(played, "recover-intents")[0] == EXIT_DONE
    before = mark(played)
    assert answer(played, "refresh-seeds")[0] == EXIT_LATER
    played.chain.finalize()
    stored = f"SELECT vrf_requested_block, vrf_requested_at, vrf_word, drand_round FROM day_seeds WHERE day_id = {day}"  # noqa: S608
    assert answer(played, "refresh-seeds")[0] == EXIT_LATER
    ((first_block, first_time, _, _),) = rows(played, stored)
    network = played.world.ruleset.drand
    played.chain.advance_to(first_time + network.delay_s + 2 * network.period_s)
    assert answer(played, "refresh-seeds")[1]["beacons"] == [day]
    assert rows(played, stored) == [(first_block, first_time, None, drand_round_of(network, day, first_time))]

    take_back(played, before, from_s=first_time + 60)
    resume(played, "refresh-seeds")
    assert answer(played, "refresh-seeds")[0] == EXIT_LATER
    ((block, time_s, word, drand_round),) = rows(played, stored)
    assert (block > first_block, time_s > first_time, word) == (True, True, None)
    assert time_s == int(played.chain.call("eth_getBlockByNumber", hex(block), False)["timestamp"], 16)
    assert drand_round is None
    played.bring_seeds(day)
    ((*_, word, drand_round),) = rows(played, stored)
    assert (word is not None, drand_round) == (True, drand_round_of(network, day, time_s))
    assert answer(played, "recover-intents")[0] == EXIT_DONE
    assert played.settle_through().status == "DONE"
    check_invariants(played)

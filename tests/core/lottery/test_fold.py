"""Rules 2.4 and 3.1: a day's tickets, folded in one pass."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from bo_engine.units import ZERO_HASH, DayId
from core.lottery.fold import BATCH_TICKETS, DayFold, batches, fold_day
from core.lottery.model import Ticket
from core.lottery.ruleset import RULESET_1
from core.lottery.tickets import next_digest, split_stake
from tests.support.days import DAY, quick, ticket, tickets_of, wallet

TIP = (1, 2, 3, 4, 5, 6)
TICKETS = [ticket(number, number % 5, wallet(number), [TIP] * 8, paid=5) for number in range(1, 12)]


@quick
@given(tickets_of(RULESET_1), st.integers(0, 14))
def test_the_fold_is_the_sum_of_its_tickets_wherever_batches_end(tickets: tuple[Ticket, ...], edge: int) -> None:
    fold = DayFold(DAY, RULESET_1)
    for batch in (tickets[:edge], tickets[edge:]):
        fold.add(batch)
    whole = fold_day(DAY, RULESET_1, iter(tickets))
    assert (fold.sold(), fold.splits()) == (whole.sold(), whole.splits())
    for pool, (sold, split) in enumerate(zip(fold.sold(), fold.splits(), strict=True)):
        own = [item for item in tickets if item.pool_id == pool]
        digest = ZERO_HASH
        for item in own:
            digest = next_digest(digest, item)
        assert sold.digest == digest
        assert sold.ticket_count == len(own)
        assert sold.tip_count == sum(len(item.tips) // 8 for item in own)
        assert sold.stake_atoms == sum(item.stake_atoms for item in own)
        parts = [split_stake(RULESET_1, item.stake_atoms) for item in own]
        assert split.fee_atoms == sum(part.fee_atoms for part in parts)
        assert split.rollover_atoms == sum(part.rollover_atoms for part in parts)
        assert split.jackpot_atoms == sum(part.jackpot_atoms for part in parts)
        assert split.pot_atoms == sum(part.pot_atoms for part in parts)


def test_batches_lose_and_repeat_nothing() -> None:
    sizes = [len(batch) for batch in batches(iter(TICKETS * 1500))]
    assert sum(sizes) == 1500 * len(TICKETS)
    assert set(sizes[:-1]) == {BATCH_TICKETS}
    assert list(batches([])) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ticket_id": 5}, "tickets_unordered"),
        ({"ticket_id": 1}, "tickets_unordered"),
        ({"day_id": DayId(DAY + 1)}, "wrong_day"),
        ({"pool_id": 7}, "bad_ticket"),
        ({"paid_tips": 4}, "bad_ticket"),
        ({"stake_atoms": 1}, "bad_ticket"),
        ({"tips": TICKETS[0].tips[8:]}, "bad_ticket"),
        ({"tips": TICKETS[0].tips[8:] + b"\xff" * 8}, "bad_tip"),
        ({"buyer": "0x1234"}, "bad_ticket"),
        ({"affiliate": wallet(6)}, "bad_ticket"),
    ],
)
def test_one_bad_ticket_refuses_the_day_and_is_named(change: dict[str, Any], code: str) -> None:
    spoiled = list(TICKETS)
    spoiled[5] = spoiled[5]._replace(**change)
    with pytest.raises(InvalidInput) as caught:
        fold_day(DAY, RULESET_1, spoiled)
    assert caught.value.code == code
    number = spoiled[5].ticket_id
    assert f"ticket {number}" in caught.value.message

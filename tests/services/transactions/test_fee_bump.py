"""How much dearer a replacement is: always enough to be taken, never above the cap, a bigger step each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import Unavailable
from bo_engine.units import Hash32
from io_layer.keys.signer import MAX_FEE_PER_GAS_WEI
from io_layer.stores.journal import Attempt
from services.transactions.fee_bump import MAX_ATTEMPTS, raised_fees
from services.transactions.follow import current_attempt
from tests.support.days import wallet


def signed(max_fee: int, tip: int, number: int = 1) -> Attempt:
    """A broadcast attempt with these fees."""
    sender, tx_hash = wallet(0x5E), Hash32(bytes(32))
    return Attempt(1, number, sender, 7, 21_000, max_fee, tip, b"", tx_hash, "BROADCAST", None, None, 5)


FEES = st.integers(1, MAX_FEE_PER_GAS_WEI) | st.integers(MAX_FEE_PER_GAS_WEI * 9 // 10, MAX_FEE_PER_GAS_WEI)


@given(FEES, st.data(), st.integers(0, 2 * MAX_FEE_PER_GAS_WEI), st.integers(1, 5))
def test_a_replacement_is_a_tenth_dearer_in_both_fees_and_within_the_cap_or_there_is_none(
    max_fee: int, data: st.DataObject, base_fee: int, count: int
) -> None:
    tip = data.draw(st.integers(0, max_fee // 4))
    attempts = [signed(max_fee, tip, number) for number in range(1, count + 1)]
    try:
        dearer, dearer_tip = raised_fees(attempts, base_fee)
    except Unavailable as error:
        assert error.code == "fee_above_cap"
        assert base_fee > MAX_FEE_PER_GAS_WEI or max_fee * 11 > MAX_FEE_PER_GAS_WEI * 10 - 10
        return
    assert max_fee * 11 <= dearer * 10 <= MAX_FEE_PER_GAS_WEI * 10
    assert dearer >= base_fee
    assert tip < dearer_tip <= dearer and tip * 11 <= dearer_tip * 10


@pytest.mark.parametrize(
    ("states", "counts"),
    [
        (["BROADCAST", "SIGNED"], 2),
        (["MINED", "BROADCAST"], 1),
        (["DROPPED", "FINAL", "BROADCAST"], 2),
        (["BROADCAST", "DROPPED"], 1),
        (["REVERTED", "DROPPED"], None),
    ],
)
def test_the_attempt_on_the_chain_counts_else_the_newest_that_may_get_there(
    states: list[str], counts: int | None
) -> None:
    found = current_attempt([signed(9, 0, number)._replace(state=state) for number, state in enumerate(states, 1)])
    assert (found.attempt if found else None) == counts


def test_the_steps_grow_and_end() -> None:
    attempts = [signed(1_000_000, 0)]
    steps = []
    while len(attempts) < MAX_ATTEMPTS:
        max_fee, tip = raised_fees(attempts, 0)
        steps.append(max_fee * 1_000 // attempts[-1].max_fee_per_gas)
        attempts.append(signed(max_fee, tip, len(attempts) + 1))
    assert steps == [1_125, 1_250, 1_500, 2_000, 3_000]
    with pytest.raises(Unavailable, match="signed 6 times"):
        raised_fees(attempts, 0)

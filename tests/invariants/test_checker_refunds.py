"""The checker speaks up about refunds, too: each way in which our rows and the chain can differ is named as I8."""

from collections.abc import Iterator

import pytest

from bo_engine.units import DayId
from tests.invariants.checker import InvariantFailed, check_invariants
from tests.support.jobs import backfill_claim_events
from tests.support.kill_world import Moment
from tests.support.played_world import PlayedWorld
from tests.support.refunding import Refunder, purchases, void_day

pytestmark = pytest.mark.world


@pytest.fixture(scope="module")
def refunded(sold_world: PlayedWorld) -> Iterator[Moment]:
    """After the settled day one that was voided and whose refunds are stored, to break again and again."""
    sold_world.restore()
    sold_world.settle_through()
    day = DayId(sold_world.day + 1)
    sold_world.sell(day, buyers=4, seed=6)
    sold_world.close(day, has_tips=False)
    void_day(sold_world, day)
    refunder = Refunder(sold_world)
    refunder.refund_many(purchases(sold_world, day)[:3])
    refunder.refund_vouchers(day)
    sold_world.chain.finalize()
    with sold_world.context() as context:
        backfill_claim_events(context)
    moment = Moment(sold_world)
    yield moment
    moment.forget()


BROKEN_REFUNDS: list[tuple[str, str]] = [
    ("a refund that never was", "INSERT INTO refunds SELECT sha256(tx_hash), log_index, kind, day_id, account, "
     "substring(sha256(nonce) FOR 16), paid_to, amount, block_number, block_hash, is_final FROM refunds "
     "WHERE kind = 'stake' LIMIT 1"),
    ("an atom more", "UPDATE refunds SET amount = amount + 1 WHERE kind = 'stake'"),
    ("another payee", "UPDATE refunds SET paid_to = '0x' || repeat('a', 40) WHERE kind = 'vouchers'"),
    ("of another day", "UPDATE refunds SET day_id = day_id - 1 WHERE kind = 'vouchers'"),
    ("of another ticket", "UPDATE refunds SET nonce = substring(sha256(nonce) FOR 16) WHERE kind = 'stake'"),
    ("a refund is lost", "DELETE FROM refunds WHERE kind = 'vouchers'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "statement"), BROKEN_REFUNDS, ids=[name for name, _ in BROKEN_REFUNDS])
def test_refunds_are_matched_with_notes_and_rows(name: str, statement: str, refunded: Moment) -> None:
    played = refunded.restored()
    assert "I8" in check_invariants(played)
    played.tamper(statement)
    with pytest.raises(InvariantFailed) as raised:
        check_invariants(played)
    assert raised.value.invariant == "I8", str(raised.value)

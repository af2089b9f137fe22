"""Affiliate rates: a mirror of the chain's AffiliateRateSet events. Who referred whom stands on the tickets."""

from collections.abc import Sequence
from typing import NamedTuple

from bo_engine.errors import InvariantBroken
from bo_engine.units import Bps, DayId, Wallet
from io_layer.database import Conn


class RateChange(NamedTuple):
    """One AffiliateRateSet event at a final block."""

    affiliate: Wallet
    from_day: DayId
    rate_bps: Bps
    block_number: int
    log_index: int


INSERT_CHANGE = """
    INSERT INTO affiliate_rate_changes AS c (affiliate, from_day, rate_bps, block_number, log_index)
    VALUES (%(affiliate)s, %(from_day)s, %(rate_bps)s, %(block_number)s, %(log_index)s)
        ON CONFLICT (block_number, log_index) DO NOTHING
"""
SELECT_CHANGE = """
    SELECT affiliate, from_day, rate_bps FROM affiliate_rate_changes
     WHERE block_number = %(block_number)s AND log_index = %(log_index)s
"""


def insert_rate_changes(conn: Conn, changes: Sequence[RateChange]) -> int:
    """Store events that are new; the count. Repeating it changes nothing.

    Raises: InvariantBroken ``rate_conflict`` when another event stands at the same place of the chain.
    """
    new = 0
    for change in changes:
        given = change._asdict()
        if conn.execute(INSERT_CHANGE, given).rowcount == 1:
            new += 1
        elif conn.execute(SELECT_CHANGE, given).fetchone() != (change.affiliate, change.from_day, change.rate_bps):
            raise InvariantBroken("rate_conflict", f"another rate event is stored for block {change.block_number}")
    return new


SELECT_RATES = """
    SELECT DISTINCT ON (affiliate) affiliate, rate_bps FROM affiliate_rate_changes
     WHERE from_day <= %(day_id)s
     ORDER BY affiliate, from_day DESC, block_number DESC, log_index DESC
"""


def select_rates_in_force(conn: Conn, day_id: DayId) -> dict[Wallet, Bps]:
    """The rates in force on a day, of affiliates that ever got one; all others have the ruleset's default.

    In force: the event with the greatest from_day up to the day, of several the latest on the chain.
    """
    return {Wallet(row[0]): Bps(row[1]) for row in conn.execute(SELECT_RATES, {"day_id": day_id}).fetchall()}


SELECT_LAST_BLOCK = "SELECT max(block_number) FROM affiliate_rate_changes"


def select_last_rate_block(conn: Conn) -> int | None:
    """The block of the latest stored event, or None."""
    row = conn.execute(SELECT_LAST_BLOCK).fetchone()
    return int(row[0]) if row and row[0] is not None else None


COUNT_CHANGES = "SELECT count(*) FROM affiliate_rate_changes WHERE block_number <= %(block_number)s"


def count_rate_changes(conn: Conn, block_number: int) -> int:
    """How many events are stored up to a block; the contract counts them too."""
    row = conn.execute(COUNT_CHANGES, {"block_number": block_number}).fetchone()
    return int(row[0]) if row else 0

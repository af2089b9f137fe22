"""Rows for tests: tickets as the chain would report them, sealed days and stored runs."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import pytest

from bo_engine.errors import EngineError
from bo_engine.units import POOL_IDS, ZERO_HASH, Atoms, Bps, DayId, Hash32, TicketId
from core.lottery.affiliates import referred_stakes
from core.lottery.documents.merkle_dumps import affiliate_tree, winner_tree
from core.lottery.documents.voided import NAME, render_voided
from core.lottery.model import DayResult, PoolState, PurchasedTicket, Ticket, VoidedDay
from core.lottery.ruleset import RULESET_1
from core.lottery.tickets import bonus_tips, next_digest
from io_layer.lottery.stores.artifacts import put_artifact
from io_layer.lottery.stores.inputs import insert_day_inputs
from io_layer.lottery.stores.pipeline import insert_day, void_day
from io_layer.lottery.stores.runs import NewRun, insert_run
from io_layer.lottery.stores.tickets import insert_tickets, select_pool_totals
from io_layer.postgres.connection import Conn
from tests.support.days import DAY, DEPLOYMENT, Day, seeds_for, ticket, wallet

SIX = (1, 2, 3, 4, 5, 6)
EMPTY = PoolState(Atoms(0), Atoms(0), Atoms(0), 0)


def hash_of(text: str) -> Hash32:
    """Any 32 bytes that a name stands for."""
    return Hash32(hashlib.sha256(text.encode()).digest())


def plain_ticket(ticket_id: int, pool_id: int = 0, player: int = 100) -> Ticket:
    """A ticket of one tip."""
    return ticket(ticket_id, pool_id, wallet(player), [SIX], paid=1)


def chain_rows(tickets: Sequence[Ticket], *, is_final: bool = True) -> list[PurchasedTicket]:
    """The tickets with the digests and places that a chain would give them."""
    digests = dict.fromkeys(POOL_IDS, ZERO_HASH)
    rows = []
    for one in tickets:
        digests[one.pool_id] = next_digest(digests[one.pool_id], one)
        rows.append(
            PurchasedTicket(
                ticket=one,
                digest=digests[one.pool_id],
                nonce=one.ticket_id.to_bytes(16, "big"),
                gas_cost_atoms=Atoms(5),
                tx_hash=hash_of(f"tx {one.ticket_id}"),
                log_index=3,
                block_number=1000 + one.ticket_id,
                block_hash=hash_of(f"block {one.ticket_id}"),
                is_final=is_final,
            )
        )
    return rows


def seal(conn: Conn, opening: Sequence[PoolState] = (EMPTY,) * 5) -> None:
    """Seal the day with what its tickets are."""
    insert_day_inputs(conn, DAY, select_pool_totals(conn, DAY), opening)


def store_day(conn: Conn, day: Day) -> None:
    """Store the tickets of a day and seal it."""
    insert_tickets(conn, chain_rows(day.tickets))
    seal(conn, day.opening)


def store_run(conn: Conn, result: DayResult, run_name: str = "run") -> int:
    """Store a computed day as a run."""
    winners = winner_tree(DEPLOYMENT, DAY, result.payouts)
    affiliates = affiliate_tree(DEPLOYMENT, DAY, result.affiliate_payouts)
    run = NewRun(
        result=result,
        run_hash=hash_of(run_name),
        ruleset_hash=hash_of("ruleset"),
        settlement_hash=hash_of("settlement"),
        winner_root=winners.root,
        affiliate_root=affiliates.root,
        winner_nodes=winners.nodes,
        affiliate_nodes=affiliates.nodes,
    )
    return insert_run(conn, run)


def voided_day(day_id: DayId = DAY) -> VoidedDay:
    """The void of a day as the chain would report it."""
    closing = tuple(PoolState(Atoms(10 + pool), Atoms(20), Atoms(0), pool) for pool in range(5))
    return VoidedDay(day_id, Atoms(1_000), closing, 77, Hash32(b"\xab" * 32), (day_id + 8) * 86_400, hash_of("void"))


def store_void(conn: Conn, voided: VoidedDay) -> None:
    """Note a void as settle does."""
    insert_day(conn, voided.day_id)
    document = render_voided(voided, chain_id=DEPLOYMENT.chain_id, settlement=DEPLOYMENT.settlement)
    put_artifact(conn, voided.day_id, None, NAME, document)
    assert void_day(conn, voided)


@contextmanager
def refused(conn: Conn, code: str) -> Iterator[None]:
    """The block must fail with this code; the transaction around it stays usable."""
    with pytest.raises(EngineError) as caught, conn.transaction():
        yield
    assert caught.value.code == code, str(caught.value)


def crowded_day(ticket_count: int = 60, seed: int = 1) -> Day:
    """A day over numbers 1..9, so that many win; every pool has carry, reserve and a rollover of yesterday."""
    dice = random.Random(seed)
    ruleset = replace(RULESET_1, number_max=9)
    tickets = []
    for ticket_id in range(1, ticket_count + 1):
        paid, vouchers, player = dice.randint(1, 7), dice.choice((0, 0, 2)), dice.randint(100, 120)
        count = paid + bonus_tips(paid) + vouchers
        tips = [tuple(sorted(dice.sample(range(1, 10), 6))) for _ in range(count)]
        affiliate = wallet(900 + player % 3) if player % 4 else None
        tickets.append(
            ticket(ticket_id, dice.randint(0, 4), wallet(player), tips, paid=paid, vouchers=vouchers,
                   affiliate=affiliate, ruleset=ruleset)
        )  # fmt: skip
    opening = tuple(PoolState(Atoms(10**9 + n), Atoms(10**8 + n), Atoms(10**7), 40 + n) for n in range(5))
    rates = {wallet(901): Bps(1000)}
    referred = tuple(referred_stakes(tickets, rates, ruleset=ruleset))
    return Day(ruleset, opening, tuple(tickets), referred, seeds_for(ruleset, DAY))


MARK_SEEN = """
    UPDATE buy_intents AS i SET status = 'SEEN', ticket_id = t.ticket_id, tx_hash = t.tx_hash, failure_reason = NULL
      FROM tickets AS t
     WHERE t.ticket_id = %(ticket_id)s AND i.intent_id = %(intent_id)s AND i.status NOT IN ('SEEN', 'FINAL')
"""


def mark_seen(conn: Conn, intent_id: UUID, ticket_id: TicketId) -> bool:
    """Tie any intent to any ticket, as no service would."""
    return conn.execute(MARK_SEEN, {"intent_id": intent_id, "ticket_id": ticket_id}).rowcount == 1

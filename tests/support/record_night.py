"""A day with many tickets, written straight into a database: what a record night is measured with."""

import random
from collections.abc import Iterator

from bo_engine.units import POOL_IDS, ZERO_HASH, Atoms, Hash32, TicketId, Wallet
from core.lottery.model import PurchasedTicket, Ticket
from core.lottery.ruleset import RULESET_1
from core.lottery.tickets import bonus_tips, next_digest, stake_of
from core.lottery.tips import mask_of, pack_masks
from io_layer.lottery.stores.tickets import BATCH_ROWS, insert_tickets
from io_layer.postgres.connection import Conn
from tests.support.days import DAY, wallet

AFFILIATES = 50
_NUMBERS = range(1, RULESET_1.number_max + 1)


def fill_day(conn: Conn, tickets: int, players: int) -> None:
    """Store the tickets of the day: two or five paid tips each, in turn through all pools, from random players."""
    batch: list[PurchasedTicket] = []
    for row in _rows(tickets, players):
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            insert_tickets(conn, batch)
            batch = []
    insert_tickets(conn, batch)
    conn.execute("ANALYZE tickets")


def _rows(tickets: int, players: int) -> Iterator[PurchasedTicket]:
    rng = random.Random(tickets)
    digests = dict.fromkeys(POOL_IDS, ZERO_HASH)
    for number in range(1, tickets + 1):
        ticket = _ticket(rng, number, players)
        digests[ticket.pool_id] = next_digest(digests[ticket.pool_id], ticket)
        yield PurchasedTicket(
            ticket=ticket,
            digest=digests[ticket.pool_id],
            nonce=number.to_bytes(16, "big"),
            gas_cost_atoms=Atoms(0),
            tx_hash=Hash32(number.to_bytes(32, "big")),
            log_index=0,
            block_number=number,
            block_hash=Hash32(number.to_bytes(32, "big")),
            is_final=True,
        )


def _ticket(rng: random.Random, number: int, players: int) -> Ticket:
    pool_id, player, paid = POOL_IDS[number % 5], rng.randrange(players), (2, 5)[number % 2]
    masks = [mask_of(rng.sample(_NUMBERS, 6), RULESET_1.number_max) for _ in range(paid + bonus_tips(paid))]
    affiliate: Wallet | None = wallet(1 + player % AFFILIATES) if player % 3 else None
    return Ticket(
        TicketId(number),
        DAY,
        pool_id,
        wallet(1000 + player),
        paid,
        0,
        affiliate,
        stake_of(RULESET_1, pool_id, paid, 0),
        pack_masks(masks),
    )

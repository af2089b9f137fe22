"""Shows a wallet's day down to the leaf: tickets -> matches -> share -> floor; players -> rate -> floor; or stakes."""

import json
from typing import Any

from bo_engine.errors import InvalidInput
from bo_engine.units import DayId, Wallet, usdt
from core.lottery.model import PoolResult
from core.lottery.tickets import own_stake_of
from core.lottery.tips import mask_of, numbers_of, unpack_masks
from io_layer.lottery.stores.artifacts import select_artifact, stream_artifact
from io_layer.lottery.stores.pipeline import DayStatus, select_day
from io_layer.lottery.stores.runs import Kind, Run, select_live_run, select_pool_results
from io_layer.lottery.stores.tickets import select_ticket_rows, select_tickets_of
from io_layer.postgres.connection import Conn
from services.lottery.context import LotteryContext
from services.lottery.settlement.proofs import make_proofs


def explain(context: LotteryContext, day_id: DayId, wallet: Wallet) -> dict[str, Any]:
    """Every winning tip of the wallet with its matches and its share, and the leaf that they add up to; every player
    that it brought, with the commission, and the other leaf. On a voided day every ticket with the nonce and the stake
    that ``refund(buyer, nonces)`` of ReserveVault pays back, once and without a proof.

    Raises: InvalidInput ``no_run``.
    """
    row = select_day(context.conn, day_id)
    if row is not None and row.status == DayStatus.VOIDED:
        return _explain_refund(context.conn, day_id, wallet)
    run = select_live_run(context.conn, day_id)
    if run is None:
        raise InvalidInput("no_run", f"day {day_id} is not computed yet")
    pools = select_pool_results(context.conn, run.run_id)
    tickets = select_tickets_of(context.conn, day_id, wallet)
    rows = []
    total = 0
    for ticket in tickets:
        pool = pools[ticket.pool_id]
        drawn = mask_of(pool.winning_numbers, _number_max(context, run)) if pool.winning_numbers else 0
        for index, mask in enumerate(unpack_masks(ticket.tips)):
            matches = (mask & drawn).bit_count()
            share = share_of(pool, matches)
            total += share
            if share:
                rows.append(
                    {
                        "ticket_id": ticket.ticket_id,
                        "pool_id": ticket.pool_id,
                        "tip": index,
                        "numbers": list(numbers_of(mask)),
                        "matches": matches,
                        "share": str(share),
                    }
                )
    leaf = _leaf(context, day_id, wallet, "winner")
    return {
        "day_id": day_id,
        "wallet": wallet,
        "tickets": len(tickets),
        "tips": sum(len(ticket.tips) // 8 for ticket in tickets),
        "winning_numbers": [list(pool.winning_numbers) for pool in pools],
        "winning_tips": rows,
        "sum": str(total),
        "shown_sum": usdt(total),
        "leaf": leaf,
        "agrees": _agrees(total, leaf),
        "affiliate": _commissions(context, day_id, wallet),
    }


def _commissions(context: LotteryContext, day_id: DayId, wallet: Wallet) -> dict[str, Any] | None:
    """What the wallet earned as an affiliate; None if it brought nobody who bought on the day."""
    stored = select_artifact(context.conn, day_id, None, "affiliates.json")
    if stored is None:
        return None
    referred = json.loads(b"".join(stream_artifact(context.conn, stored)))["referred"]
    rows = [{**entry} for entry in referred if entry.pop("affiliate") == wallet]
    if not rows:
        return None
    total = sum(int(row["commission"]) for row in rows)
    leaf = _leaf(context, day_id, wallet, "affiliate")
    return {"players": rows, "sum": str(total), "shown_sum": usdt(total), "leaf": leaf, "agrees": _agrees(total, leaf)}


def _agrees(total: int, leaf: dict[str, Any] | None) -> bool:
    return str(total) == (leaf["amount"] if leaf else "0")


def _explain_refund(conn: Conn, day_id: DayId, wallet: Wallet) -> dict[str, Any]:
    tickets = [ticket.ticket_id for ticket in select_tickets_of(conn, day_id, wallet)]
    notes = [
        (row.ticket, row.nonce, own) for row in select_ticket_rows(conn, tickets) if (own := own_stake_of(row.ticket))
    ]
    total = sum(own for _, _, own in notes)
    return {
        "day_id": day_id,
        "wallet": wallet,
        "status": DayStatus.VOIDED,
        "refunds": [
            {
                "ticket_id": ticket.ticket_id,
                "pool_id": ticket.pool_id,
                "nonce": f"0x{nonce.hex()}",
                "stake": str(own),
            }
            for ticket, nonce, own in notes
        ],
        "sum": str(total),
        "shown_sum": usdt(total),
    }


def share_of(pool: PoolResult, matches: int) -> int:
    """What one tip with so many matches gets in the pool, the jackpot included. Atoms."""
    tier = next((tier.each_atoms for tier in pool.tiers if tier.matches == matches), 0)
    return tier + (pool.jackpot_each_atoms if matches and matches == pool.jackpot_matches else 0)


def _number_max(context: LotteryContext, run: Run) -> int:
    return context.rulesets[run.ruleset_hash].number_max


def _leaf(context: LotteryContext, day_id: DayId, wallet: Wallet, kind: Kind) -> dict[str, Any] | None:
    try:
        leaf: dict[str, Any] | None = make_proofs(context.conn, context.game.deployment, day_id, wallet)[kind]
    except InvalidInput:
        return None
    return leaf

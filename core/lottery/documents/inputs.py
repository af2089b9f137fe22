"""inputs.json: all that was sold on a day, and the state it met (rule 4.1)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bo_engine.units import POOL_IDS, DayId, hex_of
from core.lottery.documents.canonical import StreamedList, render_object
from core.lottery.documents.parts import contracts_json, pool_day_json, state_json
from core.lottery.model import Deployment, PoolDay, PoolState, Ticket
from core.lottery.ruleset import Ruleset, ruleset_document, ruleset_hash
from core.lottery.tickets import bonus_tips

SCHEMA: Final = "bo-engine/inputs/1"


def render_inputs(
    *,
    day_id: DayId,
    deployment: Deployment,
    ruleset: Ruleset,
    opening: Sequence[PoolState],
    sold: Sequence[PoolDay],
    tickets: Iterable[Ticket],
) -> Iterator[bytes]:
    """Yield inputs.json in chunks; ``tickets`` streams in ascending ticket id and is consumed once."""
    return render_object(
        {
            "schema": SCHEMA,
            "day_id": day_id,
            "chain_id": deployment.chain_id,
            "contracts": contracts_json(deployment),
            "ruleset": ruleset_document(ruleset),
            "ruleset_hash": hex_of(ruleset_hash(ruleset)),
            "opening_state": [state_json(state) for state in opening],
            "pools": [pool_day_json(pool_id, pool) for pool_id, pool in zip(POOL_IDS, sold, strict=True)],
            "tickets": StreamedList(ticket_text(ticket) for ticket in tickets),
        }
    )


def ticket_text(ticket: Ticket) -> str:
    """A ticket as canonical JSON text. Its wallets have been checked: they need no escaping."""
    affiliate = "null" if ticket.affiliate is None else f'"{ticket.affiliate}"'
    return (
        f'{{"affiliate":{affiliate},"bonus_tips":{bonus_tips(ticket.paid_tips)},"buyer":"{ticket.buyer}",'
        f'"paid_tips":{ticket.paid_tips},"pool_id":{ticket.pool_id},"stake":"{ticket.stake_atoms}",'
        f'"ticket_id":{ticket.ticket_id},"tips":"0x{ticket.tips.hex()}","voucher_tips":{ticket.voucher_tips}}}'
    )

"""Who committed a day, from the event of SettlementV4."""

from bo_engine.units import DayId, Wallet, hex_of, parse_wallet
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.day_record import COMMITTED, RELEASED
from io_layer.lottery.contracts.game import GameChain
from io_layer.rpc import wire
from io_layer.rpc.reader import Block


def read_commit_sender(game: GameChain, last: Block, day_id: DayId) -> Wallet | None:
    """Who sent the commit that stands at a final block; None while none stands.

    Raises: Unavailable; InvariantBroken ``rpc_disagreement``.
    """
    record = game.read_record(last, day_id)
    if record.status not in (COMMITTED, RELEASED):
        return None
    # The record holds the time of the commit, so its block is found by halving and no long scan is needed.
    first = game.first_block_at(record.committed_at_s, last)
    stop = game.first_block_at(record.committed_at_s + 1, last, first) - 1
    topics = [codec("SettlementV4").topic("DayCommitted"), hex_of(day_id.to_bytes(32, "big"))]
    logs = [
        log for _, page in game.chain.read_log_pages(game.contracts.settlement, topics, first, stop) for log in page
    ]
    if not logs:
        return None
    return game.chain.request_both("eth_getTransactionByHash", [logs[-1]["transactionHash"]], _sender)


def _sender(answer: object) -> Wallet:
    return parse_wallet(wire.text(wire.fields(answer).get("from")))

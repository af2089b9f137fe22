"""What the contracts say of a void: from when a day may be voided, and the void itself."""

from dataclasses import dataclass

from bo_engine.errors import InvariantBroken
from bo_engine.units import Atoms, DayId, Wallet, hex_of, parse_wallet
from core.lottery.model import PoolState, VoidedDay
from core.lottery.void import VoidTimes
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.day_record import DayRecord
from io_layer.lottery.contracts.game import GameChain
from io_layer.rpc import wire
from io_layer.rpc.reader import Block


@dataclass(frozen=True, slots=True)
class VoidTerms:
    """What decides who may void a day, at one final block."""

    times: VoidTimes  # the contract's own word
    requested_at_s: int  # block time of the VRF request; 0 without one
    is_finished: bool  # the game has ended
    owner: Wallet


def read_void_terms(game: GameChain, block: Block, day_id: DayId) -> VoidTerms:
    """The contract's answer, the time of the VRF request, the end of the game, the owner."""
    times, request, is_finished, owner = game.chain.read(
        block,
        [
            game.call("SettlementV4", "voidableFrom", day_id),
            game.call("VRFReceiver", "requestOf", day_id),
            game.call("SettlementV4", "finished"),
            game.call("Roles", "owner"),
        ],
    )
    _request_id, requested_at_s, _block = request
    return VoidTerms(VoidTimes(*times), requested_at_s, is_finished, parse_wallet(owner))


def read_voided(game: GameChain, last: Block, day_id: DayId, record: DayRecord) -> VoidedDay:
    """The void of a day, from its event. Raises: InvariantBroken ``logs_incomplete`` when the event is not found."""
    # The record holds the time of the void, so its block is found by halving and no long scan is needed.
    first_number = game.first_block_at(record.released_at_s, last)
    last_number = game.first_block_at(record.released_at_s + 1, last) - 1
    settlement = codec("SettlementV4")
    topics = [settlement.topic("DayVoided"), hex_of(day_id.to_bytes(32, "big"))]
    pages = game.chain.read_log_pages(game.contracts.settlement, topics, first_number, last_number)
    logs = [log for _, page in pages for log in page]
    if len(logs) != 1:
        raise InvariantBroken(
            "logs_incomplete",
            f"day {day_id} is voided on-chain, but {len(logs)} DayVoided events stand in blocks {first_number} to "
            f"{last_number}",
        )
    (log,) = logs
    fields = settlement.event("DayVoided", log)
    return VoidedDay(
        day_id=day_id,
        stake_atoms=Atoms(fields["stake"]),
        closing=tuple(PoolState(Atoms(c), Atoms(r), Atoms(o), streak) for c, r, o, streak in fields["closing"]),
        block_number=int(log["blockNumber"], 16),
        block_hash=wire.hash32(log["blockHash"]),
        block_time_s=record.released_at_s,
        tx_hash=wire.hash32(log["transactionHash"]),
    )

"""The engine's key takes the office of SETTLER, for which OWNER has named it (rule 7.1): the end of an exchange."""

import time
from dataclasses import dataclass
from typing import Any, Final

from bo_engine.errors import InvalidInput, Unavailable, UsageError
from bo_engine.units import ZERO_WALLET, DayId, Hash32, Wallet, day_of, hex_of
from core.lottery.notices import Naming, office_number
from io_layer.keys.signer import load_address
from io_layer.lottery.contracts.day_record import COMMITTED
from io_layer.lottery.contracts.roles import read_offices
from io_layer.rpc.reader import Block
from io_layer.stores.audit import has_audit, insert_audit
from io_layer.stores.journal import mark_adopted, select_attempts, select_open_transactions
from services.chain.reorg_guard import require_final_blocks
from services.lottery.engine import Engine
from services.lottery.settlement.settle_days import JOB
from services.running.lease import Lease, held_lease
from services.transactions.follow import Purpose, close_purpose, current_attempt
from services.transactions.send import TAKE_OFFICE, send_with, signer_of

WAIT_S: Final = 60.0
_POLL_S: Final = 1.0
_OFFICE: Final = "settler"


@dataclass(frozen=True, slots=True)
class OfficePlan:
    """Whose key it is, whom it succeeds, and the naming that it acts on; None once it holds the office."""

    address: Wallet
    holder: Wallet
    naming: Naming | None
    block: Block
    pending_day: DayId | None  # a commit that waits for its release

    def document(self) -> dict[str, Any]:
        """For people and programs."""
        window = self.naming.window.in_words(self.block.timestamp_s) if self.naming else "the office is taken"
        return {
            "address": self.address,
            "settler_now": None if self.holder == ZERO_WALLET else self.holder,
            "can_take_it": window,
            "takes_back_the_commit_of_day": self.pending_day,
        }


def plan_office(engine: Engine, *, may_take_back: bool) -> OfficePlan:
    """Look whether the configured key may take the office now. Sends nothing.

    Raises: UsageError ``wrong_key`` when it is not the named one; Unavailable ``notice_runs``; InvalidInput
    ``naming_expired``, ``commit_pending`` when a commit would be taken back and ``may_take_back`` is false.
    """
    address = load_address(engine.settings, is_local=engine.game.chain.is_local)
    block = engine.game.chain.read_final_block()
    office = read_offices(engine.game.chain, block, engine.game.contracts.roles)[_OFFICE]
    pending = _pending_day(engine, block)
    if office.holder == address:
        return OfficePlan(address, office.holder, None, block, None)
    plan = OfficePlan(address, office.holder, office.naming, block, pending)
    _require_due(plan)
    if pending is not None and not may_take_back:
        raise InvalidInput(
            "commit_pending",
            f"day {pending} is committed and not released: a new SETTLER takes that commit back and halts the day. "
            "Wait for the release, or say --take-back",
        )
    return plan


def take_office(engine: Engine, *, may_take_back: bool) -> dict[str, Any]:
    """Send `takeOffice` through the journal and wait until it is final. Safe to repeat: once the key holds the office,
    nothing is sent. Raises: as ``plan_office`` and ``send_once``; Unavailable ``waiting_for_chain``, ``lease_held``.
    """
    with held_lease(engine.conn, JOB, engine.stop) as lease:
        require_final_blocks(engine, lease)
        plan = plan_office(engine, may_take_back=may_take_back)
        if plan.naming is not None:
            purpose = _purpose(engine, plan.naming)
            send_with(
                engine,
                lease,
                signer_of(engine, (TAKE_OFFICE,)),
                purpose,
                (office_number(_OFFICE),),
                is_under_way=lambda: _holds_at_head(engine, plan.address),
            )
            _wait_final(engine, plan.address)
        tx_hash = _close(engine, lease, plan.address)
    return {"address": plan.address, "is_settler": True, "tx_hash": hex_of(tx_hash) if tx_hash else None}


def _require_due(plan: OfficePlan) -> None:
    naming, now_s = plan.naming, plan.block.timestamp_s
    if naming is None or naming.account != plan.address:
        named = f"{naming.account} is named" if naming else "no account is named"
        raise UsageError(
            "wrong_key",
            f"OWNER has not named {plan.address} as the next SETTLER: {named}; `contracts roles --name {_OFFICE} "
            f"{plan.address}` prints the call",
        )
    state, window = naming.window.state_at(now_s), naming.window.in_words(now_s)
    if state == "waits":
        raise Unavailable("notice_runs", f"{plan.address} can take the office {window}")
    if state == "expired":
        raise InvalidInput("naming_expired", f"{plan.address} can take the office {window}; OWNER names it again")


def _pending_day(engine: Engine, block: Block) -> DayId | None:
    day_id = engine.game.read_next_day(block)
    return day_id if engine.game.read_record_at_head(day_id).status == COMMITTED else None


def _purpose(engine: Engine, naming: Naming) -> Purpose:
    """One per naming: whoever is named again waits for two days more, and so for another day."""
    contract, function = TAKE_OFFICE
    day_id = day_of(naming.window.not_before_s)
    return Purpose(contract, engine.game.contracts.of(contract), function, day_id, 0)


def _holds_at_head(engine: Engine, address: Wallet) -> bool:
    call = engine.game.call("Roles", "holderOf", office_number(_OFFICE))
    return str(engine.game.chain.read_at_head(call)).lower() == address


def _wait_final(engine: Engine, address: Wallet) -> None:
    deadline = time.monotonic() + WAIT_S
    while engine.game.read_settlers(engine.game.chain.read_final_block())[1] != address:
        if time.monotonic() >= deadline:
            raise Unavailable(
                "waiting_for_chain", "takeOffice is sent and not final yet; run it again, it sends nothing twice"
            )
        engine.stop.wait(_POLL_S)


def _close(engine: Engine, lease: Lease, address: Wallet) -> Hash32 | None:
    """Mark what was sent as final, and what an older naming left behind as done; the hash of ours, if it was ours."""
    contract, function = TAKE_OFFICE
    at, found = engine.game.contracts.of(contract), None
    for stored in select_open_transactions(engine.conn):
        if stored.contract != at:
            continue
        tx_hash = close_purpose(engine, lease, Purpose(contract, at, function, stored.day_id, stored.round))
        found = tx_hash or found
        if current_attempt(select_attempts(engine.conn, stored.tx_id)) is None:
            with lease.transaction():
                mark_adopted(engine.conn, stored.tx_id, "the office is taken")
    details = {"settler": address, "tx_hash": hex_of(found) if found else None}
    if found is not None and not has_audit(engine.conn, "office_taken", details):
        with lease.transaction():
            insert_audit(engine.conn, actor="engine", action="office_taken", details=details)
    return found

"""The engine's key takes the office of SETTLER, for which OWNER has named it (rule 7.1): the end of an exchange."""

import time
from dataclasses import dataclass
from typing import Any, Final

from bo_engine.errors import InvalidInput, Unavailable, UsageError
from bo_engine.units import ZERO_WALLET, DayId, Hash32, Wallet, day_of, hex_of
from core.lottery.notices import Naming, WindowState, office_number
from io_layer.keys.signer import load_address
from io_layer.lottery.contracts.day_record import COMMITTED
from io_layer.lottery.contracts.roles import read_offices
from io_layer.rpc.reader import Block
from io_layer.stores.audit import has_audit, insert_audit
from io_layer.stores.journal import mark_adopted, select_attempts, select_open_transactions
from services.chain.reorg_guard import require_final_blocks
from services.lottery.context import LotteryContext
from services.lottery.policy import JOB
from services.lottery.wording import TAKE_OFFICE, subject_of
from services.running.lease import held_lease
from services.transactions.follow import Purpose, close_purpose, current_attempt
from services.transactions.send import send_with, signer_of

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


def plan_office(context: LotteryContext, *, may_take_back: bool) -> OfficePlan:
    """Look whether the configured key may take the office now. Sends nothing.

    Raises: UsageError ``wrong_key`` when it is not the named one; Unavailable ``notice_runs``; InvalidInput
    ``naming_expired``, ``commit_pending`` when a commit would be taken back and ``may_take_back`` is false.
    """
    address = load_address(context.settings, is_local=context.chain.is_local)
    block = context.chain.read_final_block()
    office = read_offices(context.chain, block, context.game.contracts.roles)[_OFFICE]
    pending = _pending_day(context, block)
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


def take_office(context: LotteryContext, *, may_take_back: bool) -> dict[str, Any]:
    """Send `takeOffice` through the journal and wait until it is final. Safe to repeat: once the key holds the office,
    nothing is sent. Raises: as ``plan_office`` and ``send_once``; Unavailable ``waiting_for_chain``, ``lease_held``.
    """
    with held_lease(context, JOB) as context:
        require_final_blocks(context)
        plan = plan_office(context, may_take_back=may_take_back)
        if plan.naming is not None:
            purpose = _purpose(context, plan.naming)
            send_with(
                context,
                signer_of(context, (TAKE_OFFICE,)),
                purpose,
                (office_number(_OFFICE),),
                is_under_way=lambda: _holds_at_head(context, plan.address),
            )
            _wait_final(context, plan.address)
        tx_hash = _close(context, plan.address)
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
    if state == WindowState.WAITS:
        raise Unavailable("notice_runs", f"{plan.address} can take the office {window}")
    if state == WindowState.EXPIRED:
        raise InvalidInput("naming_expired", f"{plan.address} can take the office {window}; OWNER names it again")


def _pending_day(context: LotteryContext, block: Block) -> DayId | None:
    day_id = context.game.read_next_day(block)
    return day_id if context.game.read_record_at_head(day_id).status == COMMITTED else None


def _purpose(context: LotteryContext, naming: Naming) -> Purpose:
    """One per naming: whoever is named again waits for two days more, and so for another day."""
    contract, function = TAKE_OFFICE
    subject = subject_of(day_of(naming.window.not_before_s))
    return Purpose(contract, context.game.contracts.of(contract), function, subject, 0)


def _holds_at_head(context: LotteryContext, address: Wallet) -> bool:
    call = context.game.call("Roles", "holderOf", office_number(_OFFICE))
    return str(context.chain.read_at_head(call)).lower() == address


def _wait_final(context: LotteryContext, address: Wallet) -> None:
    deadline = time.monotonic() + WAIT_S
    while context.game.read_settlers(context.chain.read_final_block())[1] != address:
        if time.monotonic() >= deadline:
            raise Unavailable(
                "waiting_for_chain", "takeOffice is sent and not final yet; run it again, it sends nothing twice"
            )
        context.cancel.wait(_POLL_S)


def _close(context: LotteryContext, address: Wallet) -> Hash32 | None:
    """Mark what was sent as final, and what an older naming left behind as done; the hash of ours, if it was ours."""
    contract, function = TAKE_OFFICE
    at, found = context.game.contracts.of(contract), None
    for stored in select_open_transactions(context.conn):
        if stored.contract != at:
            continue
        tx_hash = close_purpose(context, Purpose(contract, at, function, stored.subject, stored.round))
        found = tx_hash or found
        if current_attempt(select_attempts(context.conn, stored.tx_id)) is None:
            with context.transaction():
                mark_adopted(context.conn, stored.tx_id, "the office is taken")
    details = {"settler": address, "tx_hash": hex_of(found) if found else None}
    if found is not None and not has_audit(context.conn, "office_taken", details):
        with context.transaction():
            insert_audit(context.conn, actor="engine", action="office_taken", details=details)
    return found

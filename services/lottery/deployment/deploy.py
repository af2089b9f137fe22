"""Carries out a deployment. Killed anywhere it goes on with the next run: what was signed is sent again as it is, what
stands with our code is taken as done, and a nonce is never signed for anything else than its one contract."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from abi import is_code_of
from bo_engine.errors import InvalidInput, InvariantBroken, Unavailable, require_invariant
from bo_engine.units import Hash32, Wallet, day_start, hex_of
from core.deployment.creations import CREATIONS
from io_layer.contracts.creation import SignedCreation, estimate_creation, read_codes_at_heads
from io_layer.keys.creation_signer import CreationSigner
from io_layer.keys.signer import MAX_FEE_PER_GAS_WEI, MAX_GAS_LIMIT
from io_layer.lottery.contracts.game import open_game
from io_layer.lottery.deployment_file import write_record
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import (
    Broadcast,
    Fees,
    broadcast,
    read_balance_wei,
    read_base_fees,
    read_head_nonces,
    read_pending_nonce,
    read_receipt,
)
from services.deployment.checklist import Check, Checklist, Verdict
from services.lottery.deployment.checks.contracts import check_installation
from services.lottery.deployment.checks.deployment import Installation, check_code
from services.lottery.deployment.checks.surroundings import OthersLine
from services.lottery.deployment.plan import FEE_ROOM, Plan
from services.running.cancel import Stop
from services.transactions.fee_bump import raised_fees, require_under_cap

WAIT_S: Final = 60
_POLL_S: Final = 1
_SEND_AGAIN_S: Final = 20
#: Lines that only others can make hold; the deployment is done without them.
LEFT_TO_OTHERS: Final = frozenset(OthersLine)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A finished deployment: addresses, the lines for the settings file, and what others have to do now."""

    addresses: dict[str, Wallet]
    env: dict[str, str]
    todo: list[Check]


def require_plan_holds(plan: Plan) -> None:
    """Raises: InvalidInput ``deployment_refused`` naming the first line that does not hold; Unavailable."""
    wrong, unknown = plan.lines.of(Verdict.WRONG), plan.lines.of(Verdict.UNKNOWN)
    if wrong:
        first, more = wrong[0], len(wrong) - 1
        rest = f"; and {more} more: look at --dry-run" if more else ""
        raise InvalidInput("deployment_refused", f"{first.name}: {first.found}; {first.todo}{rest}")
    if unknown:
        raise Unavailable("rpc_unusable", f"{unknown[0].name}: {unknown[0].found}")


def deploy_contracts(plan: Plan, signer: CreationSigner, *, tell: Callable[[str], None], stop: Stop) -> Deployed:
    """Create what does not stand yet, wait until all is final, look at it, and write down that it is done.

    Raises: InvariantBroken ``would_revert``, ``nonce_taken``, ``deploy_reverted``, ``foreign_code``,
    ``deploy_failed``; Unavailable ``waiting_for_chain``, ``not_final``, ``deployer_unfunded``, ``nonce_in_flight``,
    ``fee_above_cap``, ``bumps_used_up`` and for endpoints that do not answer: then run it again.
    """
    require_plan_holds(plan)
    write_record(plan.path, plan.record)
    for place, (key, name) in enumerate(CREATIONS):
        tell(f"{name} ({place + 1} of {len(CREATIONS)})")
        _create(plan, signer, key, name, nonce=plan.record.first_nonce + place, stop=stop)
    tell("all stand; waiting for finality")
    return _finish(plan, _wait_final(plan, stop))


def _create(plan: Plan, signer: CreationSigner, key: str, name: str, *, nonce: int, stop: Stop) -> None:
    begun_s, sent_at_s = time.monotonic(), None
    while not _stands(plan, key, name):
        stop.check()
        attempts = plan.record.signed.get(key, [])
        if not attempts:
            _sign_first(plan, signer, key, name, nonce)
            continue
        now_s = time.monotonic()
        if sent_at_s is None or now_s - sent_at_s >= _SEND_AGAIN_S:
            sent_at_s = now_s
            if _offer(plan, signer, key, name, attempts):
                sent_at_s = None
            continue
        if now_s - begun_s >= WAIT_S:
            raise Unavailable(
                "waiting_for_chain", f"{name}: {hex_of(attempts[-1].tx_hash)} is sent and not mined; run it again"
            )
        stop.wait(_POLL_S)


def _stands(plan: Plan, key: str, name: str) -> bool:
    codes = read_codes_at_heads(plan.chain, plan.at[key])
    foreign = [bool(code) and not is_code_of(name, code) for code in codes]
    said = f"at {plan.at[key]} stands other code than our {name}"
    require_invariant(not all(foreign), "foreign_code", f"{said}: was abi/ rebuilt since this deployment was begun?")
    if any(foreign):
        raise Unavailable("rpc_out_of_step", f"only one RPC endpoint says that {said}: find out which one lies")
    return all(codes)


def _sign_first(plan: Plan, signer: CreationSigner, key: str, name: str, nonce: int) -> None:
    chain, deployer = plan.chain, plan.record.deployer
    heads = read_head_nonces(chain, deployer)
    if max(heads) > nonce:
        if _stands(plan, key, name):
            return
        if min(heads) <= nonce:
            raise Unavailable("rpc_out_of_step", f"only one RPC endpoint has seen nonce {nonce} of {deployer} spent")
        raise _nonce_taken(plan, name, nonce)
    if read_pending_nonce(chain, deployer) > nonce:
        raise Unavailable(
            "nonce_in_flight",
            f"the deployer {deployer} has a transaction with nonce {nonce} under way that is not ours",
        )
    gas = estimate_creation(chain, deployer, plan.creations[key])
    base_fee = max(*read_base_fees(chain), 1)
    require_under_cap(base_fee)
    fees = Fees(min(gas + gas // 2, MAX_GAS_LIMIT), base_fee, min(FEE_ROOM * base_fee, MAX_FEE_PER_GAS_WEI), 0)
    _sign(plan, signer, key, nonce, fees)


def _sign(plan: Plan, signer: CreationSigner, key: str, nonce: int, fees: Fees) -> None:
    deployer, need_wei = plan.record.deployer, fees.gas_limit * fees.max_fee_per_gas
    have_wei = read_balance_wei(plan.chain, deployer)
    if have_wei < need_wei:
        raise Unavailable(
            "deployer_unfunded", f"the deployer {deployer} holds {have_wei} wei, {need_wei} are needed: send ether"
        )
    raw, tx_hash = _signed(plan, signer, key, nonce, fees)
    plan.record.signed.setdefault(key, []).append(
        SignedCreation(nonce, fees.gas_limit, fees.max_fee_per_gas, fees.max_priority_fee_per_gas, raw, tx_hash)
    )
    # On the disk before it is sent: whatever happens then, the same bytes are sent again.
    write_record(plan.path, plan.record)


def _signed(plan: Plan, signer: CreationSigner, key: str, nonce: int, fees: Fees) -> tuple[bytes, Hash32]:
    creation = plan.creations[key]
    return signer.sign(creation, nonce=nonce, fees=fees, planned=frozenset(plan.creations.values()))


def _offer(plan: Plan, signer: CreationSigner, key: str, name: str, attempts: list[SignedCreation]) -> bool:
    """Offer the newest signed bytes; whether there are dearer ones now, which are to be offered next."""
    newest = attempts[-1]
    fees = Fees(newest.gas_limit, 0, newest.max_fee_per_gas, newest.max_priority_fee)
    # Signing gives the same bytes each time (RFC 6979), so nothing else than the plan's creation can be sent.
    require_invariant(
        _signed(plan, signer, key, newest.nonce, fees) == (newest.raw, newest.tx_hash),
        "journal_damaged",
        f"the signed bytes of {name} were changed in {plan.path}; nothing is sent",
    )
    outcome = broadcast(plan.chain, newest.raw)
    if outcome is Broadcast.NONCE_USED:
        _look_why_spent(plan, key, name, attempts)
        return False
    base_fee = min(read_base_fees(plan.chain))
    if outcome is Broadcast.UNDERPRICED or base_fee > newest.max_fee_per_gas:
        max_fee, priority_fee = raised_fees(attempts, base_fee)
        _sign(plan, signer, key, newest.nonce, Fees(newest.gas_limit, base_fee, max_fee, priority_fee))
        return True
    return False


def _look_why_spent(plan: Plan, key: str, name: str, attempts: list[SignedCreation]) -> None:
    """The nonce is spent: by us, or not. Says nothing while that is not final."""
    final = plan.chain.read_final_block()
    if plan.chain.read_final_nonce(final, plan.record.deployer) <= attempts[-1].nonce or _stands(plan, key, name):
        return
    for attempt in attempts:
        receipt = read_receipt(plan.chain, attempt.tx_hash, final)
        if receipt is not None and not receipt.succeeded and receipt.block_number <= final.number:
            raise InvariantBroken(
                "deploy_reverted",
                f"the creation of {name} ({hex_of(attempt.tx_hash)}) failed on the chain although its simulation "
                "passed. What stands is of no use and harms nobody: deploy anew under another file name, fresh key",
            )
    raise _nonce_taken(plan, name, attempts[-1].nonce)


def _nonce_taken(plan: Plan, name: str, nonce: int) -> InvariantBroken:
    return InvariantBroken(
        "nonce_taken",
        f"nonce {nonce} of {plan.record.deployer} was to create {name}, but something else has used it: who has the "
        "key? The addresses cannot be reached any more: deploy anew under another file name with a fresh key",
    )


def _wait_final(plan: Plan, stop: Stop) -> Block:
    begun_s = time.monotonic()
    while True:
        block = plan.chain.read_final_block()
        if all(plan.chain.read_code(plan.at[key], block) for key in ("settlement", "roles")):
            return block
        if time.monotonic() - begun_s >= WAIT_S:
            raise Unavailable(
                "not_final",
                "all contracts stand at the head and are not final yet: run it again in a quarter of an hour",
            )
        stop.wait(_POLL_S)


def _finish(plan: Plan, block: Block) -> Deployed:
    terms = plan.record.terms
    here = Installation(plan.chain, block, {**plan.at, "usdt": terms.money.usdt}, terms)
    lines = Checklist()
    if check_code(lines, here):
        check_installation(lines, here, plan.rulesets)
    if lines.of(Verdict.UNKNOWN):
        raise Unavailable("rpc_unusable", f"{lines.of(Verdict.UNKNOWN)[0].name}: {lines.of(Verdict.UNKNOWN)[0].found}")
    wrong = [line for line in lines.of(Verdict.WRONG) if line.name not in LEFT_TO_OTHERS]
    if wrong:
        findings = [f"{line.name}: {line.found}; {line.todo}" for line in wrong]
        raise InvariantBroken("deploy_failed", "the contracts do not stand as planned: use none of them", findings)
    addresses = {**plan.at, "usdt": terms.money.usdt}
    env = {
        "CHAIN_ID": str(terms.chain_id),
        "SETTLEMENT_ADDRESS": plan.at["settlement"],
        "FIRST_BLOCK": str(_first_block(plan, block)),
    }
    document: dict[str, Any] = {"addresses": addresses, "env": env}
    if plan.record.finished is None:
        write_record(plan.path, replace(plan.record, finished=document))
    else:
        env = dict(plan.record.finished["env"])
    return Deployed(addresses, env, [line for line in lines.lines if line.verdict in (Verdict.WRONG, Verdict.WARNING)])


def _first_block(plan: Plan, block: Block) -> int:
    if not plan.record.adopts:
        return plan.record.planned_block
    # When they were created is not known; no ticket is sold before the first day.
    game = open_game(plan.chain, plan.at["settlement"])
    return min(game.first_block_at(day_start(game.first_day), block), block.number)

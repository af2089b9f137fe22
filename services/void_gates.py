"""The gates of a voided day: those of a settlement that have something to look at, and V1 (docs/rules.md section 6)."""

from collections.abc import Iterator
from typing import Final

from bo_engine.errors import InvariantBroken
from bo_engine.units import DayId, hex_of
from core.bundle import state_hash
from io_layer.recount import recount_refunds
from io_layer.run_store import Run
from services.day_work import Opened
from services.engine import Engine
from services.gates import SETTLEMENT_CHECKS, Check, Evidence, Finding, check_gates, gather, require_gates, unequal
from services.void_work import read_void

NOT_APPLICABLE: Final = {
    "G5": "nothing is won: a voided day pays no prize out of budget or reserve",
    "G8": "no jackpot is paid",
    "G11": "nothing is drawn: the numbers do not matter any more",
    "W1": "there is no fee, so no share for charity",
}


def check_void_gates(engine: Engine, opened: Opened) -> list[Finding]:
    """Run the gates of a voided day for its open run; those that have nothing to look at are listed as such."""
    found = check_gates(engine, opened, VOID_CHECKS)
    by_gate = {finding.gate: finding for finding in found}
    by_gate |= {gate: Finding(gate, True, why, applies=False) for gate, why in NOT_APPLICABLE.items()}
    order = ["G1", "G2", *SETTLEMENT_CHECKS, "V1"]
    return [by_gate[gate] for gate in order if gate in by_gate]


def require_void_gates(day_id: DayId, findings: list[Finding]) -> None:
    """Raises: InvariantBroken ``refund_differs`` when the chain holds another refund; else as ``require_gates``."""
    (v1,) = [finding for finding in findings if finding.gate == "V1"] or [Finding("V1", True)]
    if not v1.holds:
        others = [f"{one.gate} {one.text}: {one.detail}" for one in findings if not one.holds and one is not v1]
        raise InvariantBroken(
            "refund_differs",
            f"day {day_id} is voided on-chain with another refund than ours: {v1.detail}; nobody may claim on it "
            "before it is known which one is wrong: pause the claims of PrizeVault and look",
            others,
        )
    require_gates(day_id, findings)


def check_refund(engine: Engine, opened: Opened, run: Run) -> None:
    """The approved rows once more, root and tree, against what the chain holds. Raises: as ``require_void_gates``."""
    evidence = gather(engine, opened, run)
    findings = []
    for gate in ("G3", "G4", "G6", "G7", "V1"):
        details = list(VOID_CHECKS[gate](evidence))
        findings.append(Finding(gate, not details, "; ".join(details)))
    require_void_gates(opened.day_id, findings)


def _v1(seen: Evidence) -> Iterator[str]:
    refund = read_void(seen.engine, seen.opened).refund
    ours_root, ours_total = hex_of(seen.run.winner_root), seen.run.total_payout_atoms
    yield from unequal("refund root on-chain", hex_of(refund.root), ours_root)
    yield from unequal("refund total on-chain", refund.total_atoms, ours_total)
    vault = (hex_of(refund.vault_root), refund.vault_total_atoms)
    yield from unequal("root and total in PrizeVault", vault, (hex_of(refund.root), refund.total_atoms))
    affiliates = (hex_of(refund.affiliate_root), refund.affiliate_total_atoms)
    yield from unequal("root and total in AffiliateVault", affiliates, (hex_of(bytes(32)), 0))
    yield from unequal("closing state on-chain", refund.closing, tuple(pool.closing for pool in seen.pools))


def _g10(seen: Evidence) -> Iterator[str]:
    if state_hash(seen.opened.opening) != seen.opened.facts.opening_state_hash:
        yield "the opening state is not the chain's"
    for pool, opening, sold in zip(seen.pools, seen.opened.opening, seen.opened.facts.pools, strict=True):
        name, closing = f"pool {pool.pool_id}", pool.closing
        yield from unequal(f"{name}: refund", pool.refund_atoms, sold.stake_atoms)
        kept = closing.carry_atoms + closing.reserve_atoms + closing.last_rollover_atoms
        before = opening.carry_atoms + opening.reserve_atoms + opening.last_rollover_atoms + sold.stake_atoms
        yield from unequal(f"{name}: atoms after", pool.refund_atoms + kept, before)
        stays = (opening.carry_atoms + opening.last_rollover_atoms, opening.reserve_atoms, 0, opening.streak)
        after = (closing.carry_atoms, closing.reserve_atoms, closing.last_rollover_atoms, closing.streak)
        yield from unequal(f"{name}: closing state", after, stays)
    spent = seen.run.affiliate_total_atoms + seen.run.charity_total_atoms + seen.run.net_fee_atoms
    yield from unequal("affiliates, charity and net fee", spent, 0)


def _g13(seen: Evidence) -> Iterator[str]:
    deployment = seen.engine.game.deployment
    recount = recount_refunds(
        seen.engine.conn,
        seen.run.day_id,
        tuple(int(price) for price in seen.opened.ruleset.prices_atoms),
        promotions=read_void(seen.engine, seen.opened).promotions,
        chain_id=deployment.chain_id,
        prize_vault=deployment.prize_vault,
    )
    yield from unequal("recounted refund total", recount.total, seen.run.total_payout_atoms)
    yield from unequal("recounted refund root", hex_of(recount.root), hex_of(seen.run.winner_root))
    rows = tuple((payout.wallet, payout.amount_atoms) for payout in seen.payouts)
    yield from unequal("recounted refunds are the payout rows", recount.rows == rows, True)


VOID_CHECKS: Final[dict[str, Check]] = {
    **{gate: SETTLEMENT_CHECKS[gate] for gate in ("G3", "G4", "G6", "G7", "G9")},
    "G10": _g10,
    "G12": SETTLEMENT_CHECKS["G12"],
    "G13": _g13,
    "V1": _v1,
}

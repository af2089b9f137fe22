"""The gates before a commit (docs/rules.md section 6). Each looks; none writes; all findings are listed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bo_engine.errors import EngineError, InvariantBroken, Stopped, Unavailable
from bo_engine.units import BPS_ONE, POOL_COUNT, POOL_IDS, DayId, hex_of
from core.lottery.bundle import state_hash
from core.lottery.documents.merkle_dumps import affiliate_tree, winner_tree
from core.lottery.fold import fold_day
from core.lottery.model import Deployment, Payout, PoolResult, Seeds
from core.lottery.ruleset import Ruleset
from core.lottery.settle import winning_numbers
from io_layer.lottery.recount.backends import require_second_backends
from io_layer.lottery.recount.beacon import Beacon, require_beacon
from io_layer.lottery.recount.day import Recount, RecountRules, recount_day
from io_layer.lottery.stores.runs import (
    Run,
    select_affiliate_payouts,
    select_open_runs,
    select_pool_results,
    select_tree,
    select_winner_payouts,
)
from io_layer.lottery.stores.tickets import stream_tickets
from services.lottery.backends import engine_backends
from services.lottery.context import LotteryContext
from services.lottery.settlement.day import Opened, rates_in_force, seeds_of_day
from services.lottery.settlement.gates.ticket_check import first_difference

GATE_TEXTS: Final = {
    "G1": "a computed run exists",
    "G2": "exactly one run is open",
    "G3": "winner payouts add up to the total",
    "G4": "affiliate payouts add up to the total",
    "G5": "pool payouts add up and stay within budget and reserve",
    "G6": "winner root rebuilt from the payout rows",
    "G7": "affiliate root rebuilt from the payout rows",
    "G8": "jackpot flags agree with the jackpot payouts",
    "G9": "the tickets are the chain's tickets",
    "G10": "conservation, and the opening state is the chain's",
    "G11": "seeds verified again, numbers equal to the contract's draw",
    "G12": "the vaults hold what is owed",
    "G13": "an independent recount, by other libraries, gives the same totals and roots",
    "W1": "the charity's share is plausible",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate saw. A warning that does not hold does not stop the day."""

    gate: str
    holds: bool
    detail: str = ""

    @property
    def is_warning(self) -> bool:
        """Whether the gate only warns."""
        return self.gate.startswith("W")

    @property
    def text(self) -> str:
        """The gate's claim."""
        return GATE_TEXTS[self.gate]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gates look at."""

    context: LotteryContext
    opened: Opened
    run: Run
    payouts: Sequence[Payout]
    affiliate_payouts: Sequence[Payout]
    pools: Sequence[PoolResult]

    def seeds(self) -> Seeds | None:
        """The stored seeds, verified again; here and not before, so that a wrong seed is one finding among others."""
        return seeds_of_day(self.context, self.opened)


Check = Callable[[Evidence], Iterator[str]]


def check_gates(context: LotteryContext, opened: Opened) -> list[Finding]:
    """Run all gates for the day's open run, at the final block of ``opened``.

    A gate that cannot even look is a finding; only a node or a database that does not answer (Unavailable) and the
    wish to end (Stopped) are passed on, because the next tick may well succeed.
    """
    runs = select_open_runs(context.conn, opened.day_id)
    findings = [Finding("G1", bool(runs), "" if runs else "compute has not left a run for this day")]
    findings.append(Finding("G2", len(runs) <= 1, "" if len(runs) <= 1 else f"{len(runs)} runs are open"))
    if len(runs) != 1:
        return findings
    evidence = _gather(context, opened, runs[0])
    for gate, check in _CHECKS.items():
        try:
            details = list(check(evidence))
        except (Unavailable, Stopped):
            raise
        except EngineError as error:
            details = [str(error)]
        findings.append(Finding(gate, not details, "; ".join(details)))
    return findings


def require_gates(day_id: DayId, findings: list[Finding]) -> None:
    """Raises: InvariantBroken ``gates_failed``, all findings listed."""
    failed = [finding for finding in findings if not finding.holds and not finding.is_warning]
    if failed:
        names = ", ".join(finding.gate for finding in failed)
        lines = [f"{finding.gate} {finding.text}: {finding.detail}" for finding in findings if not finding.holds]
        raise InvariantBroken(
            "gates_failed",
            f"day {day_id} does not pass {names}; nothing is committed; look at each, then `bo-engine resume --day "
            f"{day_id} --by NAME` computes and approves it anew",
            lines,
        )


def _gather(context: LotteryContext, opened: Opened, run: Run) -> Evidence:
    """The rows of one run."""
    return Evidence(
        context=context,
        opened=opened,
        run=run,
        payouts=select_winner_payouts(context.conn, run.run_id),
        affiliate_payouts=select_affiliate_payouts(context.conn, run.run_id),
        pools=select_pool_results(context.conn, run.run_id),
    )


def _g3(seen: Evidence) -> Iterator[str]:
    yield from unequal("payout rows", sum(p.amount_atoms for p in seen.payouts), seen.run.total_payout_atoms)


def _g4(seen: Evidence) -> Iterator[str]:
    found = sum(p.amount_atoms for p in seen.affiliate_payouts)
    yield from unequal("affiliate rows", found, seen.run.affiliate_total_atoms)


def _g5(seen: Evidence) -> Iterator[str]:
    total = sum(seen.run.pool_payout) + sum(seen.run.pool_jackpot_payout)
    yield from unequal("pool and jackpot sums", total, seen.run.total_payout_atoms)
    limit_bps = seen.opened.ruleset.jackpot_payout_bps
    for pool in POOL_IDS:
        opening, split = seen.opened.opening[pool], seen.opened.splits[pool]
        budget = opening.carry_atoms + opening.last_rollover_atoms + split.pot_atoms
        if seen.run.pool_payout[pool] > budget:
            yield f"pool {pool} pays {seen.run.pool_payout[pool]} atoms of a budget of {budget}"
        most = (opening.reserve_atoms + split.jackpot_atoms) * limit_bps // BPS_ONE
        if seen.run.pool_jackpot_payout[pool] > most:
            yield f"pool {pool} pays a jackpot of {seen.run.pool_jackpot_payout[pool]} atoms, at most {most} may leave"


def _g6(seen: Evidence) -> Iterator[str]:
    tree = winner_tree(seen.context.game.deployment, seen.run.day_id, seen.payouts)
    yield from unequal("winner root", hex_of(tree.root), hex_of(seen.run.winner_root))
    yield from unequal(
        "stored winner tree", select_tree(seen.context.conn, seen.run.run_id, "winner") == tree.nodes, True
    )


def _g7(seen: Evidence) -> Iterator[str]:
    tree = affiliate_tree(seen.context.game.deployment, seen.run.day_id, seen.affiliate_payouts)
    yield from unequal("affiliate root", hex_of(tree.root), hex_of(seen.run.affiliate_root))
    yield from unequal(
        "stored affiliate tree", select_tree(seen.context.conn, seen.run.run_id, "affiliate") == tree.nodes, True
    )


def _g8(seen: Evidence) -> Iterator[str]:
    if len(seen.run.jackpot_hit) != POOL_COUNT:
        yield f"there are {len(seen.run.jackpot_hit)} flags"
        return
    for pool in POOL_IDS:
        if seen.run.jackpot_hit[pool] != (seen.run.pool_jackpot_payout[pool] > 0):
            yield f"pool {pool}: flag {seen.run.jackpot_hit[pool]}, payout {seen.run.pool_jackpot_payout[pool]}"


def _g9(seen: Evidence) -> Iterator[str]:
    try:
        sold = fold_day(
            seen.opened.day_id, seen.opened.ruleset, stream_tickets(seen.context.conn, seen.opened.day_id)
        ).sold()
    except (Unavailable, Stopped):
        raise
    except EngineError as error:
        yield f"{error.message}; {_tickets(seen)}"
        return
    if tuple(sold) != seen.opened.facts.pools:
        yield _tickets(seen)


def _tickets(seen: Evidence) -> str:
    """How the tickets differ from the chain's, in words; totals may differ although no ticket does."""
    return first_difference(seen.context, seen.opened) or "the tickets are the chain's"


def _g10(seen: Evidence) -> Iterator[str]:
    if state_hash(seen.opened.opening) != seen.opened.facts.opening_state_hash:
        yield "the opening state is not the chain's"
    for pool, opening, split, sold in zip(
        seen.pools, seen.opened.opening, seen.opened.splits, seen.opened.facts.pools, strict=True
    ):
        paid = seen.run.pool_payout[pool.pool_id] + seen.run.pool_jackpot_payout[pool.pool_id]
        before = opening.carry_atoms + opening.reserve_atoms + opening.last_rollover_atoms + sold.stake_atoms
        closing = pool.closing
        kept = closing.carry_atoms + closing.reserve_atoms + closing.last_rollover_atoms + split.fee_atoms
        yield from unequal(f"pool {pool.pool_id}: atoms after", paid + kept, before)
        yield from unequal(f"pool {pool.pool_id}: rollover", closing.last_rollover_atoms, split.rollover_atoms)
    fee = sum(split.fee_atoms for split in seen.opened.splits)
    spent = seen.run.affiliate_total_atoms + seen.run.charity_total_atoms + seen.run.net_fee_atoms
    yield from unequal("affiliates, charity and net fee", spent, fee)


def _g11(seen: Evidence) -> Iterator[str]:
    seeds = seen.seeds()
    if seeds is None:
        return
    ours = winning_numbers(seen.opened.ruleset, seen.context.game.deployment, seen.run.day_id, seeds)
    chain = seen.context.game.read_winning_numbers(
        seen.opened.facts.block, seen.run.day_id, seeds.drand_round, seeds.drand_randomness
    )
    yield from unequal("our draw and the contract's", ours, chain)
    yield from unequal("the run's numbers", tuple(pool.winning_numbers for pool in seen.pools), chain)


def _g12(seen: Evidence) -> Iterator[str]:
    game, block = seen.context.game, seen.opened.facts.block
    balances = game.read_balances(block)
    owed = balances.accrued_fee_atoms + balances.accrued_charity_atoms + balances.accrued_gas_atoms
    owed += balances.refundable_atoms + balances.prize_owed_atoms + balances.affiliate_owed_atoms
    for state in game.read_opening_state(block):
        owed += state.carry_atoms + state.reserve_atoms + state.last_rollover_atoms
    unsettled = [DayId(day) for day in range(seen.opened.facts.next_day, block.timestamp_s // 86_400 + 1)]
    owed += sum(pool.stake_atoms for pools in game.read_pool_days(block, unsettled) for pool in pools)
    yield from unequal("held() of ReserveVault", balances.held_atoms, owed)
    if balances.balance_atoms < owed:
        yield f"ReserveVault has {balances.balance_atoms} atoms and owes {owed}"


def _g13(seen: Evidence) -> Iterator[str]:
    recount = _recount(seen)
    pairs: tuple[tuple[str, object, object], ...] = (
        ("total payout", recount.total_payout, seen.run.total_payout_atoms),
        ("affiliate total", recount.affiliate_total, seen.run.affiliate_total_atoms),
        ("charity total", recount.charity_total, seen.run.charity_total_atoms),
        ("pool payouts", tuple(recount.pool_payout), tuple(seen.run.pool_payout)),
        ("jackpot payouts", tuple(recount.pool_jackpot_payout), tuple(seen.run.pool_jackpot_payout)),
        ("winner root", hex_of(recount.winner_root), hex_of(seen.run.winner_root)),
        ("affiliate root", hex_of(recount.affiliate_root), hex_of(seen.run.affiliate_root)),
    )
    for name, found, stored in pairs:
        yield from unequal(f"recounted {name}", found, stored)


def recount_rules(rules: Ruleset, deployment: Deployment) -> RecountRules:
    """The ruleset in plain values: the recount knows no type of core's."""
    return RecountRules(
        prices=tuple(int(price) for price in rules.prices_atoms),
        fee_bps=rules.fee_bps,
        rollover_bps=rules.rollover_bps,
        jackpot_bps=rules.jackpot_bps,
        tier_bps=dict(rules.tier_bps),
        jackpot_payout_bps=rules.jackpot_payout_bps,
        jackpot_streak_days=rules.jackpot_streak_days,
        affiliate_default_bps=rules.affiliate_default_bps,
        charity_bps=rules.charity_bps,
        chain_id=deployment.chain_id,
        prize_vault=deployment.prize_vault,
        affiliate_vault=deployment.affiliate_vault,
    )


def _recount(seen: Evidence) -> Recount:
    # Before anything is recounted: with the engine's own libraries it would agree with the engine's errors.
    require_second_backends(engine_backends())
    plain = recount_rules(seen.opened.ruleset, seen.context.game.deployment)
    # The numbers are the contract's own draw, not ours: an error in core's draw shows here as well.
    numbers: tuple[tuple[int, ...], ...] = ()
    seeds = seen.seeds()
    if seeds is not None:
        key = seen.opened.ruleset.drand.public_key
        require_beacon(Beacon(key, seeds.drand_round, seeds.drand_signature, seeds.drand_randomness))
        numbers = seen.context.game.read_winning_numbers(
            seen.opened.facts.block, seen.run.day_id, seeds.drand_round, seeds.drand_randomness
        )
    rates = rates_in_force(seen.context, seen.opened)
    return recount_day(seen.context.conn, seen.run.day_id, plain, numbers, rates)


def _w1(seen: Evidence) -> Iterator[str]:
    left = seen.run.charity_total_atoms + seen.run.net_fee_atoms
    expected = left * seen.opened.ruleset.charity_bps // BPS_ONE
    if seen.run.charity_total_atoms != expected:
        yield f"charity is {seen.run.charity_total_atoms} atoms, {expected} would be its share of the fee"


def unequal(name: str, found: object, expected: object) -> Iterator[str]:
    """A finding unless both are equal."""
    if found != expected:
        yield f"{name}: {found}, expected {expected}"


_CHECKS: Final[dict[str, Check]] = {
    "G3": _g3,
    "G4": _g4,
    "G5": _g5,
    "G6": _g6,
    "G7": _g7,
    "G8": _g8,
    "G9": _g9,
    "G10": _g10,
    "G11": _g11,
    "G12": _g12,
    "G13": _g13,
    "W1": _w1,
}

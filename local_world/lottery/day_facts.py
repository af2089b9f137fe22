"""A settled or voided day as its published files show it, and whether the chain shows the same."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bo_engine.errors import InvariantBroken
from bo_engine.units import POOL_COUNT, ZERO_HASH, DayId, hex_of
from io_layer.lottery.contracts.day_record import RELEASED, VOIDED
from io_layer.lottery.stores.stats import select_pot_sizes
from io_layer.postgres.connection import Conn
from local_world.lottery.chain_view import ChainView

FILES: Final = ("inputs.json", "affiliates.json", "settlement_result.json", "commit_bundle.json", "provenance.json")


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about the demo and whether it holds."""

    text: str
    holds: bool
    day_id: DayId | None = None


@dataclass(frozen=True, slots=True)
class SettledDay:
    """The files of one settled day and the transactions that anchored it. Amounts in the files are decimal strings."""

    day_id: DayId
    folder: Path
    inputs: Mapping[str, Any]
    affiliates: Mapping[str, Any]
    result: Mapping[str, Any]
    bundle: Mapping[str, Any]
    run_hash: str
    commit_tx: str
    release_tx: str

    @property
    def pools(self) -> list[dict[str, Any]]:
        """The five pools' results, as in settlement_result.json."""
        pools: list[dict[str, Any]] = self.result["pools"]
        return pools

    @property
    def tickets(self) -> int:
        """Tickets sold."""
        return sum(int(pool["ticket_count"]) for pool in self.pools)

    @property
    def tips(self) -> int:
        """Tips of those tickets."""
        return sum(int(pool["tip_count"]) for pool in self.pools)

    @property
    def totals(self) -> dict[str, int]:
        """stake, payout, affiliate, charity, net_fee and fee of the day, in atoms."""
        return {name: int(amount) for name, amount in self.result["totals"].items()}

    def winning_tips(self, matches: int) -> int:
        """How many tips had so many matches, over all pools."""
        return sum(tier["winning_tips"] for pool in self.pools for tier in pool["tiers"] if tier["matches"] == matches)

    def document(self) -> dict[str, Any]:
        """The day as `demo --json` prints it: amounts as decimal strings."""
        seeds, totals = self.bundle["seeds"], self.totals
        return {
            "day_id": self.day_id,
            "status": "settled",
            "tickets": self.tickets,
            "tips": self.tips,
            "stake": str(totals["stake"]),
            "winners": len(self.result["payouts"]),
            "total_payout": str(totals["payout"]),
            "affiliate_total": str(totals["affiliate"]),
            "charity_total": str(totals["charity"]),
            "net_fee": str(totals["net_fee"]),
            "carry": [state["carry"] for state in self.bundle["closing_state"]],
            "winner_root": self.bundle["winner_root"],
            "affiliate_root": self.bundle["affiliate_root"],
            "run_hash": self.run_hash,
            "commit_tx": self.commit_tx,
            "release_tx": self.release_tx,
            "drand_round": seeds["drand_round"] if seeds else None,
            "winning_numbers": self.bundle["winning_numbers"],
        }


@dataclass(frozen=True, slots=True)
class VoidedDay:
    """A voided day: its one file, and what ReserveVault has paid back of it, in atoms."""

    day_id: DayId
    folder: Path
    voided: Mapping[str, Any]
    tickets: int
    refunded: int
    vouchers_refunded: int

    @property
    def stake(self) -> int:
        """All that was paid for tips."""
        return int(self.voided["stake"])

    def document(self) -> dict[str, Any]:
        """The day as `demo --json` prints it: amounts as decimal strings; nothing was drawn and nothing is claimed."""
        return {
            "day_id": self.day_id,
            "status": "voided",
            "tickets": self.tickets,
            "stake": str(self.stake),
            "refunded": str(self.refunded),
            "vouchers_refunded": str(self.vouchers_refunded),
            "winner_root": hex_of(ZERO_HASH),
            "affiliate_root": hex_of(ZERO_HASH),
            "void_tx": self.voided["tx_hash"],
        }


def read_voided_day(
    artifacts_dir: Path, day_id: DayId, *, tickets: int, refunded: int, vouchers_refunded: int
) -> VoidedDay:
    """The folder of a day that `settle` reported as VOIDED. Raises: InvariantBroken ``files_missing``."""
    folder = artifacts_dir / f"dayId={day_id}"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if names != ["voided.json"]:
        raise InvariantBroken("files_missing", f"the voided day {day_id} left {names} instead of voided.json")
    voided = json.loads((folder / "voided.json").read_bytes())
    return VoidedDay(day_id, folder, voided, tickets, refunded, vouchers_refunded)


def read_settled_day(artifacts_dir: Path, outcome: Mapping[str, Any]) -> SettledDay:
    """The files of a day that `settle` reported as DONE. Raises: InvariantBroken ``files_missing``."""
    folder = artifacts_dir / f"dayId={outcome['day_id']}"
    try:
        inputs, affiliates, result, bundle, provenance = (json.loads((folder / name).read_bytes()) for name in FILES)
    except FileNotFoundError as error:
        raise InvariantBroken("files_missing", f"the settled day left no {error.filename}") from error
    return SettledDay(
        day_id=DayId(outcome["day_id"]),
        folder=folder,
        inputs=inputs,
        affiliates=affiliates,
        result=result,
        bundle=bundle,
        run_hash=outcome["run_hash"],
        commit_tx=provenance["commit_tx"],
        release_tx=provenance["release_tx"],
    )


def check_day(view: ChainView, day: SettledDay) -> Iterator[Check]:
    """Compare the files with each other and with the chain, as any outsider could."""
    checksums = json.loads((day.folder / "checksums.json").read_bytes())["files"]
    hashes = {name: _sha256_of(day.folder / name) for name in checksums}
    yield Check(
        f"all {len(checksums)} files have the sha256 that checksums.json lists", hashes == checksums, day.day_id
    )

    status, _, run_hash, *_ = view.ask("SettlementV4", "dayRecord", day.day_id)
    same = hex_of(run_hash) == hashes["commit_bundle.json"] == day.run_hash
    released = status == RELEASED and same
    yield Check("the chain has released the run hash that sha256 of commit_bundle.json gives", released, day.day_id)

    sent = all(view.has_succeeded(tx_hash, "SettlementV4") for tx_hash in (day.commit_tx, day.release_tx))
    yield Check("commit and release are transactions of the settlement contract that took effect", sent, day.day_id)

    vaults = ("PrizeVault", "AffiliateVault")
    on_chain = [
        (hex_of(view.ask(vault, "rootOf", day.day_id)), view.ask(vault, "totalOf", day.day_id)) for vault in vaults
    ]
    in_files = [
        (day.bundle["winner_root"], day.totals["payout"]),
        (day.bundle["affiliate_root"], day.totals["affiliate"]),
    ]
    yield Check("both claim vaults hold the root and the total of the files", on_chain == in_files, day.day_id)

    in_bundle = [
        (pool["ticket_count"], pool["tip_count"], int(pool["stake"]), bytes.fromhex(pool["digest"][2:]))
        for pool in day.bundle["pools"]
    ]
    sold = [tuple(pool) for pool in view.ask("GameManager", "poolDays", day.day_id)]
    yield Check("count, stake and digest of the tickets are the chain's, per pool", sold == in_bundle, day.day_id)

    seeds = day.bundle["seeds"]
    if seeds:
        randomness = bytes.fromhex(seeds["drand_randomness"][2:])
        drawn = view.ask("SettlementV4", "winningNumbers", day.day_id, seeds["drand_round"], randomness)
        same = [list(pool) for pool in drawn] == day.bundle["winning_numbers"]
        yield Check("the contract itself draws the same numbers from the seeds", same, day.day_id)
    else:
        yield Check("nothing was sold, so no seed was needed and nothing drawn", day.tips == 0, day.day_id)

    yield Check(
        "in each pool, what came in equals what went out and what stays", all(map(_conserves, day.pools)), day.day_id
    )


def check_voided_day(view: ChainView, day: VoidedDay) -> Iterator[Check]:
    """What the chain says of a void and its refunds."""
    status, settlement_hash, *_ = view.ask("SettlementV4", "dayRecord", day.day_id)
    yield Check("the chain has voided the day and released nothing of it", status == VOIDED, day.day_id)
    roots = {view.ask(vault, "rootOf", day.day_id) for vault in ("PrizeVault", "AffiliateVault")}
    nothing = roots == {ZERO_HASH} and settlement_hash == ZERO_HASH
    yield Check("no root of it stands in a claim vault", nothing, day.day_id)
    sold = sum(stake for _, _, stake, _ in view.ask("GameManager", "poolDays", day.day_id))
    back = day.refunded + day.vouchers_refunded
    whole = sold == day.stake == back and view.ask("ReserveVault", "refundable", day.day_id) == 0
    yield Check("the whole stake went back, and nothing of it is left to refund", whole, day.day_id)


def check_sequence(view: ChainView, days: list[SettledDay], voided: VoidedDay) -> Iterator[Check]:
    """Each day opens as the day before it closed, and the chain is ready for the next one."""
    closing_of = {day.day_id: day.bundle["closing_state"] for day in days} | {
        voided.day_id: voided.voided["closing_state"]
    }
    chained = all(day.bundle["opening_state"] == closing_of[DayId(day.day_id - 1)] for day in days[1:])
    yield Check("each day opens with the money that the day before it left", chained)
    before = closing_of[DayId(voided.day_id - 1)]
    kept = [
        {
            **state,
            "carry": str(int(state["carry"]) + int(state["last_rollover"])),
            "last_rollover": "0",
        }
        for state in before
    ]
    yield Check("the voided day has moved nothing but the rollover before it", kept == closing_of[voided.day_id])
    closing = [
        (int(state["carry"]), int(state["reserve"]), int(state["last_rollover"]), state["streak"])
        for state in days[-1].bundle["closing_state"]
    ]
    opening = [tuple(state) for state in view.ask("SettlementV4", "openingState")]
    ready = view.ask("SettlementV4", "nextDay") == days[-1].day_id + 1
    yield Check("the chain waits for the next day with exactly that money", opening == closing and ready)


def check_pots(conn: Conn, last: SettledDay) -> Iterator[Check]:
    """What the App shows of the next draw is what the last day left: nothing has been sold since."""
    left = [
        (last.day_id + 1, int(state["carry"]) + int(state["last_rollover"]), int(state["reserve"]), state["streak"])
        for state in last.bundle["closing_state"]
    ]
    shown = [(pot.day_id, pot.budget_atoms, pot.reserve_atoms, pot.streak) for pot in select_pot_sizes(conn)]
    yield Check("the App is shown what the next draw is worth", shown == left)


def kept_atoms(day: SettledDay, name: str) -> int:
    """What the pools keep for coming days after this one: ``carry``, ``reserve`` or ``last_rollover``."""
    return sum(int(day.bundle["closing_state"][pool][name]) for pool in range(POOL_COUNT))


def _conserves(pool: Mapping[str, Any]) -> bool:
    opening, closing, split = pool["opening"], pool["closing"], pool["split"]
    before = sum(int(opening[name]) for name in ("carry", "reserve", "last_rollover")) + int(pool["stake"])
    after = sum(int(closing[name]) for name in ("carry", "reserve", "last_rollover"))
    return before == after + int(pool["payout"]) + int(pool["jackpot_payout"]) + int(split["fee"])


def _sha256_of(path: Path) -> str:
    return hex_of(hashlib.sha256(path.read_bytes()).digest())

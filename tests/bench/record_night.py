"""How a record night grows: each step's time as a multiple of reading the rows once, at two sizes, and the memory.

``make bench ARGS="--tickets 200000"``. The steps are the engine's own; only the chain is left out, whose part does not
grow with the day. Times are shown, never asserted: what counts are the ratios of one run.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.lottery.affiliates import referred_stakes
from core.lottery.documents.inputs import render_inputs
from core.lottery.documents.merkle_dumps import winner_tree
from core.lottery.fold import fold_day
from core.lottery.model import DayResult, ReferredStake
from core.lottery.ruleset import RULESET_1
from core.lottery.settle import settle_day, winning_numbers
from io_layer.lottery.recount.day import recount_day
from io_layer.lottery.stores.artifacts import put_artifact
from io_layer.lottery.stores.inputs import insert_day_inputs
from io_layer.lottery.stores.tickets import select_pool_totals, stream_tickets
from io_layer.postgres.connection import Conn, connect, migrate
from local_world.postgres import start_postgres
from services.lottery.settlement.gates.gates import recount_rules
from tests.support.days import DAY, DEPLOYMENT, EMPTY_STATE, seeds_for
from tests.support.record_night import fill_day

OPENING = (EMPTY_STATE,) * 5
SEEDS = seeds_for(RULESET_1, DAY)


def measure(conn: Conn) -> dict[str, float]:
    """Seconds of each step, in the order of the night."""
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        found = work()
        took[name] = time.perf_counter() - started
        return found

    def referred() -> list[ReferredStake]:
        return referred_stakes(stream_tickets(conn, DAY), {}, ruleset=RULESET_1)

    def settled() -> DayResult:
        return settle_day(
            day_id=DAY,
            ruleset=RULESET_1,
            deployment=DEPLOYMENT,
            opening=OPENING,
            tickets=stream_tickets(conn, DAY),
            referred=stakes,
            seeds=SEEDS,
        )

    timed("read the rows", lambda: sum(1 for _ in stream_tickets(conn, DAY)))
    timed("check the digests", lambda: fold_day(DAY, RULESET_1, stream_tickets(conn, DAY)))
    timed("export", lambda: _export(conn))
    stakes = timed("affiliates", referred)
    result = timed("compute", settled)
    tree = timed("winner tree", lambda: winner_tree(DEPLOYMENT, DAY, result.payouts))
    numbers = winning_numbers(RULESET_1, DEPLOYMENT, DAY, SEEDS)
    recount = timed("recount (G13)", lambda: recount_day(conn, DAY, recount_rules(RULESET_1, DEPLOYMENT), numbers, {}))
    if (recount.total_payout, recount.winner_root) != (result.total_payout_atoms, tree.root):
        raise SystemExit("the recount and core differ: this is no measurement but a finding")
    return took


def _export(conn: Conn) -> None:
    with conn.transaction():
        sold = select_pool_totals(conn, DAY)
        insert_day_inputs(conn, DAY, sold, OPENING)
        document = render_inputs(
            day_id=DAY,
            deployment=DEPLOYMENT,
            ruleset=RULESET_1,
            opening=OPENING,
            sold=sold,
            tickets=stream_tickets(conn, DAY),
        )
        put_artifact(conn, DAY, None, "inputs.json", document)


def main() -> None:
    """Measure one size and four times that size, and print both beside each other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tickets", type=int, default=40_000, help="tickets of the larger day")
    wanted = parser.parse_args().tickets
    shown: list[tuple[int, dict[str, float], int]] = []
    for tickets in (wanted // 4, wanted):
        with tempfile.TemporaryDirectory() as folder:
            server = start_postgres(Path(folder))
            try:
                migrate(server.url)
                with connect(server.url, application_name="bench") as conn:
                    fill_day(conn, tickets, players=max(tickets // 5, 10))
                    took = measure(conn)
            finally:
                server.stop()
        shown.append((tickets, took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))
    _print(shown)


def _print(shown: list[tuple[int, dict[str, float], int]]) -> None:
    (small, small_took, small_mib), (large, large_took, large_mib) = shown
    say = sys.stdout.write
    say(f"{'step':<22}{small:>12,} tickets{large:>14,} tickets   times reading   growth\n")
    for name, seconds in large_took.items():
        say(
            f"{name:<22}{small_took[name]:>18.2f} s{seconds:>20.2f} s{seconds / large_took['read the rows']:>16.1f}"
            f"{seconds / small_took[name]:>9.1f}\n"
        )
    total = sum(large_took.values())
    say(f"{'all':<22}{sum(small_took.values()):>18.2f} s{total:>20.2f} s{total / large_took['read the rows']:>16.1f}\n")
    say(f"{'memory':<22}{small_mib:>16} MiB{large_mib:>18} MiB{'':>16}{large_mib / small_mib:>9.1f}\n")


if __name__ == "__main__":
    main()

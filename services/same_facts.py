"""Whether the facts that a day was computed from are still those that both endpoints tell (rule 4.5).

Both may have told the same lie once, for a moment or for an hour. So all that entered the result is read again at every
look at the day and before its release: as long as it is not released, a lie costs time and no money.
"""

from collections.abc import Iterator

from bo_engine.errors import InvariantBroken
from bo_engine.units import hex_of
from io_layer.artifact_store import select_digests
from io_layer.input_store import select_day_inputs
from io_layer.run_store import select_live_run
from services.day_work import Opened, affiliates_document, rates_in_force, referred_of_day, seeds_of_day, sha256_of
from services.engine import Engine


def require_same_facts(engine: Engine, opened: Opened) -> None:
    """Compare what the day was sealed and computed from with what ``opened`` and its block tell now: tickets, opening
    state, affiliate rates, ruleset, seeds.

    Raises: InvariantBroken ``facts_differ``, naming what differs; as ``seeds_of_day`` for a day that has a run.
    """
    differing = list(_differing(engine, opened))
    if differing:
        raise InvariantBroken(
            "facts_differ",
            f"day {opened.day_id}: {' and '.join(differing)} are not what the day was computed from, as both RPC "
            f"endpoints tell them at final block {opened.facts.block.number}; nothing is signed or released. What they "
            "told before or what they tell now is wrong: ask a third endpoint. If the day is committed with what is "
            f"wrong, the guardian vetoes it; then `bo-engine resume --day {opened.day_id} --by NAME` computes and "
            "approves it anew",
        )


def _differing(engine: Engine, opened: Opened) -> Iterator[str]:
    sealed = select_day_inputs(engine.conn, opened.day_id)
    if sealed is not None and sealed.sold != opened.facts.pools:
        yield "the pools' tickets"
    if sealed is not None and sealed.opening != opened.opening:
        yield "the opening state"
    exported = select_digests(engine.conn, opened.day_id, None).get("affiliates.json")
    if exported is not None:
        referred = referred_of_day(engine, opened, rates_in_force(engine, opened))
        if sha256_of(affiliates_document(engine, opened, referred)) != exported:
            yield "the affiliates' rates"
    run = select_live_run(engine.conn, opened.day_id)
    if run is not None:
        if run.ruleset_hash != opened.facts.ruleset_hash:
            yield f"the ruleset ({hex_of(run.ruleset_hash)})"
        seeds_of_day(engine, opened)

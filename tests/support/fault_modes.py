"""A day that cron's jobs bring home while endpoints fail, and what may never come of it."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

import services.lottery.settlement.steps.commit_day
from bo_engine.errors import EngineError
from io_layer.contracts.codec import codec
from local_world.faults.modes import mode
from local_world.faults.rules import Rule
from services.lottery.settlement.resume import resume_day
from services.lottery.settlement.settle_days import settle_days
from tests.invariants.checker import check_at_rest, check_invariants
from tests.support.jobs import recover_intents, refresh_seeds
from tests.support.observed import event_count, rows, true_run_hash
from tests.support.played_world import PlayedWorld

PLACES: Final = ("primary", "fallback", "both")
MAX_TICKS: Final = 14
#: Alarms that no day is HALTED by: the endpoints are not what the settings say, so nothing is tried at all.
SETTINGS_ALARMS: Final = frozenset(
    {"wrong_chain", "unknown_ruleset", "contract_unexpected", "contract_changed", "no_finality"}
)
#: And the alarm of a lie that is met before any day has begun.
BEFORE_A_DAY: Final = frozenset({"rpc_disagreement"})
_FORGOTTEN: Final = (
    "DELETE FROM tickets",
    "DELETE FROM day_seeds",
    "DELETE FROM event_cursors",
    "DELETE FROM buy_intents WHERE signature IS NULL",
    "UPDATE buy_intents SET status = 'SUBMITTED', ticket_id = NULL WHERE status = 'FINAL'",
)


@dataclass
class Told:
    """How the jobs of one tick ended: exit code and error code of each that did not end with 0."""

    ends: list[tuple[str, int, str]] = field(default_factory=list)

    @property
    def codes(self) -> set[str]:
        """The error codes."""
        return {code for _, _, code in self.ends}


@dataclass(frozen=True)
class Standing:
    """Where the day stands, read past the engine, whose endpoints fail."""

    status: str = "NEW"
    error_code: str | None = None
    reason: str | None = None
    not_before: object = None


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine waits a second for the chain, not a minute."""
    monkeypatch.setattr(services.lottery.settlement.steps.commit_day, "WAIT_S", 1.0)


def forget_the_chain(played: PlayedWorld) -> None:
    """As if no job had ever run: no ticket, no seed, no cursor. All of it stands on the chain and can be read again."""
    true_run_hash(played)
    for statement in _FORGOTTEN:
        played.tamper(statement)


def rule_of(name: str, *, from_call: int = 1, calls: int | None = None) -> Rule:
    """The mode's rule for these calls; a hang is a short one, since the time limit of a call has tests of its own."""
    rule = mode(name).rule
    args = {**rule.args, "seconds": 0.5} if rule.fault == "hang" else rule.args
    return replace(rule, from_call=from_call, calls=calls, args=args)


def set_fault(played: PlayedWorld, place: str, *rules: Rule) -> None:
    """Faults on the first endpoint, on the second, or on both at once; the other one is well."""
    for name, proxy in (("primary", played.world.primary_proxy), ("fallback", played.world.proxy)):
        proxy.set_rules(*(rules if place in (name, "both") else ()))


def tick(played: PlayedWorld) -> Told:
    """All three jobs once, as cron starts them, through the two endpoints that can fail."""
    told = Told()
    for job in ("recover-intents", "refresh-seeds", "settle"):
        try:
            with played.context(RPC_URL=played.world.primary_proxy.url) as context:
                if job == "recover-intents":
                    recover_intents(context)
                elif job == "refresh-seeds":
                    done = refresh_seeds(context)
                    told.ends += [(job, 75, "seed_missing")] if done.exit_code else []
                else:
                    told.ends += [(job, one.exit_code, one.status) for one in settle_days(context, day=None)
                                  if one.exit_code]  # fmt: skip
        except EngineError as error:
            told.ends.append((job, error.exit_code, error.code))
    return told


def require_sane(played: PlayedWorld, told: Told) -> None:
    """While the fault lasts: 0, 75, or an alarm; a day that stopped says why; what stands on the chain is the truth."""
    for job, exit_code, code in told.ends:
        assert exit_code in (1, 2, 75), (job, exit_code, code)
        assert exit_code != 2 or code in SETTINGS_ALARMS, (job, code)
    found = standing(played)
    if found.status == "HALTED":
        assert found.error_code and found.reason
    stopped = {code for job, exit_code, code in told.ends if (job, exit_code) == ("settle", 1)}
    assert stopped <= BEFORE_A_DAY or found.status == "HALTED", (stopped, found)
    require_true(played)


def require_true(played: PlayedWorld) -> None:
    """Nothing but the true result was ever committed or released, and each once."""
    commits, releases = event_count(played, "DayCommitted"), event_count(played, "DayReleased")
    assert releases <= commits <= 1
    if commits:
        assert committed_run_hash(played) == true_run_hash(played)


def committed_run_hash(played: PlayedWorld) -> str:
    """The run hash that the contract shows for the day at its head, whoever committed it."""
    data = "0x" + codec("SettlementV4").call_data("dayRecord", (played.day,)).hex()
    answer = played.chain.call("eth_call", {"to": played.world.contracts.settlement, "data": data}, "latest")
    record: tuple[Any, ...] = codec("SettlementV4").result("dayRecord", bytes.fromhex(answer[2:]))
    fields = record[0] if len(record) == 1 else record
    return "0x" + bytes(fields[2]).hex()


def standing(played: PlayedWorld) -> Standing:
    """The day's row."""
    found = rows(
        played,
        f"""SELECT status, error_code, reason, not_before FROM settlement_pipeline_runs
             WHERE day_id = {played.day}""",  # noqa: S608 - our own constant
    )
    return Standing(*found[0]) if found else Standing()


def _forget_seeds(played: PlayedWorld) -> None:
    """Both endpoints told the same lie about a seed: what docs/operations.md lets a superuser do."""
    played.tamper("DELETE FROM day_seeds WHERE day_id = %(day)s", day=played.day)


def settle_after(played: PlayedWorld, *, journal_is_true: bool = True) -> None:
    """The fault has ended: cron goes on, a person resumes a day that was HALTED, and its true result is settled.

    ``journal_is_true=False``: both endpoints have told the same lie about our own transactions.
    """
    for proxy in (played.world.primary_proxy, played.world.proxy):
        proxy.heal()
    told, resumed = Told(), 0
    for _ in range(MAX_TICKS):
        found = standing(played)
        if found.status == "HALTED":
            resumed += 1
            assert resumed <= 2, f"resumed again and again: {found}"
            if found.error_code == "seed_differs":
                _forget_seeds(played)
            with played.context() as context:
                resume_day(context, played.day, by="Ada")
        told, found = tick(played), standing(played)
        if found.status == "DONE":
            break
        if ("refresh-seeds", 1, "seed_differs") in told.ends:
            _forget_seeds(played)
        if found.status == "WAITING" and found.not_before is not None and not told.ends:
            played.pass_challenge()
        played.chain.mine(3)
    assert found.status == "DONE", (found, told.ends)
    settled = rows(played, "SELECT '0x' || encode(run_hash, 'hex') FROM settlement_runs WHERE status = 'settled'")
    assert settled == [(true_run_hash(played),)]
    assert (event_count(played, "DayCommitted"), event_count(played, "DayReleased")) == (1, 1)
    require_true(played)
    check_invariants(played, knows_all_sends=journal_is_true)
    check_at_rest(played, played.day)

"""Files that an attacker once got through, each refused by name (docs/artifacts.md, "A verifier's way")."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.days import wallet
from tests.support.selftest_day import DAY, selftest_opening, selftest_ruleset, selftest_tickets
from tests.support.void_files import void_files
from verifier.builder import build_files
from verifier.folder import read_day
from verifier.selftest import facts_of, read_recorded, sources_of
from verifier.strict_json import write_canonical
from verifier.verify import Report, verify_day

RECORDED = read_recorded()
SOURCES, FACTS = sources_of(RECORDED), facts_of(RECORDED)
RULESET, PROMOTIONS = selftest_ruleset(), wallet(0x777)


def forged(**lies: Callable[[Any], Any]) -> Report:
    """The report from the files alone on a day that was built with lies."""
    return verify_day(read_day(DAY, dict(build_files(SOURCES, lies))))


def found(report: Report, name: str) -> str:
    """What a check found."""
    return next(one.found for one in report.findings if one.name == name)


def voided() -> dict[str, bytes | str]:
    """The files of a voided day with voucher tips."""
    return dict(void_files(RULESET, selftest_tickets(RULESET), selftest_opening(), promotions=PROMOTIONS))


def changed(data: bytes | str, change: Callable[[Any], Any]) -> bytes:
    """A document with one change, in canonical form."""
    document = json.loads(data)
    change(document)
    return write_canonical(document)


def test_a_ticket_dropped_from_the_middle_of_the_day_leaves_a_gap() -> None:
    def drop(entries: Any) -> Any:
        return [*entries[:9], *entries[10:]]

    report = forged(tickets=drop, provenance=lambda it: {**it, "purchases": drop(it["purchases"])})
    assert report.failed == ["tickets"]
    assert "ticket 1011 stands after ticket 1009" in found(report, "tickets")


def test_one_affiliate_has_one_rate_on_a_day() -> None:
    def two_rates(entries: Any) -> Any:
        first = next(entry for entry in entries if entry["affiliate"] == entries[-1]["affiliate"])
        first["rate_bps"] += 100
        first["commission"] = first["stake"] * first["rate_bps"] // 10_000
        return entries

    report = forged(commissions=two_rates)
    assert report.failed == ["commissions"]
    assert "second rate" in found(report, "commissions")


def test_vouchers_are_never_refunded_to_the_zero_address() -> None:
    files = voided()
    assert verify_day(read_day(DAY, files)).holds
    for name in ("settlement_result.json", "commit_bundle.json"):
        files[name] = changed(files[name], lambda it: it.update(promotions="0x" + 40 * "0"))
    report = verify_day(read_day(DAY, files))
    assert "promotions is the zero address" in found(report, "form")

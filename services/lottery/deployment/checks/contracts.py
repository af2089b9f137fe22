"""`contracts check`: looks at a whole installation, line by line. Reads only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bo_engine.errors import Unavailable
from bo_engine.settings import Settings
from bo_engine.units import Hash32, Wallet, day_of, hex_of, parse_wallet
from core.lottery.ruleset import Ruleset
from io_layer.keys.signer import load_address
from io_layer.lottery.deployment_file import read_record, read_terms, record_path
from io_layer.lottery.drand import require_relay
from io_layer.postgres.connection import migration_status
from io_layer.rpc import wire
from io_layer.rpc.connect import open_chain
from io_layer.rpc.reader import Block, ChainReader, block_of
from services.deployment.checklist import Checklist, Verdict
from services.lottery.deployment.checks.deployment import (
    Installation,
    check_code,
    check_offices,
    check_terms,
    check_wiring,
    read_addresses,
)
from services.lottery.deployment.checks.notices import (
    check_announcements,
    check_end,
    check_payees,
    check_sales,
    check_waiting_ruleset,
)
from services.lottery.deployment.checks.surroundings import (
    check_charity,
    check_ether,
    check_pauses,
    check_promotions,
    check_usdt,
    check_vrf,
)
from services.lottery.rulesets import load_rulesets

_LONG_LAG_S: Final = 3_600


def check_contracts(settings: Settings, terms_path: Path | None) -> Checklist:
    """Every line that can be looked at; what cannot be read becomes a line, too.

    With a deployment file the contracts are compared with what was meant. Raises: UsageError for settings and a file
    that are wrong by themselves.
    """
    lines = Checklist()
    terms = read_terms(terms_path) if terms_path else None
    rulesets = load_rulesets(settings.ruleset_files)
    settlement = settings.settlement_address
    with lines.asking("endpoints"):
        chain = open_chain(
            settings.rpc_url, settings.rpc_fallback_url, chain_id=settings.chain_id, says_local=settings.is_local
        )
        block = check_endpoints(lines, chain, (settings.rpc_url, settings.rpc_fallback_url))
        with lines.asking("contracts"):
            at = read_addresses(chain, block, settlement)
            here = Installation(chain, block, at, terms)
            _check_record(lines, here, terms_path)
            if check_code(lines, here):
                holders = check_installation(lines, here, rulesets)
                _check_key(lines, settings, holders.get("settler"))
            _check_relays(lines, settings, rulesets, here)
    _check_database(lines, settings)
    return lines


def check_installation(lines: Checklist, here: Installation, rulesets: Mapping[Hash32, Ruleset]) -> dict[str, Wallet]:
    """All that the chain says once the code is ours; the holders of the offices that are not empty."""
    check_wiring(lines, here)
    holders = check_offices(lines, here)
    check_terms(lines, here, rulesets)
    check_announcements(lines, here)
    check_waiting_ruleset(lines, here, rulesets)
    check_end(lines, here)
    check_sales(lines, here)
    check_payees(lines, here, holders)
    check_usdt(lines, here)
    check_vrf(lines, here)
    check_promotions(lines, here, holders.get("promotions"))
    check_charity(lines, here)
    check_pauses(lines, here)
    check_ether(lines, here, holders.get("settler"))
    return holders


def check_endpoints(lines: Checklist, chain: ChainReader, urls: tuple[str, str]) -> Block:
    """Client, head and finality of each, and the newest final block of both. Raises: as ``read_final_block``."""
    for endpoint in chain.endpoints:
        name = f"{endpoint.name} endpoint"
        with lines.asking(name):
            client = chain.request_one(endpoint, "web3_clientVersion", [], wire.text)
            head = chain.request_one(endpoint, "eth_getBlockByNumber", ["latest", False], block_of)
            final = chain.read_final_block_of(endpoint)
            lag_s = head.timestamp_s - final.timestamp_s
            said = (
                f"{client[:40]}, chain {chain.chain_id}, block {head.number}, final {head.number - final.number} behind"
            )
            lines.add(name, True, f"{said} ({lag_s} s)")
            if lag_s > _LONG_LAG_S:
                lines.add(f"{name}'s finality", False, f"{lag_s} s", "over an hour behind", otherwise=Verdict.WARNING)
    block = chain.read_final_block()
    lines.add("endpoints agree", True, f"on block {block.number} {hex_of(block.block_hash)}")
    hosts = [urlsplit(url).hostname for url in urls]
    if not chain.is_local and hosts[0] == hosts[1]:
        lines.add("two providers", False, "one host", "one provider's fault would be both's", otherwise=Verdict.WARNING)
    return block


def _check_record(lines: Checklist, here: Installation, terms_path: Path | None) -> None:
    if terms_path is None:
        return
    with lines.asking("record"):
        record = read_record(record_path(terms_path))
        if record is None or record.finished is None:
            lines.skip("record", "no finished deployment stands beside the file")
            return
        settlement = parse_wallet(record.finished["addresses"]["settlement"])
        said = f"SettlementV4 at {here.at['settlement']}"
        lines.add("record", settlement == here.at["settlement"], said, f"the file's deployment is {settlement}")


def _check_key(lines: Checklist, settings: Settings, settler: Wallet | None) -> None:
    if settler is None:
        return
    with lines.asking("our key"):
        address = load_address(settings, is_local=settings.is_local)
        todo = f"the SETTLER is {settler}: take its key, or `contracts roles --name settler {address}`"
        lines.add("our key", address == settler, f"{address} {'is' if address == settler else 'is not'} SETTLER", todo)


def _check_relays(lines: Checklist, settings: Settings, rulesets: Mapping[Hash32, Ruleset], here: Installation) -> None:
    with lines.asking("drand"):
        day = max(int(here.read("game_manager", "firstDay")), day_of(here.block.timestamp_s))
        ruleset = rulesets.get(Hash32(here.read("game_manager", "rulesetHashOf", day)))
        if ruleset is None:
            lines.skip("drand", "the ruleset is not known here")
            return
        working, said = 0, []
        for number, url in enumerate(settings.drand_urls, start=1):
            try:
                require_relay(url, ruleset.drand)
                working += 1
            except Unavailable as error:
                said.append(f"relay {number}: {error.message}")
        network = ruleset.drand.chain_hash.hex()
        found = "; ".join([f"{working} of {len(settings.drand_urls)} relays serve {network}", *said])
        lines.add("drand", working > 0, found, "set DRAND_URLS to relays of this network")
        if 0 < working < len(settings.drand_urls):
            lines.add("all relays", False, found, "the others have to do", otherwise=Verdict.WARNING)


def _check_database(lines: Checklist, settings: Settings) -> None:
    with lines.asking("database"):
        found = migration_status(settings.database_url)
        missing = [*found.pending, *(f"{name} (unknown here)" for name in found.unknown)]
        said = found.applied[-1] if found.applied else "no schema"
        lines.add("database", found.is_current, said, f"`bo-engine db migrate`: {', '.join(missing)}")

"""The written pages say what is true: each table and each name is compared with the code."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from bo_engine.settings import SETTINGS
from bo_engine.units import ZERO_HASH
from cli.cron import job_lines
from cli.main import add_plugins, app
from core.lottery.affiliates import referred_stakes, split_fee
from core.lottery.bundle import bundle_bytes, commit_bundle
from core.lottery.documents.affiliates import render_affiliates
from core.lottery.documents.checksums import DETERMINISTIC_FILES, render_checksums
from core.lottery.documents.inputs import render_inputs
from core.lottery.documents.manifest import Manifest, render_manifest
from core.lottery.documents.merkle_dumps import render_winners_merkle
from core.lottery.documents.settlement_result import render_settlement_result
from core.lottery.documents.voided import render_voided
from core.lottery.fold import fold_day
from core.lottery.ruleset import RULESET_1, ruleset_hash
from services.jobs.prune import KEEP_LOGS_DAYS, KEEP_OTHER_LOGS_DAYS
from services.lottery.settlement.gates.gates import GATE_TEXTS
from tests.io_layer.lottery.stores.builders import voided_day
from tests.support.days import DAY, DEPLOYMENT, EMPTY_STATE, Day, seeds_for, ticket, wallet
from workers.all_jobs import all_jobs

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RULES = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PROVENANCE = ROOT / "services" / "lottery" / "settlement" / "files" / "provenance.py"
CODE_FOLDERS = ("bo_engine", "cli", "core", "merkle", "io_layer", "services", "workers", "local_world", "verifier")
SOURCES = [path for folder in CODE_FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".sql")]


def section(title: str) -> str:
    """The text of README's section."""
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def commands() -> dict[str, set[str]]:
    """All commands of bo-engine, `db migrate` and the like included, with their flags."""
    add_plugins()
    return dict(_commands(typer.main.get_command(app), ""))


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, set[str]]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, {flag for option in command.params for flag in option.opts}


def test_the_readme_lists_every_setting_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section("Settings"), re.MULTILINE)
    defaults = {None: "", "": "none"}
    assert rows == [
        (setting.name, setting.help, defaults.get(setting.default, f"`{setting.default}`")) for setting in SETTINGS
    ]


def test_the_readme_lists_every_command_with_its_flags() -> None:
    known = commands()
    rows = re.findall(r"^\| `([a-z -]+?)(?: (-[^`]*))?`(.*?) \|", section("Commands"), re.MULTILINE)
    assert {name for name, _, _ in rows} == set(known)
    for name, needed, optional in rows:
        flags = set(re.findall(r"--[a-z-]+", needed + optional))
        assert flags <= known[name], name
        assert "--json" in known[name], name
        assert ("--dry-run" in flags) == ("--dry-run" in known[name]), name


def test_the_readme_lists_every_job_with_its_schedule_and_its_logs() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| [^|]+ \| `logs/([a-z-]+)/`, (\d+) days \|$", README, re.MULTILINE)
    listed = [(name, every, area, int(days)) for name, every, area, days in rows]
    jobs = [
        (job.name, _every(job.schedule), job.area, KEEP_LOGS_DAYS.get(job.area, KEEP_OTHER_LOGS_DAYS))
        for job in all_jobs().values()
    ]
    assert listed == jobs
    tabled = {row[0] for row in re.findall(r"^\| `([a-z-]+)`() \|", section("Jobs and cron"), re.MULTILINE)}
    assert tabled <= {row[0] for row in listed}


def test_the_readme_shows_the_crontab_as_it_is() -> None:
    shown = [line for line in section("Jobs and cron").splitlines() if "/crontab/run-job " in line]
    assert shown == job_lines(Path("/srv/bo-engine"), {})


def _every(schedule: str) -> str:
    minute, hour, *_ = schedule.split()
    if hour != "*":
        return "day"
    return "minute" if minute == "*" else f"{minute.removeprefix('*/')} min"


def test_every_error_code_in_the_readme_exists() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    codes = set()
    for row in re.findall(r"^\| (`[^|]+) \|", section("When it fails"), re.MULTILINE):
        codes |= set(re.findall(r"`([a-z_]+)`", row))
    assert len(codes) > 60
    assert {code for code in codes if f'"{code}"' not in text and f"'{code}'" not in text} == set()


def test_the_readme_and_the_rules_name_every_gate() -> None:
    named = set(re.findall(r"\b([GW]\d+)\b", section("How it is checked")))
    ruled = set(re.findall(r"^\| ([GW]\d+) \|", RULES, re.MULTILINE))
    assert named == ruled == set(GATE_TEXTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.name))
def test_every_link_and_every_named_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (page.parent / target).exists(), target
    for named in re.findall(r"`(docs/[\w.-]+\.md)`", text):
        assert (ROOT / named).exists(), named
    for named in re.findall(r"`([\w]+/[\w/]+\.(?:py|sol|js))`", text):
        assert (ROOT / named).exists(), named


def test_every_rule_that_is_cited_exists() -> None:
    known = set(re.findall(r"^### (\d+\.\d+) ", RULES, re.MULTILINE)) | {"2", "3", "4", "5", "6", "7"}
    cited: dict[str, str] = {}
    for folder in (*CODE_FOLDERS, "tests", "docs"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md"):
                for number in re.findall(r"\brules? (\d+(?:\.\d+)?)\b", path.read_text(encoding="utf-8")):
                    cited[number] = str(path.relative_to(ROOT))
    assert {number: where for number, where in cited.items() if number not in known} == {}
    assert len(cited) > 20


def files_of_a_day() -> dict[str, bytes]:
    """One small day's files, each list filled."""
    ruleset = replace(RULESET_1, number_max=6)
    sold = ticket(1, 0, wallet(1), [(1, 2, 3, 4, 5, 6)], paid=1, affiliate=wallet(9), ruleset=ruleset)
    referred = tuple(referred_stakes([sold], {}, ruleset=ruleset))
    day = Day(ruleset, (EMPTY_STATE,) * 5, (sold,), referred, seeds_for(ruleset, DAY))
    result = day.settle()
    assert result.payouts and result.affiliate_payouts
    fold = fold_day(DAY, ruleset, day.tickets)
    fee = split_fee(ruleset, result.fee_atoms, referred)
    inputs = render_inputs(
        day_id=DAY,
        deployment=DEPLOYMENT,
        ruleset=ruleset,
        opening=day.opening,
        sold=fold.sold(),
        tickets=iter(day.tickets),
    )
    bundle = commit_bundle(
        result=result,
        deployment=DEPLOYMENT,
        ruleset_hash=ruleset_hash(ruleset),
        inputs_sha256=ZERO_HASH,
        affiliates_sha256=ZERO_HASH,
        winner_root=ZERO_HASH,
        affiliate_root=ZERO_HASH,
    )
    return {
        "inputs.json": b"".join(inputs),
        "affiliates.json": b"".join(render_affiliates(day_id=DAY, chain_id=1, referred=referred, fee=fee)),
        "settlement_result.json": b"".join(render_settlement_result(result=result, deployment=DEPLOYMENT)),
        "winners_merkle.json": b"".join(render_winners_merkle(result=result, deployment=DEPLOYMENT)),
        "commit_bundle.json": bundle_bytes(bundle),
        "manifest.json": b"".join(
            render_manifest(
                Manifest(DAY, DEPLOYMENT, dict.fromkeys(DETERMINISTIC_FILES, ZERO_HASH), wallet(1)), bytes(65)
            )
        ),
        "checksums.json": b"".join(render_checksums(day_id=DAY, sha256s=dict.fromkeys(DETERMINISTIC_FILES, ZERO_HASH))),
        "voided.json": b"".join(render_voided(voided_day(), chain_id=1, settlement=DEPLOYMENT.settlement)),
    }


def keys_of(document: object) -> Iterator[str]:
    """Every key of a document, at any depth."""
    if isinstance(document, dict):
        yield from document
        for value in document.values():
            yield from keys_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from keys_of(value)


def test_the_page_of_artifacts_names_every_field_of_every_file() -> None:
    page = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8")
    head, *sections = page.split("\n## ")
    shared = next(text for text in sections if text.startswith("Parts that several files share"))
    files = files_of_a_day()
    for name, data in files.items():
        about = next(text for text in sections if text.startswith(name))
        document = json.loads(data)
        if "schema" in document:
            assert f"`{document['schema']}`" in about, name
        ruleset = document.pop("ruleset", {})
        assert {key for key in keys_of(ruleset) if not re.search(rf"\b{key}\b", RULES)} == set()
        named = set(re.findall(r"`(\w+)`", about + shared)) | set(DETERMINISTIC_FILES)
        assert set(keys_of(document)) - named == set(), name
    for name in (*DETERMINISTIC_FILES, "checksums.json", "manifest.json", "provenance.json", "voided.json"):
        assert f"| `{name}` |" in head


def test_the_page_of_artifacts_invents_no_field() -> None:
    page = (ROOT / "docs" / "artifacts.md").read_text(encoding="utf-8")
    files = files_of_a_day()
    known = {key for data in files.values() for key in keys_of(json.loads(data))}
    known |= set(re.findall(r'"(\w+)":', PROVENANCE.read_text(encoding="utf-8")))
    for part in page.split("\n## ")[3:-1]:
        for row in re.findall(r"^\| (`[^|]+) \|", part, re.MULTILINE):
            assert set(re.findall(r"`(\w+)`", row)) <= known, row


FAULTS = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
#: Rows that the settling of a day must survive; those of other jobs come with them.
FAULT_IDS = {
    *("P01", "P02", "P03", "P04", "P05", "P06", "P07", "P08", "P09", "P12"),
    *("D01", "D02", "D03", "D05", "D06", "D07", "D09", "D10", "D12", "D13", "D14", "D16"),
    *("F02", "F03", "F04", "F05", "F06"),
    *("H01", "H02", "H03", "H04", "H06", "H07", "H08"),
    *("N01", "N02", "N04", "N05", "N06", "N07", "N09", "N11", "N12", "N13", "N17", "N18", "N19", "N21"),
    *("X01", "X02", "X03", "X04", "X05", "X06", "X07", "X08", "X09"),
    *("K01", "K02", "K03", "K04", "K05", "K06", "K07", "K08"),
}


def test_every_fault_has_a_row_with_tests_that_exist() -> None:
    rows = re.findall(r"^\| ([A-Z]\d\d) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", FAULTS, re.MULTILINE)
    assert {row[0] for row in rows} >= FAULT_IDS
    for fault, _, _, tests, seen in rows:
        named = re.findall(r"`(tests/\S+?\.py)::(\w+)`", tests)
        assert named, fault
        assert len(seen) > 10, fault
        for path, name in named:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{fault}: {path}::{name}"

"""docs/operations.md on the SETTLER's key and on the deployment, executed line by line: the commands print calls, and
the wallets of OWNER, GUARDIAN and others sign exactly those."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE
from bo_engine.units import DayId, day_end, day_of, parse_wallet
from core.lottery.notices import OFFICES
from io_layer.contracts.codec import codec
from local_world.chain_account import ChainAccount
from local_world.lottery.chain_view import ChainView
from tests.support.doc_commands import documented
from tests.support.meddling import resume
from tests.support.observed import halts, pipeline, refuses
from tests.support.offices import last_closed_day, pass_time
from tests.support.played_world import PlayedWorld

pytestmark = [pytest.mark.world, pytest.mark.slow]
KEY, DEPLOYMENT = "Exchange the SETTLER's key", "Change the deployment"
SUCCESSOR = Account.from_key("0x" + "5d" * 32)


class Walk:
    """A person at the keyboard, and the wallets that sign what is printed."""

    def __init__(self, played: PlayedWorld, variables: Mapping[str, object]) -> None:
        self.played = played
        self.variables = {name: str(value) for name, value in variables.items()}
        self.settings: dict[str, str] = {}
        self.view = ChainView(played.chain, played.world.contracts)
        known = [*(played.world.account(office) for office in OFFICES), SUCCESSOR]
        self._wallets: dict[str, LocalAccount] = {parse_wallet(one.address): one for one in known}

    def run(self, line: str, code: int = EXIT_DONE) -> dict[str, Any]:
        """A line of the page; what it answers."""
        words = [Template(word).substitute(self.variables) for word in shlex.split(line)]
        done = self.played.cli(*words[1:], "--json", **self.settings)
        assert done.code == code, (line, done)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def sign(self, call: Mapping[str, Any]) -> None:
        """Whoever is to sign a call does so; it succeeds and becomes final."""
        assert call["simulated"] == "would succeed now", call
        wallet = self._wallets[call["from"] or parse_wallet(self.played.world.account("promotions").address)]
        self.played.chain.fund(wallet.address)
        ChainAccount(self.played.chain, wallet).execute(call["to"], bytes.fromhex(call["calldata"][2:]))
        self.played.chain.finalize()

    def change(self, line: str) -> None:
        """A line that prints a call, which is signed at once."""
        self.sign(self.run(line)["calls"][0])

    def offices(self) -> dict[str, dict[str, Any]]:
        """What `contracts roles` shows."""
        return {one["role"]: one for one in self.run("bo-engine contracts roles")["roles"]}


def settled(walk: Walk, day: DayId) -> None:
    """Ticks until a day is settled."""
    for _ in range(8):
        walk.played.cli("settle", "--json", **walk.settings)
        row = pipeline(walk.played, day)
        if row is not None and row.status == "DONE":
            return
        walk.played.pass_challenge()
        walk.played.chain.finalize()
    raise AssertionError(f"day {day} is not settled after eight ticks")


def test_the_page_leads_from_one_key_to_the_next(played: PlayedWorld, tmp_path: Path) -> None:
    new, name, resume_tx, list_tx, plan, take, address, suspend, lift = documented(
        "operations.md", "bo-engine ", section=KEY
    )
    password = tmp_path / "settler.password"
    password.write_text("an entirely new horse")
    password.chmod(0o600)
    walk = Walk(played, {"NEW_KEYSTORE": tmp_path / "settler.json", "NEW_PASSWORD_FILE": password})
    account = walk.run(new)["address"]
    walk.variables["NEW_SETTLER"] = account
    played.chain.fund(parse_wallet(account))
    walk.change(name)
    countdown = walk.run(name)["calls"][0]["simulated"]  # repeated: naming anew would start the notice anew
    assert "in 47 h" in countdown or "in 2 d 0 h" in countdown
    settled(walk, played.day)
    pass_time(played)
    settled(walk, last_closed_day(played))
    walk.run(resume_tx)
    assert walk.run(list_tx)["transactions"] == []
    old_settings = dict(walk.settings)
    walk.settings = {
        "SETTLER_PRIVATE_KEY": "",
        "SETTLER_KEYSTORE_FILE": walk.variables["NEW_KEYSTORE"],
        "SETTLER_PASSWORD_FILE": str(password),
    }
    assert walk.run(plan)["can_take_it"].startswith("now")
    assert walk.run(take)["is_settler"]
    assert walk.run(address)["is_settler"]
    assert walk.offices()["settler"]["holder"] == parse_wallet(account)
    day = DayId(last_closed_day(played) + 1)
    played.close(day, has_tips=False)
    assert refuses("wrong_key", played, **old_settings).exit_code == EXIT_USAGE

    # It is stolen: GUARDIAN suspends it while its commit waits for the release.
    committed = played.cli("settle", "--json", **walk.settings)
    assert json.loads(committed.stdout)["days"][0]["run_status"] == "committed"
    walk.change(suspend)
    assert halts(played, "taken_back", day=day, **walk.settings).exit_code == EXIT_FAILED
    resume(played, day)
    assert refuses("settler_suspended", played, **walk.settings).exit_code == EXIT_FAILED
    # A false alarm.
    walk.variables["SETTLER"] = account
    walk.change(lift)
    settled(walk, day)


def test_the_page_changes_all_that_can_be_changed_and_ends_the_game(played: PlayedWorld) -> None:
    lines = documented("operations.md", "bo-engine ", section=DEPLOYMENT)
    at = played.world.contracts
    charity = parse_wallet("0x" + "c4" * 20)
    walk = Walk(
        played,
        {
            "NEW_GUARDIAN": SUCCESSOR.address,
            "DAY": played.day,
            "BUYER": "0x" + "b1" * 20,
            "REASON": "a wrong draw",
            "RECEIVER": "0x" + "fe" * 20,
            "CHARITY": charity,
            "CHARITY_NAME": "Cats",
            "CAP_ATOMS": 2 * walk_cap(played),
            "RULESET_FILE": played.env["RULESET_FILES"],
            "CHARITY_VAULT": at.charity_vault,
        },
    )
    for line in lines:
        _walk_line(walk, line, charity)
    assert walk.view.ask("SettlementV4", "finished")
    assert walk.view.balance_of(at.charity_vault) > 0
    # The engine notes what was voided, and then nothing is due any more, whatever day it is.
    for _ in range(4):
        done = played.cli("settle", "--json")
        if done.code == EXIT_DONE:
            break
        played.chain.finalize()
    last = DayId(int(walk.variables["LAST_DAY"]))
    row = pipeline(played, last)
    assert row is not None
    assert (done.code, row.status) == (EXIT_DONE, "VOIDED")
    played.chain.advance_to(day_end(DayId(last + 3)))
    played.chain.finalize()
    assert json.loads(played.cli("settle", "--json").stdout)["days"] == []
    assert refuses("game_finished", played, day=DayId(last + 1)).exit_code == EXIT_FAILED


def walk_cap(played: PlayedWorld) -> int:
    """The present voucher cap, in atoms."""
    return int(ChainView(played.chain, played.world.contracts).ask("ReserveVault", "voucherCap"))


def _walk_line(walk: Walk, line: str, charity: str) -> None:
    """One line, with what must come before it and what it has changed afterwards."""
    played, view = walk.played, walk.view
    if "--name guardian" in line:
        walk.change(line)
        pass_time(played)
        walk.change(line)  # the second call now, which the named account signs
        assert walk.offices()["guardian"]["holder"] == parse_wallet(SUCCESSOR.address)
    elif "--cancel-naming guardian" in line:
        (call, _) = walk.run(f"bo-engine contracts roles --name guardian {charity}")["calls"]
        walk.sign(call)
        walk.change(line)
        assert walk.offices()["guardian"]["named"] is None
    elif "--veto" in line:
        for _ in range(4):
            done = played.cli("settle", "--day", str(played.day), "--json")
            if done.code != EXIT_LATER:
                break
            played.chain.finalize()
        assert json.loads(done.stdout)["days"][0]["run_status"] == "committed", done
        walk.change(line)
        assert "a wrong draw" in halts(played, "vetoed").message
        resume(played)
        for _ in range(8):
            played.cli("settle", "--day", str(played.day), "--json")
            played.pass_challenge()
            played.chain.finalize()
            row = pipeline(played)
            if row is not None and row.status == "DONE":
                break
    elif "--announce " in line:
        walk.change(line)
    elif "--execute" in line:
        pass_time(played)
        walk.change(line)
        if charity not in Template(line).substitute(walk.variables):
            assert parse_wallet(view.ask("ReserveVault", "feeReceiver")) == walk.variables["RECEIVER"]
    elif "refunds" in line:
        # The day of the walk sold nothing.
        facts = walk.run(line)
        assert (facts["day_id"], facts["stake"], facts["agrees"]) == (played.day + 1, "0", True)
    elif "void-plan" in line:
        _void(walk, line, DayId(played.day + 1))
    elif "--schedule-ruleset" in line:
        walk.variables["FROM_DAY"] = str(day_of(played.chain.now()) + 7)
        walk.change(line)
    elif "--announce-end" in line:
        walk.variables["LAST_DAY"] = str(day_of(played.chain.now()) + 30)
        walk.change(line)
    elif "--finish" in line:
        _play_to_the_end(walk, DayId(int(walk.variables["LAST_DAY"])))
        walk.change(line)
    else:
        walk.change(line)


def _void(walk: Walk, line: str, day: DayId) -> None:
    walk.variables["DAY"] = str(day)
    plan = walk.run(line)
    assert plan["allowed_to"] == "anyone", plan
    account = ChainAccount(walk.played.chain, walk.played.world.account("promotions"))
    walk.played.chain.fund(account.wallet)
    account.execute(plan["to"], bytes.fromhex(plan["calldata"][2:]))
    walk.played.chain.finalize()
    assert int(walk.view.ask("SettlementV4", "nextDay")) == day + 1


def _play_to_the_end(walk: Walk, last: DayId) -> None:
    """No ticket is sold any more; each day is voided by whoever likes to, 24 hours after its end."""
    walk.played.chain.advance_to(day_end(last) + 86_401)
    account = ChainAccount(walk.played.chain, walk.played.world.account("promotions"))
    walk.played.chain.fund(account.wallet)
    for day in range(int(walk.view.ask("SettlementV4", "nextDay")), last + 1):
        account.execute(walk.played.world.contracts.settlement, codec("SettlementV4").call_data("voidDay", (day,)))
    walk.played.chain.finalize()

"""`contracts check`, `contracts roles` and every refusal of `contracts deploy`: before anything is signed."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from eth_abi.abi import decode
from eth_account import Account

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE
from bo_engine.keccak import keccak256
from bo_engine.units import DayId, day_of, day_start, hex_of, parse_wallet
from core.lottery.notices import OFFICES
from core.lottery.ruleset import ruleset_hash
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.notices import SUBJECTS, charity_word
from local_world.chain_account import ChainAccount
from local_world.faults.rules import Rule
from local_world.lottery.deploy import VOUCHER_CAP
from services.deployment.checklist import Check, Checklist
from services.lottery.deployment.checks.deployment import Installation, check_code, read_addresses
from tests.support.deploying import Deploying
from tests.support.offices import EXPIRY_S, NOTICE_S, pass_time
from tests.support.played_world import PlayedWorld
from tests.support.voiding import act
from tests.support.warm_cli import Finished

pytestmark = pytest.mark.world
NOBODY = "0x" + "12" * 20
JUST_BEGUN = r"in (47 h 59 min|2 d 0 h)"  # a final block may be as old as the naming
SUBSCRIPTIONS_SLOT = 6  # of the coordinator's storage


@pytest.fixture
def deploying(played: PlayedWorld, tmp_path: Path) -> Deploying:
    return Deploying(played, tmp_path)


@pytest.fixture
def described(deploying: Deploying) -> Deploying:
    """A deployment file that describes the played world's own contracts."""
    world = deploying.played.world
    deploying.terms["roles"]["settler"] = world.account("settler").address
    deploying.terms["game"]["first_day"] = world.first_day
    deploying.terms["money"]["charity_name"] = "Local charity"
    deploying.write()
    deploying.give_promotions_money(world.contracts.reserve_vault)
    return deploying


def lines_of(described: Deploying) -> dict[str, Check]:
    """All lines of `contracts check`."""
    done = described.played.cli("contracts", "check", "--file", str(described.file), "--json")
    return {line["name"]: Check(**line) for line in json.loads(done.stdout)["checks"]}


def send_printed(played: PlayedWorld, role: str, call: dict[str, Any]) -> None:
    """A wallet signs exactly what was printed, and it succeeds."""
    account = ChainAccount(played.chain, played.world.account(role))
    assert call["from"] == account.wallet
    account.execute(call["to"], bytes.fromhex(call["calldata"][2:]))


@contextmanager
def edited_balance(played: PlayedWorld, juels: int) -> Iterator[None]:
    """The receiver's subscription holds this much LINK meanwhile."""
    at = played.world.contracts
    # balance is the lowest part of the only word of a subscription in s_subscriptions.
    slot = hex_of(keccak256(at.vrf_subscription_id.to_bytes(32, "big") + SUBSCRIPTIONS_SLOT.to_bytes(32, "big")))
    before = played.chain.call("eth_getStorageAt", at.vrf_coordinator, slot, "latest")
    word = int(before, 16) >> 96 << 96 | juels
    for value in (hex_of(word.to_bytes(32, "big")), before):
        played.chain.call("anvil_setStorageAt", at.vrf_coordinator, slot, value)
        played.chain.finalize()
        if value != before:
            yield


def checked(described: Deploying, *more: str, **changed: str) -> tuple[int, dict[str, str]]:
    """Exit code of `contracts check`, and each line that is not ok."""
    done = described.played.cli("contracts", "check", "--file", str(described.file), *more, "--json", **changed)
    lines = json.loads(done.stdout)["checks"]
    return done.code, {line["name"]: line["verdict"] for line in lines if line["verdict"] not in ("ok", "not asked")}


# -- check ---------------------------------------------------------------------------------------------------------


def test_the_check_of_an_installation_in_order_has_nothing_to_say(described: Deploying) -> None:
    played = described.played
    # The world's charity is announced with its deployment and waits for its 48 hours.
    assert checked(described) == (EXIT_DONE, {"charity": "warning"})
    described.pass_notice()
    act(played, "relayer", "CharityVault", "execute", charity_word(played.world.contracts.charity))
    played.chain.finalize()
    assert checked(described) == (EXIT_DONE, {})
    shown = played.cli("contracts", "check")
    assert (shown.code, "in order" in shown.stdout) == (EXIT_DONE, True)
    assert max(len(line.rstrip()) for line in shown.stdout.splitlines()) <= 100


def test_the_check_counts_down_what_is_going_to_change(described: Deploying) -> None:
    played = described.played
    at, today = played.world.contracts, day_of(played.chain.now())
    config = (bytes.fromhex(described.terms["vrf"]["key_hash"][2:]), 150_000, 3, 10**18)
    for contract, function, *arguments in (
        ("Roles", "nameHolder", 3, NOBODY),
        ("ReserveVault", "announceFeeReceiver", NOBODY),
        ("ReserveVault", "announceGasSafe", NOBODY),
        ("ReserveVault", "announceVoucherCap", 2 * VOUCHER_CAP),
        ("ReserveVault", "announceSweep", 5),
        ("VRFReceiver", "announceConfig", config),
        ("GameManager", "scheduleRuleset", b"\x34" * 32, today + 7),
        ("SettlementV4", "announceEnd", today + 30, at.charity_vault),
    ):
        act(played, "owner", contract, function, *arguments)
    act(played, "promotions", "ReserveVault", "setPayee", NOBODY)
    played.chain.finalize()
    code, found = checked(described)
    changes = {
        "naming of settler",
        *(f"announced {name}" for name in ("fee-receiver", "gas-safe", "voucher-cap", "sweep", "vrf-config")),
        *("end of the game", "payees", "charity"),
    }
    # A ruleset that is not known here could not be settled: it is wrong already now.
    assert (code, found) == (EXIT_FAILED, {**dict.fromkeys(changes, "warning"), "waiting ruleset": "wrong"})
    said = lines_of(described)
    assert re.search(JUST_BEGUN, said["naming of settler"].found)
    assert NOBODY in said["naming of settler"].found
    assert said["announced voucher-cap"].found.startswith("20,000.00 USDT, from ")
    assert "150000 gas" in said["announced vrf-config"].found
    assert "in 30 days" in said["end of the game"].found
    assert f"GUARDIAN or OWNER cancels it: `contracts roles --cancel {'sweep'}`" in said["announced sweep"].todo
    # What is due says so, and what expired threatens nothing any more.
    described.pass_notice()
    assert " now, for 12 d 0 h, to " in lines_of(described)["naming of settler"].found.replace("11 d 23 h", "12 d 0 h")
    played.chain.advance_to(played.chain.now() + EXPIRY_S)
    played.chain.finalize()
    _, found = checked(described)
    assert {name for name in found if name.startswith(("naming", "announced"))} == set()
    assert "expired" in lines_of(described)["naming of settler"].found


def test_the_check_finds_what_the_owner_or_a_thief_has_changed(described: Deploying) -> None:
    played = described.played
    at, key_hash = played.world.contracts, bytes.fromhex(described.terms["vrf"]["key_hash"][2:])
    act(played, "owner", "ReserveVault", "announceFeeReceiver", NOBODY)
    act(played, "owner", "VRFReceiver", "announceConfig", (key_hash, 150_000, 3, 10**18))
    described.pass_notice()
    act(played, "relayer", "ReserveVault", "execute", SUBJECTS["fee-receiver"].word)
    act(played, "relayer", "VRFReceiver", "execute", SUBJECTS["vrf-config"].word)
    act(played, "owner", "ReserveVault", "lowerVoucherCap", 7)
    act(played, "owner", "Roles", "removeHolder", 3)
    act(played, "guardian", "Roles", "suspend", 2)
    act(played, "guardian", "GameManager", "pausePurchases")
    act(played, "guardian", "PrizeVault", "pauseClaims")
    described.act("owner", "TestCoordinator", at.vrf_coordinator, "setProvingKey", key_hash, False)
    code, found = checked(described)
    assert code == EXIT_FAILED
    assert found == {
        "relayer": "wrong",  # suspended
        "settler": "wrong",  # empty
        "fee receiver": "wrong",
        "voucher cap": "wrong",
        "VRF configuration": "wrong",
        "VRF key hash": "wrong",
        "charity": "warning",  # anyone may execute it now
        "sales": "warning",
        "pauses": "warning",
    }
    said = lines_of(described)
    assert "suspended" in said["relayer"].found
    assert "--lift" in said["relayer"].todo
    assert "empty" in said["settler"].found
    assert "execute" in said["charity"].todo


def test_the_check_finds_a_subscription_that_cannot_pay(described: Deploying) -> None:
    """The receiver's floor for one word is the file's; the balance is set past any key."""
    played = described.played
    contracts = played.world.contracts
    juels = described.terms["vrf"]["link_per_request"]
    for balance, expected in (
        (int(juels) - 1, {"VRF balance": "wrong"}),
        (13 * int(juels), {"VRF balance lasts": "warning"}),
    ):
        with edited_balance(played, balance):
            code, found = checked(described)
        assert {name: verdict for name, verdict in found.items() if name != "charity"} == expected
        assert code == (EXIT_FAILED if "wrong" in expected.values() else EXIT_DONE)
    with edited_balance(played, 0):
        todo = lines_of(described)["VRF balance"].todo
    # transferAndCall(coordinator, juels, abi.encode(id)) of LINK, ready to sign.
    data = bytes.fromhex(todo.rpartition("0x")[2])
    target, amount, number = decode(["address", "uint256", "bytes"], data[4:])
    assert data[:4] == keccak256(b"transferAndCall(address,uint256,bytes)")[:4]
    assert (target, amount) == (contracts.vrf_coordinator, int(juels))
    assert int.from_bytes(number, "big") == contracts.vrf_subscription_id


def test_the_check_finds_sales_that_have_stopped(described: Deploying) -> None:
    played = described.played
    played.chain.advance_to(day_start(DayId(played.day + 6)))
    played.chain.finalize()
    assert "stopped" in lines_of(described)["sales"].found
    assert checked(described)[1]["sales"] == "wrong"
    sales = json.loads(played.cli("contracts", "roles", "--json").stdout)["sales"]
    assert (sales["state"], sales["oldest_open"], sales["stops"]) == ("stopped", played.day, played.day + 5)
    assert f"stopped: day {played.day} is not settled" in played.cli("contracts", "roles").stdout


def test_the_check_finds_terms_that_were_not_meant(described: Deploying) -> None:
    described.write(
        game={"first_day": described.played.day + 1, "challenge_period_s": 7200, "ruleset_hash": "0x" + "34" * 32},
        money={"usdt": NOBODY, "heir": NOBODY},
        vrf={"coordinator": NOBODY, "link_per_request": "1"},
        roles={"owner": NOBODY},
    )
    code, found = checked(described)
    names = {"first day", "challenge period", "first ruleset", "USDT", "VRF coordinator", "VRF configuration", "heir"}
    assert (code, found) == (EXIT_FAILED, {**dict.fromkeys({*names, "owner"}, "wrong"), "charity": "warning"})


def test_the_check_finds_foreign_code_and_settings_of_elsewhere(described: Deploying) -> None:
    played = described.played

    def wrong(**changed: str) -> dict[str, str]:
        return {name: verdict for name, verdict in checked(described, **changed)[1].items() if name != "charity"}

    assert wrong(RULESET_FILES="") == {"ruleset": "wrong"}
    assert wrong(DRAND_URLS="http://127.0.0.1:9/") == {"drand": "wrong"}
    assert wrong(DATABASE_URL="postgresql://127.0.0.1:9/none") == {"database": "unknown"}
    assert checked(described, DATABASE_URL="postgresql://127.0.0.1:9/none")[0] == EXIT_LATER
    assert wrong(RPC_FALLBACK_URL="http://127.0.0.1:9/")["endpoints"] == "unknown"
    assert wrong(CHAIN_ID="42161") == {"endpoints": "wrong"}
    assert wrong(SETTLER_PRIVATE_KEY="") == {"our key": "wrong"}
    assert wrong(SETTLEMENT_ADDRESS=NOBODY) == {"contracts": "wrong"}
    # A coordinator that answers everything with zeros: it knows no key hash.
    played.chain.call("anvil_setCode", played.world.contracts.vrf_coordinator, "0x60406000f3")
    played.chain.finalize()
    assert wrong()["VRF key hash"] == "wrong"
    vault = played.world.contracts.prize_vault
    code: str = played.chain.call("eth_getCode", vault, "latest")
    played.chain.call("anvil_setCode", vault, code[:-8] + ("00" if code[-8:-6] != "00" else "01") + code[-6:])
    played.chain.finalize()
    assert wrong() == {"code of PrizeVault": "wrong"}


# -- roles ---------------------------------------------------------------------------------------------------------


def roles_of(played: PlayedWorld, *arguments: str) -> dict[str, Any]:
    """What `contracts roles` prints."""
    done = played.cli("contracts", "roles", *arguments, "--json")
    assert done.code == EXIT_DONE, done
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def calls_of(played: PlayedWorld, *arguments: str) -> list[dict[str, Any]]:
    """The calls that `contracts roles` prints."""
    calls: list[dict[str, Any]] = roles_of(played, *arguments)["calls"]
    return calls


def nonces_of(played: PlayedWorld) -> list[str]:
    """How much each of the five has sent."""
    accounts = [played.world.account(office).address for office in OFFICES]
    return [played.chain.call("eth_getTransactionCount", address, "latest") for address in accounts]


def test_every_change_is_printed_as_the_exact_call_of_its_signer_and_nothing_is_sent(
    played: PlayedWorld, tmp_path: Path
) -> None:
    at, day, today = played.world.contracts, str(played.day), day_of(played.chain.now())
    before = nonces_of(played)
    key_hash = bytes(range(32))
    ruleset = tmp_path / "ruleset.json"
    ruleset.write_bytes(Path(played.env["RULESET_FILES"]).read_bytes())
    config = (key_hash, 150_000, 5, 10**18)
    for arguments, signer, contract, function, values, simulated in (
        (("--name", "relayer", NOBODY), "owner", "Roles", "nameHolder", (2, NOBODY), "would succeed now"),
        (("--cancel-naming", "settler"), "guardian", "Roles", "cancelNaming", (3,), "NoNaming"),
        (("--cancel-naming", "guardian"), "owner", "Roles", "cancelNaming", (1,), "NoNaming"),
        (("--remove", "settler"), "owner", "Roles", "removeHolder", (3,), "would succeed now"),
        (("--suspend", "relayer"), "guardian", "Roles", "suspend", (2,), "would succeed now"),
        (("--lift", NOBODY), "owner", "Roles", "liftSuspension", (NOBODY,), "NotSuspended"),
        (("--pause", "purchases"), "guardian", "GameManager", "pausePurchases", (), "would succeed now"),
        (("--pause", "prizes"), "guardian", "PrizeVault", "pauseClaims", (), "would succeed now"),
        (("--unpause", "commissions"), "guardian", "AffiliateVault", "unpauseClaims", (), "NotPaused"),
        (("--veto", day, "--reason", "a wrong draw"), "guardian", "SettlementV4", "veto",
         (played.day, "a wrong draw"), "NotCommitted"),
        (("--announce", "fee-receiver", NOBODY), "owner", "ReserveVault", "announceFeeReceiver", (NOBODY,),
         "would succeed now"),
        (("--announce", "gas-safe", NOBODY), "owner", "ReserveVault", "announceGasSafe", (NOBODY,),
         "would succeed now"),
        (("--announce", "voucher-cap", str(2 * VOUCHER_CAP)), "owner", "ReserveVault", "announceVoucherCap",
         (2 * VOUCHER_CAP,), "would succeed now"),
        (("--announce", "voucher-cap", "7"), "owner", "ReserveVault", "lowerVoucherCap", (7,), "would succeed now"),
        (("--announce", "sweep", "5"), "owner", "ReserveVault", "announceSweep", (5,), "would succeed now"),
        (("--announce", "vrf-config", f"0x{key_hash.hex()},150000,5,{10**18}"), "owner", "VRFReceiver",
         "announceConfig", (config,), "would succeed now"),
        (("--announce", "charity", f"{NOBODY},Dogs, and cats"), "owner", "CharityVault", "announceCharity",
         (NOBODY, "Dogs, and cats"), "would succeed now"),
        (("--execute", "gas-safe"), "anyone", "ReserveVault", "execute", (SUBJECTS["gas-safe"].word,),
         "NothingAnnounced"),
        (("--execute", at.charity), "anyone", "CharityVault", "execute", (charity_word(at.charity),), "TooEarly"),
        (("--cancel", at.charity), "guardian", "CharityVault", "cancel", (charity_word(at.charity),),
         "would succeed now"),
        (("--cancel", "vrf-config"), "guardian", "VRFReceiver", "cancel", (SUBJECTS["vrf-config"].word,),
         "NothingAnnounced"),
        (("--schedule-ruleset", str(ruleset), "--from-day", str(today + 7)), "owner", "GameManager", "scheduleRuleset",
         (ruleset_hash(played.world.ruleset), today + 7), "would succeed now"),
        (("--schedule-ruleset", str(ruleset), "--from-day", str(today + 6)), "owner", "GameManager", "scheduleRuleset",
         (ruleset_hash(played.world.ruleset), today + 6), "TooEarly"),
        (("--cancel-ruleset",), "guardian", "GameManager", "cancelRuleset", (), "NoRulesetWaiting"),
        (("--announce-end", str(today + 30), at.charity_vault), "owner", "SettlementV4", "announceEnd",
         (today + 30, at.charity_vault), "would succeed now"),
        (("--announce-end", str(today + 29), at.charity_vault), "owner", "SettlementV4", "announceEnd",
         (today + 29, at.charity_vault), "EndTooEarly"),
        (("--announce-end", str(today + 30), NOBODY), "owner", "SettlementV4", "announceEnd", (today + 30, NOBODY),
         "ReceiverRefuses"),
        (("--cancel-end",), "guardian", "SettlementV4", "cancelEnd", (), "NoEndAnnounced"),
        (("--finish",), "anyone", "SettlementV4", "finish", (), "NoEndAnnounced"),
    ):  # fmt: skip
        call = calls_of(played, *arguments)[0]
        assert call["calldata"] == hex_of(codec(contract).call_data(function, values)), arguments
        assert (call["signed_by"], call["contract"], call["function"].split("(")[0]) == (signer, contract, function)
        sender = None if signer == "anyone" else parse_wallet(played.world.account(signer).address)
        assert (call["from"], simulated in call["simulated"]) == (sender, True), call
    (_, second) = calls_of(played, "--name", "relayer", NOBODY)
    assert (second["from"], second["function"]) == (NOBODY, "takeOffice(uint8)")
    assert "48 hours to 14 days" in second["simulated"]
    assert nonces_of(played) == before


def test_a_named_account_is_shown_and_not_named_anew(played: PlayedWorld) -> None:
    new = played.world.account("charity")
    account = parse_wallet(new.address)
    (call, _) = calls_of(played, "--name", "settler", account)
    send_printed(played, "owner", call)
    played.chain.finalize()
    office = {one["role"]: one for one in roles_of(played)["roles"]}["settler"]
    assert (office["named"]["account"], office["suspended"]) == (account, False)
    assert office["named"]["not_before"] + EXPIRY_S == office["named"]["not_after"] + NOTICE_S
    # Naming again would start its 48 hours anew: only the second call is left.
    (waits,) = calls_of(played, "--name", "settler", account)
    assert (waits["function"], bool(re.search(JUST_BEGUN, waits["simulated"]))) == ("takeOffice(uint8)", True)
    pass_time(played)
    (due,) = calls_of(played, "--name", "settler", account)
    assert (due["from"], due["simulated"]) == (account, "would succeed now")
    played.chain.fund(account)
    send_printed(played, "charity", due)
    played.chain.finalize()
    office = {one["role"]: one for one in roles_of(played)["roles"]}["settler"]
    assert (office["holder"], office["named"]) == (account, None)
    shown = played.cli("contracts", "roles")
    assert max(len(line.rstrip()) for line in shown.stdout.splitlines()) <= 100


def test_a_suspended_and_an_empty_office_are_shown(played: PlayedWorld) -> None:
    (suspend,) = calls_of(played, "--suspend", "settler")
    send_printed(played, "guardian", suspend)
    (remove,) = calls_of(played, "--remove", "relayer")
    send_printed(played, "owner", remove)
    played.chain.finalize()
    offices = {one["role"]: one for one in roles_of(played)["roles"]}
    settler = parse_wallet(played.world.account("settler").address)
    assert (offices["settler"]["holder"], offices["settler"]["suspended"]) == (settler, True)
    assert (offices["relayer"]["holder"], offices["relayer"]["kind"]) == (None, "empty")
    (lift,) = calls_of(played, "--lift", settler)
    assert lift["simulated"] == "would succeed now"


def test_a_change_that_cannot_be_made_is_refused(played: PlayedWorld, tmp_path: Path) -> None:
    guardian, at = played.world.account("guardian").address, played.world.contracts
    other = tmp_path / "other.json"
    document = json.loads(Path(played.env["RULESET_FILES"]).read_bytes())
    other.write_bytes(rfc8785.dumps({**document, "fee_bps": 2_500}))
    for arguments, code, error in (
        (("--name", "settler", guardian), EXIT_FAILED, "role_taken"),
        (("--name", "settler", "0x" + "00" * 20), EXIT_FAILED, "role_taken"),
        (("--name", "settler", "0x12"), EXIT_USAGE, "bad_wallet"),
        (("--name", "king", NOBODY), EXIT_USAGE, "bad_role"),
        (("--remove", "owner"), EXIT_USAGE, "bad_role"),
        (("--suspend", "promotions"), EXIT_USAGE, "bad_role"),
        (("--cancel-naming", "king"), EXIT_USAGE, "bad_role"),
        (("--lift", "0x12"), EXIT_USAGE, "bad_wallet"),
        (("--pause", "everything"), EXIT_USAGE, "bad_pause"),
        (("--veto", "20000"), EXIT_USAGE, "bad_usage"),
        (("--veto", "20000", "--reason", " "), EXIT_USAGE, "bad_usage"),
        (("--reason", "why"), EXIT_USAGE, "bad_usage"),
        (("--pause", "prizes", "--unpause", "prizes"), EXIT_USAGE, "bad_usage"),
        (("--announce", "fee-receiver", at.prize_vault), EXIT_FAILED, "account_is_ours"),
        (("--announce", "gas-safe", at.usdt), EXIT_FAILED, "account_is_ours"),
        (("--announce", "charity", "0x" + "00" * 20 + ",Dogs"), EXIT_FAILED, "account_is_ours"),
        (("--announce", "charity", NOBODY), EXIT_USAGE, "bad_value"),
        (("--announce", "voucher-cap", "1.5"), EXIT_USAGE, "bad_number"),
        (("--announce", "voucher-cap", str(2**88)), EXIT_USAGE, "bad_number"),
        (("--announce", "sweep", "-1"), EXIT_USAGE, "bad_number"),
        (("--announce", "vrf-config", "0x12"), EXIT_USAGE, "bad_value"),
        (("--announce", "vrf-config", "0x12,150000,3,1"), EXIT_USAGE, "bad_hash"),
        (("--announce", "vrf-config", f"0x{'12' * 32},99999,3,1"), EXIT_USAGE, "bad_value"),
        (("--announce", "moon", "1"), EXIT_USAGE, "bad_subject"),
        (("--execute", "moon"), EXIT_USAGE, "bad_subject"),
        (("--cancel", "0x12"), EXIT_USAGE, "bad_wallet"),
        (("--announce-end", "soon", NOBODY), EXIT_USAGE, "bad_number"),
        (("--announce-end", "20000", "0x12"), EXIT_USAGE, "bad_wallet"),
        (("--schedule-ruleset", str(other)), EXIT_USAGE, "bad_usage"),
        (("--from-day", "20000"), EXIT_USAGE, "bad_usage"),
        (("--schedule-ruleset", str(other), "--from-day", "20900"), EXIT_USAGE, "ruleset_differs"),
        (("--schedule-ruleset", str(tmp_path / "none"), "--from-day", "20900"), EXIT_USAGE, "bad_ruleset_file"),
    ):
        done = played.cli("contracts", "roles", *arguments, "--json")
        assert (done.code, json.loads(done.stdout)["error"]) == (code, error), arguments


def test_code_that_an_endpoint_does_not_show_is_not_taken_for_ours(played: PlayedWorld) -> None:
    with played.context() as context:
        chain, lines = context.chain, Checklist()
        block = chain.read_final_block()
        here = Installation(chain, block, read_addresses(chain, block, played.world.contracts.settlement), None)
        assert check_code(lines, here)
        played.world.proxy.set_rules(Rule("says", "eth_getCode", calls=1, args={"refusal": "busy"}))
        assert not check_code(lines, here)
        assert [line.name for line in lines.of("unknown")] == ["code of Roles"]
        # One that shows other code contradicts the other endpoint, which says nothing against the contract.
        played.world.proxy.set_rules(Rule("says", "eth_getCode", calls=1, args={"value": "0x6001"}))
        assert not check_code(lines, here)
    assert [line.name for line in lines.of("unknown")] == ["code of Roles"] * 2
    assert not lines.of("wrong")


# -- deploy: refusals ----------------------------------------------------------------------------------------------


def refused(deploying: Deploying, *more: str, **changed: str) -> tuple[int, str, str]:
    """Exit code, error code and message; and nothing was written or sent."""
    done = deploying.deploy(*more, **changed)
    answer = json.loads(done.stdout)
    assert not deploying.record_file.exists()
    assert deploying.nonce() == 0
    return done.code, answer["error"], answer["message"]


def test_a_deployment_is_refused_while_anything_is_wrong(deploying: Deploying) -> None:
    settler, chain = deploying.terms["roles"]["settler"], deploying.played.chain
    today = deploying.first_day
    for changed, line in (
        ({"game": {"first_day": today - 1}}, f"first day: {today - 1}, today is {today}"),
        ({"game": {"first_day": today + 31}}, f"first day: {today + 31}, today is {today}"),
        ({"game": {"ruleset_hash": "0x" + "34" * 32}}, "ruleset: "),
        ({"game": {"number_max": 10}}, "range of numbers: 1 to 10"),
        ({"money": {"usdt": NOBODY}}, f"USDT: {NOBODY}: no contract"),
        ({"money": {"usdt": deploying.terms["vrf"]["coordinator"]}}, "USDT: "),
        ({"money": {"fee_receiver": deploying.terms["money"]["usdt"]}}, "accounts: fee_receiver"),
        ({"money": {"gas_safe": deploying.at("prize_vault")}}, "accounts: gas_safe"),
        ({"vrf": {"coordinator": settler}}, "VRF coordinator: "),
        ({"money": {"heir": deploying.at("reserve_vault")}}, "accounts: heir"),
        ({"money": {"charity": deploying.terms["vrf"]["coordinator"]}}, "accounts: charity"),
        # Something that is no coordinator of VRF v2.5: it is fixed for good.
        ({"vrf": {"coordinator": deploying.terms["money"]["usdt"]}}, "VRF key hash: "),
        ({"roles": {"guardian": deploying.deployer.address}}, "deployer: "),
    ):
        deploying.write(**changed)
        code, error, message = refused(deploying)
        assert (code, error, line in message) == (EXIT_FAILED, "deployment_refused", True), (line, message)
    planned = deploying.deploy("--dry-run")
    assert planned.code == EXIT_FAILED
    assert not deploying.record_file.exists()
    deploying.write()
    chain.fund(deploying.deployer.address, 1)
    assert refused(deploying)[:2] == (EXIT_FAILED, "deployment_refused")


def test_a_plan_warns_of_what_can_be_mended_after_the_deployment(deploying: Deploying) -> None:
    def warnings() -> set[str]:
        done = deploying.deploy("--dry-run")
        assert done.code == EXIT_DONE, done
        return {one["name"] for one in json.loads(done.stdout)["checks"] if one["verdict"] == "warning"}

    assert warnings() == set()
    deploying.write(vrf={"key_hash": "0x" + "34" * 32})
    assert warnings() == {"VRF key hash"}
    deploying.write(money={"heir": deploying.terms["money"]["fee_receiver"]})
    assert warnings() == {"heir"}


def test_a_plan_opens_no_keystore_and_a_keystore_of_another_key_deploys_nothing(
    deploying: Deploying, tmp_path: Path
) -> None:
    keystore, password = tmp_path / "deployer.json", tmp_path / "password"
    password.write_text("canary-of-the-deployer")
    password.chmod(0o600)

    def write(**changed: object) -> None:
        document = Account.encrypt(bytes(deploying.deployer.key), "canary-of-the-deployer", iterations=2)
        keystore.write_text(json.dumps({**document, **changed}))
        keystore.chmod(0o600)

    def deploy(*more: str) -> Finished:
        named = ("--file", str(deploying.file), "--keystore-file", str(keystore))
        return deploying.played.cli("contracts", "deploy", *named, "--json", *more)

    write(crypto={})  # nothing that anybody could open
    planned = deploy("--dry-run")
    assert (planned.code, json.loads(planned.stdout)["deployer"]) == (EXIT_DONE, deploying.deployer.address.lower())
    sure = ("--yes", "--password-file", str(password))
    refusal = deploy(*sure)
    assert (refusal.code, json.loads(refusal.stdout)["error"]) == (EXIT_USAGE, "bad_keystore")
    other = Account.create()
    deploying.played.chain.fund(other.address)
    write(address=other.address[2:].lower())
    refusal = deploy(*sure)
    assert (refusal.code, json.loads(refusal.stdout)["error"]) == (EXIT_USAGE, "wrong_key")
    for address in (None, 7, "0xnothing", ""):
        write(address=address)
        refusal = deploy("--dry-run")
        assert (refusal.code, json.loads(refusal.stdout)["error"]) == (EXIT_USAGE, "bad_keystore")
    assert not deploying.record_file.exists()
    assert deploying.nonce() == 0
    write()
    assert deploy(*sure).code == EXIT_DONE


def test_a_deployment_with_the_wrong_file_key_or_settings_is_a_usage_error(deploying: Deploying) -> None:
    twice = {"roles": {"guardian": deploying.terms["roles"]["owner"]}}
    for changed, settings, error in (
        (twice, {}, "roles_not_distinct"),
        ({"game": {"first_day": None}}, {}, "bad_deployment_file"),
        ({}, {"CHAIN_ID": "42161"}, "wrong_chain"),
        ({}, {"BO_PROFILE": "production"}, "plain_key"),
        ({}, {"RPC_FALLBACK_URL": "http://127.0.0.1:9/"}, "rpc_unreachable"),
    ):
        deploying.write(**changed)
        code = EXIT_LATER if error == "rpc_unreachable" else EXIT_USAGE
        assert refused(deploying, **settings)[:2] == (code, error)
    deploying.terms["chain_id"] = 42161
    deploying.write()
    assert refused(deploying)[1] == "wrong_chain"
    deploying.terms["chain_id"] = 421614
    deploying.file.write_text("[roles")
    assert refused(deploying)[1] == "bad_deployment_file"
    deploying.file.unlink()
    assert refused(deploying)[1] == "unreadable_file"
    deploying.write()
    deploying.key_file.chmod(0o644)
    assert refused(deploying)[1] == "key_file_exposed"
    deploying.key_file.unlink()
    assert refused(deploying)[1] == "unreadable_file"


def test_a_deployment_asks_before_it_sends(deploying: Deploying) -> None:
    arguments = ("contracts", "deploy", "--file", str(deploying.file), "--key-file", str(deploying.key_file))
    done = deploying.played.cli(*arguments)  # without a terminal
    assert (done.code, "no_terminal" in done.stderr) == (EXIT_USAGE, True)
    assert "SettlementV4" in done.stdout  # the plan was shown
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 100
    assert deploying.nonce() == 0

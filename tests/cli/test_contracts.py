"""`contracts check`, `contracts roles` and every refusal of `contracts deploy`: before anything is signed."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE
from bo_engine.units import parse_wallet
from io_layer.contract_codec import codec
from local_world.faults import Rule
from services.check_deployment import Installation, check_code, read_addresses
from services.checklist import Checklist
from tests.support.deploying import Deploying
from tests.support.played_world import PlayedWorld
from tests.support.voiding import act
from tests.support.warm_cli import Finished

pytestmark = pytest.mark.world
NOBODY = "0x" + "12" * 20


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


def checked(described: Deploying, *more: str, **changed: str) -> tuple[int, dict[str, str]]:
    """Exit code of `contracts check`, and each line that is not ok."""
    done = described.played.cli("contracts", "check", "--file", str(described.file), *more, "--json", **changed)
    lines = json.loads(done.stdout)["checks"]
    return done.code, {line["name"]: line["verdict"] for line in lines if line["verdict"] not in ("ok", "not asked")}


# -- check ---------------------------------------------------------------------------------------------------------


def test_the_check_of_an_installation_in_order_has_nothing_to_say(described: Deploying) -> None:
    assert checked(described) == (EXIT_DONE, {})
    shown = described.played.cli("contracts", "check")
    assert (shown.code, "in order" in shown.stdout) == (EXIT_DONE, True)
    assert max(len(line.rstrip()) for line in shown.stdout.splitlines()) <= 100


def test_the_check_finds_what_the_owner_or_a_thief_has_changed(described: Deploying) -> None:
    played = described.played
    at, config = played.world.contracts, described.terms["vrf"]
    key_hash, subscription = bytes.fromhex(config["key_hash"][2:]), int(config["subscription_id"])
    for role, contract, address, function, *arguments in (
        ("owner", "Roles", at.roles, "setSettler", NOBODY),
        ("owner", "Roles", at.roles, "transferOwnership", "0x" + "13" * 20),
        ("owner", "CharityVault", at.charity_vault, "removeCharity", at.charity),
        ("owner", "ReserveVault", at.reserve_vault, "setFeeReceiver", NOBODY),
        ("guardian", "GameManager", at.game_manager, "pausePurchases"),
        ("owner", "VRFReceiver", at.vrf_receiver, "setVrfConfig", key_hash, 150_000, 3, subscription),
    ):
        described.act(role, contract, address, function, *arguments)
    code, found = checked(described)
    assert code == EXIT_FAILED
    assert found == {
        "settler": "wrong",  # another than the file's
        "our key": "wrong",
        "SETTLER's ether": "wrong",
        "pendingOwner": "warning",
        "charity": "wrong",
        "fee receiver": "wrong",
        "pauses": "warning",
        "VRF configuration": "wrong",
    }


def test_the_check_finds_a_receiver_that_may_not_ask_for_words(described: Deploying) -> None:
    contracts = described.played.world.contracts
    arguments = (contracts.vrf_subscription_id, contracts.vrf_receiver)
    described.act("owner", "TestCoordinator", contracts.vrf_coordinator, "removeConsumer", *arguments)
    assert checked(described) == (EXIT_FAILED, {"VRF consumer": "wrong"})


def test_the_check_finds_terms_that_were_not_meant(described: Deploying) -> None:
    described.write(
        game={"first_day": described.played.day + 1, "challenge_period_s": 7200, "ruleset_hash": "0x" + "34" * 32},
        money={"usdt": NOBODY},
        vrf={"coordinator": NOBODY},
    )
    code, found = checked(described)
    names = {"first day", "challenge period", "first ruleset", "USDT", "VRF coordinator"}
    assert (code, found) == (EXIT_FAILED, dict.fromkeys(names, "wrong"))


def test_the_check_finds_foreign_code_and_settings_of_elsewhere(described: Deploying) -> None:
    played = described.played
    assert checked(described, RULESET_FILES="")[1] == {"ruleset": "wrong"}
    assert checked(described, DRAND_URLS="http://127.0.0.1:9/")[1] == {"drand": "wrong"}
    assert checked(described, DATABASE_URL="postgresql://127.0.0.1:9/none") == (EXIT_LATER, {"database": "unknown"})
    assert checked(described, RPC_FALLBACK_URL="http://127.0.0.1:9/")[1]["endpoints"] == "unknown"
    assert checked(described, CHAIN_ID="42161")[1] == {"endpoints": "wrong"}
    assert checked(described, SETTLER_PRIVATE_KEY="")[1] == {"our key": "wrong"}
    assert checked(described, SETTLEMENT_ADDRESS=NOBODY)[1] == {"contracts": "wrong"}
    # A coordinator that answers everything with zeros: it knows no key hash.
    played.chain.call("anvil_setCode", played.world.contracts.vrf_coordinator, "0x60406000f3")
    played.chain.finalize()
    assert checked(described)[1]["VRF key hash"] == "wrong"
    vault = played.world.contracts.prize_vault
    code: str = played.chain.call("eth_getCode", vault, "latest")
    played.chain.call("anvil_setCode", vault, code[:-8] + ("00" if code[-8:-6] != "00" else "01") + code[-6:])
    played.chain.finalize()
    assert checked(described)[1] == {"code of PrizeVault": "wrong"}


# -- roles ---------------------------------------------------------------------------------------------------------


def calls_of(played: PlayedWorld, *arguments: str) -> list[dict[str, Any]]:
    """The calls that `contracts roles` prints."""
    done = played.cli("contracts", "roles", *arguments, "--json")
    assert done.code == EXIT_DONE, done
    found: list[dict[str, Any]] = json.loads(done.stdout)["calls"]
    return found


def test_the_calls_that_change_a_role_are_exact_and_nothing_is_sent(played: PlayedWorld) -> None:
    nonces = [played.chain.call("eth_getTransactionCount", played.world.account(one).address, "latest")
              for one in ("owner", "guardian")]  # fmt: skip
    owner, roles = parse_wallet(played.world.account("owner").address), played.world.contracts.roles
    for role, function in (("guardian", "setGuardian"), ("relayer", "setRelayer"), ("settler", "setSettler")):
        (call,) = calls_of(played, "--replace", role, NOBODY)
        assert (call["from"], call["to"], call["function"]) == (owner, roles, f"{function}(address)")
        assert call["calldata"] == "0x" + codec("Roles").call_data(function, (NOBODY,)).hex()
        assert (call["arguments"], call["simulated"]) == ({"account": NOBODY}, "would succeed now")
    for role, functions in (
        ("promotions", ["setPromotions(address)", "acceptPromotions()"]),
        ("owner", ["transferOwnership(address)", "acceptOwnership()"]),
    ):
        calls = calls_of(played, "--replace", role, NOBODY)
        assert [(call["function"], call["from"]) for call in calls] == list(
            zip(functions, (owner, NOBODY), strict=True)
        )
    (veto,) = calls_of(played, "--veto", str(played.day), "--reason", "a wrong draw")
    assert veto["arguments"] == {"dayId": str(played.day), "reason": "a wrong draw"}
    assert "NotCommitted" in veto["simulated"]
    (pause,) = calls_of(played, "--pause", "prizes")
    assert (pause["to"], pause["simulated"]) == (played.world.contracts.prize_vault, "would succeed now")
    assert "NotPaused" in calls_of(played, "--unpause", "prizes")[0]["simulated"]
    (void,) = calls_of(played, "--announce-void", str(played.day))
    assert (void["function"], void["simulated"]) == ("announceVoid(uint256)", "would succeed now")
    assert nonces == [
        played.chain.call("eth_getTransactionCount", played.world.account(one).address, "latest")
        for one in ("owner", "guardian")
    ]


def test_a_printed_call_does_what_it_says_when_its_holder_sends_it(played: PlayedWorld) -> None:
    (call,) = calls_of(played, "--replace", "settler", NOBODY)
    act(played, "owner", call["contract"], "setSettler", call["arguments"]["account"])
    played.chain.finalize()
    roles = json.loads(played.cli("contracts", "roles", "--json").stdout)["roles"]
    assert {one["role"]: one["holder"] for one in roles}["settler"] == NOBODY


def test_a_role_that_cannot_be_given_is_refused(played: PlayedWorld) -> None:
    guardian = played.world.account("guardian").address
    for arguments, code, error in (
        (("--replace", "settler", guardian), EXIT_FAILED, "role_taken"),
        (("--replace", "settler", "0x" + "00" * 20), EXIT_FAILED, "role_taken"),
        (("--replace", "settler", "0x12"), EXIT_USAGE, "bad_wallet"),
        (("--replace", "king", NOBODY), EXIT_USAGE, "bad_role"),
        (("--pause", "everything"), EXIT_USAGE, "bad_pause"),
        (("--veto", "20000"), EXIT_USAGE, "bad_usage"),
        (("--pause", "prizes", "--unpause", "prizes"), EXIT_USAGE, "bad_usage"),
    ):
        done = played.cli("contracts", "roles", *arguments, "--json")
        assert (done.code, json.loads(done.stdout)["error"]) == (code, error), arguments


def test_code_that_an_endpoint_does_not_show_is_not_taken_for_ours(played: PlayedWorld) -> None:
    with played.engine() as engine:
        chain, lines = engine.game.chain, Checklist()
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
        ({"game": {"first_day": today + 400}}, "first day is near"),
        ({"game": {"ruleset_hash": "0x" + "34" * 32}}, "ruleset: "),
        ({"game": {"number_max": 10}}, "range of numbers: 1 to 10"),
        ({"money": {"usdt": NOBODY}}, f"USDT: {NOBODY}: no contract"),
        ({"money": {"usdt": deploying.terms["vrf"]["coordinator"]}}, "USDT: "),
        ({"money": {"fee_receiver": deploying.terms["money"]["usdt"]}}, "accounts: fee_receiver"),
        ({"money": {"gas_safe": deploying.at("prize_vault")}}, "accounts: gas_safe"),
        ({"vrf": {"coordinator": settler}}, "VRF coordinator: "),
        ({"vrf": {"subscription_id": "7"}}, "VRF subscription: 7"),
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
        deploying.write(**changed)  # type: ignore[arg-type]
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

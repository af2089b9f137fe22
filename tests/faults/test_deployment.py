"""Contracts of a real installation: deployed by the command line, killed anywhere, one set of contracts."""

import json
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from eth_account import Account

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_LATER, EXIT_USAGE, Unavailable
from bo_engine.keccak import keccak256
from bo_engine.settings import Settings
from bo_engine.units import day_end, hex_of, parse_wallet
from core.deployment.creations import CREATIONS
from io_layer.contracts.codec import codec
from io_layer.keys.creation_signer import CreationSigner
from io_layer.lottery.deployment_file import held_terms, read_terms
from io_layer.rpc.endpoint import RpcRefused
from io_layer.rpc.sender import Fees
from local_world.chain_account import ChainAccount
from local_world.faults.rules import Rule
from services.lottery.deployment.deploy import deploy_contracts
from services.lottery.deployment.plan import plan_deployment
from services.running.cancel import Stop
from tests.support.deploying import Deploying
from tests.support.played_world import PlayedWorld
from tests.support.warm_cli import Finished

pytestmark = pytest.mark.world
OWNER_CALL = codec("Roles").call_data("owner", ())
PLACES = ("creation signed, not stored", "creation stored, not sent", "creation sent, not noted")


@pytest.fixture
def deploying(played: PlayedWorld, tmp_path: Path) -> Deploying:
    return Deploying(played, tmp_path)


def error_of(done: Finished) -> tuple[int, str]:
    """Exit code and error code."""
    return done.code, json.loads(done.stdout)["error"]


def require_one_set(deploying: Deploying, first_nonce: int = 0) -> None:
    """The contracts stand where they were planned, and the deployer has sent one transaction for each."""
    assert deploying.nonce() == first_nonce + len(CREATIONS)
    addresses = deploying.record["finished"]["addresses"]
    assert {key: addresses[key] for key, _ in CREATIONS} == {
        key: deploying.at(key, first_nonce) for key, _ in CREATIONS
    }
    used = [one["nonce"] for attempts in deploying.record["signed"].values() for one in attempts]
    assert used == sorted(set(used))


def test_a_deployment_stands_as_planned_and_the_check_names_what_is_left_to_others(deploying: Deploying) -> None:
    planned = deploying.deploy("--dry-run")
    assert (planned.code, deploying.record_file.exists(), deploying.nonce()) == (EXIT_DONE, False, 0)
    rows = {one["contract"]: (one["address"], one["state"]) for one in json.loads(planned.stdout)["creations"]}
    assert rows == {name: (deploying.at(key), "to create") for key, name in CREATIONS}

    done = deploying.deploy()
    assert done.code == EXIT_DONE, done
    document = json.loads(done.stdout)
    require_one_set(deploying)
    assert document["env"]["SETTLEMENT_ADDRESS"] == deploying.at("settlement")
    assert {one["name"] for one in document["todo"]} == {"VRF balance", "charity", "promotions budget"}
    code, verdicts = deploying.check("--file", str(deploying.file))
    wrong = {name for name, verdict in verdicts.items() if verdict == "wrong"}
    assert (code, wrong) == (EXIT_FAILED, {"VRF balance", "charity"})

    again = deploying.deploy()  # done already: nothing is sent
    assert (again.code, json.loads(again.stdout)["addresses"]) == (EXIT_DONE, document["addresses"])
    require_one_set(deploying)
    deploying.do_what_is_left()
    code, verdicts = deploying.check("--file", str(deploying.file))
    assert (code, set(verdicts.values())) == (EXIT_DONE, {"ok"})


def test_a_deployment_that_was_killed_goes_on_and_creates_one_set(deploying: Deploying) -> None:
    assert deploying.deploy(killed_at="creation sent, not noted #5").code == -signal.SIGKILL
    assert deploying.nonce() == 5
    signed = deploying.record["signed"]
    assert list(signed) == [key for key, _ in CREATIONS[:5]]
    assert deploying.deploy().code == EXIT_DONE
    require_one_set(deploying)
    assert signed.items() <= deploying.record["signed"].items()


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_a_deployment_killed_at_every_transaction_creates_one_set(deploying: Deploying, place: str) -> None:
    """One deployment, killed at each of its transactions in turn."""
    is_sent = place == "creation sent, not noted"
    for number in range(len(CREATIONS)):
        # A run begins by storing the plan, and where nothing was sent it first does what the killed one did not.
        call = 1 + (place == "creation signed, not stored") + (number > 0 and not is_sent)
        assert deploying.deploy(killed_at=f"{place} #{call}").code == -signal.SIGKILL
        assert deploying.nonce() == number + is_sent
    assert deploying.deploy().code == EXIT_DONE
    require_one_set(deploying)


def test_a_deployment_whose_first_day_has_passed_meanwhile_goes_on_only_if_game_manager_stands(
    deploying: Deploying,
) -> None:
    place = [key for key, _ in CREATIONS].index("game_manager")
    assert deploying.deploy(killed_at=f"creation sent, not noted #{place}").code == -signal.SIGKILL
    deploying.played.chain.advance_to(day_end(deploying.first_day))
    deploying.played.chain.finalize()
    # Its constructor would refuse a day of the past.
    assert error_of(deploying.deploy()) == (EXIT_FAILED, "deployment_refused")
    assert deploying.nonce() == place


@pytest.mark.slow
def test_a_deployment_that_was_killed_behind_game_manager_goes_on_a_day_later(deploying: Deploying) -> None:
    place = [key for key, _ in CREATIONS].index("game_manager")
    assert deploying.deploy(killed_at=f"creation sent, not noted #{place + 1}").code == -signal.SIGKILL
    deploying.played.chain.advance_to(day_end(deploying.first_day))
    deploying.played.chain.finalize()
    assert deploying.deploy().code == EXIT_DONE
    require_one_set(deploying)


def test_a_lost_record_deploys_nothing_anew_and_adopts_what_stands(deploying: Deploying) -> None:
    assert deploying.deploy(killed_at="creation sent, not noted #4").code == -signal.SIGKILL
    deploying.record_file.unlink()
    assert error_of(deploying.deploy()) == (EXIT_USAGE, "deployer_used")
    deploying.played.chain.finalize()
    assert error_of(deploying.deploy("--first-nonce", "9")) == (EXIT_USAGE, "bad_nonce")
    assert deploying.deploy("--first-nonce", "0").code == EXIT_DONE
    require_one_set(deploying)


def test_a_lost_record_is_waited_for_until_what_was_sent_is_final(deploying: Deploying) -> None:
    deploying.played.world.proxy.fail("frozen_finality")
    assert deploying.deploy(killed_at="creation sent, not noted #2").code == -signal.SIGKILL
    deploying.record_file.unlink()
    assert error_of(deploying.deploy("--first-nonce", "0")) == (EXIT_LATER, "nonce_in_flight")
    deploying.played.world.proxy.heal()
    deploying.played.chain.finalize()
    assert deploying.deploy("--first-nonce", "0").code == EXIT_DONE
    require_one_set(deploying)


def test_a_nonce_that_something_else_has_used_ends_the_deployment(deploying: Deploying) -> None:
    assert deploying.deploy(killed_at="creation stored, not sent #4").code == -signal.SIGKILL
    ChainAccount(deploying.played.chain, deploying.deployer).execute(deploying.at("roles"), OWNER_CALL)
    deploying.played.chain.finalize()
    assert error_of(deploying.deploy()) == (EXIT_FAILED, "nonce_taken")
    assert deploying.nonce() == 4
    # Nor when nothing was signed for that nonce yet.
    record = deploying.record
    del record["signed"]["reserve_vault"]
    deploying.record_file.write_text(json.dumps(record))
    assert error_of(deploying.deploy()) == (EXIT_FAILED, "nonce_taken")
    assert deploying.nonce() == 4


@pytest.mark.slow
def test_a_reorg_that_drops_creations_brings_the_same_bytes_again(deploying: Deploying) -> None:
    chain = deploying.played.chain
    assert deploying.deploy(killed_at="creation sent, not noted #3").code == -signal.SIGKILL
    moment = chain.snapshot()
    assert deploying.deploy(killed_at="creation sent, not noted #4").code == -signal.SIGKILL
    assert deploying.nonce() == 7
    signed = deploying.record["signed"]
    assert list(signed) == [key for key, _ in CREATIONS[:7]]
    chain.revert(moment)
    assert deploying.nonce() == 3
    chain.mine(3)
    assert deploying.deploy().code == EXIT_DONE
    require_one_set(deploying)
    assert signed.items() <= deploying.record["signed"].items()


@pytest.mark.slow
def test_a_creation_that_fails_on_the_chain_ends_the_deployment(deploying: Deploying) -> None:
    assert deploying.deploy(killed_at="creation stored, not sent #3").code == -signal.SIGKILL
    # As if the price of storing had risen after the simulation: signed by the same key with too little gas.
    record = deploying.record
    (one,) = record["signed"]["charity_vault"]
    creation = codec("CharityVault").creation((deploying.terms["money"]["usdt"], deploying.at("roles")))
    fees = Fees(300_000, 0, int(one["max_fee_per_gas"]), 0)
    signer = CreationSigner(deploying.deployer, chain_id=deploying.terms["chain_id"])
    raw, tx_hash = signer.sign(creation, nonce=2, fees=fees, planned=frozenset([creation]))
    one.update(gas_limit=fees.gas_limit, raw=hex_of(raw), hash=hex_of(tx_hash))
    deploying.record_file.write_text(json.dumps(record))
    with suppress(RpcRefused):
        deploying.played.chain.call("eth_sendRawTransaction", hex_of(raw))
    deploying.played.chain.finalize()
    assert error_of(deploying.deploy()) == (EXIT_FAILED, "deploy_reverted")
    assert deploying.nonce() == 3


@pytest.mark.slow
def test_a_creation_below_the_base_fee_is_offered_dearer_at_its_own_nonce(deploying: Deploying) -> None:
    assert deploying.deploy(killed_at="creation stored, not sent #3").code == -signal.SIGKILL
    chain = deploying.played.chain
    base_fee = int(chain.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
    chain.call("anvil_setNextBlockBaseFeePerGas", hex(100 * base_fee))
    chain.mine(1)
    assert deploying.deploy().code == EXIT_DONE
    attempts = {key: [one["nonce"] for one in each] for key, each in deploying.record["signed"].items()}
    assert attempts["charity_vault"] == [2, 2]
    assert sorted({nonce for each in attempts.values() for nonce in each}) == list(range(len(CREATIONS)))
    assert deploying.nonce() == len(CREATIONS)


def test_other_code_that_one_endpoint_alone_shows_ends_nothing_for_good(deploying: Deploying) -> None:
    settings, wallet = Settings(deploying.played.env), parse_wallet(deploying.deployer.address)
    terms = read_terms(deploying.file)
    signer = CreationSigner(deploying.deployer, chain_id=terms.chain_id)
    plan = plan_deployment(settings, deploying.file, terms, deployer=wallet, first_nonce=None)
    deploying.played.world.proxy.set_rules(Rule("says", "eth_getCode", calls=1, args={"value": "0x6001"}))
    with pytest.raises(Unavailable) as refusal:
        deploy_contracts(plan, signer, tell=lambda _: None, stop=Stop())
    assert refusal.value.code == "rpc_out_of_step"
    deploying.played.world.proxy.set_rules()
    assert deploying.deploy().code == EXIT_DONE
    require_one_set(deploying)


def test_a_record_that_was_changed_sends_nothing(deploying: Deploying) -> None:
    assert deploying.deploy(killed_at="creation stored, not sent").code == -signal.SIGKILL
    record = deploying.record
    (one,) = record["signed"]["roles"]
    forged = bytes.fromhex(one["raw"][2:])[:-1] + b"\0"
    record["signed"]["roles"] = [{**one, "raw": hex_of(forged), "hash": hex_of(keccak256(forged))}]
    deploying.record_file.write_text(json.dumps(record))
    assert error_of(deploying.deploy()) == (EXIT_FAILED, "journal_damaged")
    deploying.record_file.write_text("{")
    assert error_of(deploying.deploy()) == (EXIT_USAGE, "bad_record")
    assert deploying.nonce() == 0


def test_a_deployment_goes_on_with_its_own_terms_key_and_chain_only(deploying: Deploying) -> None:
    assert deploying.deploy(killed_at="creation stored, not sent").code == -signal.SIGKILL
    deploying.write(game={"challenge_period_s": 601})
    refused = deploying.deploy()
    assert error_of(refused) == (EXIT_USAGE, "plan_differs")
    assert "game.challenge_period_s" in refused.stdout
    deploying.write()
    other = Account.from_key("0x" + "5c" * 32)
    deploying.key_file.write_text("0x" + "5c" * 32)
    assert error_of(deploying.deploy()) == (EXIT_USAGE, "wrong_key")
    deploying.key_file.write_text(hex_of(bytes(deploying.deployer.key)))
    record = deploying.record
    deploying.record_file.write_text(json.dumps({**record, "block_hash": "0x" + "77" * 32}))
    assert error_of(deploying.deploy()) == (EXIT_USAGE, "other_chain")
    deploying.record_file.write_text(json.dumps({**record, "code_hash": "0x" + "77" * 32}))
    assert error_of(deploying.deploy()) == (EXIT_USAGE, "plan_differs")
    with held_terms(deploying.file):
        assert error_of(deploying.deploy()) == (EXIT_LATER, "deploy_running")
    assert deploying.nonce() == int(deploying.played.chain.call("eth_getTransactionCount", other.address, "latest"), 16)

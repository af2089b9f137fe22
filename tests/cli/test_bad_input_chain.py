"""Another chain, other contracts, another key: refused before anything is written or signed (rules 4.5, 7)."""

import json
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address

from bo_engine.errors import EXIT_LATER, EXIT_USAGE
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused

OTHER_KEY = "0x" + "5a" * 32
CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
PASSWORD = "canary-of-the-keystore"


@pytest.mark.parametrize("command", [("settle",), ("refresh-seeds", "--json"), ("proof",)], ids=" ".join)
@pytest.mark.sampled(1)
def test_a_wrong_chain_id_is_refused(played: PlayedWorld, command: tuple[str, ...]) -> None:
    more = ("--day", str(played.day), "--wallet", "0x" + "11" * 20) if command == ("proof",) else ()
    refusal = refused(played, *command, *more, code="wrong_chain", exit_code=EXIT_USAGE, CHAIN_ID="42161")
    assert "primary RPC endpoint is on chain 421614, but CHAIN_ID is 42161" in refusal.message


def test_an_endpoint_that_does_not_answer_is_named_and_tried_again_later(played: PlayedWorld) -> None:
    # Nothing listens on the discard port of this machine.
    refusal = refused(
        played, "settle", code="rpc_unreachable", exit_code=EXIT_LATER, RPC_FALLBACK_URL="http://127.0.0.1:9/v2/canary"
    )
    assert "the fallback RPC endpoint" in refusal.message
    assert "127.0.0.1" not in refusal.message


def test_a_chain_that_is_not_local_is_not_played_as_local(played: PlayedWorld) -> None:
    elsewhere = played.env["RPC_URL"].replace("127.0.0.1", "127.1")  # the same node by a name that is not loopback's
    refusal = refused(
        played, "settle", code="not_local", exit_code=EXIT_USAGE, RPC_URL=elsewhere, RPC_FALLBACK_URL=elsewhere
    )
    assert "BO_PROFILE is local" in refusal.message


def test_an_address_without_a_contract_is_refused(played: PlayedWorld) -> None:
    nobody = played.world.account("settler").address
    refusal = refused(played, "settle", code="contract_unexpected", exit_code=EXIT_USAGE, SETTLEMENT_ADDRESS=nobody)
    assert f"no contract stands at SETTLEMENT_ADDRESS {nobody.lower()}" in refusal.message


@pytest.mark.parametrize("name", ["game_manager", "prize_vault", "usdt", "claim_router"])
def test_another_contract_of_the_deployment_is_refused(played: PlayedWorld, name: str) -> None:
    address = played.world.record["contracts"][name]
    refusal = refused(played, "settle", code="contract_unexpected", exit_code=EXIT_USAGE, SETTLEMENT_ADDRESS=address)
    assert f"the contract at SETTLEMENT_ADDRESS {address} is no SettlementV4" in refusal.message


# Runtime code: answers every call with nothing, with 352 zero bytes, with 352 bytes of ones.
ANSWERS = {"nothing": "0x00", "zeros": "0x6101606000f3", "ones": "0x" + "".join(
    f"7f{'ff' * 32}61{32 * place:04x}52" for place in range(11)) + "6101606000f3"}  # fmt: skip


@pytest.mark.parametrize("code", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_contract_that_answers_nonsense_is_refused(played: PlayedWorld, code: str) -> None:
    impostor = "0x" + "77" * 20
    put_code(played, impostor, code)
    refusal = refused(played, "settle", code="contract_unexpected", exit_code=EXIT_USAGE, SETTLEMENT_ADDRESS=impostor)
    assert "SETTLEMENT_ADDRESS" in refusal.message or "SettlementV4 names" in refusal.message


def test_a_part_of_the_deployment_that_is_gone_is_refused(played: PlayedWorld) -> None:
    address = played.world.record["contracts"]["vrf_receiver"]
    put_code(played, address, "0x")
    refusal = refused(played, "settle", code="contract_unexpected", exit_code=EXIT_USAGE)
    assert f"no contract stands at the address of VRFReceiver {address}" in refusal.message


def put_code(played: PlayedWorld, address: str, code: str) -> None:
    """Exchange the code at an address, for good (the world is restored after the test)."""
    played.world.web3().provider.make_request("anvil_setCode", [address, code])  # type: ignore[arg-type]
    played.world.mine(3)


def test_a_key_that_is_not_the_settlers_is_refused_before_anything_is_written(played: PlayedWorld) -> None:
    settler = played.world.account("settler").address.lower()
    refusal = refused(played, "settle", code="wrong_key", exit_code=EXIT_USAGE, SETTLER_PRIVATE_KEY=OTHER_KEY)
    assert Account.from_key(OTHER_KEY).address.lower() in refusal.message
    assert settler in refusal.message


@pytest.mark.parametrize(
    "key",
    ["0x" + "5a" * 31, "5a" * 32, "0x" + "zz" * 32, "0x" + "00" * 32, f"0x{CURVE_ORDER:x}", "canary " * 9],
    ids=["too short", "without 0x", "no hex", "zero", "the curve's order", "words"],
)
@pytest.mark.sampled(2)
def test_a_malformed_key_is_refused_without_being_shown(played: PlayedWorld, key: str) -> None:
    refusal = refused(played, "settle", code="bad_setting", exit_code=EXIT_USAGE, SETTLER_PRIVATE_KEY=key)
    assert refusal.message.startswith("SETTLER_PRIVATE_KEY must be a private key")
    assert key.strip() not in refusal.finished.stderr


def test_a_plain_key_outside_a_local_profile_is_refused(played: PlayedWorld) -> None:
    refusal = refused(played, "settle", code="plain_key", exit_code=EXIT_USAGE, BO_PROFILE="production")
    assert "use SETTLER_KEYSTORE_FILE" in refusal.message


def test_no_key_at_all_is_refused_before_anything_is_written(played: PlayedWorld) -> None:
    refusal = refused(played, "settle", code="missing_setting", exit_code=EXIT_USAGE, SETTLER_PRIVATE_KEY="")
    assert refusal.message.startswith("SETTLER_KEYSTORE_FILE is not set")


def test_a_dry_run_needs_no_key_and_gives_the_hash_of_a_real_run(played: PlayedWorld, true_run_hash: str) -> None:
    told = played.cli("settle", "--dry-run", "--json", SETTLER_PRIVATE_KEY="")
    assert json.loads(told.stdout)["days"][0]["run_hash"] == true_run_hash


def keystore(played: PlayedWorld, *, password: str = PASSWORD, mode: int = 0o600, text: str = "") -> dict[str, str]:
    """Settings for a keystore of the settler's key, cheap to open, with this password in its file."""
    folder = Path(played.env["ARTIFACTS_DIR"]).parent
    key = played.env["SETTLER_PRIVATE_KEY"]
    # Few rounds, because the test is not about how long it takes to guess the password.
    document = json.dumps(Account.encrypt(key, PASSWORD, kdf="pbkdf2", iterations=2))
    files = {"SETTLER_KEYSTORE_FILE": text or document, "SETTLER_PASSWORD_FILE": password + "\n"}
    settings = {"SETTLER_PRIVATE_KEY": "", "BO_PROFILE": "production"}
    for name, content in files.items():
        path = folder / name.lower()
        path.touch(mode=0o600)
        path.write_text(content)
        path.chmod(mode)
        settings[name] = str(path)
    return settings


def test_a_keystore_that_does_not_open_is_refused(played: PlayedWorld) -> None:
    for wrong in ({"password": "another"}, {"text": "{}"}, {"text": "no json"}, {"text": '{"version": 3}'}):
        refusal = refused(played, "settle", code="bad_keystore", exit_code=EXIT_USAGE, **keystore(played, **wrong))
        assert "SETTLER_KEYSTORE_FILE" in refusal.message
        assert PASSWORD not in refusal.finished.stderr


def test_a_keystore_that_others_can_read_is_refused(played: PlayedWorld) -> None:
    settings = keystore(played, mode=0o644)
    refusal = refused(played, "settle", code="key_file_exposed", exit_code=EXIT_USAGE, **settings)
    assert f"chmod 600 {settings['SETTLER_KEYSTORE_FILE']}" in refusal.message


def test_a_keystore_that_is_not_there_is_refused(played: PlayedWorld) -> None:
    settings = {**keystore(played), "SETTLER_PASSWORD_FILE": str(played.folder / "nowhere")}
    refusal = refused(played, "settle", code="missing_setting", exit_code=EXIT_USAGE, **settings)
    assert refusal.message.startswith("SETTLER_PASSWORD_FILE names a file that cannot be read")


def test_the_right_keystore_settles(played: PlayedWorld, true_run_hash: str) -> None:
    # In production up to the sealing: this world's time is not the host's (H06).
    done = played.cli("settle", "--json", **keystore(played))
    assert (done.code, json.loads(done.stdout)["error"]) == (EXIT_LATER, "clock_wrong")
    done = played.cli("settle", "--json", **{**keystore(played), "BO_PROFILE": "local"})
    (outcome,) = json.loads(done.stdout)["days"]
    assert (outcome["run_status"], outcome["run_hash"]) == ("committed", true_run_hash)


def test_an_address_with_a_wrong_checksum_is_refused(played: PlayedWorld) -> None:
    right = to_checksum_address(played.env["SETTLEMENT_ADDRESS"])
    place = next(n for n in range(41, 2, -1) if right[n].isalpha())
    wrong = right[:place] + right[place].swapcase() + right[place + 1 :]
    refusal = refused(played, "settle", code="bad_setting", exit_code=EXIT_USAGE, SETTLEMENT_ADDRESS=wrong)
    assert refusal.message.startswith("SETTLEMENT_ADDRESS must be an address")
    assert "checksum" in refusal.message

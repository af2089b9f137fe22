"""The SETTLER's key signs the engine's own calls and nothing else, and shows itself nowhere (faults X02, X04)."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes

from bo_engine.errors import InvalidInput, InvariantBroken, UsageError
from bo_engine.settings import Settings
from bo_engine.units import DayId, Hash32, Wallet, parse_wallet
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from core.lottery.documents.manifest import Manifest, manifest_message, render_manifest
from core.lottery.model import Deployment
from io_layer.keys.signer import FIELDS, MAX_FEE_PER_GAS_WEI, MAX_GAS_LIMIT, Signer, load_signer
from io_layer.lottery.manifest_signature import TITLES, sign_manifest
from verifier.signatures import signed_hash, signer_of

KEY = "0x" + "4c" * 32
SETTLEMENT, RECEIVER = Wallet("0x" + "a1" * 20), Wallet("0x" + "c2" * 20)
COMMIT, RELEASE, REQUEST = b"\x01\x02\x03\x04", b"\x05\x06\x07\x08", b"\x09\x0a\x0b\x0c"
ALLOWED = frozenset({(SETTLEMENT, COMMIT), (SETTLEMENT, RELEASE), (RECEIVER, REQUEST)})
GOOD: dict[str, Any] = {
    "type": 2,
    "chainId": 421_614,
    "nonce": 7,
    "to": SETTLEMENT,
    "value": 0,
    "data": COMMIT + bytes(64),
    "gas": 200_000,
    "maxFeePerGas": 10**9,
    "maxPriorityFeePerGas": 0,
}


@pytest.fixture
def signer() -> Signer:
    """A signer of three functions."""
    return Signer(Account.from_key(KEY), chain_id=421_614, allowed=ALLOWED, titles=TITLES)


def signs(signer: Signer, transaction: dict[str, Any]) -> bool:
    """Whether it signs this; a refusal has its code and no other error comes."""
    try:
        signer.sign(transaction)
    except InvalidInput as refusal:
        assert refusal.code == "signer_refused", refusal
        return False
    return True


def test_an_allowed_call_is_signed_as_it_was_asked(signer: Signer) -> None:
    raw, tx_hash = signer.sign(GOOD)
    decoded = TypedTransaction.from_bytes(HexBytes(raw))
    assert decoded.hash() != tx_hash  # that one is of the unsigned bytes
    fields = decoded.as_dict()
    assert {name: fields[name] for name in ("chainId", "nonce", "value", "gas", "maxFeePerGas")} == {
        name: GOOD[name] for name in ("chainId", "nonce", "value", "gas", "maxFeePerGas")
    }
    assert (bytes(fields["to"]), bytes(fields["data"])) == (bytes.fromhex(SETTLEMENT[2:]), GOOD["data"])
    assert parse_wallet(Account.recover_transaction(raw)) == signer.address
    assert signer.sign(GOOD) == (raw, tx_hash)  # RFC 6979: the same bytes again


@pytest.mark.parametrize(
    "change",
    [
        {"to": RECEIVER},
        {"to": "0x" + "ee" * 20},
        {"to": SETTLEMENT.upper()},
        {"to": bytes.fromhex(SETTLEMENT[2:])},
        {"to": None},
        {"data": REQUEST + bytes(64)},
        {"data": b""},
        {"data": COMMIT[:3]},
        {"data": "0x01020304"},
        {"data": None},
        {"value": 1},
        {"value": True},
        {"value": None},
        {"value": "0"},
        {"chainId": 1},
        {"chainId": 42_161},
        {"type": 0},
        {"type": 4},
        {"type": 2.0},
        {"nonce": -1},
        {"nonce": "7"},
        {"gas": MAX_GAS_LIMIT + 1},
        {"gas": 2e5},
        {"maxFeePerGas": MAX_FEE_PER_GAS_WEI + 1},
        {"maxPriorityFeePerGas": 10**9 + 1},
        {"maxPriorityFeePerGas": -1},
        {"accessList": []},
        {"authorizationList": []},
        {"gasPrice": 5},
        {"from": "0x" + "ee" * 20},
    ],
    ids=str,
)
def test_anything_else_is_refused(signer: Signer, change: dict[str, Any]) -> None:
    assert not signs(signer, {**GOOD, **change})


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_missing_field_is_refused(signer: Signer, name: str) -> None:
    assert not signs(signer, {key: value for key, value in GOOD.items() if key != name})


def test_of_many_random_requests_only_harmless_ones_are_signed(signer: Signer) -> None:
    dice = random.Random(20_772)
    wallets = (SETTLEMENT, RECEIVER, "0x" + "ee" * 20, SETTLEMENT[:-1], "", None, 7, b"\xa1" * 20)
    datas = (COMMIT, RELEASE, REQUEST, COMMIT + bytes(32), b"\xff" * 4, b"\x01\x02", b"", "0x", None)
    numbers = (0, 1, 2, 7, 421_614, 10**9, MAX_FEE_PER_GAS_WEI, MAX_FEE_PER_GAS_WEI + 1, 2**256, -1, True, None, 1.5)
    signed = 0
    for _ in range(20_000):
        request: dict[str, Any] = dict(GOOD)
        for name in dice.sample(sorted(FIELDS), dice.randint(2, 6)):
            request[name] = dice.choice(wallets if name == "to" else datas if name == "data" else numbers)
        if dice.random() < 0.1:
            request[dice.choice(("accessList", "gasPrice", "blobVersionedHashes", "input"))] = dice.choice(numbers)
        if signs(signer, request):
            signed += 1
            assert (request["to"], bytes(request["data"])[:4]) in ALLOWED
            assert (request["value"], request["chainId"], request["type"]) == (0, 421_614, 2)
            assert set(request) == FIELDS
            assert request["maxPriorityFeePerGas"] <= request["maxFeePerGas"] <= MAX_FEE_PER_GAS_WEI
            assert request["gas"] <= MAX_GAS_LIMIT
    assert signed > 0


def test_the_key_shows_nowhere(signer: Signer) -> None:
    assert "4c4c4c" not in f"{signer!r} {signer}"
    assert signer.address in repr(signer)
    with pytest.raises(InvalidInput) as caught:
        signer.sign({**GOOD, "value": 1})
    assert "4c4c4c" not in str(caught.value)


# -- loading -----------------------------------------------------------------------------------------------------------


def load(**values: str) -> Signer:
    """The signer of these settings, off a local chain."""
    return load_signer(Settings(values), is_local=False, chain_id=421_614, allowed=ALLOWED, titles=TITLES)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A keystore and its password, readable by their owner only."""
    folder = tmp_path_factory.mktemp("keys")
    store, password = folder / "settler.json", folder / "settler.password"
    store.write_text(json.dumps(Account.encrypt(KEY, "right horse", kdf="pbkdf2", iterations=2)))
    password.write_text("right horse\n")
    for path in (store, password):
        path.chmod(0o600)
    return store, password


def test_a_keystore_opens_with_its_password(keystore: tuple[Path, Path]) -> None:
    store, password = map(str, keystore)
    signer = load(SETTLER_KEYSTORE_FILE=store, SETTLER_PASSWORD_FILE=password)
    assert signer.address == parse_wallet(Account.from_key(KEY).address)


def test_a_plain_key_is_for_local_chains_only() -> None:
    with pytest.raises(UsageError) as caught:
        load(SETTLER_PRIVATE_KEY=KEY)
    assert caught.value.code == "plain_key"
    assert "4c4c4c" not in caught.value.message
    local = load_signer(Settings({"SETTLER_PRIVATE_KEY": KEY}), is_local=True, chain_id=1, allowed=ALLOWED)
    assert local.address == parse_wallet(Account.from_key(KEY).address)


@pytest.mark.parametrize("which", [0, 1])
def test_a_key_file_that_others_can_read_is_refused(keystore: tuple[Path, Path], which: int) -> None:
    store, password = keystore
    for mode in (0o640, 0o604, 0o620, 0o601):
        keystore[which].chmod(mode)
        try:
            with pytest.raises(UsageError) as caught:
                load(SETTLER_KEYSTORE_FILE=str(store), SETTLER_PASSWORD_FILE=str(password))
        finally:
            keystore[which].chmod(0o600)
        assert caught.value.code == "key_file_exposed", oct(mode)
        assert "chmod 600" in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "7", '"x"', "not json", '{"version": 3}', '{"version": 3, "crypto": []}', "\x00\xff"],
)
def test_what_is_no_keystore_is_refused_without_showing_it(
    tmp_path: Path, keystore: tuple[Path, Path], text: str
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(text.encode("latin-1"))
    bad.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        load(SETTLER_KEYSTORE_FILE=str(bad), SETTLER_PASSWORD_FILE=str(keystore[1]))
    assert caught.value.code in ("bad_keystore", "missing_setting")


def test_a_wrong_password_is_refused_without_showing_it(tmp_path: Path, keystore: tuple[Path, Path]) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong horse")
    wrong.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        load(SETTLER_KEYSTORE_FILE=str(keystore[0]), SETTLER_PASSWORD_FILE=str(wrong))
    assert caught.value.code == "bad_keystore"
    assert "horse" not in caught.value.message


DEPLOYMENT = Deployment(
    chain_id=421_614, settlement=SETTLEMENT, game_manager=RECEIVER, prize_vault=SETTLEMENT, affiliate_vault=RECEIVER
)


def manifest_of(by: Signer, **changed: Any) -> Manifest:
    """A day's manifest in this signer's name."""
    files = {name: Hash32(bytes([number]) * 32) for number, name in enumerate(DETERMINISTIC_FILES)}
    return replace(Manifest(DayId(20_000), DEPLOYMENT, files, by.address), **changed)


def test_a_manifest_is_signed_the_same_each_time_and_by_the_key_it_names(signer: Signer) -> None:
    manifest = manifest_of(signer)
    signature = sign_manifest(signer, manifest)
    assert sign_manifest(signer, manifest) == signature
    message = encode_defunct(primitive=manifest_message(manifest))
    assert parse_wallet(Account.recover_message(message, signature=signature)) == signer.address
    # The verifier reads the file with another ECDSA and its own idea of what was signed.
    document = json.loads(b"".join(render_manifest(manifest, signature)))
    assert signer_of(signed_hash(document), signature) == signer.address


def test_what_is_signed_for_a_manifest_is_no_transaction(signer: Signer) -> None:
    message = manifest_message(manifest_of(signer))
    signed = b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message
    # A typed transaction begins with its type (1 to 4), an older one with the head of an RLP list (0xc0 and up), a
    # permit with 0x19 0x01. None of them begins like this.
    assert signed[:2] == b"\x19E"
    assert message.startswith(b"BO-ENGINE/MANIFEST/1\n{")
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        TypedTransaction.from_bytes(HexBytes(signed))


@pytest.mark.parametrize(
    "change",
    [
        {"deployment": replace(DEPLOYMENT, chain_id=1)},
        {"signer": RECEIVER},
        {"files": {}},
        {"files": {"commit_bundle.json": Hash32(bytes(32))}},
        {"files": {**dict.fromkeys(DETERMINISTIC_FILES, Hash32(bytes(32))), "inputs.json": Hash32(b"short")}},
    ],
)
def test_nothing_but_a_whole_manifest_of_its_own_is_signed(signer: Signer, change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        sign_manifest(signer, manifest_of(signer, **change))
    assert caught.value.code in ("signer_refused", "bad_manifest")


@pytest.mark.parametrize("thing", [b"BO-ENGINE/MANIFEST/1\n{}", {"day_id": 1}, None, "text"])
def test_bytes_of_the_callers_choice_are_not_signed_as_a_manifest(signer: Signer, thing: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        sign_manifest(signer, thing)
    assert caught.value.code == "signer_refused"


@pytest.mark.parametrize("title", [b"", b"\n", b"BO-ENGINE/MANIFEST/1"])
def test_a_title_is_a_whole_line(title: bytes) -> None:
    with pytest.raises(InvariantBroken, match="bad_title"):
        Signer(Account.from_key(KEY), chain_id=421_614, allowed=ALLOWED, titles=(title,))


def test_a_message_without_a_title_is_not_signed(signer: Signer) -> None:
    for message in (b"", b"send all", b"bo-engine/manifest/1\n{}", b" BO-ENGINE/MANIFEST/1\n{}"):
        with pytest.raises(InvalidInput, match="signer_refused"):
            signer.sign_message(message)

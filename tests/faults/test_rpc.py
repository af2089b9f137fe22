"""Faults R01, R02, R04, R05, R06, R17, R19, R21, R22, R23: endpoints that fail, refuse, lie or show another chain.

What can be shown on scripted endpoints alone stands in tests/io_layer/test_rpc.py and test_chain_reader.py; here the
engine runs on its world. After each fault the shared checker finds nothing wrong, and `settle` goes on.
"""

import json

import pytest

from abi import is_code_of, load
from bo_engine.errors import EXIT_FAILED, EXIT_USAGE, InvariantBroken, UsageError
from io_layer.game_chain import open_game
from tests.invariants.checker import check_invariants
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused

pytestmark = pytest.mark.world

SIX_FROM_A_STRANGER = "0x600660005260206000f3"  # answers every call with 6
EIGHTEEN = "0x601260005260206000f3"


def code_at(played: PlayedWorld, address: str) -> bytes:
    """The code at an address."""
    return bytes.fromhex(str(played.chain.call("eth_getCode", address, "latest"))[2:])


def put_code(played: PlayedWorld, address: str, code: bytes | str) -> None:
    """Exchange the code at an address."""
    played.chain.call("anvil_setCode", address, code if isinstance(code, str) else "0x" + code.hex())
    played.world.mine(3)


# -- R22: other code at the address ------------------------------------------------------------------------------------


def test_one_changed_byte_in_any_of_our_contracts_is_found(played: PlayedWorld) -> None:
    with played.engine() as engine:
        chain, contracts = engine.game.chain, engine.game.contracts
    assert len(contracts.ours()) == 10  # and USDT, the eleventh, is not ours
    for name, address in contracts.ours().items():
        true_code = code_at(played, address)
        assert is_code_of(name, true_code)
        put_code(played, address, true_code[:-40] + bytes([true_code[-40] ^ 1]) + true_code[-39:])
        with pytest.raises((InvariantBroken, UsageError)) as caught:
            open_game(chain, contracts.settlement)
        # The settlement's address stands in the settings, so there the settings are to blame.
        assert caught.value.code == ("contract_unexpected" if name == "SettlementV4" else "code_differs")
        assert name in caught.value.message
        assert address in caught.value.message
        put_code(played, address, true_code)
    open_game(chain, contracts.settlement)


def test_a_constructors_values_are_left_out_of_the_hash_but_must_be_one_each(played: PlayedWorld) -> None:
    address = played.world.record["contracts"]["prize_vault"]
    code = code_at(played, address)
    places = max(load("PrizeVault").immutables, key=len)
    other = bytearray(code)
    for place in places:
        other[place : place + 32] = b"\x11" * 32
    assert is_code_of("PrizeVault", bytes(other))
    other[places[0]] ^= 1
    assert not is_code_of("PrizeVault", bytes(other))
    assert not is_code_of("PrizeVault", code + b"\x00")
    assert not is_code_of("PrizeVault", code[:-1])


def test_a_contract_with_other_code_stops_every_command_and_nothing_is_signed(played: PlayedWorld) -> None:
    address = played.world.record["contracts"]["vrf_receiver"]
    true_code = code_at(played, address)
    put_code(played, address, SIX_FROM_A_STRANGER)
    for command in (("settle",), ("refresh-seeds", "--json"), ("commit", "--day", str(played.day))):
        refusal = refused(played, *command, code="code_differs", exit_code=EXIT_FAILED)
        assert f"VRFReceiver {address}" in refusal.message
    put_code(played, address, true_code)
    assert json.loads(played.cli("settle", "--json").stdout)["days"][0]["run_status"] == "committed"
    check_invariants(played)


def test_a_token_of_other_decimals_is_refused(played: PlayedWorld) -> None:
    put_code(played, played.world.record["contracts"]["usdt"], EIGHTEEN)
    refusal = refused(played, "settle", code="wrong_token", exit_code=EXIT_USAGE)
    assert "18 decimals" in refusal.message

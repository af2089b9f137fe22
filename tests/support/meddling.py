"""What other people do, past the engine: owners of keys, of the database, and a chain that obeys the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import psycopg
import pytest

from bo_engine.keccak import keccak256
from bo_engine.units import DayId, Wallet, hex_of
from io_layer.contracts.codec import codec
from local_world.chain_account import ChainAccount
from services.lottery.settlement.resume import resume_day
from tests.support.played_world import PlayedWorld


def move_usdt(played: PlayedWorld, giver: Wallet, taker: Wallet, amount: int) -> None:
    """Move USDT out of a contract, as no key could."""
    played.chain.call("anvil_impersonateAccount", giver)
    played.chain.fund(giver)
    data = hex_of(codec("TestUSDT").call_data("transfer", (taker, amount)))
    played.chain.call("eth_sendTransaction", {"from": giver, "to": played.world.contracts.usdt, "data": data})
    played.chain.call("anvil_stopImpersonatingAccount", giver)
    played.chain.finalize()


def send_as(played: PlayedWorld, role: str, function: str, *arguments: object, contract: str = "SettlementV4") -> str:
    """Call one of our contracts as somebody, and make it final; the transaction's hash."""
    account = ChainAccount(played.chain, played.world.account(role))
    played.chain.fund(account.wallet)
    at = played.world.contracts
    target = {"SettlementV4": at.settlement, "VRFReceiver": at.vrf_receiver}[contract]
    receipt = account.execute(target, codec(contract).call_data(function, arguments))
    played.chain.finalize()
    return str(receipt["transactionHash"])


@contextmanager
def blocked_release(played: PlayedWorld) -> Iterator[None]:
    """A release of the first day reverts meanwhile (RootAlreadySet): a root was put into PrizeVault's storage."""
    # rootOf is the vault's second variable; see the order in ClaimVault.
    slot = keccak256(played.day.to_bytes(32, "big") + (1).to_bytes(32, "big"))
    with _edited(played, played.world.contracts.prize_vault, slot, b"\x01" * 32):
        yield


@contextmanager
def another_settler(played: PlayedWorld, account: Wallet) -> Iterator[None]:
    """Another account is the SETTLER meanwhile, without the days that a succession takes."""
    # The offices follow the suspensions, one word each; SETTLER is the fourth.
    with _edited(played, played.world.contracts.roles, (1 + 3).to_bytes(32, "big"), bytes.fromhex(account[2:])):
        yield


@contextmanager
def _edited(played: PlayedWorld, contract: Wallet, slot: bytes, value: bytes) -> Iterator[None]:
    before = played.chain.call("eth_getStorageAt", contract, hex_of(slot), "latest")
    played.chain.call("anvil_setStorageAt", contract, hex_of(slot), hex_of(value.rjust(32, b"\0")))
    played.chain.finalize()
    yield
    played.chain.call("anvil_setStorageAt", contract, hex_of(slot), before)
    played.chain.finalize()


def veto(played: PlayedWorld, day: DayId | None = None) -> None:
    """The guardian says no."""
    send_as(played, "guardian", "veto", day or played.day, "looks odd")


def resume(played: PlayedWorld, day: DayId | None = None) -> None:
    """A person lets the day go on."""
    with played.context() as context:
        resume_day(context, day or played.day, by="Ada")


_LIVE_FILE = """
    SELECT artifact_id FROM settlement_artifacts AS a LEFT JOIN settlement_runs AS r USING (run_id)
     WHERE a.day_id = %(day)s AND a.name = %(name)s AND (run_id IS NULL OR r.status NOT IN ('superseded', 'vetoed'))
"""
_SET_FILE = f"""
    UPDATE settlement_artifacts SET sha256 = sha256(%(data)s), size = octet_length(%(data)s)
     WHERE artifact_id = ({_LIVE_FILE});
"""  # noqa: S608 - our own constants
_SET_CHUNK = f"UPDATE settlement_artifact_chunks SET bytes = %(data)s WHERE artifact_id = ({_LIVE_FILE})"  # noqa: S608
#: As docs/operations.md has it.
_REMOVE_CHUNKS = """
    DELETE FROM settlement_artifact_chunks WHERE artifact_id IN (
        SELECT artifact_id FROM settlement_artifacts WHERE day_id = %(day)s AND name = %(name)s)
"""
_REMOVE_FILE = "DELETE FROM settlement_artifacts WHERE day_id = %(day)s AND name = %(name)s"


def stored_file(played: PlayedWorld, name: str) -> bytes:
    """A stored file of the first day; it is smaller than a chunk."""
    with psycopg.connect(played.env["MIGRATION_DATABASE_URL"]) as conn:
        row = conn.execute(
            f"SELECT bytes FROM settlement_artifact_chunks WHERE artifact_id = ({_LIVE_FILE})".encode(),  # noqa: S608
            {"day": played.day, "name": name},
        ).fetchone()
    assert row is not None
    return bytes(row[0])


def change_stored_file(played: PlayedWorld, name: str, data: bytes) -> None:
    """The database's owner puts other bytes in the place of a file of the first day, with the sha256 that they have."""
    for statement in (_SET_FILE, _SET_CHUNK):
        played.tamper(statement, day=played.day, name=name, data=data)


def remove_stored_file(played: PlayedWorld, name: str) -> None:
    """The database's owner removes the rows of a file of the first day."""
    played.tamper(_REMOVE_FILE, day=played.day, name=name)
    played.tamper(
        "DELETE FROM settlement_artifacts WHERE day_id = %(day)s AND name = %(name)s", day=played.day, name=name
    )


#: What becomes of the cursor ``%(name)s`` while another run reads.
CURSOR_MOVES = {
    "moved back": "UPDATE event_cursors SET block_number = block_number - 1 WHERE name = %(name)s",
    "of another chain": "UPDATE event_cursors SET block_hash = sha256(block_hash) WHERE name = %(name)s",
    "removed": "DELETE FROM event_cursors WHERE name = %(name)s",
}


def move_cursor_before(
    patch: pytest.MonkeyPatch, played: PlayedWorld, module: ModuleType, function: str, *, name: str, move: str
) -> None:
    """Another session moves a cursor (``CURSOR_MOVES``), just before the module calls one of its functions."""
    called = getattr(module, function)

    def meanwhile(*arguments: object, **named: object) -> object:
        played.tamper(CURSOR_MOVES[move], name=name)
        return called(*arguments, **named)

    patch.setattr(module, function, meanwhile)

"""What the key signs, and what is offered to it: nothing foreign, nothing of another day or chain (faults X02, X04 to
X06)."""

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from bo_engine.errors import EXIT_FAILED, InvalidInput, InvariantBroken, UsageError
from bo_engine.settings import Settings
from bo_engine.units import DayId, Wallet
from io_layer.contracts.codec import codec
from io_layer.keys.signer import FIELDS, MAX_FEE_PER_GAS_WEI, MAX_GAS_LIMIT, Signer, load_signer
from io_layer.lottery.stores.runs import select_live_run
from services.lottery.settlement.files.artifacts import restore_artifacts
from services.lottery.settlement.steps.commit_day import rebuilt_settlement
from services.lottery.wording import SIGNED
from tests.invariants.checker import check_invariants
from tests.support.meddling import resume
from tests.support.observed import halts, rows, run_steps, settler_nonce
from tests.support.played_world import PlayedWorld
from tests.support.refusals import refused

pytestmark = pytest.mark.world
CHAIN_ID = 421_614
OURS = (Wallet("0x" + "a1" * 20), Wallet("0x" + "c2" * 20))


class Counting:
    """The account behind a signer; it counts what it is asked to sign."""

    def __init__(self) -> None:
        self.account = Account.from_key("0x" + "4c" * 32)
        self.address = self.account.address
        self.signed = 0

    def sign_transaction(self, transaction: dict[str, Any]) -> Any:
        self.signed += 1
        return self.account.sign_transaction(transaction)


# -- X04 -----------------------------------------------------------------------------------------------------------


def test_of_a_hundred_thousand_foreign_requests_not_one_is_signed() -> None:
    dice = random.Random(20_773)
    selectors = {contract: codec(contract).selector(function) for contract, function in SIGNED}
    at = dict(zip(selectors, OURS, strict=True))
    allowed = frozenset((at[contract], codec(contract).selector(function)) for contract, function in SIGNED)
    others = [
        codec(name).selector(function)
        for name, function in (
            *(("SettlementV4", f) for f in ("veto", "voidDay", "finish")),
            *(("TestUSDT", f) for f in ("transfer", "approve", "transferFrom")),
            *(("Roles", f) for f in ("nameHolder", "takeOffice")),
        )
    ]
    account = Counting()
    signer = Signer(account, chain_id=CHAIN_ID, allowed=allowed)  # type: ignore[arg-type]

    def good() -> dict[str, Any]:
        to, selector = dice.choice(sorted(allowed))
        return {
            **{"type": 2, "chainId": CHAIN_ID, "nonce": dice.randrange(99), "to": to, "value": 0},
            **{"data": selector + dice.randbytes(32), "gas": 300_000, "maxFeePerGas": 10**9, "maxPriorityFeePerGas": 0},
        }

    def foreign() -> dict[str, Any]:
        request = good()
        to = request["to"]
        spoilt = {
            "to": lambda: "0x" + dice.randbytes(20).hex(),
            "data": lambda: dice.choice([*others, dice.randbytes(4), b"", request["data"][:3]]) + dice.randbytes(8),
            "value": lambda: dice.choice([1, 10**18, dice.randrange(1, 2**256), -1, True, None, "0"]),
            "chainId": lambda: dice.choice([1, 42_161, 421_613, 0, -CHAIN_ID, str(CHAIN_ID), None]),
            "type": lambda: dice.choice([0, 1, 3, 4, "2", None, 2.0]),
            "gas": lambda: dice.choice([MAX_GAS_LIMIT + 1, 2**63, -1, None, "300000"]),
            "maxFeePerGas": lambda: dice.choice([MAX_FEE_PER_GAS_WEI + 1, 2**200, -1, None]),
            "maxPriorityFeePerGas": lambda: dice.choice([10**9 + 1, 2**200, -1, True]),
            "nonce": lambda: dice.choice([-1, None, "0", 1.0]),
        }
        for name in dice.sample(sorted(spoilt), dice.choice((1, 1, 2, 4))):
            request[name] = spoilt[name]()
        if dice.random() < 0.05:
            request[dice.choice(("accessList", "authorizationList", "gasPrice", "from", "input"))] = []
        # A function of another contract of ours is foreign, too: the pair counts.
        is_good = request["to"] == to and isinstance(request["data"], bytes) and (to, request["data"][:4]) in allowed
        rest = {name: good()[name] for name in ("type", "chainId", "value", "gas", "maxFeePerGas")}
        if is_good and all(request[name] == rest[name] and type(request[name]) is int for name in rest):
            request["value"] = 1
        return request

    for _ in range(100_000):
        with pytest.raises(InvalidInput) as caught:
            signer.sign(foreign())
        assert caught.value.code == "signer_refused"
    assert account.signed == 0
    request = good()
    assert set(request) == FIELDS
    signer.sign(request)
    assert account.signed == 1


# -- X02 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "too large"])
def test_a_key_file_that_is_no_plain_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    if kind == "pipe":
        os.mkfifo(path, 0o600)
    elif kind == "folder":
        path.mkdir(mode=0o700)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.write_bytes(b"[" * 200_000)
        path.chmod(0o600)
    settings = Settings({"SETTLER_KEYSTORE_FILE": str(path), "SETTLER_PASSWORD_FILE": str(path)})
    with pytest.raises(UsageError) as caught:
        load_signer(settings, is_local=False, chain_id=CHAIN_ID, allowed=frozenset())
    assert caught.value.code == ("bad_keystore" if kind == "too large" else "missing_setting")


# -- X05, X06 ------------------------------------------------------------------------------------------------------

AMOUNTS = {
    "the total": "UPDATE settlement_runs SET total_payout = total_payout + 1",
    "the affiliates' total": "UPDATE settlement_runs SET affiliate_total = affiliate_total + 1",
    "the charity": "UPDATE settlement_runs SET charity_total = charity_total + 1",
    "one winner's amount": "UPDATE settlement_winner_payouts SET amount = amount + 1 "
    "WHERE wallet = (SELECT min(wallet) FROM settlement_winner_payouts)",
    "an affiliate's amount": "UPDATE settlement_affiliate_payouts SET amount = amount + 1",
    "the approved hash": "UPDATE settlement_runs SET settlement_hash = sha256(settlement_hash)",
    "the run's name": "UPDATE settlement_runs SET run_hash = sha256(run_hash)",
}


QUICK = ("the total", "one winner's amount", "the approved hash")


@pytest.fixture(scope="module")
def approved_database(sold_world: PlayedWorld) -> str:
    """A database in which the first day is approved and nothing is signed."""
    sold_world.restore()
    run_steps(sold_world, "export", "affiliates", "compute", "approve")
    return sold_world.keep()


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(statement, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, statement in AMOUNTS.items()
    ],
)
def test_what_was_changed_after_the_approval_halts_the_day_before_a_signature(
    sold_world: PlayedWorld, approved_database: str, statement: str
) -> None:
    sold_world.restore(approved_database)
    before = settler_nonce(sold_world)
    with sold_world.context() as context:
        restore_artifacts(context, sold_world.day)
    sold_world.tamper(statement)
    assert halts(sold_world, "settlement_differs").message.count("nothing is signed") == 1
    assert settler_nonce(sold_world) == before
    assert rows(sold_world, "SELECT count(*) FROM chain_transactions WHERE round >= 0 AND status <> 'FINAL'") == [(0,)]


@pytest.mark.slow
def test_the_bundle_of_another_day_is_not_taken_for_this_days(played: PlayedWorld) -> None:
    played.settle_through()
    second = DayId(played.day + 1)
    played.close(second, has_tips=False)
    run_steps(played, "export", "affiliates", "compute", "approve", day=second)
    folder = Path(played.env["ARTIFACTS_DIR"])
    mine, theirs = (folder / f"dayId={day}" / "commit_bundle.json" for day in (second, played.day))
    good = mine.read_bytes()
    mine.write_bytes(theirs.read_bytes())
    refused(played, "settle", code="artifact_tampered", exit_code=EXIT_FAILED)
    mine.write_bytes(good)
    # And in the database, where all that stands of the first day's commit is written over the second's.
    played.tamper(
        "UPDATE settlement_runs AS r SET settlement_hash = o.settlement_hash, run_hash = o.run_hash "
        "FROM settlement_runs AS o WHERE r.day_id = %(second)s AND o.day_id = %(first)s",
        second=second,
        first=played.day,
    )
    before = settler_nonce(played)
    with pytest.raises(InvariantBroken) as caught:
        played.settle()
    assert caught.value.code == "settlement_differs"
    assert settler_nonce(played) == before
    resume(played, second)
    played.settle()  # computes and approves it anew
    played.pass_challenge()
    assert played.settle()[0].status == "DONE"
    # The forged run stays as it was found, superseded; the checker would name it.
    played.tamper(
        "UPDATE settlement_runs AS r SET run_hash = a.sha256 FROM settlement_artifacts AS a "
        "WHERE a.run_id = r.run_id AND a.name = 'commit_bundle.json' AND r.status = 'superseded'"
    )
    check_invariants(played)


@pytest.mark.parametrize("name", ["prize_vault", pytest.param("affiliate_vault", marks=pytest.mark.slow)])
def test_what_was_approved_for_another_contract_is_not_signed(
    sold_world: PlayedWorld, approved_database: str, name: str
) -> None:
    # The database of one deployment under the settings of another, with every other check passed.
    sold_world.restore(approved_database)
    with sold_world.context() as context:
        run = select_live_run(context.conn, sold_world.day)
        assert run is not None
        rebuilt_settlement(context, run)
        context.game.contracts = replace(context.game.contracts, **{name: Wallet("0x" + "77" * 20)})
        with pytest.raises(InvariantBroken) as caught:
            rebuilt_settlement(context, run)
        assert caught.value.code == "settlement_differs"
        context.game.contracts = replace(context.game.contracts, **{name: sold_world.world.record["contracts"][name]})
        context.chain.chain_id += 1
        with pytest.raises(InvariantBroken):
            rebuilt_settlement(context, run)

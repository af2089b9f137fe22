"""The App's pending claims find their end: the vault at a final block decides, then the receipt, then their age."""

import json

import pytest

import services.lottery.claims.resolve
from bo_engine.units import Wallet, hex_of
from io_layer.contracts.codec import codec
from io_layer.lottery.stores.payments.claims import STALE_S
from io_layer.postgres.connection import Conn, connect
from local_world.chain_account import ChainAccount, TxHash
from local_world.faults.rules import Rule
from local_world.lottery.claims import COMMISSIONS, PRIZES, Claim
from tests.support.claiming import Claimant, invented_claims, opened_app, write_claim
from tests.support.fingerprint import fingerprint
from tests.support.jobs import resolve_pending_claims
from tests.support.observed import rows
from tests.support.played_world import PlayedWorld
from workers.lottery.resolve_pending_claims import JOB

pytestmark = pytest.mark.world

NOTHING = {"paid": 0, "released": 0, "pending": 0}
UNKNOWN = TxHash("0x" + "ab" * 32)


def resolve(played: PlayedWorld, **changed: str) -> dict[str, int]:
    """Run the job once."""
    with played.context(**changed) as context:
        return resolve_pending_claims(context)


def ends(played: PlayedWorld) -> list[tuple[str, str | None]]:
    """Status and reason of every claim, in the order in which they were written."""
    return rows(played, "SELECT status, reason FROM claims ORDER BY claim_id")


def age(played: PlayedWorld, claim_id: int, seconds: int) -> None:
    """The App wrote it that long ago."""
    played.tamper(
        "UPDATE claims SET created_at = now() - make_interval(secs => %(s)s) WHERE claim_id = %(id)s",
        s=seconds,
        id=claim_id,
    )


def revert(played: PlayedWorld, claim: Claim) -> TxHash:
    """A claim with a forged amount: mined, and refused by the vault."""
    sender = ChainAccount(played.chain, played.world.account("owner"))
    data = codec(PRIZES).call_data("claim", (claim.day_id, claim.wallet, claim.amount_atoms + 1, list(claim.proof)))
    tx_hash = sender.send(played.world.contracts.prize_vault, data)
    assert int(sender.receipt(tx_hash)["status"], 16) == 0
    return tx_hash


# -- the three ends ----------------------------------------------------------------------------------------------------


def test_a_claim_is_paid_when_the_vault_says_so_at_a_final_block(played: PlayedWorld) -> None:
    claims = [*invented_claims(played, 2), *invented_claims(played, 2, COMMISSIONS)]
    played.world.proxy.set_rules(Rule("frozen_finality"))
    resolve(played)  # the endpoint's final block stays here
    tx_hash = Claimant(played).claim(claims)
    for claim in claims:
        write_claim(played, claim, tx_hash)
    assert resolve(played) == {**NOTHING, "pending": len(claims)}
    played.world.proxy.heal()
    played.chain.finalize()
    planned = json.loads(played.cli("resolve-pending-claims", "--dry-run", "--json").stdout)
    assert (len(planned["paid"]), planned["released"], planned["pending"]) == (len(claims), [], 0)
    assert {status for status, _ in ends(played)} == {"PENDING"}
    done = json.loads(played.cli("resolve-pending-claims", "--json").stdout)
    assert (done["paid"], done["exit_code"]) == (len(claims), 0)
    assert set(ends(played)) == {("PAID", None)}
    before = fingerprint(played)
    assert resolve(played) == NOTHING
    assert before.differences(fingerprint(played)) == []


def test_a_claim_whose_transaction_is_final_and_claimed_nothing_is_released_and_may_be_offered_again(
    played: PlayedWorld,
) -> None:
    first, second, third = invented_claims(played, 3)
    write_claim(played, first, revert(played, first))
    write_claim(played, second, Claimant(played).claim([third]))  # succeeds, but is somebody else's
    played.chain.finalize()
    assert resolve(played) == {**NOTHING, "released": 2}
    assert ends(played) == [
        ("RELEASED", "the transaction reverted on the chain"),
        ("RELEASED", "the transaction did not claim it"),
    ]
    again = write_claim(played, first, Claimant(played).claim([first]))
    played.chain.finalize()
    assert resolve(played) == {**NOTHING, "paid": 1}
    assert rows(played, f"SELECT status FROM claims WHERE claim_id = {again}") == [("PAID",)]  # noqa: S608


def test_a_reverted_claim_that_somebody_else_has_made_is_paid(played: PlayedWorld) -> None:
    (claim,) = invented_claims(played, 1)
    write_claim(played, claim, revert(played, claim))
    Claimant(played).claim([claim])
    played.chain.finalize()
    assert resolve(played) == {**NOTHING, "paid": 1}


def test_a_claim_that_nothing_explains_is_released_when_it_is_too_old_and_not_before(played: PlayedWorld) -> None:
    first, second = invented_claims(played, 2)
    young, old = write_claim(played, first, UNKNOWN), write_claim(played, second)
    age(played, young, STALE_S - 60)
    age(played, old, STALE_S + 60)
    assert resolve(played) == {**NOTHING, "released": 1, "pending": 1}
    assert ends(played) == [("PENDING", None), ("RELEASED", "no transaction has claimed it for an hour")]
    age(played, young, STALE_S + 60)
    assert resolve(played) == {**NOTHING, "released": 1}


def test_an_old_claim_that_stands_at_the_head_is_waited_for(played: PlayedWorld) -> None:
    with_hash, without = invented_claims(played, 2)
    played.world.proxy.set_rules(Rule("frozen_finality"))
    resolve(played)
    tx_hash = Claimant(played).claim([with_hash, without])
    for claim_id in (write_claim(played, with_hash, tx_hash), write_claim(played, without)):
        age(played, claim_id, 100 * STALE_S)
    assert resolve(played) == {**NOTHING, "pending": 2}
    played.world.proxy.heal()
    played.chain.finalize()
    assert resolve(played) == {**NOTHING, "paid": 2}


# -- one wrong row stops no other --------------------------------------------------------------------------------------


def test_a_malformed_claim_ends_with_a_reason_and_stops_no_other(played: PlayedWorld) -> None:
    good, unknown_day, nobody, locked = invented_claims(played, 4)
    foreign = write_claim(played, good, vault="0x" + "fe" * 20)
    lost = write_claim(played, Claim(PRIZES, played.day + 9_999, unknown_day.wallet, unknown_day.amount_atoms, ()))  # type: ignore[arg-type]
    zero = write_claim(played, Claim(PRIZES, nobody.day_id, Wallet("0x" + "00" * 20), nobody.amount_atoms, ()), UNKNOWN)
    wrong_amount = write_claim(played, Claim(PRIZES, good.day_id, good.wallet, nobody.amount_atoms, ()))
    held = write_claim(played, locked)
    Claimant(played).claim([good, locked])
    played.chain.finalize()
    for claim_id in (lost, zero):
        age(played, claim_id, STALE_S + 60)
    with opened_app(played) as app, app.transaction():
        app.execute("SELECT FROM claims WHERE claim_id = %s FOR UPDATE", (held,))
        assert resolve(played) == {"paid": 1, "released": 3, "pending": 1}
    assert resolve(played) == {**NOTHING, "paid": 1}
    found = dict(rows(played, "SELECT claim_id, status FROM claims"))
    assert found == {foreign: "RELEASED", lost: "RELEASED", zero: "RELEASED", wrong_amount: "PAID", held: "PAID"}
    assert rows(played, f"SELECT reason FROM claims WHERE claim_id = {foreign}") == [  # noqa: S608
        (f"0x{'fe' * 20} is no claim vault of this installation",)
    ]


def test_a_claim_that_the_app_has_sent_anew_meanwhile_is_not_released_for_its_first_transaction(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    (claim,) = invented_claims(played, 1)
    claim_id = write_claim(played, claim, revert(played, claim))
    played.chain.finalize()
    real = services.lottery.claims.resolve.decide_claim

    def late(conn: Conn, *given: object) -> bool:
        with opened_app(played) as app:
            app.execute("UPDATE claims SET tx_hash = %s WHERE claim_id = %s", (bytes(32), claim_id))
        return real(conn, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(services.lottery.claims.resolve, "decide_claim", late)
    assert resolve(played) == {**NOTHING, "pending": 1}
    assert ends(played) == [("PENDING", None)]


def test_more_claims_than_a_run_looks_at_are_all_looked_at_in_turn(
    played: PlayedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.lottery.claims.resolve._BATCH", 2)
    claims = invented_claims(played, 5)
    for claim in claims:
        write_claim(played, claim)
    Claimant(played).claim(claims[3:])
    played.chain.finalize()
    paid = sum(resolve(played)["paid"] for _ in range(3))
    assert paid == 2
    assert [status for status, _ in ends(played)] == ["PENDING"] * 3 + ["PAID"] * 2


def test_a_job_without_a_pending_claim_is_idle(played: PlayedWorld) -> None:
    with connect(played.env["DATABASE_URL"], application_name="test") as conn:
        is_idle = JOB.is_idle
        assert is_idle is not None
        assert is_idle(conn)
        write_claim(played, invented_claims(played, 1)[0])
        assert not is_idle(conn)


def test_what_one_endpoint_says_of_a_claim_alone_decides_nothing(played: PlayedWorld) -> None:
    (claim,) = invented_claims(played, 1)
    write_claim(played, claim)
    call = {"to": played.world.contracts.prize_vault, "selector": hex_of(codec(PRIZES).selector("claimed"))}
    played.world.proxy.fail("wrong_call", "eth_call", **call)
    done = played.cli("resolve-pending-claims")
    assert (done.code, "rpc_disagreement" in done.stderr) == (1, True)
    assert ends(played) == [("PENDING", None)]

"""The SETTLER's key is exchanged while days and transactions are open: nothing is sent twice, old signatures stand
(docs/operations.md, "Exchange the SETTLER's key")."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from eth_account import Account

import services.commit_day
from bo_engine.errors import EXIT_DONE, Unavailable
from bo_engine.units import DayId, Wallet, parse_wallet
from tests.invariants.checker import check_at_rest, check_invariants
from tests.support.commands import killed_at
from tests.support.observed import attempts, event_count, rows, settler_nonce, true_run_hash
from tests.support.played_world import PlayedWorld
from tests.support.voiding import act

pytestmark = pytest.mark.world
PASSWORD = "an entirely new horse"


@pytest.fixture(autouse=True)
def _impatient(played: PlayedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine waits a second or two for the chain, not a minute; the true result is known beforehand."""
    true_run_hash(played)
    monkeypatch.setattr(services.commit_day, "WAIT_S", 1.0)


def manifest_of(played: PlayedWorld, day: DayId) -> bytes:
    """The day's signed manifest."""
    return (Path(played.env["ARTIFACTS_DIR"]) / f"dayId={day}" / "manifest.json").read_bytes()


def senders(played: PlayedWorld) -> list[tuple[str, int, str]]:
    """Sender, nonce and state of everything ever signed."""
    return rows(played, "SELECT sender, nonce, state FROM chain_transaction_attempts ORDER BY created_at")


def appoint(played: PlayedWorld, settler: Wallet) -> None:
    """The owner makes somebody the SETTLER, and he has ether."""
    played.chain.fund(settler)
    act(played, "owner", "Roles", "setSettler", settler)


def commit(played: PlayedWorld) -> None:
    """The first day's commit is final; a slow machine needs another tick."""
    for _ in range(5):
        with suppress(Unavailable):
            assert played.settle()[0].run_status == "committed"
            return
    raise AssertionError("not committed after five ticks")


def settled(played: PlayedWorld, **key: str) -> None:
    """Cron's ticks until the first day is settled."""
    for _ in range(8):
        try:
            (outcome, *_) = played.settle(**key)
        except Unavailable:
            played.chain.mine(3)
            continue
        if outcome.status == "DONE":
            return
        played.pass_challenge()
    raise AssertionError("not settled after eight ticks")


def test_a_key_exchanged_as_the_page_says_between_commit_and_release_costs_nothing(
    played: PlayedWorld, tmp_path: Path
) -> None:
    commit(played)
    manifest, old = manifest_of(played, played.day), parse_wallet(played.world.account("settler").address)
    played.pass_challenge()
    killed_at(played, "signed, not broadcast", "settle")  # the release is under way when the key is exchanged
    ((_, release),) = attempts(played, "release")

    # 1: a new key. 2: the owner appoints it.
    store, password = tmp_path / "settler.json", tmp_path / "settler.password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    made = played.cli("key", "new", "--out", str(store), "--password-file", str(password), "--json")
    new = parse_wallet(json.loads(made.stdout)["address"])
    appoint(played, new)
    # 3: what the old key has signed becomes final; the old settings send it, and sign nothing any more.
    for _ in range(4):
        done = played.cli("tx", "resume", "--json")
        played.chain.mine(3)
        if done.code == EXIT_DONE:
            break
    assert (done.code, json.loads(played.cli("tx", "list", "--open", "--json").stdout)["transactions"]) == (0, [])
    # 4: the new settings.
    key = {"SETTLER_PRIVATE_KEY": "", "SETTLER_KEYSTORE_FILE": str(store), "SETTLER_PASSWORD_FILE": str(password)}
    assert json.loads(played.cli("key", "address", "--json", **key).stdout)["is_settler"] is True
    settled(played, **key)
    assert manifest_of(played, played.day) == manifest
    assert (event_count(played, "DayCommitted"), event_count(played, "DayReleased")) == (1, 1)
    assert [sender for sender, _, _ in senders(played)] == [old] * 3
    assert attempts(played, "release") == [("FINAL", release)]

    # The next day is the new key's, from its own first nonce.
    day = DayId(played.day + 1)
    played.close(day, has_tips=False)
    committed = json.loads(played.cli("settle", "--json", **key).stdout)["days"][0]
    assert (committed["day_id"], committed["run_status"]) == (day, "committed")
    assert senders(played)[-1] == (new, 0, "FINAL")
    assert json.loads(manifest_of(played, day))["signer"].lower() == new
    assert json.loads(manifest)["signer"].lower() == old
    verified = played.cli(
        "verify", "--day", str(played.day), "--dir", played.env["ARTIFACTS_DIR"] + f"/dayId={played.day}",
        "--rpc", played.env["RPC_URL"],
    )  # fmt: skip
    assert (verified.code, "anchored" in verified.stdout) == (EXIT_DONE, True)
    check_invariants(played)


def test_a_commit_of_the_old_key_that_comes_too_late_reverts_and_the_new_key_commits_once(played: PlayedWorld) -> None:
    nonce, old = settler_nonce(played), parse_wallet(played.world.account("settler").address)
    killed_at(played, "signed, not broadcast", "settle")
    account = Account.from_key("0x" + "6b" * 32)
    new = parse_wallet(account.address)
    appoint(played, new)
    key = {"SETTLER_PRIVATE_KEY": "0x" + "6b" * 32}  # exchanged at once, without waiting
    settled(played, **key)
    assert senders(played)[1:] == [
        (old, nonce, "REVERTED"),
        (new, 0, "FINAL"),
        (new, 1, "FINAL"),
    ]
    assert (event_count(played, "DayCommitted"), event_count(played, "DayReleased")) == (1, 1)
    (run,) = rows(played, "SELECT '0x' || encode(run_hash, 'hex') FROM settlement_runs WHERE status = 'settled'")
    assert run == (true_run_hash(played),)
    assert json.loads(manifest_of(played, played.day))["signer"].lower() == new
    check_invariants(played)
    check_at_rest(played, played.day)


@pytest.mark.slow
def test_an_old_key_without_ether_keeps_the_new_one_back_only_from_what_it_has_signed_itself(
    played: PlayedWorld,
) -> None:
    commit(played)
    played.pass_challenge()
    killed_at(played, "signed, not broadcast", "settle")  # the release
    played.chain.fund(played.world.account("settler").address, 0)
    appoint(played, parse_wallet(Account.from_key("0x" + "6b" * 32).address))
    key = {"SETTLER_PRIVATE_KEY": "0x" + "6b" * 32}
    waits = played.cli("settle", "--json", **key)
    assert (waits.code, json.loads(waits.stdout)["error"]) == (75, "send_refused")
    played.chain.fund(played.world.account("settler").address)
    settled(played, **key)
    assert event_count(played, "DayReleased") == 1
    check_invariants(played)

"""Files of a day that the database's owner has changed: named, not signed, not published, not brought back (F07)."""

import hashlib
import json
import re
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from eth_account import Account

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, InvariantBroken
from core.lottery.documents.checksums import DETERMINISTIC_FILES
from core.lottery.documents.manifest import Manifest, render_manifest
from io_layer.keys.signer import Signer
from io_layer.lottery.manifest_signature import TITLES, sign_manifest
from io_layer.lottery.stores.artifacts import CHUNK_BYTES
from io_layer.lottery.stores.run_digest import select_run_digest
from io_layer.lottery.stores.runs import select_live_run
from services.lottery.settlement.files.artifacts import mirror_artifacts, restore_artifacts
from services.lottery.settlement.files.compare_files import FILES, require_files, stored_states
from tests.invariants.checker import check_invariants
from tests.support.kill_world import Moment
from tests.support.meddling import change_stored_file, remove_stored_file, resume, stored_file
from tests.support.observed import event_count, halts, pipeline, rows, run_steps, settler_nonce
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world
Change = Callable[[bytes], bytes]
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_STRANGER = Account.from_key("0x" + "4c" * 32)


# -- changes -------------------------------------------------------------------------------------------------------


def an_amount(data: bytes) -> bytes:
    """One atom more in the first amount above zero."""
    return re.sub(rb'"([1-9]\d*)"', lambda found: b'"%d"' % (int(found[1]) + 1), data, count=1)


def a_hash(data: bytes) -> bytes:
    """Another digit in the last hash: a node that is part of proofs, a root, a sha256."""
    place = [found.end() for found in re.finditer(rb'"0x[0-9a-f]{64}"', data)][-1] - 2
    return data[:place] + (b"0" if data[place : place + 1] != b"0" else b"1") + data[place + 1 :]


def other_order(data: bytes) -> bytes:
    """The same JSON, its keys the other way round."""
    value = json.loads(data, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    return json.dumps(value, separators=(",", ":")).encode()


def white_space(data: bytes) -> bytes:
    """One blank more."""
    return data.replace(b",", b", ", 1)


def one_more(data: bytes) -> bytes:
    """The last ticket, or the last leaf, once more."""
    found = json.loads(data)
    many = found["tickets" if "tickets" in found else "values"]
    many.append(many[-1])
    if "tickets" in found:
        many[-1] = {**many[-1], "ticket_id": many[-1]["ticket_id"] + 1}
    return json.dumps(found, separators=(",", ":"), sort_keys=True).encode()


CHANGES: Mapping[str, tuple[Change, ...]] = {
    "inputs.json": (an_amount, one_more, other_order, white_space),
    "affiliates.json": (an_amount, other_order, white_space),
    "settlement_result.json": (an_amount, other_order, white_space),
    "winners_merkle.json": (an_amount, a_hash, one_more, other_order, white_space),
    "affiliate_merkle.json": (an_amount, a_hash, one_more, other_order, white_space),
    "commit_bundle.json": (an_amount, a_hash, other_order, white_space),
    "checksums.json": (a_hash, other_order, white_space),
}


def test_each_change_changes_each_file(approved: PlayedWorld) -> None:
    assert set(CHANGES) == set(FILES)
    for name, changes in CHANGES.items():
        good = stored_file(approved, name)
        found = [change(good) for change in changes]
        assert len({good, *found}) == len(changes) + 1, name
        assert all(json.loads(data) for data in found)


# -- what is seen of a day ------------------------------------------------------------------------------------------


def folder_of(played: PlayedWorld) -> Path:
    return Path(played.env["ARTIFACTS_DIR"]) / f"dayId={played.day}"


def on_disk(played: PlayedWorld) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder_of(played).iterdir()}


def change_both(played: PlayedWorld, name: str, change: Change) -> None:
    """In the database, and its copy on the disk alike."""
    data = change(stored_file(played, name))
    change_stored_file(played, name, data)
    (folder_of(played) / name).write_bytes(data)


def changed_files(played: PlayedWorld) -> set[str]:
    """What `artifacts check` says was changed in the database."""
    done = played.cli("artifacts", "check", "--day", str(played.day), "--json")
    states = json.loads(done.stdout)["files"]
    odd = {name for name, state in states.items() if state.startswith("changed in the database: ")}
    assert done.code == (EXIT_FAILED if any(state != "ok" for state in states.values()) else EXIT_DONE)
    return odd


def nothing_comes_back(played: PlayedWorld, code: str) -> None:
    """`artifacts restore` refuses and leaves the disk as it is."""
    before = on_disk(played)
    with played.context() as context, pytest.raises(InvariantBroken) as caught:
        restore_artifacts(context, played.day)
    assert caught.value.code == code
    assert on_disk(played) == before


def settles(played: PlayedWorld) -> None:
    """The day goes on to its end with the files that it had to have."""
    if played.settle()[0].status != "DONE":
        played.pass_challenge()
        assert played.settle()[0].status == "DONE"
    assert changed_files(played) == set()
    check_invariants(played)


# -- approved ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def approved_database(sold_world: PlayedWorld) -> str:
    """A database in which the first day is approved and nothing is signed."""
    sold_world.restore()
    run_steps(sold_world, "export", "affiliates", "compute", "approve")
    return sold_world.keep()


@pytest.fixture
def approved(sold_world: PlayedWorld, approved_database: str) -> PlayedWorld:
    """The world at that moment, with the files on the disk."""
    sold_world.restore(approved_database)
    with sold_world.context() as context:
        mirror_artifacts(context, sold_world.day)
    return sold_world


@pytest.mark.parametrize("name", FILES)
@pytest.mark.sampled(1)
def test_a_file_changed_after_the_approval_halts_the_day_before_anything_is_signed(
    approved: PlayedWorld, approved_database: str, name: str
) -> None:
    nonce = settler_nonce(approved)
    for change in CHANGES[name]:
        approved.restore(approved_database)
        with approved.context() as context:
            mirror_artifacts(context, approved.day)
        change_both(approved, name, change)
        error = halts(approved, "files_differ")
        assert f": {name}; nothing is signed or published" in error.message, change.__name__
        assert "`bo-engine resume --day" in error.message
        assert settler_nonce(approved) == nonce
        assert rows(approved, "SELECT FROM chain_transactions WHERE contract = 'SettlementV4'") == []
        assert rows(approved, "SELECT FROM settlement_artifacts WHERE name = 'manifest.json'") == []
        with approved.context() as context:
            assert set(stored_states(context, approved.day)) == {name}
    assert changed_files(approved) == {name}
    nothing_comes_back(approved, "files_differ")
    resume(approved)
    approved.settle()
    # The changed bundle stays with its run, superseded; the checker would name it.
    approved.tamper(
        "UPDATE settlement_artifacts AS a SET sha256 = r.run_hash FROM settlement_runs AS r "
        "WHERE a.run_id = r.run_id AND a.name = 'commit_bundle.json' AND r.status = 'superseded'"
    )
    settles(approved)


@pytest.mark.parametrize("disk", ["good", "gone"])
@pytest.mark.sampled(1)
def test_what_was_changed_in_the_database_alone_is_not_published(approved: PlayedWorld, disk: str) -> None:
    good = on_disk(approved)
    name = "winners_merkle.json"
    change_stored_file(approved, name, a_hash(good[name]))
    if disk == "gone":
        (folder_of(approved) / name).unlink()
    before = on_disk(approved)
    assert name in halts(approved, "files_differ").message
    assert on_disk(approved) == before
    assert changed_files(approved) == {name}
    nothing_comes_back(approved, "files_differ")
    resume(approved)
    settles(approved)
    assert {file: data for file, data in on_disk(approved).items() if file in good} == good


def test_a_file_changed_on_the_disk_alone_comes_back_from_the_database(approved: PlayedWorld) -> None:
    good = on_disk(approved)
    (folder_of(approved) / "winners_merkle.json").write_bytes(a_hash(good["winners_merkle.json"]))
    with approved.context() as context:
        assert stored_states(context, approved.day) == {}
        restore_artifacts(context, approved.day)
    assert on_disk(approved) == good


def test_files_changed_to_fit_each_other_are_all_named(approved: PlayedWorld) -> None:
    change_both(approved, "winners_merkle.json", an_amount)
    data = (folder_of(approved) / "winners_merkle.json").read_bytes()
    sums = json.loads(stored_file(approved, "checksums.json"))
    sums["files"]["winners_merkle.json"] = "0x" + hashlib.sha256(data).hexdigest()
    change_both(approved, "checksums.json", lambda _: json.dumps(sums, separators=(",", ":"), sort_keys=True).encode())
    error = halts(approved, "files_differ")
    assert [finding.split()[0] for finding in error.findings] == ["winners_merkle.json", "checksums.json"]
    assert changed_files(approved) == {"winners_merkle.json", "checksums.json"}


def test_a_file_too_many_and_one_too_few_are_named(approved: PlayedWorld) -> None:
    remove_stored_file(approved, "affiliates.json")
    approved.tamper(
        "INSERT INTO settlement_artifacts (day_id, run_id, name, sha256, size) "
        "SELECT day_id, run_id, 'prizes.json', sha256(''), 0 FROM settlement_runs"
    )
    error = halts(approved, "files_differ")
    assert error.findings == ("affiliates.json is missing", "prizes.json is no file of a day")
    assert not (folder_of(approved) / "prizes.json").exists()


@pytest.mark.slow
def test_a_file_changed_before_the_approval_is_made_anew_by_resume(sold_world: PlayedWorld) -> None:
    sold_world.restore()
    run_steps(sold_world, "export", "affiliates", "compute")
    change_stored_file(
        sold_world, "settlement_result.json", an_amount(stored_file(sold_world, "settlement_result.json"))
    )
    assert "settlement_result.json" in halts(sold_world, "files_differ").message
    resume(sold_world)
    settles(sold_world)


def test_a_large_file_is_compared_in_bounded_memory(approved: PlayedWorld) -> None:
    pieces = 48
    approved.tamper(
        "INSERT INTO settlement_artifact_chunks SELECT artifact_id, n, decode(repeat('20', %(size)s), 'hex') "
        "FROM settlement_artifacts, generate_series(1, %(last)s) AS n WHERE name = 'inputs.json'",
        size=CHUNK_BYTES,
        last=pieces - 1,
    )
    approved.tamper(
        "UPDATE settlement_artifacts SET size = %(size)s WHERE name = 'inputs.json'", size=pieces * CHUNK_BYTES
    )
    with approved.context() as context:
        run = select_live_run(context.conn, approved.day)
        assert run is not None
        tracemalloc.start()
        with pytest.raises(InvariantBroken, match="files_differ"):
            require_files(context, run)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 8 * CHUNK_BYTES


# -- committed -----------------------------------------------------------------------------------------------------


def signed_by(signer: Signer, played: PlayedWorld, **files: bytes) -> bytes:
    """A manifest of the day as this key would sign it, with other files in it."""
    sha256s = {name: hashlib.sha256(stored_file(played, name)).digest() for name in DETERMINISTIC_FILES}
    sha256s |= {name.replace("__", "."): digest for name, digest in files.items()}
    with played.context() as context:
        manifest = Manifest(played.day, context.game.deployment, sha256s, signer.address)  # type: ignore[arg-type]
    return b"".join(render_manifest(manifest, sign_manifest(signer, manifest)))


def in_a_strangers_name(played: PlayedWorld) -> bytes:
    """All right but for who has signed it."""
    chain_id = json.loads(stored_file(played, "manifest.json"))["chain_id"]
    return signed_by(Signer(_STRANGER, chain_id=chain_id, allowed=frozenset(), titles=TITLES), played)


def in_the_settlers_name(played: PlayedWorld) -> bytes:
    """A stranger's signature below the SETTLER's name."""
    found = json.loads(stored_file(played, "manifest.json"))
    found["signature"] = json.loads(in_a_strangers_name(played))["signature"]
    return json.dumps(found, separators=(",", ":"), sort_keys=True).encode()


def with_a_second_spelling(played: PlayedWorld) -> bytes:
    """The same signature with the other s, which recovers the same key."""
    found = json.loads(stored_file(played, "manifest.json"))
    raw = bytes.fromhex(found["signature"][2:])
    other = _ORDER - int.from_bytes(raw[32:64], "big")
    found["signature"] = "0x" + (raw[:32] + other.to_bytes(32, "big") + bytes([55 - raw[64]])).hex()
    return json.dumps(found, separators=(",", ":"), sort_keys=True).encode()


def of_other_files(played: PlayedWorld) -> bytes:
    """Signed by the SETTLER, but of another inputs.json."""
    settler = Account.from_key(played.env["SETTLER_PRIVATE_KEY"])
    chain_id = json.loads(stored_file(played, "manifest.json"))["chain_id"]
    return signed_by(
        Signer(settler, chain_id=chain_id, allowed=frozenset(), titles=TITLES), played, inputs__json=bytes(32)
    )


MANIFESTS: tuple[Callable[[PlayedWorld], bytes], ...] = (
    lambda played: a_hash(stored_file(played, "manifest.json")),
    lambda played: other_order(stored_file(played, "manifest.json")),
    lambda played: white_space(stored_file(played, "manifest.json")),
    lambda played: b"[]",
    in_a_strangers_name,
    in_the_settlers_name,
    with_a_second_spelling,
    of_other_files,
)


def committed(played: PlayedWorld) -> Moment:
    """The day committed and its manifest signed, the challenge period over."""
    assert played.settle()[0].run_status == "committed"
    played.pass_challenge()
    return Moment(played)


def is_not_released(played: PlayedWorld, code: str, nonce: int) -> str:
    """Settle: HALTED, and nothing is signed; the message."""
    error = halts(played, code)
    assert (settler_nonce(played), event_count(played, "DayReleased")) == (nonce, 0)
    return error.message


@pytest.mark.slow
def test_a_file_changed_after_the_manifest_was_signed_keeps_the_day_from_its_release(played: PlayedWorld) -> None:
    moment = committed(played)
    try:
        for name in FILES:
            for change in CHANGES[name][:2]:
                world = moment.restored()
                good = on_disk(world)
                change_both(world, name, change)
                message = is_not_released(world, "files_differ", settler_nonce(world))
                assert f": {name}; nothing is signed or published" in message, change.__name__
                with world.context() as context:
                    assert set(stored_states(context, world.day)) == {name}
                nothing_comes_back(world, "files_differ")
            # The way out of the page: the owner removes the rows, the engine makes the file anew.
            remove_stored_file(world, name)
            assert world.cli("artifacts", "restore", "--day", str(world.day)).code == EXIT_DONE
            assert on_disk(world) == good
        resume(world)
        settles(world)
    finally:
        moment.forget()


@pytest.mark.slow
def test_a_manifest_that_is_not_the_settlers_of_these_files_keeps_the_day_from_its_release(
    played: PlayedWorld,
) -> None:
    moment = committed(played)
    try:
        for forged in MANIFESTS:
            world = moment.restored()
            good = on_disk(world)
            data = forged(world)
            assert data != good["manifest.json"]
            change_both(world, "manifest.json", lambda _, data=data: data)  # type: ignore[misc]
            is_not_released(world, "manifest_differs", settler_nonce(world))
            assert changed_files(world) == {"manifest.json"}
            nothing_comes_back(world, "manifest_differs")
        # And where the copy is good: it is not replaced by the forged one.
        (folder_of(world) / "manifest.json").write_bytes(good["manifest.json"])
        nothing_comes_back(world, "manifest_differs")
        resume(world)
        is_not_released(world, "manifest_differs", settler_nonce(world))
        assert on_disk(world) == good
        remove_stored_file(world, "manifest.json")
        resume(world)
        settles(world)
        assert on_disk(world)["manifest.json"] == good["manifest.json"]  # signed anew, the same bytes
    finally:
        moment.forget()


# -- settled -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_was_changed_after_the_day_was_settled_is_found_and_not_brought_back(played: PlayedWorld) -> None:
    played.settle_through()
    good = on_disk(played)
    for name in (*FILES, "manifest.json"):
        change_stored_file(played, name, white_space(good[name]))
        assert changed_files(played) == {name}
        nothing_comes_back(played, "manifest_differs" if name == "manifest.json" else "files_differ")
        facts = json.loads(played.cli("doctor", "--day", str(played.day), "--json").stdout)
        assert f"{name} changed in the database" in facts["files"]
        assert "docs/operations.md" in facts["next"]
        assert played.cli("commit", "--day", str(played.day)).code == EXIT_FAILED
        change_stored_file(played, name, good[name])
    assert changed_files(played) == set()
    assert on_disk(played) == good
    row = pipeline(played)
    assert row is not None and row.status == "DONE"


def forge_approval(played: PlayedWorld) -> None:
    """The audit row of the approval says what the rows are now."""
    with played.context() as context:
        run = select_live_run(context.conn, played.day)
        assert run is not None
        assert "settlement_differs" in stored_states(context, played.day)["rows"]
        digest = "0x" + select_run_digest(context.conn, played.day, run.run_id).hex()
    played.tamper(
        "UPDATE audit_log SET details = details || jsonb_build_object('rows_sha256', %(digest)s::text) "
        "WHERE action = 'run_approved'",
        digest=digest,
    )


def test_a_bundle_that_was_forged_with_its_run_and_approval_is_not_the_chains(played: PlayedWorld) -> None:
    played.settle_through()
    forged = an_amount(stored_file(played, "commit_bundle.json"))
    change_stored_file(played, "commit_bundle.json", forged)
    played.tamper("UPDATE settlement_runs SET run_hash = %(digest)s", digest=hashlib.sha256(forged).digest())
    forge_approval(played)
    with played.context() as context:
        assert "stands on-chain with run_hash" in stored_states(context, played.day)["rows"]
    nothing_comes_back(played, "settlement_differs")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE settlement_winner_payouts SET amount = amount + 1",
        "UPDATE settlement_pool_results SET winning_numbers = winning_numbers[2:6] || winning_numbers[1]",
        "UPDATE settlement_trees SET nodes = set_byte(nodes, 0, get_byte(nodes, 0) # 1)",
    ],
)
@pytest.mark.sampled(1)
def test_rows_that_were_forged_with_their_approval_do_not_give_the_bundle(played: PlayedWorld, statement: str) -> None:
    played.settle_through()
    played.tamper(statement)
    forge_approval(played)
    with played.context() as context:
        assert "do not give its commit bundle" in stored_states(context, played.day)["rows"]
    nothing_comes_back(played, "settlement_differs")

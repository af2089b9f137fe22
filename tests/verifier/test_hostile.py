"""Whatever stands in the files, the verifier ends with a named check and never with a traceback."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.loopback import bad_answers, document, http, serving, timed
from tests.support.warm_cli import WarmCli
from verifier.builder import as_bytes
from verifier.checking import CannotVerify, Differs, NodeSilent
from verifier.documents import SETTLED_FILES, VOIDED_FILE
from verifier.folder import MAX_ALL_BYTES, read_day, read_voided
from verifier.forgeries_voided import DAY as VOIDED_DAY
from verifier.forgeries_voided import HONEST, void_facts
from verifier.node import Node
from verifier.ruleset import RULESET_1, RULESET_1_HASH, hash_of_ruleset
from verifier.selftest import facts_of, read_recorded
from verifier.strict_json import read_strict, write_canonical
from verifier.verify import verify_day, verify_folder
from verifier.verify_voided import verify_void

RECORDED = read_recorded()
FACTS = facts_of(RECORDED)
GOOD = {name: text.encode() for name, text in RECORDED["files"].items()}
DAY: int = json.loads(GOOD["inputs.json"])["day_id"]
DEEP = b"[" * 100_000 + b"]" * 100_000
BOMBS: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**53, 2**60, "", "0", "-1", "00", "1e9", "9" * 400, "0x", "0xZZ", "0x" + "f" * 64),
    *(["0x" + "00" * 32], {}, [], [[]], {"a": 1}, "\x00", "￿", "0X" + "AB" * 20, str(2**256), 2**53 - 1, [1, 2, 3]),
)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"null", b"[]", b"{}", b"nul", b"\xff\xfe", b"\x00" * 64, DEEP, b'{"a":' * 50_000, b'{"a":1,"a":1}'),
        *(b'{"day_id":1e400}', b'{"day_id":NaN}', b'{"day_id":' + b"9" * 5_000_000 + b"}", b'{"\\ud800":1}', b"1.5"),
        '{"day_id":"é"}'.encode(),
    ],
    ids=lambda data: repr(data[:16]),
)
@pytest.mark.parametrize("name", ["inputs.json", "commit_bundle.json", "winners_merkle.json", "manifest.json"])
def test_a_file_that_is_no_document_fails_the_form(name: str, data: bytes) -> None:
    report = verify_day(read_day(DAY, {**GOOD, name: data}), FACTS)
    assert report.failed[0] == "form"
    assert f"{name}: " in report.findings[0].found


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, entry in inner for place in places(entry, (*path, key)))]


def test_a_document_with_anything_anywhere_is_refused_by_a_named_check() -> None:
    rng = random.Random("hostile")
    for _ in range(250):
        name = rng.choice(SETTLED_FILES)
        document = json.loads(GOOD[name])
        path = rng.choice(places(document)[1:])
        bomb = rng.choice(BOMBS)
        inner = document
        for key in path[:-1]:
            inner = inner[key]
        if inner[path[-1]] == bomb:
            continue
        inner[path[-1]] = bomb
        written = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        report = verify_day(read_day(DAY, {**GOOD, name: written}), FACTS)
        where = f"{name} {path} = {bomb!r:.40}"
        # No hash and no signature covers the numbers of provenance.json; its form still holds them.
        assert report.failed or name == "provenance.json", where
        assert not any("cannot be evaluated" in one.found for one in report.findings), where


def test_a_voided_json_with_anything_anywhere_is_refused_by_a_named_check() -> None:
    facts, honest = void_facts(HONEST), json.loads(as_bytes(HONEST))
    for path in places(honest)[1:]:
        for bomb in BOMBS:
            document = json.loads(as_bytes(HONEST))
            inner = document
            for key in path[:-1]:
                inner = inner[key]
            if inner[path[-1]] == bomb:
                continue
            inner[path[-1]] = bomb
            written = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
            report = verify_void(read_voided(VOIDED_DAY, {VOIDED_FILE: written}), facts)
            # Whose contract it is, and on which chain, is asked of nodes.
            assert report.failed or path in (("settlement",), ("chain_id",)), f"{path} = {bomb!r:.40}"


def test_what_is_no_file_at_all_is_told(tmp_path: Path) -> None:
    for name, data in GOOD.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "inputs.json").unlink()
    os.mkfifo(tmp_path / "inputs.json")
    assert "no regular file" in verify_folder(DAY, tmp_path).findings[0].found
    (tmp_path / "inputs.json").unlink()
    (tmp_path / "inputs.json").symlink_to("inputs.json")
    assert "cannot be read" in verify_folder(DAY, tmp_path).findings[0].found
    (tmp_path / "inputs.json").unlink()
    (tmp_path / "inputs.json").mkdir()
    assert verify_folder(DAY, tmp_path).failed[0] == "form"


def test_a_file_that_no_day_has_room_for_is_told_before_it_is_read(tmp_path: Path) -> None:
    for name, data in GOOD.items():
        (tmp_path / name).write_bytes(data)
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(MAX_ALL_BYTES)  # a hole: it takes no room on the disk, but all of the memory
    with pytest.raises(CannotVerify, match=r"manifest.json has \d+ bytes.*nothing was checked"):
        verify_folder(DAY, tmp_path)


def test_ruleset_1_is_known_and_a_changed_one_that_says_it_is_1_is_refused() -> None:
    assert hash_of_ruleset(RULESET_1) == RULESET_1_HASH
    document = json.loads(GOOD["inputs.json"])
    document["ruleset"]["version"] = 1
    document["ruleset_hash"] = "0x" + hash_of_ruleset(document["ruleset"]).hex()
    files: dict[str, bytes | str] = {**GOOD, "inputs.json": write_canonical(document)}
    report = verify_day(read_day(DAY, files))
    (finding,) = (one for one in report.findings if one.name == "ruleset")
    assert finding.verdict == "FAILED"
    assert "differs from it in number_max, drand" in finding.found


def test_another_day_than_the_one_asked_for_is_found() -> None:
    report = verify_day(read_day(DAY + 1, GOOD), FACTS)
    assert "identity" in report.failed


def test_a_missing_manifest_fails_without_the_chain_and_is_told_with_it() -> None:
    files = {name: data for name, data in GOOD.items() if name != "manifest.json"}
    assert verify_day(read_day(DAY, files)).failed == ["manifest", "signature"]
    report = verify_day(read_day(DAY, files), FACTS)
    assert report.verdict == "anchored"
    assert [one.name for one in report.findings if one.verdict == "not checked"] == [
        "manifest",
        "signature",
        "signer_on_chain",
    ]


@pytest.mark.parametrize("kind", sorted(bad_answers(b"[]")))
def test_a_node_that_answers_badly_is_silent_and_not_wrong(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.node._READ_S", 1)
    monkeypatch.setattr("verifier.node._ALL_S", 2)
    answer = bad_answers(b'[{"jsonrpc":"2.0","id":0,"result":"0x1"}]')[kind]
    with serving(lambda path, body: answer()) as server, pytest.raises(NodeSilent):
        Node(server.url, 1).ask("eth_chainId")


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    cli = WarmCli()
    env = {"PATH": os.environ["PATH"]}

    def run(*arguments: str) -> Any:
        return cli.run(("verify", *arguments), env=env, cwd=tmp_path)

    wrong = ((), ("--day", "1"), ("--selftest", "--day", "1"), ("--day", "x"), ("--day", "1", "--dir", "/nowhere"))
    for arguments in wrong:
        done = run(*arguments)
        assert (done.code, done.stdout) == (2, ""), arguments
        assert done.stderr.count("\n") == 1
    for name, data in GOOD.items():
        (tmp_path / name).write_bytes(data)
    done = run("--day", str(DAY), "--dir", ".", "--rpc", "ftp://x")
    assert (done.code, done.stderr.count("\n")) == (2, 1)
    done = run("--day", str(DAY), "--dir", ".", "--json")
    assert (done.code, json.loads(done.stdout)["verdict"]) == (0, "consistent, not anchored")
    document = json.loads(GOOD["settlement_result.json"])
    document["payouts"][0]["wallet"] = "0x" + "1b" * 20
    (tmp_path / "settlement_result.json").write_bytes(write_canonical(document))
    done = run("--day", str(DAY), "--dir", ".")
    assert done.code == 1
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


def endless(start: bytes, more: bytes, pause: float) -> Iterator[bytes | float]:
    """An answer that never ends, where no timeout of an HTTP client looks."""
    yield start
    while True:
        yield more
        yield pause


@pytest.mark.parametrize(
    ("start", "more", "pause"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.001),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a", 0.1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n", b"X: y\r\n", 0.1),
    ],
    ids=["interim answers", "a header", "a chunk extension", "trailers"],
)
def test_a_node_that_never_ends_its_answer_is_left_in_time(
    start: bytes, more: bytes, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("verifier.node._ALL_S", 0.5)
    with serving(lambda path, body: endless(start, more, pause)) as server:
        with pytest.raises(NodeSilent, match="too slowly"):
            timed(lambda: Node(server.url, 1).ask("eth_chainId"))
        server.closing.set()


def test_all_requests_of_a_run_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.node._DAY_S", 0.3)

    def slow() -> Iterator[bytes | float]:
        yield 0.1
        yield document([{"jsonrpc": "2.0", "id": 0, "result": "0x1"}])

    with serving(lambda path, body: slow()) as server:
        node = Node(server.url, 1)
        with pytest.raises(NodeSilent, match="too slowly"):
            for _ in range(10):
                node.ask("eth_chainId")


def test_an_error_of_null_is_none_and_a_node_without_lists_is_asked_one_by_one() -> None:
    def answer(_: str, body: bytes) -> Iterator[bytes | float]:
        asked = json.loads(body)
        if isinstance(asked, list):
            yield document({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}})
        else:
            yield document({"jsonrpc": "2.0", "id": asked["id"], "error": None, "result": hex(asked["id"])})

    with serving(answer) as server:
        assert Node(server.url, 1).ask_all([("eth_chainId", []), ("eth_chainId", [])]) == ["0x0", "0x1"]


def test_a_packed_answer_is_named_as_such() -> None:
    packed = http(b"", "200 OK", "Content-Encoding: gzip")
    with serving(lambda path, body: iter([packed])) as server, pytest.raises(NodeSilent, match="Content-Encoding"):
        Node(server.url, 1).ask("eth_chainId")


@pytest.mark.parametrize("url", ["http://[::1", "http://a:99999/", "http://", "//x", "http://[x]/"])
def test_an_address_that_is_none_is_a_wrong_request(url: str) -> None:
    with pytest.raises(CannotVerify, match="no http or https address"):
        Node(url, 1)


def test_a_great_object_with_a_key_twice_is_refused_in_linear_time() -> None:
    keys = [f'"{number:06d}":0' for number in range(60_000)]
    data = ("{" + ",".join([*keys, keys[-1]]) + "}").encode()

    def read() -> None:
        with pytest.raises(Differs, match="stands twice"):
            read_strict(data)

    assert timed(read) < 5

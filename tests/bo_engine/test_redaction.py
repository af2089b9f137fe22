"""What leaves the process holds no secret of it and nothing that steers a terminal (faults X01, X08)."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bo_engine.redaction import REDACTOR, blot, each_text, know_secrets, plain, told

KEY = "0x" + "5a" * 32
DATABASE = "postgresql://bo_settle:p%40ss-word-1@localhost:5432/bo_engine"
RPC = "https://user-77:pass-77x@arb.example/v2/key-0123456789?token=token-abcdef"
LEAKS = [
    KEY,
    KEY[2:],
    DATABASE,
    "p%40ss-word-1",
    "p@ss-word-1",
    RPC,
    "/v2/key-0123456789",
    "key-0123456789",
    "token=token-abcdef",
    "token-abcdef",
    "user-77",
    "pass-77x",
    base64.b64encode(b"user-77:pass-77x").decode(),
    "%2Fv2%2Fkey-0123456789",
]


@pytest.fixture(autouse=True)
def _known(_forgotten_secrets: None) -> None:
    # What is learned here is forgotten with the test: other tests print these words.
    REDACTOR.reset(frozenset())
    know_secrets((KEY, DATABASE, RPC))


@pytest.mark.parametrize("leak", LEAKS)
def test_a_secret_is_blotted_whole_and_in_its_parts(leak: str) -> None:
    for blank in (" ", "\n", "/", '"'):
        assert blot(f"before{blank}{leak}{blank}after") == f"before{blank}***{blank}after"


def test_the_name_of_a_database_is_no_secret() -> None:
    path = "/var/lib/bo_engine/artifacts/dayId=20000"
    assert blot(path) == path


def test_the_words_in_a_databases_url_are_no_secrets_but_its_passwords_are() -> None:
    know_secrets(("postgresql://bo:geheim-1@db/x?application_name=bo-engine&sslmode=require&sslpassword=geheim-2",))
    remedy = "two keys require a person: `bo-engine resume --day 5 --by NAME`"
    assert blot(remedy) == remedy
    assert blot("geheim-1 and geheim-2") == "*** and ***"


def test_the_bare_address_of_a_node_on_this_host_is_no_secret() -> None:
    bare = ("http://127.0.0.1:8545", "http://localhost:8545/", "http://[::1]:8545")
    know_secrets((*bare, "http://127.0.0.1:8546/key-of-a-node", "http://u:p@localhost:1"))
    for url in bare:
        assert blot(f"at {url}") == f"at {url}"
    assert blot("at http://127.0.0.1:8546/key-of-a-node") == blot("at http://u:p@localhost:1") == "at ***"


def test_an_amount_or_a_hash_never_changes_for_the_sake_of_a_short_secret() -> None:
    know_secrets(("654321",))
    for value in ("654321", "9654321", "0x" + "654321" * 5 + "ab"):
        assert blot(value) == value
    assert blot("the password 654321 is wrong") == "the password *** is wrong"
    assert blot("0x" + "5a" * 32) == "***"


def test_every_text_of_a_document_is_reached() -> None:
    document = {"key-0123456789": [KEY, 7, None, {"deep": ("token-abcdef",)}]}
    assert each_text(document, blot) == {"***": ["***", 7, None, {"deep": ["***"]}]}


@given(st.text(st.characters(), max_size=80))
def test_whatever_a_stranger_says_becomes_one_line_that_any_sink_takes(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert shown.splitlines() in ([], [shown])
    shown.encode("utf-8")
    assert json.loads(json.dumps(shown)) == shown
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u2028", "\\u2028"),
        ("\u202egnp", "\\u202egnp"),
        ("\x00", "\\x00"),
        ("\ud800", "\\ud800"),
        ("\x85\x9b", "\\x85\\x9b"),
        ("Zoë ✓", "Zoë ✓"),
    ],
)
def test_what_steers_a_terminal_is_written_as_an_escape(text: str, shown: str) -> None:
    assert plain(text) == shown


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=40))
def test_a_secret_of_any_text_is_known_and_blotted(text: str) -> None:
    whole = f"http://{text}@host/{text}\udcff"
    know_secrets((whole,))
    assert blot(f"<{whole}>") == "<***>"


def test_a_secret_at_the_cut_of_a_long_text_does_not_stay_in_half() -> None:
    assert "key-01" not in told("x" * 1_990 + " key-0123456789 " + "y" * 100)
    assert len(told("x" * 10_000)) == 2_000

"""A journal that two products share: each follows its own transactions and leaves the other's alone."""

import json

import pytest

from tests.support.observed import rows
from tests.support.played_world import PlayedWorld

pytestmark = pytest.mark.world
SENDER, CONTRACT = "0x" + "5e" * 20, "0x" + "77" * 20
#: A transaction of another product's key to another product's contract, sent and not mined.
OTHERS = f"""
    INSERT INTO chain_accounts (chain_id, address, next_nonce) VALUES (421614, '{SENDER}', 7);
    INSERT INTO chain_transactions (chain_id, contract, selector, subject, round, calldata, status)
    VALUES (421614, '{CONTRACT}', '\\x01020304', 'pool 3', 0, '\\x01020304', 'BROADCAST');
    INSERT INTO chain_nonces (chain_id, sender, nonce, tx_id)
    SELECT 421614, '{SENDER}', 6, tx_id FROM chain_transactions WHERE contract = '{CONTRACT}';
    INSERT INTO chain_transaction_attempts
           (tx_id, attempt, sender, nonce, gas_limit, max_fee_per_gas, max_priority_fee, raw, tx_hash, state)
    SELECT tx_id, 1, '{SENDER}', 6, 21000, 5, 0, 'raw', sha256('raw'), 'BROADCAST' FROM chain_transactions
     WHERE contract = '{CONTRACT}';
"""  # noqa: S608 - our own constants
STATE = f"""
    SELECT t.status, a.state FROM chain_transactions AS t JOIN chain_transaction_attempts AS a USING (tx_id)
     WHERE t.contract = '{CONTRACT}'
"""  # noqa: S608 - our own constant


def test_a_day_is_settled_beside_another_products_open_transaction(played: PlayedWorld) -> None:
    for statement in OTHERS.strip().split(";")[:-1]:
        played.tamper(statement)
    (outcome,) = played.settle()
    assert outcome.run_status == "committed"
    resumed = json.loads(played.cli("tx", "resume", "--json").stdout)
    assert all(one["subject"] != "pool 3" for one in resumed["transactions"])
    assert rows(played, STATE) == [("BROADCAST", "BROADCAST")]


def test_the_list_shows_it_with_its_subject_and_without_a_day(played: PlayedWorld) -> None:
    for statement in OTHERS.strip().split(";")[:-1]:
        played.tamper(statement)
    listed = json.loads(played.cli("tx", "list", "--json").stdout)["transactions"]
    (shown,) = [one for one in listed if one["subject"] == "pool 3"]
    assert (shown["subject"], shown["day_id"]) == ("pool 3", None)
    assert shown["purpose"] == "call of 0x01020304 of pool 3, round 0"

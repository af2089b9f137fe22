"""The fields of every file, as docs/artifacts.md lists them."""

from typing import Any

from verifier.checking import Differs
from verifier.ruleset import check_ranges
from verifier.shapes import (
    Shape,
    amount,
    boolean,
    exactly,
    fields,
    hash32,
    integer,
    items,
    maybe,
    octets,
    positive_amount,
    text,
    wallet,
)

DETERMINISTIC = (
    "inputs.json",
    "affiliates.json",
    "settlement_result.json",
    "winners_merkle.json",
    "affiliate_merkle.json",
    "commit_bundle.json",
)
REQUIRED = (*DETERMINISTIC, "checksums.json")
VOIDED_FILE = "voided.json"
SETTLED_FILES = (*REQUIRED, "manifest.json", "provenance.json")

contracts = fields(settlement=wallet, game_manager=wallet, prize_vault=wallet, affiliate_vault=wallet)
state = fields(carry=amount, reserve=amount, last_rollover=amount, streak=integer)
_sold = {"pool_id": integer, "ticket_count": integer, "tip_count": integer, "stake": amount, "digest": hash32}
sold = fields(**_sold)
seeds = fields(
    vrf_word=amount,
    vrf_requested_at=integer,
    drand_round=integer,
    drand_signature=octets(48),
    drand_randomness=hash32,
)
payout = fields(wallet=wallet, amount=positive_amount)
drand = fields(
    chain_hash=hash32, public_key=octets(96), scheme=text, genesis_s=integer, period_s=integer, delay_s=integer
)
_ruleset = fields(
    schema=exactly("bo-engine/ruleset/1"),
    version=integer,
    prices=items(positive_amount, 5),
    number_max=integer,
    numbers_per_tip=integer,
    max_paid_tips=integer,
    max_tips=integer,
    fee_bps=integer,
    rollover_bps=integer,
    jackpot_bps=integer,
    tiers=items(fields(matches=integer, share_bps=integer)),
    jackpot_payout_bps=integer,
    jackpot_streak_days=integer,
    affiliate_default_bps=integer,
    affiliate_max_bps=integer,
    charity_bps=integer,
    drand=drand,
)


def ruleset(value: Any, path: str) -> Any:
    """A ruleset whose numbers are within what every ruleset keeps to."""
    rules = _ruleset(value, path)
    check_ranges(rules)
    return rules


def pool_number(value: Any, path: str) -> int:
    """A pool, 0 to 4."""
    found = integer(value, path)
    if found > 4:
        raise Differs(f"{path} is no pool from 0 to 4")
    return found


def ball(value: Any, path: str) -> int:
    """A number that a draw can give."""
    found = integer(value, path)
    if not 1 <= found <= 49:
        raise Differs(f"{path} is no number from 1 to 49")
    return found


ticket = fields(
    ticket_id=integer,
    pool_id=pool_number,
    buyer=wallet,
    paid_tips=integer,
    bonus_tips=integer,
    voucher_tips=integer,
    affiliate=maybe(wallet),
    stake=amount,
    tips=octets(),
)
inputs = fields(
    schema=exactly("bo-engine/inputs/1"),
    day_id=integer,
    chain_id=integer,
    contracts=contracts,
    ruleset=ruleset,
    ruleset_hash=hash32,
    opening_state=items(state, 5),
    pools=items(sold, 5),
    tickets=items(ticket),
)
affiliates = fields(
    schema=exactly("bo-engine/affiliates/1"),
    day_id=integer,
    chain_id=integer,
    referred=items(
        fields(affiliate=wallet, player=wallet, stake=amount, rate_bps=integer, commission=amount),
    ),
    affiliates=items(payout),
    affiliate_total=amount,
    charity_total=amount,
    net_fee=amount,
    fee=amount,
)
pool_result = fields(
    **_sold,
    split=fields(fee=amount, rollover=amount, jackpot=amount, pot=amount),
    opening=state,
    closing=state,
    budget=amount,
    winning_numbers=items(ball),
    tiers=items(fields(matches=integer, winning_tips=integer, share=amount, each=amount)),
    jackpot_matches=integer,
    jackpot_each=amount,
    payout=amount,
    jackpot_payout=amount,
    jackpot_hit=boolean,
)
result = fields(
    schema=exactly("bo-engine/settlement-result/2"),
    day_id=integer,
    chain_id=integer,
    contracts=contracts,
    seeds=maybe(seeds),
    pools=items(pool_result, 5),
    payouts=items(payout),
    affiliate_payouts=items(payout),
    totals=fields(stake=amount, payout=amount, affiliate=amount, charity=amount, net_fee=amount, fee=amount),
)
_full_dump = fields(
    format=exactly("standard-v1"),
    leafEncoding=exactly(["bytes32", "uint256", "address", "uint256"]),
    tree=items(hash32),
    values=items(fields(treeIndex=integer, value=items(text, 4))),
)
_empty_dump = fields(tree=items(hash32, 0), values=items(text, 0))
bundle = fields(
    schema=exactly("bo-engine/commit-bundle/2"),
    day_id=integer,
    chain_id=integer,
    contracts=contracts,
    ruleset_hash=hash32,
    inputs_sha256=hash32,
    affiliates_sha256=hash32,
    pools=items(sold, 5),
    seeds=maybe(seeds),
    winning_numbers=items(items(ball)),
    opening_state=items(state, 5),
    closing_state=items(state, 5),
    pool_payout=items(amount, 5),
    pool_jackpot_payout=items(amount, 5),
    jackpot_hit=items(boolean, 5),
    total_payout=amount,
    affiliate_total=amount,
    charity_total=amount,
    net_fee=amount,
    winner_root=hash32,
    affiliate_root=hash32,
)
_six = fields(**dict.fromkeys(DETERMINISTIC, hash32))
checksums = fields(schema=exactly("bo-engine/checksums/1"), day_id=integer, files=_six)
manifest = fields(
    schema=exactly("bo-engine/manifest/1"),
    day_id=integer,
    chain_id=integer,
    contracts=contracts,
    run_hash=hash32,
    files=_six,
    signer=wallet,
    signature=octets(65),
)
provenance = fields(
    schema=exactly("bo-engine/provenance/2"),
    day_id=integer,
    observed_block=fields(number=integer, hash=hash32),
    vrf_request_id=amount,
    vrf_requested_block=integer,
    committed_at_s=integer,
    released_at_s=integer,
    takebacks=integer,
    settlement_hash=hash32,
    commit_tx=maybe(hash32),
    release_tx=maybe(hash32),
    purchases=items(fields(ticket_id=integer, tx_hash=hash32, log_index=integer, block=integer)),
)
voided = fields(
    schema=exactly("bo-engine/voided/1"),
    day_id=integer,
    chain_id=integer,
    settlement=wallet,
    stake=amount,
    closing_state=items(state, 5),
    block=fields(number=integer, hash=hash32, time_s=integer),
    tx_hash=hash32,
)


def dump(value: Any, path: str) -> Any:
    """A tree's dump; the empty one has two fields only."""
    is_empty = type(value) is dict and value.keys() == {"tree", "values"}
    found = (_empty_dump if is_empty else _full_dump)(value, path)
    if not is_empty and not found["tree"]:
        raise Differs("a tree without leaves has the fields tree and values only")
    return found


SHAPES: dict[str, Shape] = {
    "inputs.json": inputs,
    "affiliates.json": affiliates,
    "settlement_result.json": result,
    "winners_merkle.json": dump,
    "affiliate_merkle.json": dump,
    "commit_bundle.json": bundle,
    "checksums.json": checksums,
    "manifest.json": manifest,
    "provenance.json": provenance,
    VOIDED_FILE: voided,
}


def read_document(name: str, value: Any) -> Any:
    """The document of a file. Raises: Differs with the place that is wrong."""
    if type(value) is not dict:
        raise Differs("it is no object")
    return SHAPES[name](value, "")

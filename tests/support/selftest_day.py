"""The day that the verifier's self-test forges: settled by the engine's core, with drand beacons of our own key.

Run as a script, it writes verifier/recorded_day.json anew; a test shows that the stored one is equal.
"""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from eth_account import Account

from bo_engine.units import Atoms, Bps, DayId, Hash32, PoolId, TicketId, Wallet
from core.lottery.affiliates import referred_stakes, split_fee
from core.lottery.bundle import (
    bundle_bytes,
    commit_bundle,
    run_hash,
    settlement_hash,
    settlement_struct,
    state_hash,
)
from core.lottery.documents.affiliates import render_affiliates
from core.lottery.documents.canonical import render_object
from core.lottery.documents.checksums import DETERMINISTIC_FILES, render_checksums
from core.lottery.documents.inputs import render_inputs
from core.lottery.documents.manifest import Manifest, render_manifest
from core.lottery.documents.merkle_dumps import (
    affiliate_tree,
    render_affiliate_merkle,
    render_winners_merkle,
    winner_tree,
)
from core.lottery.documents.settlement_result import render_settlement_result
from core.lottery.draw import drand_round_of
from core.lottery.fold import fold_day
from core.lottery.model import DayResult, Deployment, PoolState, ReferredStake, Seeds, Ticket
from core.lottery.ruleset import RULESET_1, Ruleset, ruleset_hash
from core.lottery.settle import settle_day
from core.lottery.tickets import bonus_tips, stake_of
from core.lottery.tips import mask_of, pack_masks
from io_layer.keys.signer import Signer
from io_layer.lottery.manifest_signature import TITLES, sign_manifest
from tests.support.beacon import own_network, sign_round
from tests.support.days import wallet

PATH: Final = Path(__file__).resolve().parents[2] / "verifier" / "recorded_day.json"
DAY: Final = DayId(20_778)
KEY: Final = (0xB0E).to_bytes(32, "big")  # verifier.selftest.SECRET
SELFTEST_DEPLOYMENT: Final = Deployment(
    chain_id=421_614,
    settlement=wallet(0xC1),
    game_manager=wallet(0xC2),
    prize_vault=wallet(0xC3),
    affiliate_vault=wallet(0xC4),
)
_REQUESTED_AT: Final = (DAY + 1) * 86_400 + 37  # a little after the close
_AFFILIATES: Final = (wallet(0x901), wallet(0x902))
_RATES: Final = {_AFFILIATES[0]: Bps(500), _AFFILIATES[1]: Bps(750)}


def selftest_ruleset() -> Ruleset:
    """Numbers 1 to 8, so that every tier is won, and a drand network whose key we have."""
    return replace(RULESET_1, version=0, number_max=8, drand=own_network())


def selftest_tickets(ruleset: Ruleset) -> list[Ticket]:
    """Tickets of a dozen players in four of the five pools; the first two in different ones."""
    rng = random.Random("BO-Engine self-test")
    players = [(wallet(0x1000 + n), rng.choice((None, *_AFFILIATES))) for n in range(12)]
    pools = [0, 1, *(rng.choice((0, 0, 1, 2, 3)) for _ in range(26))]
    tickets = []
    for ticket_id, pool in enumerate(pools, start=1_001):
        buyer, affiliate = rng.choice(players)
        paid, vouchers = rng.choice((1, 2, 3, 4, 6, 11)), rng.choice((0, 0, 1, 2))
        count = paid + bonus_tips(paid) + vouchers
        tips = [tuple(rng.sample(range(1, 9), 6)) for _ in range(count)]
        tickets.append(
            Ticket(
                TicketId(ticket_id), DAY, PoolId(pool), buyer, paid, vouchers, affiliate,
                stake_of(ruleset, PoolId(pool), paid, vouchers),
                pack_masks(mask_of(numbers, ruleset.number_max) for numbers in tips),
            )
        )  # fmt: skip
    return tickets


def selftest_opening() -> tuple[PoolState, ...]:
    """Five pools that have been played for a while."""
    streaks = (12, 95, 3, 40, 7)
    return tuple(
        PoolState(Atoms(7_000_001 * (n + 1)), Atoms(31_000_003 * (n + 1)), Atoms(900_007 * (n + 1)), streaks[n])
        for n in range(5)
    )


def selftest_files(
    ruleset: Ruleset,
    tickets: list[Ticket],
    opening: tuple[PoolState, ...],
    seeds: Seeds | None,
    rates: dict[Wallet, Bps],
    *,
    day: DayId = DAY,
    deployment: Deployment = SELFTEST_DEPLOYMENT,
) -> tuple[DayResult, dict[str, bytes]]:
    """The day's files as the engine's core writes them."""
    referred = tuple(referred_stakes(tickets, rates, ruleset=ruleset))
    result = settle_day(
        day_id=day,
        ruleset=ruleset,
        deployment=deployment,
        opening=opening,
        tickets=tickets,
        referred=referred,
        seeds=seeds,
    )
    files = _six_files(ruleset, tickets, opening, result=result, referred=referred, deployment=deployment)
    return result, with_sums(files, day, deployment)


def with_sums(files: dict[str, bytes], day: DayId, deployment: Deployment) -> dict[str, bytes]:
    """The six files with checksums.json and a manifest signed by the test key."""
    sums = {name: sha256_of(files[name]) for name in DETERMINISTIC_FILES}
    checksums = b"".join(render_checksums(day_id=day, sha256s=sums))
    account = Account.from_key(KEY)
    signer = Signer(account, chain_id=deployment.chain_id, allowed=frozenset(), titles=TITLES)
    manifest = Manifest(day, deployment, sums, signer.address)
    signed = b"".join(render_manifest(manifest, sign_manifest(signer, manifest)))
    return {**files, "checksums.json": checksums, "manifest.json": signed}


def _six_files(
    ruleset: Ruleset,
    tickets: list[Ticket],
    opening: tuple[PoolState, ...],
    *,
    result: DayResult,
    referred: tuple[ReferredStake, ...],
    deployment: Deployment,
) -> dict[str, bytes]:
    day, sold = result.day_id, fold_day(result.day_id, ruleset, tickets).sold()
    fee = split_fee(ruleset, result.fee_atoms, referred)
    files = {
        "inputs.json": b"".join(
            render_inputs(
                day_id=day,
                deployment=deployment,
                ruleset=ruleset,
                opening=opening,
                sold=sold,
                tickets=iter(tickets),
            )
        ),
        "affiliates.json": b"".join(
            render_affiliates(day_id=day, chain_id=deployment.chain_id, referred=referred, fee=fee)
        ),
        "settlement_result.json": b"".join(render_settlement_result(result=result, deployment=deployment)),
        "winners_merkle.json": b"".join(render_winners_merkle(result=result, deployment=deployment)),
        "affiliate_merkle.json": b"".join(render_affiliate_merkle(result=result, deployment=deployment)),
    }
    bundle = commit_bundle(
        result=result,
        deployment=deployment,
        ruleset_hash=ruleset_hash(ruleset),
        inputs_sha256=sha256_of(files["inputs.json"]),
        affiliates_sha256=sha256_of(files["affiliates.json"]),
        winner_root=winner_tree(deployment, day, result.payouts).root,
        affiliate_root=affiliate_tree(deployment, day, result.affiliate_payouts).root,
    )
    return {**files, "commit_bundle.json": bundle_bytes(bundle)}


def recorded_document() -> dict[str, Any]:
    """What verifier/recorded_day.json holds."""
    ruleset, opening = selftest_ruleset(), selftest_opening()
    tickets = selftest_tickets(ruleset)
    drand_round = drand_round_of(ruleset.drand, DAY, _REQUESTED_AT)
    signature = sign_round(drand_round)
    # A word that gives pool 1 no six: its jackpot is due for its streak, and the fives take it.
    seeds = Seeds(2**200 + 10, _REQUESTED_AT, drand_round, signature, sha256_of(signature))
    result, files = selftest_files(ruleset, tickets, opening, seeds, _RATES)
    bundle = files["commit_bundle.json"]
    winners = winner_tree(SELFTEST_DEPLOYMENT, DAY, result.payouts)
    affiliates = affiliate_tree(SELFTEST_DEPLOYMENT, DAY, result.affiliate_payouts)
    struct = settlement_struct(result, winners.root, affiliates.root, run_hash(bundle))
    closing = tuple(pool.closing for pool in result.pools)
    files["provenance.json"] = _provenance(tickets, settlement_hash(struct))
    claimed = result.payouts[:2]
    return {
        "about": "Made by tests/support/selftest_day.py; the self-test forges this day.",
        "files": {name: data.decode() for name, data in sorted(files.items())},
        "beacons": {
            name: {"round": one, "signature": sign_round(one).hex()}
            for name, one in (
                ("next_round", drand_round + 1),
                ("next_day", drand_round_of(ruleset.drand, DayId(DAY + 1), _REQUESTED_AT + 86_400)),
            )
        },
        "facts": {
            "block": 4_000,
            "chain_id": SELFTEST_DEPLOYMENT.chain_id,
            "contracts": {
                name: getattr(SELFTEST_DEPLOYMENT, name)
                for name in ("settlement", "game_manager", "prize_vault", "affiliate_vault")
            },
            "ruleset_hash": ruleset_hash(ruleset).hex(),
            "pools": [
                {
                    "ticket_count": pool.sold.ticket_count,
                    "tip_count": pool.sold.tip_count,
                    "stake": str(pool.sold.stake_atoms),
                    "digest": pool.sold.digest.hex(),
                }
                for pool in result.pools
            ],
            "word": str(seeds.vrf_word),
            "requested_at": seeds.vrf_requested_at,
            "opening_hash": state_hash(opening).hex(),
            "closing_hash": state_hash(closing).hex(),
            "rates": dict(_RATES),
            "settlers": [Account.from_key(KEY).address.lower()],
            "status": 2,
            "run_hash": sha256_of(bundle).hex(),
            "settlement_hash": settlement_hash(struct).hex(),
            "committed_at_s": (DAY + 1) * 86_400 + 4_500,
            "released_at_s": (DAY + 1) * 86_400 + 12_000,
            "purchases": len(tickets),
            "prize_vault": _vault(winners.root, result.total_payout_atoms, claimed),
            "affiliate_vault": _vault(affiliates.root, result.affiliate_total_atoms, ()),
            "held": str(sum(pool.sold.stake_atoms for pool in result.pools) + 10**12),
        },
    }


def _vault(root: Hash32, total: int, claimed: Any) -> dict[str, Any]:
    taken = sum(payout.amount_atoms for payout in claimed)
    return {
        "root": root.hex(),
        "total": str(total),
        "claimed": str(taken),
        "claimed_by": {payout.wallet: True for payout in claimed},
        "owed": str(total - taken),
    }


def _provenance(tickets: list[Ticket], committed: Hash32) -> bytes:
    return b"".join(
        render_object(
            {
                "schema": "bo-engine/provenance/2",
                "day_id": DAY,
                "observed_block": {"number": 3_900, "hash": "0x" + sha256_of(b"block").hex()},
                "vrf_request_id": "77",
                "vrf_requested_block": 3_000,
                "committed_at_s": (DAY + 1) * 86_400 + 4_500,
                "released_at_s": (DAY + 1) * 86_400 + 12_000,
                "takebacks": 0,
                "settlement_hash": "0x" + committed.hex(),
                "commit_tx": "0x" + sha256_of(b"commit").hex(),
                "release_tx": "0x" + sha256_of(b"release").hex(),
                "purchases": [
                    {
                        "ticket_id": one.ticket_id,
                        "tx_hash": "0x" + sha256_of(b"%d" % one.ticket_id).hex(),
                        "log_index": 3,
                        "block": 1_000 + place,
                    }
                    for place, one in enumerate(tickets)
                ],
            }
        )
    )


def sha256_of(data: bytes) -> Hash32:
    """sha256."""
    import hashlib

    return Hash32(hashlib.sha256(data).digest())


if __name__ == "__main__":
    PATH.write_text(json.dumps(recorded_document(), indent=1, sort_keys=True) + "\n", encoding="ascii")

"""Plays the owner who voids a day, and the players who take their refunds."""

from collections.abc import Iterable
from typing import Any

from bo_engine.units import DayId, day_end
from io_layer.contract_codec import codec
from local_world.chain_account import ChainAccount
from local_world.chain_view import ChainView
from local_world.claims import PRIZES, Claim, ClaimBook, Claimer, parse_proof_answer
from services.make_proof import make_proofs
from services.plan_void import plan_void
from tests.support.played_world import PlayedWorld


def act(played: PlayedWorld, role: str, contract: str, function: str, *arguments: object) -> None:
    """A transaction of one of the roles at one of our contracts, final afterwards."""
    target = played.world.contracts.as_dict()[{"SettlementV4": "settlement", "Roles": "roles"}[contract]]
    account = ChainAccount(played.chain, played.world.account(role))
    account.execute(target, codec(contract).call_data(function, arguments))
    played.chain.mine(2)


def planned(played: PlayedWorld, day: DayId) -> dict[str, Any]:
    """What void-plan says."""
    with played.engine() as engine:
        return plan_void(engine, day)


def void_as_planned(played: PlayedWorld, day: DayId) -> dict[str, Any]:
    """The owner signs the plan's very bytes; the plan."""
    plan = planned(played, day)
    owner = ChainAccount(played.chain, played.world.account("owner"))
    assert plan["from"] == owner.wallet
    owner.execute(plan["to"], bytes.fromhex(plan["calldata"][2:]))
    played.chain.mine(2)
    return plan


def after_close(played: PlayedWorld, day: DayId, days: int) -> None:
    """Let so many days pass since the day's close."""
    played.chain.advance_to(day_end(day) + days * 86_400)
    played.chain.mine(2)


def claim_all(played: PlayedWorld, day: DayId, wallets: Iterable[str]) -> dict[str, int]:
    """Everybody claims with the proof that the engine prints; what each received."""
    with played.engine() as engine:
        answers = [make_proofs(engine.conn, engine.game.deployment, day, wallet) for wallet in wallets]
    claims: list[Claim] = [parse_proof_answer(answer)[PRIZES] for answer in answers]
    view = ChainView(played.chain, played.world.contracts)
    before = {claim.wallet: view.balance_of(claim.wallet) for claim in claims}
    sender = ChainAccount(played.chain, played.world.account("relayer"))
    Claimer(view, ClaimBook()).claim_many(sender, claims)
    played.chain.mine(2)
    return {claim.wallet: view.balance_of(claim.wallet) - before[claim.wallet] for claim in claims}

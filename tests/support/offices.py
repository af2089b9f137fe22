"""OWNER names successors, time passes, and they take office by their own calls."""

from eth_account.signers.local import LocalAccount

from bo_engine.units import DayId, Wallet
from core.lottery.notices import OFFICES
from io_layer.contracts.codec import codec
from local_world.chain_account import ChainAccount
from tests.support.played_world import PlayedWorld
from tests.support.voiding import act

NOTICE_S = 48 * 3_600
EXPIRY_S = 14 * 86_400


def name(played: PlayedWorld, account: Wallet, office: str = "settler") -> None:
    """OWNER names the next holder of an office."""
    act(played, "owner", "Roles", "nameHolder", OFFICES.index(office), account)


def pass_time(played: PlayedWorld, seconds: int = NOTICE_S) -> None:
    """Let the notice pass, or any other time, up to a final block."""
    played.chain.advance_to(played.chain.now() + seconds + 1)
    played.chain.finalize()


def take(played: PlayedWorld, account: LocalAccount, office: str = "settler") -> None:
    """The named account takes the office with its own wallet, without the engine."""
    played.chain.fund(account.address)
    data = codec("Roles").call_data("takeOffice", (OFFICES.index(office),))
    ChainAccount(played.chain, account).execute(played.world.contracts.roles, data)
    played.chain.finalize()


def suspend(played: PlayedWorld, office: str = "settler") -> None:
    """GUARDIAN stops the holder of an office."""
    act(played, "guardian", "Roles", "suspend", OFFICES.index(office))
    played.chain.finalize()


def last_closed_day(played: PlayedWorld) -> DayId:
    """The newest day whose end has passed."""
    return DayId(played.chain.now() // 86_400 - 1)

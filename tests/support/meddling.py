"""What other people do on the chain, past the engine: owners of keys, and a chain that obeys the test."""

from bo_engine.units import DayId, Wallet, hex_of
from io_layer.contract_codec import codec
from local_world.chain_account import ChainAccount
from services.resume_day import resume_day
from tests.support.played_world import PlayedWorld


def move_usdt(played: PlayedWorld, giver: Wallet, taker: Wallet, amount: int) -> None:
    """Move USDT out of a contract, as no key could."""
    played.chain.call("anvil_impersonateAccount", giver)
    played.chain.fund(giver)
    data = hex_of(codec("TestUSDT").call_data("transfer", (taker, amount)))
    played.chain.call("eth_sendTransaction", {"from": giver, "to": played.world.contracts.usdt, "data": data})
    played.chain.call("anvil_stopImpersonatingAccount", giver)
    played.chain.finalize()


def send_as(played: PlayedWorld, role: str, function: str, *arguments: object, contract: str = "SettlementV4") -> str:
    """Call one of our contracts as somebody, and make it final; the transaction's hash."""
    account = ChainAccount(played.chain, played.world.account(role))
    played.chain.fund(account.wallet)
    at = played.world.contracts
    target = {"SettlementV4": at.settlement, "VRFReceiver": at.vrf_receiver}[contract]
    receipt = account.execute(target, codec(contract).call_data(function, arguments))
    played.chain.finalize()
    return str(receipt["transactionHash"])


def veto(played: PlayedWorld, day: DayId | None = None) -> None:
    """The guardian says no."""
    send_as(played, "guardian", "veto", day or played.day, "looks odd")


def resume(played: PlayedWorld, day: DayId | None = None) -> None:
    """A person lets the day go on."""
    with played.engine() as engine:
        resume_day(engine, day or played.day, by="Ada")

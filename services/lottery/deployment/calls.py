"""Calls of the contracts for the wallet that signs them: target, function, arguments, calldata, and whether each would
succeed now. Sends nothing."""

from typing import Any

from bo_engine.errors import InvalidInput, InvariantBroken, UsageError
from bo_engine.settings import Settings
from bo_engine.units import ZERO_WALLET, Wallet, hex_of, parse_typed_wallet
from core.lottery.notices import Office
from io_layer.contracts.codec import codec
from io_layer.lottery.contracts.game import GameChain, open_game
from io_layer.lottery.contracts.roles import read_offices
from io_layer.rpc.connect import open_chain
from io_layer.rpc.reader import Block
from io_layer.rpc.sender import simulate

Call = dict[str, Any]
ANYONE = "anyone"


class Desk:
    """The offices of one deployment at a final block, and a way to write down calls."""

    def __init__(self, game: GameChain, block: Block) -> None:
        self.game = game
        self.block = block
        self.offices: dict[str, Office] = read_offices(game.chain, block, game.contracts.roles)

    def read(self, contract: str, function: str, *arguments: object) -> Any:
        """What both endpoints answer at the final block."""
        return self.game.chain.read(self.block, [self.game.call(contract, function, *arguments)])[0]

    def call(
        self,
        signer: str | Wallet,
        contract: str,
        function: str,
        *arguments: object,
        or_by: str | None = None,
        later: str = "",
    ) -> Call:
        """One call. ``signer``: an office, an account, or ``ANYONE``; ``or_by``: the office that may sign it as well;
        ``later``: when it is to be sent, if not now."""
        speaks, target = codec(contract), self.game.contracts.of(contract)
        calldata = speaks.call_data(function, arguments)
        named = {name: _shown(value) for name, value in speaks.arguments(function, calldata).items()}
        sender = self.offices[signer].holder if signer in self.offices else signer
        return {
            "signed_by": signer,
            "or_by": or_by,
            "from": None if sender == ANYONE else sender,
            "to": target,
            "contract": contract,
            "function": speaks.signature(function),
            "arguments": named,
            "calldata": hex_of(calldata),
            "simulated": later or self._simulated(sender, target, calldata),
        }

    def _simulated(self, sender: str, target: Wallet, calldata: bytes) -> str:
        try:
            simulate(self.game.chain, ZERO_WALLET if sender == ANYONE else Wallet(sender), target, calldata)
        except InvariantBroken as error:
            return error.message
        return "would succeed now"


def open_desk(settings: Settings) -> Desk:
    """Connect to both endpoints and read the offices. Raises: as ``open_chain`` and ``open_game``."""
    chain = open_chain(
        settings.rpc_url, settings.rpc_fallback_url, chain_id=settings.chain_id, says_local=settings.is_local
    )
    return Desk(open_game(chain, settings.settlement_address), chain.read_final_block())


def typed_wallet(text: str, flag: str) -> Wallet:
    """An address behind a flag. Raises: UsageError ``bad_wallet``."""
    try:
        return parse_typed_wallet(text)
    except InvalidInput as error:
        raise UsageError(error.code, f"{flag}: {error.message}") from None


def require_outside(desk: Desk, account: Wallet, flag: str) -> Wallet:
    """An account that may receive money. Raises: InvalidInput ``account_is_ours`` for the zero address, the token and
    the contracts of the deployment: the contracts refuse them, too."""
    ours = {**desk.game.contracts.ours(), "USDT": desk.game.contracts.usdt}
    names = [name for name, address in ours.items() if address == account]
    if names or account == ZERO_WALLET:
        what = f"our {names[0]}" if names else "the zero address"
        raise InvalidInput("account_is_ours", f"{flag}: {account} is {what}: money sent there would be lost")
    return account


def typed_number(text: str, flag: str, most: int) -> int:
    """A whole number behind a flag. Raises: UsageError ``bad_number``."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)) or int(text) > most:
        raise UsageError("bad_number", f"{flag}: a whole number from 0 to {most} is wanted, got {text[:60]}")
    return int(text)


def _shown(value: object) -> str:
    return hex_of(value) if isinstance(value, bytes) else str(value)

"""Who holds which role, and the exact calls that change one, for the wallet that signs them. Sends nothing."""

from collections.abc import Sequence
from typing import Any, Final

from bo_engine.errors import InvalidInput, InvariantBroken, UsageError
from bo_engine.settings import Settings
from bo_engine.units import ZERO_WALLET, DayId, Wallet, hex_of, parse_typed_wallet, parse_wallet
from io_layer.chain_reader import Block
from io_layer.chain_sender import simulate
from io_layer.contract_codec import codec
from io_layer.game_chain import GameChain, open_game
from io_layer.open_chain import open_chain

ROLE_NAMES: Final = ("owner", "guardian", "relayer", "settler", "promotions")
_POWERS: Final = {
    "owner": "replaces the others, sets receivers, schedules rulesets and rates, announces and makes voids",
    "guardian": "vetoes commits, pauses purchases and claims",
    "relayer": "relays purchases that players have signed (the App's key)",
    "settler": "commits days (the engine's key)",
    "promotions": "pays for vouchers; no power",
}
#: Role: OWNER's function, and the function with which the named account accepts, if it has to.
_REPLACE: Final[dict[str, tuple[str, str | None]]] = {
    "owner": ("transferOwnership", "acceptOwnership"),
    "guardian": ("setGuardian", None),
    "relayer": ("setRelayer", None),
    "settler": ("setSettler", None),
    "promotions": ("setPromotions", "acceptPromotions"),
}
#: What can be paused: contract, how it is paused and opened again.
PAUSABLE: Final = {
    "purchases": ("GameManager", "pausePurchases", "unpausePurchases"),
    "prizes": ("PrizeVault", "pauseClaims", "unpauseClaims"),
    "commissions": ("AffiliateVault", "pauseClaims", "unpauseClaims"),
}


class RoleDesk:
    """The roles of one deployment at a final block."""

    def __init__(self, game: GameChain, block: Block) -> None:
        self._game = game
        self._chain = game.chain
        calls = [game.call("Roles", getter) for getter in (*ROLE_NAMES, "pendingOwner", "pendingPromotions")]
        *holders, owner, promotions = (parse_wallet(each) for each in game.chain.read(block, calls))
        self.holders: dict[str, Wallet] = dict(zip(ROLE_NAMES, holders, strict=True))
        self._pending = {"owner": owner, "promotions": promotions}
        self._kinds = {
            role: "contract" if game.chain.read_code(wallet, block) else "single key"
            for role, wallet in self.holders.items()
        }

    def facts(self) -> list[dict[str, Any]]:
        """Each role: its holder, what kind of account that is, who is named and has not accepted, what it may do."""
        return [
            {
                "role": role,
                "holder": self.holders[role],
                "kind": self._kinds[role],
                "pending": None if self._pending.get(role, ZERO_WALLET) == ZERO_WALLET else self._pending[role],
                "may": _POWERS[role],
            }
            for role in ROLE_NAMES
        ]

    def replace(self, role: str, text: str) -> list[dict[str, Any]]:
        """The calls that give a role to another account. Raises: UsageError ``bad_role``, ``bad_wallet``;
        InvalidInput ``role_taken``."""
        if role not in _REPLACE:
            raise UsageError("bad_role", f"a role is one of {', '.join(ROLE_NAMES)}")
        try:
            wallet = parse_typed_wallet(text)
        except InvalidInput as error:
            raise UsageError(error.code, f"--replace: {error.message}") from None
        taken = [name for name, holder in self.holders.items() if holder == wallet]
        if taken or wallet == ZERO_WALLET:
            raise InvalidInput(
                "role_taken", f"{wallet} {f'is {taken[0].upper()} already' if taken else 'is nobody'}: name another one"
            )
        first, then = _REPLACE[role]
        calls = [self._call("owner", self.holders["owner"], "Roles", first, (wallet,))]
        if then is not None:
            calls.append(self._call(f"new {role}", wallet, "Roles", then, (), after="after the first call is mined"))
        return calls

    def pause(self, what: str) -> list[dict[str, Any]]:
        """GUARDIAN's call. A pause of claims ends by itself after seven days. Raises: UsageError ``bad_pause``."""
        contract, function, _ = _pausable(what)
        return [self._call("guardian", self.holders["guardian"], contract, function, ())]

    def unpause(self, what: str) -> list[dict[str, Any]]:
        """GUARDIAN's call, or OWNER's. Raises: UsageError ``bad_pause``."""
        contract, _, function = _pausable(what)
        return [self._call("guardian", self.holders["guardian"], contract, function, ())]

    def veto(self, day_id: DayId, reason: str) -> list[dict[str, Any]]:
        """GUARDIAN's call that takes back a commit before its release."""
        return [self._call("guardian", self.holders["guardian"], "SettlementV4", "veto", (day_id, reason))]

    def announce_void(self, day_id: DayId) -> list[dict[str, Any]]:
        """OWNER's call that lets an old day be voided a week later; the void itself is `void-plan`'s."""
        return [self._call("owner", self.holders["owner"], "SettlementV4", "announceVoid", (day_id,))]

    def _call(
        self, role: str, sender: Wallet, contract: str, function: str, arguments: Sequence[object], after: str = ""
    ) -> dict[str, Any]:
        speaks, target = codec(contract), self._game.contracts.of(contract)
        calldata = speaks.call_data(function, arguments)
        named = {name: str(value) for name, value in speaks.arguments(function, calldata).items()}
        return {
            "signed_by": role,
            "from": sender,
            "to": target,
            "contract": contract,
            "function": speaks.signature(function),
            "arguments": named,
            "calldata": hex_of(calldata),
            "simulated": after or self._simulated(sender, target, calldata),
        }

    def _simulated(self, sender: Wallet, target: Wallet, calldata: bytes) -> str:
        try:
            simulate(self._chain, sender, target, calldata)
        except InvariantBroken as error:
            return error.message
        return "would succeed now"


def open_role_desk(settings: Settings) -> RoleDesk:
    """Connect to both endpoints and read the roles. Raises: as ``open_chain`` and ``open_game``."""
    chain = open_chain(
        settings.rpc_url, settings.rpc_fallback_url, chain_id=settings.chain_id, says_local=settings.is_local
    )
    return RoleDesk(open_game(chain, settings.settlement_address), chain.read_final_block())


def _pausable(what: str) -> tuple[str, str, str]:
    if what not in PAUSABLE:
        raise UsageError("bad_pause", f"what can be paused is one of {', '.join(PAUSABLE)}")
    return PAUSABLE[what]

"""Announcements of OWNER on the contracts with a time lock (Timelocked): subjects, calls, values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bo_engine.units import Hash32, Wallet, hex_of, parse_wallet, usdt, wallet_bytes
from core.lottery.notices import Window
from io_layer.contracts.codec import decoded
from io_layer.rpc.reader import Block, Call, ChainReader


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that OWNER announces. ``name``: as people type it."""

    name: str
    key: str  # of the contract, as core/deployment/creations.py has it
    contract: str  # its name in abi/
    function: str  # that announces it
    types: tuple[str, ...]  # of the announced value

    @property
    def word(self) -> Hash32:
        """The subject as the contract knows it: its name in ASCII, filled up with zeros."""
        return Hash32(self.name.replace("-", " ").encode("ascii").ljust(32, b"\0"))


SUBJECTS: Final = {
    one.name: one
    for one in (
        Subject("fee-receiver", "reserve_vault", "ReserveVault", "announceFeeReceiver", ("address",)),
        Subject("gas-safe", "reserve_vault", "ReserveVault", "announceGasSafe", ("address",)),
        Subject("voucher-cap", "reserve_vault", "ReserveVault", "announceVoucherCap", ("uint256",)),
        Subject("sweep", "reserve_vault", "ReserveVault", "announceSweep", ("uint256",)),
        Subject("vrf-config", "vrf_receiver", "VRFReceiver", "announceConfig", ("(bytes32,uint32,uint16,uint96)",)),
    )
}
#: A new charity. Its subject is its address, so there may be many.
CHARITY: Final = Subject("charity", "charity_vault", "CharityVault", "announceCharity", ("address", "string"))


@dataclass(frozen=True, slots=True)
class Announcement:
    """An open announcement: what it would set, in words, and when. An expired one still stands there."""

    value: str
    window: Window


def charity_word(charity: Wallet) -> Hash32:
    """The subject of a charity's announcement."""
    return Hash32(wallet_bytes(charity).rjust(32, b"\0"))


def read_announcements(chain: ChainReader, block: Block, at: Mapping[str, Wallet]) -> dict[str, Announcement]:
    """What is announced now, by subject; charities apart. ``at``: addresses by key."""
    calls = [Call(one.contract, at[one.key], "announcementOf", (one.word,)) for one in SUBJECTS.values()]
    found = zip(SUBJECTS.values(), chain.read(block, calls), strict=True)
    return {one.name: _announcement(one, *answer) for one, answer in found if answer[1]}


def read_charity_announcement(
    chain: ChainReader, block: Block, charity_vault: Wallet, charity: Wallet
) -> Announcement | None:
    """The announcement of a charity, if there is one."""
    call = Call(CHARITY.contract, charity_vault, "announcementOf", (charity_word(charity),))
    data, not_before, not_after = chain.read(block, [call])[0]
    return _announcement(CHARITY, data, not_before, not_after) if not_before else None


def _announcement(subject: Subject, data: bytes, not_before: int, not_after: int) -> Announcement:
    values = decoded(subject.types, data, f"the announced {subject.name}")
    return Announcement(_in_words(subject, values), Window(not_before, not_after))


def _in_words(subject: Subject, values: tuple[Any, ...]) -> str:
    if subject.name == "vrf-config":
        return vrf_config_in_words(*values[0])
    if subject.types == ("uint256",):
        return usdt(values[0])
    wallet = parse_wallet(values[0])
    return f"{wallet} ({values[1]})" if subject is CHARITY else wallet


def vrf_config_in_words(key_hash: bytes, gas: int, confirmations: int, link_per_request: int) -> str:
    """A VRF configuration in a line."""
    return f"key hash {hex_of(key_hash)}, {gas} gas, {confirmations} confirmations, {link_per_request} juels a request"

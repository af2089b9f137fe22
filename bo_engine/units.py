"""Units and checked strings: day ids, atoms, wallets, hashes.

Money is ``int`` atoms everywhere (6 decimals of USDT), basis points are ``int``; no float comes near either.
"""

import re
from typing import Final, NewType

from bo_engine.errors import InvalidInput, require_input
from bo_engine.keccak import keccak256

DayId = NewType("DayId", int)  # whole days since 1970-01-01 UTC
PoolId = NewType("PoolId", int)  # 0-4
TicketId = NewType("TicketId", int)  # counted by the contract from 1
Atoms = NewType("Atoms", int)  # smallest unit of USDT; never a float
Bps = NewType("Bps", int)  # 1/10000
Wallet = NewType("Wallet", str)  # lower-case 0x hex; only parse_wallet() makes one
Hash32 = NewType("Hash32", bytes)  # exactly 32 bytes
RunHash = NewType("RunHash", str)  # lower-case 0x hex of sha256(commit_bundle.json)

POOL_COUNT: Final = 5
POOL_IDS: Final = tuple(PoolId(n) for n in range(POOL_COUNT))
SECONDS_PER_DAY: Final = 86_400
BPS_ONE: Final = 10_000
MAX_UINT256: Final = 2**256 - 1
MAX_DAY_ID: Final = 2**31 - 1
ZERO_HASH: Final = Hash32(bytes(32))
ZERO_WALLET: Final = Wallet("0x" + "00" * 20)

_WALLET = re.compile(r"0x[0-9a-fA-F]{40}")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")


def parse_wallet(text: object) -> Wallet:
    """Return the wallet in lower case.

    Raises: InvalidInput ``bad_wallet`` for anything that is not ``0x`` and forty hex digits.
    """
    if not isinstance(text, str) or not _WALLET.fullmatch(text):
        raise InvalidInput("bad_wallet", f"a wallet is 0x and 40 hex digits, got {_shown(text)}")
    return Wallet(text.lower())


def parse_typed_wallet(text: object) -> Wallet:
    """As ``parse_wallet``, for what a person typed: mixed case is a checksum (EIP-55) and must be right.

    Raises: InvalidInput ``bad_wallet``.
    """
    wallet = parse_wallet(text)
    digits = str(text)[2:]
    if digits not in (digits.lower(), digits.upper()):
        nibbles = keccak256(wallet[2:].encode()).hex()
        right = "".join(d.upper() if int(n, 16) >= 8 else d for d, n in zip(wallet[2:], nibbles, strict=False))
        require_input(digits == right, "bad_wallet", f"{text} does not fit its own checksum (EIP-55): a digit is wrong")
    return wallet


def parse_atoms(value: object) -> Atoms:
    """Return an amount of atoms from an int or a canonical decimal string.

    Raises: InvalidInput ``bad_amount`` for a negative, fractional or too large amount, a bool, a float or other text.
    """
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_UINT256:
        raise InvalidInput("bad_amount", f"an amount is a whole number of atoms from 0 to 2^256-1, got {_shown(value)}")
    return Atoms(value)


def parse_hash32(value: object) -> Hash32:
    """Return 32 bytes from bytes or from ``0x`` and 64 hex digits.

    Raises: InvalidInput ``bad_hash``.
    """
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{64}", value):
        value = bytes.fromhex(value[2:])
    if not isinstance(value, bytes) or len(value) != 32:
        raise InvalidInput("bad_hash", f"a hash is 32 bytes, or 0x and 64 hex digits, got {_shown(value)}")
    return Hash32(bytes(value))


def parse_day(value: int) -> DayId:
    """Return a day id. Raises: InvalidInput ``bad_day`` outside 0..2^31-1."""
    rule = f"a day id is a whole number from 0 to {MAX_DAY_ID}, got {value}"
    require_input(0 <= value <= MAX_DAY_ID, "bad_day", rule)
    return DayId(value)


def hex_of(value: bytes) -> str:
    """Lower-case 0x hex, as files and people read it."""
    return "0x" + value.hex()


def wallet_bytes(wallet: Wallet) -> bytes:
    """The 20 bytes of a wallet."""
    return bytes.fromhex(wallet[2:])


def day_start(day_id: DayId) -> int:
    """First second (UTC, unix time) of the day."""
    return day_id * SECONDS_PER_DAY


def day_end(day_id: DayId) -> int:
    """First second after the day: the day is closed once a final block has this timestamp or a later one."""
    return (day_id + 1) * SECONDS_PER_DAY


def day_of(timestamp_s: int) -> DayId:
    """The day in which a block timestamp lies."""
    return DayId(timestamp_s // SECONDS_PER_DAY)


def usdt(amount_atoms: int) -> str:
    """Atoms as people read them: ``1,234.567890 USDT`` without trailing zeros beyond cents."""
    whole, fraction = divmod(amount_atoms, 10**6)
    digits = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{whole:,}.{digits} USDT"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""32-byte words, as Solidity's ``abi.encode`` lays out static values one after another."""

from bo_engine.errors import InvalidInput, require_input
from bo_engine.units import MAX_UINT256, Wallet


def uint_word(value: int) -> bytes:
    """A uint as one big-endian word. Raises: InvalidInput ``bad_amount`` outside 0..2^256-1."""
    require_input(0 <= value <= MAX_UINT256, "bad_amount", f"a word holds 0 to 2^256-1, got {value}")
    return value.to_bytes(32, "big")


def wallet_word(wallet: Wallet) -> bytes:
    """An address as one word, padded on the left. Raises: InvalidInput ``bad_wallet``."""
    try:
        word = bytes(12) + bytes.fromhex(wallet[2:])
    except ValueError as error:
        raise InvalidInput("bad_wallet", f"not a wallet: {wallet!r}") from error
    # fromhex() skips blanks, so that forty characters need not be twenty bytes.
    require_input(len(word) == 32 and wallet.startswith("0x"), "bad_wallet", f"not a wallet: {wallet!r}")
    return word


def text_word(text: str) -> bytes:
    """Solidity's ``bytes32("...")``: ASCII, padded with zeros on the right. Raises: InvalidInput ``bad_text``."""
    data = text.encode("ascii", "replace")
    require_input(len(data) <= 32 and text.isascii(), "bad_text", f"not 32 ASCII characters: {text!r}")
    return data.ljust(32, b"\0")

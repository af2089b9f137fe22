import pytest
from eth_abi.abi import encode

from bo_engine.errors import InvalidInput
from bo_engine.units import MAX_UINT256, Wallet
from merkle.words import text_word, uint_word, wallet_word
from tests.support.days import wallet


@pytest.mark.parametrize("value", [0, 1, 2**64, MAX_UINT256])
def test_a_uint_word_is_what_an_abi_encoder_writes(value: int) -> None:
    assert uint_word(value) == encode(["uint256"], [value])


@pytest.mark.parametrize("value", [-1, MAX_UINT256 + 1])
def test_what_does_not_fit_a_word_is_refused(value: int) -> None:
    with pytest.raises(InvalidInput, match="bad_amount"):
        uint_word(value)


def test_a_wallet_word_is_what_an_abi_encoder_writes() -> None:
    assert wallet_word(wallet(2**160 - 2)) == encode(["address"], [wallet(2**160 - 2)])


@pytest.mark.parametrize("text", ["0x", "0x12", "0x" + "z" * 40, "0x" + "ab" * 19 + "  ", "ab" * 21])
def test_a_word_of_no_wallet_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="bad_wallet"):
        wallet_word(Wallet(text))


def test_a_text_word_is_padded_on_the_right() -> None:
    assert text_word("BO-ENGINE/LEAF/1") == b"BO-ENGINE/LEAF/1" + bytes(16)
    assert text_word("x" * 32) == b"x" * 32


@pytest.mark.parametrize("text", ["x" * 33, "ä"])
def test_a_text_that_is_no_short_ascii_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="bad_text"):
        text_word(text)

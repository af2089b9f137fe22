"""Leaves: one wallet's amount on one day, bound to one vault on one chain (rule 5.1)."""

from typing import Final

from bo_engine.keccak import keccak256
from bo_engine.units import Hash32, Wallet
from merkle.words import text_word, uint_word, wallet_word

LEAF_TAG: Final = "BO-ENGINE/LEAF/1"


def leaf_domain(chain_id: int, vault: Wallet) -> Hash32:
    """``keccak256(abi.encode(bytes32("BO-ENGINE/LEAF/1"), chainId, vault))``: no proof fits another vault or chain."""
    return Hash32(keccak256(text_word(LEAF_TAG) + uint_word(chain_id) + wallet_word(vault)))


def leaf_hash(domain: Hash32, day_id: int, wallet: Wallet, amount_atoms: int) -> Hash32:
    """``keccak256(keccak256(abi.encode(domain, dayId, wallet, amount)))``.

    Raises: InvalidInput ``bad_wallet``, ``bad_amount`` for what does not fit its word.
    """
    # Hashed twice, so that an inner node (64 bytes hashed once) can never pass for a leaf.
    return Hash32(keccak256(keccak256(domain + uint_word(day_id) + wallet_word(wallet) + uint_word(amount_atoms))))

"""The engine's keccak-256 and BLS12-381: right, and not those of its second opinion."""

from bo_engine.backends import Backends, libraries_of
from bo_engine.keccak import check_keccak
from core.lottery.drand import check_bls


def check_backends() -> None:
    """Known answers, about 4 ms. Raises: InvariantBroken ``wrong_backend``."""
    check_keccak()
    check_bls()


def engine_backends() -> Backends:
    """The libraries at work in the engine. Raises: InvariantBroken ``wrong_backend``."""
    return Backends(keccak=libraries_of(check_keccak), bls=libraries_of(check_bls))

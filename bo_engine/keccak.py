"""keccak-256 as Ethereum uses it (not NIST's SHA3-256), computed by safe-pysha3.

There is no second library to fall back on: the verifier and gate G13 hash with pycryptodome, and a quiet change would
make both sides one.
"""

from typing import Any, Final

from bo_engine.backends import MissingLibrary
from bo_engine.errors import require_invariant

try:
    from sha3 import keccak_256
except ImportError as error:
    _WHY: Final = str(error)

    def keccak_256(data: bytes) -> Any:
        """Stands in until the command line can say so: it is imported before it can print."""
        raise MissingLibrary(f"the engine's keccak-256 is safe-pysha3, which does not load here: {_WHY}")


_KNOWN: Final = {
    b"": "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
    # The storage slot of key 0 in a Solidity mapping at slot 0.
    bytes(64): "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5",
}


def keccak256(data: bytes) -> bytes:
    """The digest, 32 bytes. Raises: MissingLibrary."""
    digest: bytes = keccak_256(data).digest()
    return digest


def check_keccak() -> None:
    """Compare known digests. Raises: InvariantBroken ``wrong_backend``."""
    for data, expected in _KNOWN.items():
        found = keccak256(data).hex()
        require_invariant(
            found == expected,
            "wrong_backend",
            f"the engine's keccak-256 (safe-pysha3) gives {found} for {len(data)} bytes whose digest is {expected}; "
            "install the pinned packages anew",
        )

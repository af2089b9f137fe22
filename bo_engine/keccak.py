"""keccak-256, as Ethereum uses it (not NIST's SHA3-256)."""

from collections.abc import Callable


def _load() -> Callable[[bytes], bytes]:
    # safe-pysha3 is five times faster; pycryptodome has wheels for more platforms. Both give the same digests,
    # and a wrong one would cost money, so the choice is checked against the known digest of the empty string.
    try:
        import sha3

        def hash_bytes(data: bytes) -> bytes:
            digest: bytes = sha3.keccak_256(data).digest()
            return digest
    except ImportError:
        from Crypto.Hash import keccak

        def hash_bytes(data: bytes) -> bytes:
            digest: bytes = keccak.new(data=data, digest_bits=256).digest()
            return digest

    if hash_bytes(b"").hex() != "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470":
        raise ImportError("the keccak-256 backend returns wrong digests")
    return hash_bytes


keccak256: Callable[[bytes], bytes] = _load()

"""The manifest's signature: who signed these bytes (docs/artifacts.md, manifest.json)."""

from typing import Any

from py_ecc.secp256k1.secp256k1 import ecdsa_raw_recover, ecdsa_raw_sign, privtopub

from verifier.checking import Differs, require
from verifier.hashing import hex_of, keccak256
from verifier.strict_json import write_canonical

#: In front of what is signed, so that it can be nothing else: no transaction, no permit, no other message.
TITLE = b"BO-ENGINE/MANIFEST/1\n"
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signed_hash(document: dict[str, Any]) -> bytes:
    """EIP-191 (version 0x45) of the title and the canonical manifest without its signature; ``document`` is JSON."""
    body = TITLE + write_canonical({name: value for name, value in document.items() if name != "signature"})
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(body)).encode("ascii") + body)


def signer_of(digest: bytes, signature: bytes) -> str:
    """The wallet that made the signature: r, s, v. Raises: Differs for one that has a second spelling, or none."""
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    require(v in (27, 28), f"the signature ends with {v}, not with 27 or 28")
    require(0 < r < _ORDER and 0 < s <= _ORDER // 2, "r or s of the signature is out of range")
    try:
        key = ecdsa_raw_recover(digest, (v, r, s))
    except (ValueError, AssertionError, ZeroDivisionError):
        raise Differs("no key has made this signature") from None
    if not key or key == (0, 0):  # the point at infinity, which is how it comes from a crafted r and s
        raise Differs("no key has made this signature")
    return wallet_of(key)


def wallet_of(public_key: tuple[int, int]) -> str:
    """The address of a public key."""
    x, y = public_key
    return hex_of(keccak256(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:])


def wallet_of_secret(secret: bytes) -> str:
    """The address of a private key; for the self-test's forger."""
    return wallet_of(privtopub(secret))


def sign_with(secret: bytes, digest: bytes) -> bytes:
    """A deterministic signature (RFC 6979); for the self-test's forger."""
    v, r, s = ecdsa_raw_sign(digest, secret)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])

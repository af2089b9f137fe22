"""Whoever opens the engine, from a command or not, has its libraries asked first."""

import hashlib

import pytest

from bo_engine.errors import InvariantBroken
from bo_engine.settings import Settings
from services.lottery.context import open_lottery

NOWHERE = Settings(
    {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
        "RPC_URL": "http://127.0.0.1:9/",
        "RPC_FALLBACK_URL": "http://127.0.0.1:9/2",
        "CHAIN_ID": "421614",
        "SETTLEMENT_ADDRESS": "0x" + "11" * 20,
    }
)


@pytest.mark.parametrize(
    ("place", "wrong", "says"),
    [
        ("bo_engine.keccak.keccak_256", hashlib.sha3_256, "keccak-256"),
        ("core.lottery.drand.pyblst.final_verify", lambda *_: True, "BLS12-381"),
        ("core.lottery.drand.pyblst.final_verify", lambda *_: False, "BLS12-381"),
    ],
)
def test_an_engine_with_a_wrong_library_is_not_opened(
    monkeypatch: pytest.MonkeyPatch, place: str, wrong: object, says: str
) -> None:
    monkeypatch.setattr(place, wrong)
    with (
        pytest.raises(InvariantBroken, match=f"wrong_backend: the engine's {says}"),
        open_lottery(NOWHERE, report=print),
    ):
        pass

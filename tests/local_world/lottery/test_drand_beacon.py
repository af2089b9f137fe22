"""The local drand beacon: real signatures, published when their time has come (rule 3.2)."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from bo_engine.errors import InvalidInput
from bo_engine.units import SECONDS_PER_DAY, DayId
from core.lottery.drand import verify_beacon
from core.lottery.draw import drand_round_of
from core.lottery.ruleset import QUICKNET
from local_world import processes
from local_world.chain import Chain, start_chain
from local_world.lottery.drand_beacon import DrandBeacon, chain_hash_of, start_drand_beacon

FIRST_DAY = DayId(20_000)
GENESIS = FIRST_DAY * SECONDS_PER_DAY
# Published by the network itself at /info ("groupHash").
QUICKNET_SEED = bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    started = start_chain(tmp_path_factory.mktemp("chain"), genesis_s=GENESIS)
    yield started
    processes.end(started.process)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("beacon")


@pytest.fixture(scope="module")
def beacon(chain: Chain, folder: Path) -> Iterator[DrandBeacon]:
    started = start_drand_beacon(folder, chain.url, genesis_s=GENESIS)
    yield started
    processes.end(started.process)


def get(beacon: DrandBeacon, path: str) -> requests.Response:
    return requests.get(f"{beacon.url}/{beacon.network.chain_hash.hex()}/{path}", timeout=10)


def test_networks_are_named_as_drand_names_them() -> None:
    named = chain_hash_of(QUICKNET.period_s, QUICKNET.genesis_s, QUICKNET.public_key, QUICKNET_SEED, "quicknet")
    assert named == QUICKNET.chain_hash


def test_its_rounds_verify_against_its_pinned_key(chain: Chain, beacon: DrandBeacon) -> None:
    chain.advance_to(GENESIS + SECONDS_PER_DAY + 5_000)
    due = drand_round_of(beacon.network, FIRST_DAY, GENESIS + SECONDS_PER_DAY + 60)
    answer = get(beacon, f"public/{due}").json()
    signature = bytes.fromhex(answer["signature"])
    assert answer["round"] == due
    assert verify_beacon(beacon.network, due, signature).hex() == answer["randomness"]
    assert hashlib.sha256(signature).hexdigest() == answer["randomness"]
    with pytest.raises(InvalidInput, match="not the network's"):
        verify_beacon(beacon.network, due + 1, signature)
    with pytest.raises(InvalidInput, match="not the network's"):
        verify_beacon(QUICKNET, due, signature)


def test_a_round_is_published_when_its_time_has_come_and_not_before(chain: Chain, beacon: DrandBeacon) -> None:
    target = chain.now() + 3_000
    due = 1 + -(-(target - GENESIS) // 3)
    assert get(beacon, f"public/{due}").status_code == 404
    chain.advance_to(GENESIS + (due - 1) * 3)
    assert get(beacon, f"public/{due}").status_code == 200
    assert get(beacon, f"public/{due + 200}").status_code == 404
    latest = get(beacon, "public/latest").json()["round"]
    assert due <= latest <= due + 5
    assert get(beacon, "public/0").json()["round"] >= latest


def test_a_round_is_signed_once_and_always_the_same(beacon: DrandBeacon) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: get(beacon, "public/7").content, range(16)))
    assert len(set(answers)) == 1


def test_it_speaks_drands_api(beacon: DrandBeacon) -> None:
    name = beacon.network.chain_hash.hex()
    assert requests.get(f"{beacon.url}/chains", timeout=10).json() == [name]
    info = get(beacon, "info").json()
    assert info["public_key"] == beacon.network.public_key.hex()
    assert (info["hash"], info["period"], info["genesis_time"]) == (name, 3, GENESIS)
    assert info["schemeID"] == "bls-unchained-g1-rfc9380"
    other = QUICKNET.chain_hash.hex()
    assert requests.get(f"{beacon.url}/{other}/public/1", timeout=10).status_code == 404
    for odd in ("public/-1", "public/x", "public/", "public/1/2"):
        assert get(beacon, odd).status_code == 404


def test_the_key_is_its_own_and_readable_by_its_owner_only(beacon: DrandBeacon, folder: Path) -> None:
    assert (folder / "drand_key.json").stat().st_mode & 0o777 == 0o600
    assert "secret" not in Path(f"/proc/{beacon.process.pid}/cmdline").read_text()

"""Random campaigns of everybody's moves against the contracts (contracts/test/invariants): G12, rules 2.4 to 2.11, 4.5.

forge checks all invariants after every move; here it is made sure that the moves were really made.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.node_tools import find_forge, run

SUITE = "test/invariants/Invariants.t.sol:InvariantsTest"
INVARIANT = "invariant_EveryAtomIsAccountedForAfterEveryMove()"

# What a campaign must have reached, and the moves of which each reaches it.
DEEDS = {
    "sale": ("playerBuys", "relayerBuysForAPlayer"),
    "sale to a contract": ("walletContractBuys",),
    "seed": ("anybodyRequestsASeed", "coordinatorAnswers", "coordinatorAnswersTwice"),
    "commit": ("settlerCommits",),
    "stolen commit": ("stolenSettlerCommits",),
    "theft": ("guardianSleepsThroughATheft",),
    "veto": ("guardianVetoes",),
    "release": ("anybodyReleases",),
    "void": ("ownerVoidsASilentDay", "ownerVoidsAnOldDay"),
    "claim": ("anybodyClaims",),
    "claim by router": ("routerClaimsMany",),
    "pause": ("guardianPausesClaims", "guardianPausesPurchases"),
    "role": ("ownerReplacesARole",),
    "withdrawal": ("anybodyWithdrawsFees", "anybodyWithdrawsCharity", "ownerPaysACharity"),
    "block list": ("tokenBlocksSomebody",),
}


@dataclass(frozen=True)
class Campaigns:
    """How many runs and moves there were, and how often each move was made (discarded tries do not count)."""

    runs: int
    moves: int
    made: dict[str, int]

    def made_of(self, names: Iterable[str]) -> int:
        return sum(self.made[name] for name in names)


def play(folder: Path, *, profile: str, seed: str, timeout_s: float) -> Campaigns:
    """Play the campaigns of a profile of foundry.toml; fails with the broken invariant and the moves that led to it."""
    places = ["--out", folder / "out", "--cache-path", folder / "cache"]
    argv = [find_forge(), "test", "--json", "--match-path", "test/invariants/*", "--fuzz-seed", seed, *places]
    result = run(argv, timeout_s=timeout_s, profile=profile)
    lines = result.stdout.strip().splitlines()
    assert lines, result.stderr
    outcome: dict[str, Any] = json.loads(lines[-1])[SUITE]["test_results"][INVARIANT]
    found = (outcome["reason"], f"FOUNDRY_PROFILE={profile} forge test --fuzz-seed {seed}", outcome["counterexample"])
    assert outcome["status"] == "Success", found
    assert result.returncode == 0, result.stderr
    kind = outcome["kind"]["Invariant"]
    assert kind["reverts"] == 0
    made = {
        name.rsplit(".", 1)[1]: count["calls"] - count["reverts"] - count["discards"]
        for name, count in kind["metrics"].items()
    }
    return Campaigns(kind["runs"], kind["calls"], made)


def test_a_sample_of_campaigns_breaks_no_invariant(tmp_path: Path) -> None:
    """The same campaigns each time, so that a failure here is due to a change."""
    campaigns = play(tmp_path, profile="default", seed="0xb0e", timeout_s=300)
    assert (campaigns.runs, campaigns.moves) == (16, 16 * 30)
    missed = [deed for deed, names in DEEDS.items() if campaigns.made_of(names) == 0]
    assert missed == []


@pytest.mark.slow
def test_long_campaigns_of_every_actor_break_no_invariant(tmp_path: Path) -> None:
    """Other campaigns each time; what fails is named with its seed."""
    campaigns = play(tmp_path, profile="long", seed="0x" + secrets.token_hex(32), timeout_s=3_000)
    assert campaigns.runs >= 256
    assert campaigns.moves >= campaigns.runs * 50
    rare = {name: count for name, count in campaigns.made.items() if count < 20}
    assert rare == {}
    missed = [deed for deed, names in DEEDS.items() if campaigns.made_of(names) < campaigns.runs // 8]
    assert missed == []
    summary = {deed: campaigns.made_of(names) for deed, names in DEEDS.items()}
    print(f"campaigns: {campaigns.runs} runs, {campaigns.moves} moves, {summary}")  # noqa: T201

"""Random campaigns of every actor against the contracts (contracts/test/lottery/invariants): G12, sections 2 and 7.

forge checks all invariants after every move, and ends each campaign with a liquidation in which no key takes part; here
it is made sure that the moves were really made.
"""

import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.node_tools import CONTRACTS, find_forge, run

FOLDER = CONTRACTS / "test" / "lottery" / "invariants"
SUITE = "test/lottery/invariants/Invariants.t.sol:InvariantsTest"
INVARIANT = "invariant_EveryAtomIsAccountedForAfterEveryMove()"
MAX_LINES = 300

# What a campaign must have reached, and the moves of which each reaches it.
DEEDS = {
    "sale": ("playerBuysDirectly", "relayerBuysForAPlayer"),
    "sale with vouchers": ("relayerBuysWithVouchers",),
    "vouchers of a payer without office": ("theVouchersPayerLeavesOfficeDuringADay",),
    "sale to a contract": ("walletContractBuys",),
    "refused sale": ("salesStopOnLag", "salesEndWithTheLastDay", "salesStopDuringAPause", "salesWaitForTheFirstDay"),
    "sale under a fee": ("salesStopUnderAFee", "tokenStartsToTakeAFee"),
    "seed": ("anyoneRequestsASeed", "coordinatorAnswers", "coordinatorAnswersTwice"),
    "late word": ("coordinatorAnswersForAVoidedDay", "aYoungRequestDelaysTheVoid"),
    "request not served": ("keyIsUnknown", "subscriptionIsEmpty", "aSecondWordNeedsItsOwnLink"),
    "commit": ("settlerCommits",),
    "stolen settler key": ("settlersStolenKeyCommits", "guardianStopsAStolenKey", "guardianSleepsThroughAForgery"),
    "veto": ("guardianVetoes", "ownerVetoes"),
    "release": ("anyoneReleases",),
    "void of an empty day": ("anyoneVoidsAnEmptyDay",),
    "void of a wordless day": ("ownerVoidsAWordlessDay", "anyoneVoidsAWordlessDay"),
    "void of a drawn day": ("anyoneVoidsADrawnDay", "aLapsedDrawTurnsTheEndToTheHeir"),
    "lag": ("daysCatchUp", "allSleep"),
    "claim": ("anyoneClaims",),
    "claim by router": ("routerClaimsMany",),
    "refund": ("anyoneRefundsATicket", "anyoneRefundsManyTickets"),
    "refund by router": ("routerRefundsMany",),
    "refund of vouchers": ("anyoneRefundsVouchers", "vouchersAreRefundedToAPayee"),
    "payee": ("anAccountNamesAPayee", "aBlockedAccountIsPaidThroughItsPayee"),
    "pause": ("guardianPausesClaims", "guardianPausesPurchases"),
    "pull": ("anyoneWithdrawsFees", "anyoneWithdrawsGas", "anyoneWithdrawsCharity"),
    "charity": ("ownerPaysACharity", "ownerRemovesACharity"),
    "sweep": ("giftsAreSwept",),
    "setting": ("feeReceiverChanges", "gasSafeChanges", "voucherCapRises", "vrfConfigChanges", "charityIsRegistered"),
    "cancelled announcement": ("changeOfAReceiverIsCancelled", "sweepIsCancelled", "charityIsCancelled"),
    "lapsed announcement": ("anAnnouncementLapses", "aNamingLapses"),
    "new owner or guardian": ("aNewOwnerTakesOffice", "aNewGuardianTakesOffice"),
    "new settler": ("aNewSettlerTakesOffice", "aNewSettlerTakesAForgeryBack"),
    "removed key": ("ownerRemovesTheSettler", "ownerRemovesTheRelayer"),
    "suspended key": ("aSuspendedKeyTakesOfficeAgain", "guardianSuspendsTheSettler", "guardianSuspendsTheRelayer"),
    "lifted suspension": ("ownerLiftsASuspension",),
    "cancelled naming": ("ownerCancelsANaming", "guardianCancelsANaming"),
    "end": ("ownerAnnouncesAnEnd", "ownerCancelsAnEnd", "guardianCancelsAnEnd"),
    "mute receiver of an end": ("theReceiverStopsToAnswer",),
    "abandoned game": ("theGameIsAbandoned", "ownerComesBackToAnAbandonedGame", "aReleaseRevivesAnAbandonedGame"),
    "finished game": ("anyoneFinishesTheGame", "anyoneFinishesAnAbandonedGame"),
    "blocked account": ("tokenBlocksSomebody", "aBlockedReceiverIsNotPaid", "blockedPlayerCannotBuy"),
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
    argv = [find_forge(), "test", "--json", "--match-path", "test/lottery/invariants/*", "--fuzz-seed", seed, *places]
    with pytest.MonkeyPatch.context() as patch:
        # forge would keep a failure in contracts/cache and play it again first, whatever the seed.
        patch.setenv("FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR", str(folder / "failures"))
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


def written_moves() -> set[str]:
    """The moves that stand in the campaign's sources."""
    sources = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.sol"))
    return set(re.findall(r"function (\w+)\(uint256 seed\) external move\(seed\)", sources))


@pytest.mark.slow
def test_a_sample_of_campaigns_breaks_no_invariant(tmp_path: Path) -> None:
    """The same campaigns each time, so that a failure here is due to a change."""
    campaigns = play(tmp_path, profile="default", seed="0xb0e", timeout_s=300)
    assert (campaigns.runs, campaigns.moves) == (32, 32 * 40)
    # A move that was written but not offered would be missing here.
    assert set(campaigns.made) == written_moves()
    missed = [deed for deed, names in DEEDS.items() if campaigns.made_of(names) == 0]
    assert missed == []


def test_the_campaigns_sources_are_short() -> None:
    """One idea a file."""
    long = {path.name: len(path.read_text("utf-8").splitlines()) for path in FOLDER.glob("*.sol")}
    assert {name: lines for name, lines in long.items() if lines > MAX_LINES} == {}


@pytest.mark.slow
def test_long_campaigns_of_every_actor_break_no_invariant(tmp_path: Path) -> None:
    """Other campaigns each time; what fails is named with its seed."""
    campaigns = play(tmp_path, profile="long", seed="0x" + secrets.token_hex(32), timeout_s=6_000)
    assert campaigns.runs >= 512
    assert campaigns.moves >= campaigns.runs * 64
    rare = {name: count for name, count in campaigns.made.items() if count < 20}
    assert rare == {}
    missed = [deed for deed, names in DEEDS.items() if campaigns.made_of(names) < campaigns.runs // 8]
    assert missed == []
    summary = {deed: campaigns.made_of(names) for deed, names in DEEDS.items()}
    print(f"campaigns: {campaigns.runs} runs, {campaigns.moves} moves, {summary}")  # noqa: T201

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Mischief} from "./Mischief.sol";

/// @notice All moves, and what must still be possible when they are over.
contract Campaign is Mischief {
    bytes4[] private _moves;

    /// @notice What a campaign may do; what stands twice is done twice as often.
    function moves() external returns (bytes4[] memory) {
        _offer(this.playerBuys.selector, 3);
        _offer(this.relayerBuysForAPlayer.selector, 4);
        _offer(this.walletContractBuys.selector, 2);
        _offer(this.anybodyRequestsASeed.selector, 2);
        _offer(this.coordinatorAnswers.selector, 2);
        _offer(this.coordinatorAnswersTwice.selector, 1);
        _offer(this.settlerCommits.selector, 3);
        _offer(this.stolenSettlerCommits.selector, 2);
        _offer(this.guardianVetoes.selector, 3);
        _offer(this.anybodyReleases.selector, 6);
        _offer(this.guardianSleepsThroughATheft.selector, 2);
        _offer(this.engineCatchesUp.selector, 4);
        _offer(this.ownerAnnouncesAVoid.selector, 1);
        _offer(this.ownerVoidsASilentDay.selector, 3);
        _offer(this.ownerVoidsAnOldDay.selector, 2);
        _offer(this.anybodyClaims.selector, 6);
        _offer(this.routerClaimsMany.selector, 3);
        _offer(this.anybodyWithdrawsFees.selector, 1);
        _offer(this.anybodyWithdrawsCharity.selector, 1);
        _offer(this.ownerPaysACharity.selector, 2);
        _offer(this.guardianPausesClaims.selector, 1);
        _offer(this.aPauseOfClaimsEndsEarly.selector, 1);
        _offer(this.ownerReplacesARole.selector, 2);
        _offer(this.ownerNamesSomebodyWhoDeclines.selector, 1);
        _offer(this.ownerSetsARate.selector, 1);
        _offer(this.ownerSchedulesARuleset.selector, 1);
        _offer(this.ownerReplacesAReceiver.selector, 1);
        _offer(this.ownerSetsTheVrfConfig.selector, 1);
        _offer(this.guardianPausesPurchases.selector, 1);
        _offer(this.salesOpenAgain.selector, 2);
        _offer(this.tokenBlocksSomebody.selector, 1);
        _offer(this.tokenUnblocksSomebody.selector, 2);
        _offer(this.somebodySendsMoneyByMistake.selector, 1);
        _offer(this.timePasses.selector, 4);
        return _moves;
    }

    function _offer(bytes4 selector, uint256 times) private {
        for (; times != 0; --times) _moves.push(selector);
    }

    // ------------------------------------------------------------------------------------- the end

    /// @notice Whatever happened: every sold day can be ended, everybody paid, and nothing is left that is owed to
    ///         nobody.
    function finish() external {
        for (uint256 i = 0; i < everybody.length; ++i) {
            if (usdt.isBlocked(everybody[i])) usdt.setBlocked(everybody[i], false);
        }
        if (hasPending && isPendingHonest) {
            _warpTo(committedAt[next] + CHALLENGE);
            _releaseNext();
        } else if (hasPending) {
            _vetoNext();
        }
        _endAllSoldDays();
        this.check();
        for (uint256 day = FIRST_DAY; day <= _today() + 1; ++day) {
            _checkDay(day);
            _checkSales(day);
        }
        _warpTo(prizes.pausedUntil());
        _warpTo(commissions.pausedUntil());
        for (uint256 day = FIRST_DAY; day < next; ++day) {
            _claimAll(PRIZES, day);
            _claimAll(COMMISSIONS, day);
        }
        _withdrawFees();
        _withdrawCharity();
        if (due[address(charityVault)] != 0) _payCharity(players[2], due[address(charityVault)]);
        this.check();
        _checkNothingIsLeft();
    }

    function _endAllSoldDays() private {
        if (soldDays.length == 0) return;
        uint256 last = soldDays[soldDays.length - 1];
        while (next <= last) {
            if (_canSettle()) {
                _commitNext(Theft.None);
                _warpTo(committedAt[next] + CHALLENGE);
                _releaseNext();
            } else {
                _warpTo((next + 4) * 1 days);
                _voidNext();
            }
        }
    }

    function _claimAll(uint256 vault, uint256 day) private {
        Promise storage promised = promises[vault][day];
        for (uint256 i = 0; i < promised.leaves.length; ++i) {
            Place memory place = Place(vault, day, i);
            if (_isClaimable(place)) {
                (bool ok,) = address(_vault(vault)).call(_claimCall(place));
                require(ok, "no trapped atom: a promise can be claimed");
                _bookClaim(vault, day, _leafAt(place));
            }
            string memory broken = "claims: once, and never above a day's total";
            _refused(thief, address(_vault(vault)), _claimCall(place), 0, broken);
        }
        if (promised.isHonest) require(promised.claimed == promised.total, "no trapped atom: an honest day is paid");
    }

    /// @dev What a thief's released tree promised to nobody stays; all else is gone or belongs to the pools.
    function _checkNothingIsLeft() private view {
        uint256 kept;
        for (uint256 p = 0; p < 5; ++p) kept += pools[p].carry + pools[p].reserve + pools[p].lastRollover;
        uint256 left = usdt.balanceOf(address(reserve)) - stray[address(reserve)];
        require(left == kept, "no trapped atom: the reserve vault ends with what the pools own");
        for (uint256 vault = 0; vault < 2; ++vault) {
            uint256 unclaimable;
            for (uint256 day = FIRST_DAY; day < next; ++day) {
                unclaimable += promises[vault][day].total - promises[vault][day].claimed;
            }
            left = usdt.balanceOf(address(_vault(vault))) - stray[address(_vault(vault))];
            require(left == unclaimable, "no trapped atom: a claim vault ends empty");
        }
        require(usdt.balanceOf(address(charityVault)) == 0, "no trapped atom: charity reaches the charities");
    }
}

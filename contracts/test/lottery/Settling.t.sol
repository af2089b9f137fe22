// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {DayRecord, PoolState, Settlement, Split} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";
import {Vm} from "../shared/Vm.sol";

/// @notice Commit, veto, release.
contract SettlingTest is Base {
    // ------------------------------------------------------------------------------------- commit

    function test_OnlyTheSettlerCommits() public {
        _makeDue(FIRST_DAY);
        address[5] memory others = [owner, guardian, relayer, promotions, stranger];
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.NotSettler.selector, others[i]));
            vm.prank(others[i]);
            settlement.commitMerkleSettlement(_empty(FIRST_DAY));
        }
    }

    function test_ADayMustBeClosedAndNext() public {
        vm.warp(CLOSE - 1);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.DayNotClosed.selector, FIRST_DAY));
        vm.warp((FIRST_DAY + 3) * 1 days);
        bytes4 notNext = SettlementV4.NotNextDay.selector;
        _refuseCommit(_empty(FIRST_DAY + 1), abi.encodeWithSelector(notNext, FIRST_DAY + 1, FIRST_DAY));
        _refuseCommit(_empty(FIRST_DAY - 1), abi.encodeWithSelector(notNext, FIRST_DAY - 1, FIRST_DAY));
        _refuseCommit(_empty(type(uint256).max), abi.encodeWithSelector(notNext, type(uint256).max, FIRST_DAY));
        _commit(_empty(FIRST_DAY));
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.AlreadyCommitted.selector, FIRST_DAY));
        _refuseCommit(_empty(FIRST_DAY + 1), abi.encodeWithSelector(notNext, FIRST_DAY + 1, FIRST_DAY));
        _release(_empty(FIRST_DAY));
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(notNext, FIRST_DAY, FIRST_DAY + 1));
        _commit(_empty(FIRST_DAY + 1));
    }

    function test_AnEmptyDayIsCommittedTooAnHourAfterItsClose() public {
        bytes4 tooEarly = SettlementV4.TooEarlyToCommit.selector;
        vm.warp(CLOSE);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(tooEarly, CLOSE + 3_600));
        vm.warp(CLOSE + 3_599);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(tooEarly, CLOSE + 3_600));
        vm.assertEq(settlement.earliestCommit(FIRST_DAY), CLOSE + 3_600);
        vm.warp(CLOSE + 3_600);
        _settle(_empty(FIRST_DAY));
        vm.assertEq(_status(FIRST_DAY), 2);
        vm.assertEq(prizes.rootOf(FIRST_DAY), bytes32(0));
    }

    function test_NoCommitBeforeAnHourAfterTheVrfRequest() public {
        _buy(0, 1);
        // The later of close and request counts, and the time of the answer does not.
        vm.warp(CLOSE + 5 hours);
        uint256 requestId = vrf.requestSeed(FIRST_DAY);
        vm.warp(block.timestamp + 3_000);
        coordinator.fulfillRandomWords(requestId, address(vrf));
        uint256 earliest = CLOSE + 5 hours + 3_600;
        vm.assertEq(settlement.earliestCommit(FIRST_DAY), earliest);
        vm.warp(earliest - 1);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.TooEarlyToCommit.selector, earliest));
        vm.warp(earliest);
        _commit(_empty(FIRST_DAY));
    }

    function test_ADayWithTipsNeedsItsWord() public {
        _buy(0, 1);
        vm.warp(CLOSE + 3_600);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.SeedMissing.selector, FIRST_DAY));
        uint256 requestId = vrf.requestSeed(FIRST_DAY);
        vm.warp(block.timestamp + 3_600);
        _refuseCommit(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.SeedMissing.selector, FIRST_DAY));
        coordinator.fulfillRandomWords(requestId, address(vrf));
        _commit(_empty(FIRST_DAY));
    }

    function test_ACommitMovesNothing() public {
        Settlement memory s = _playedDay();
        uint256 before = usdt.balanceOf(address(reserve));
        bytes32 opening = keccak256(abi.encode(settlement.openingState()));
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.DayCommitted(FIRST_DAY, s.runHash, keccak256(abi.encode(s)), s);
        _commit(s);
        vm.assertEq(usdt.balanceOf(address(reserve)), before);
        vm.assertEq(keccak256(abi.encode(settlement.openingState())), opening);
        vm.assertEq(prizes.rootOf(FIRST_DAY), bytes32(0));
        vm.assertEq(prizes.totalReleased(), 0);
        vm.assertEq(reserve.accruedFees(), 0);
        vm.assertEq(settlement.nextDay(), FIRST_DAY);
        DayRecord memory r = settlement.dayRecord(FIRST_DAY);
        vm.assertEq(r.status, 1);
        vm.assertEq(r.settlementHash, keccak256(abi.encode(s)));
        vm.assertEq(settlement.settlementHash(FIRST_DAY), keccak256(abi.encode(s)));
        vm.assertEq(r.runHash, s.runHash);
        vm.assertEq(r.committedAt, block.timestamp);
        vm.assertEq(r.releasedAt, 0);
    }

    function test_SumsRootsAndFlagsMustAgree() public {
        Settlement memory s = _playedDay();
        s.runHash = 0;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.ZeroRunHash.selector));
        s = _playedAgain();
        s.totalPayout += 1;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.TotalMismatch.selector, s.totalPayout - 1, s.totalPayout));
        s = _playedAgain();
        s.totalPayout = s.poolPayout[0];
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.TotalMismatch.selector, 1_500_000, s.totalPayout));
        s = _playedAgain();
        s.jackpotHit[0] = false;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.JackpotHitMismatch.selector, 0));
        s.jackpotHit[0] = true;
        s.jackpotHit[4] = true;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.JackpotHitMismatch.selector, 4));
    }

    function test_ARootIsZeroExactlyWhenItsTotalIs() public {
        Settlement memory s = _playedDay();
        bytes4 mismatch = SettlementV4.RootTotalMismatch.selector;
        s.merkleRoot = 0;
        _refuseCommit(s, abi.encodeWithSelector(mismatch, bytes32(0), s.totalPayout));
        s = _playedAgain();
        s.affiliateRoot = 0;
        _refuseCommit(s, abi.encodeWithSelector(mismatch, bytes32(0), s.affiliateTotal));
        s = _playedAgain();
        s.affiliateTotal = 0;
        _refuseCommit(s, abi.encodeWithSelector(mismatch, s.affiliateRoot, 0));
        s = _empty(FIRST_DAY);
        s.merkleRoot = "root";
        _refuseCommit(s, abi.encodeWithSelector(mismatch, bytes32("root"), 0));
    }

    function test_PayoutsStayWithinBudgetReserveAndFee() public {
        Settlement memory s = _playedDay();
        Split memory split = _split(FIRST_DAY, 0);
        s.poolPayout[0] = split.pot + 1;
        _refuseCommit(
            s, abi.encodeWithSelector(SettlementV4.PoolPayoutAboveBudget.selector, 0, split.pot + 1, split.pot)
        );
        s = _playedAgain();
        uint256 limit = split.jackpot * 9_000 / 10_000;
        s.poolJackpotPayout[0] = limit + 1;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.JackpotAboveReserve.selector, 0, limit + 1, limit));
        s = _playedAgain();
        s.charityTotal = split.fee - s.affiliateTotal + 1;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.FeeExceeded.selector, split.fee + 1, split.fee));
        s = _playedAgain();
        s.affiliateTotal = split.fee + 1;
        s.charityTotal = 0;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.FeeExceeded.selector, split.fee + 1, split.fee));
        // Sums that overflow are none that fit.
        s = _playedAgain();
        s.charityTotal = type(uint256).max;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.FeeExceeded.selector, s.affiliateTotal - 1, split.fee));
        s = _playedAgain();
        s.poolPayout[0] = type(uint256).max;
        _refuseCommit(
            s, abi.encodeWithSelector(SettlementV4.PoolPayoutAboveBudget.selector, 0, type(uint256).max, split.pot)
        );
    }

    function test_APoolWithoutTipsPaysNothing() public {
        _buy(1, 100);
        _settle(_empty(FIRST_DAY));
        _warpToNoon(FIRST_DAY + 1);
        _buy(0, 1);
        _makeDue(FIRST_DAY + 1);
        // Pool 1 has carry and reserve, and sold nothing.
        Settlement memory s = _empty(FIRST_DAY + 1);
        s.poolPayout[1] = 1;
        s.totalPayout = 1;
        s.merkleRoot = "root";
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.PayoutWithoutTips.selector, 1));
        s.poolPayout[1] = 0;
        s.poolJackpotPayout[1] = 1;
        s.jackpotHit[1] = true;
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.PayoutWithoutTips.selector, 1));
    }

    function test_TheWholeBudgetNineTenthsOfTheReserveAndTheWholeFeeMayBePaid() public {
        Settlement memory s = _playedDay();
        Split memory split = _split(FIRST_DAY, 0);
        s.poolPayout[0] = split.pot;
        s.poolJackpotPayout[0] = split.jackpot * 9 / 10;
        s.totalPayout = s.poolPayout[0] + s.poolJackpotPayout[0];
        s.charityTotal = split.fee - s.affiliateTotal;
        _commit(s);
        _release(s);
        vm.assertEq(reserve.accruedFees(), 0);
        vm.assertEq(_state(0).carry, 0);
        vm.assertEq(_state(0).reserve, split.jackpot - split.jackpot * 9 / 10);
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- veto

    function test_GuardianOrOwnerVetoesUntilTheReleaseAlsoAfterThePeriod() public {
        Settlement memory s = _playedDay();
        address[2] memory may = [guardian, owner];
        for (uint256 i = 0; i < 2; ++i) {
            _commit(s);
            address[3] memory mayNot = [settler, relayer, stranger];
            for (uint256 k = 0; k < 3; ++k) {
                vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardianOrOwner.selector, mayNot[k]));
                vm.prank(mayNot[k]);
                settlement.veto(FIRST_DAY, "not mine");
            }
            // A stalled sequencer must not eat their time.
            vm.warp(block.timestamp + 10 days);
            vm.expectEmit(true, true, true, true, address(settlement));
            emit SettlementV4.DayVetoed(FIRST_DAY, keccak256(abi.encode(s)), "wrong root");
            vm.prank(may[i]);
            settlement.veto(FIRST_DAY, "wrong root");
            DayRecord memory r = settlement.dayRecord(FIRST_DAY);
            vm.assertEq(r.status, 0);
            vm.assertEq(r.settlementHash, bytes32(0));
            vm.assertEq(r.runHash, bytes32(0));
            vm.assertEq(r.committedAt, 0);
            vm.assertEq(settlement.takebacks(FIRST_DAY), i + 1);
            _refuseRelease(s, abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
            vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
            vm.prank(guardian);
            settlement.veto(FIRST_DAY, "again");
        }
        // The same result may be committed again, and its period starts anew.
        _commit(s);
        _refuseRelease(
            s, abi.encodeWithSelector(SettlementV4.ChallengePeriodRuns.selector, block.timestamp + CHALLENGE)
        );
        _release(s);
        vm.assertEq(settlement.takebacks(FIRST_DAY), 2);
    }

    function test_AVetoHasItsOwnEventAlone() public {
        _makeDue(FIRST_DAY);
        _commit(_empty(FIRST_DAY));
        vm.recordLogs();
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "");
        Vm.Log[] memory logs = vm.getRecordedLogs();
        vm.assertEq(logs.length, 1);
        vm.assertEq(logs[0].topics[0], SettlementV4.DayVetoed.selector);
    }

    function test_AReleasedDayCannotBeVetoed() public {
        _settle(_empty(FIRST_DAY));
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "late");
    }

    // ------------------------------------------------------------------------------------- release

    function test_AnyoneReleasesExactlyWhatWasCommittedFromTheEndOfThePeriod() public {
        Settlement memory s = _playedDay();
        _refuseRelease(s, abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        _commit(s);
        uint256 until = block.timestamp + CHALLENGE;
        vm.warp(until - 1);
        _refuseRelease(s, abi.encodeWithSelector(SettlementV4.ChallengePeriodRuns.selector, until));
        vm.warp(until);
        Settlement memory other = _playedAgain();
        other.charityTotal += 1;
        _refuseRelease(
            other,
            abi.encodeWithSelector(
                SettlementV4.WrongSettlement.selector, keccak256(abi.encode(s)), keccak256(abi.encode(other))
            )
        );
        vm.prank(stranger);
        settlement.release(s);
        vm.assertEq(_status(FIRST_DAY), 2);
        vm.assertEq(settlement.dayRecord(FIRST_DAY).releasedAt, block.timestamp);
        _refuseRelease(s, abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
    }

    function test_AReleaseMovesCreditsRootsAndStateAndCallsNoToken() public {
        Settlement memory s = _playedDay();
        Split memory split = _split(FIRST_DAY, 0);
        _commit(s);
        vm.warp(block.timestamp + CHALLENGE);
        uint256 held = reserve.held();
        // Any call of the token would revert.
        bytes memory code = address(usdt).code;
        vm.etch(address(usdt), hex"fe");
        vm.expectEmit(true, true, true, true, address(reserve));
        emit ReserveVault.DayAccrued(FIRST_DAY, split.fee - s.affiliateTotal - s.charityTotal, s.charityTotal);
        settlement.release(s);
        vm.etch(address(usdt), code);

        PoolState memory state = _state(0);
        vm.assertEq(state.carry, split.pot - s.poolPayout[0]);
        vm.assertEq(state.reserve, split.jackpot - s.poolJackpotPayout[0]);
        vm.assertEq(state.lastRollover, split.rollover);
        vm.assertEq(state.streak, 0);
        vm.assertEq(prizes.rootOf(FIRST_DAY), s.merkleRoot);
        vm.assertEq(prizes.totalOf(FIRST_DAY), s.totalPayout);
        vm.assertEq(prizes.totalReleased(), s.totalPayout);
        vm.assertEq(commissions.rootOf(FIRST_DAY), s.affiliateRoot);
        vm.assertEq(commissions.totalReleased(), s.affiliateTotal);
        vm.assertEq(reserve.accruedCharity(), s.charityTotal);
        vm.assertEq(reserve.accruedFees(), split.fee - s.affiliateTotal - s.charityTotal);
        vm.assertEq(reserve.held(), held);
        vm.assertEq(settlement.nextDay(), FIRST_DAY + 1);
        (, uint256 nextDay,,) = game.sales();
        vm.assertEq(nextDay, FIRST_DAY + 1);
        vm.assertEq(settlement.openingStateHash(FIRST_DAY + 1), keccak256(abi.encode(settlement.openingState())));
        _assertSolvent();
    }

    function test_TheReleasedEventShowsTheClosingState() public {
        Settlement memory s = _playedDay();
        Split memory split = _split(FIRST_DAY, 0);
        PoolState[5] memory closing;
        closing[0] =
            PoolState(split.pot - s.poolPayout[0], split.jackpot - s.poolJackpotPayout[0], split.rollover, 0);
        _commit(s);
        vm.warp(block.timestamp + CHALLENGE);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.DayReleased(FIRST_DAY, keccak256(abi.encode(s)), closing);
        settlement.release(s);
    }

    function test_StreakCountsDaysWithTipsAndFallsWithAHit() public {
        for (uint256 day = FIRST_DAY; day < FIRST_DAY + 3; ++day) {
            _warpToNoon(day);
            if (day != FIRST_DAY + 1) _buy(0, 1);
            _settle(_empty(day));
        }
        vm.assertEq(_state(0).streak, 2);
        vm.assertEq(_state(1).streak, 0);
        uint256 today = FIRST_DAY + 3;
        _warpToNoon(today);
        _buy(0, 1);
        Settlement memory s = _empty(today);
        s.poolJackpotPayout[0] = 1;
        s.jackpotHit[0] = true;
        s.totalPayout = 1;
        s.merkleRoot = keccak256("root");
        _settle(s);
        vm.assertEq(_state(0).streak, 0);
        _assertSolvent();
    }

    function test_YesterdaysRolloverEntersTodaysBudgetAndTodaysDoesNot() public {
        _buy(0, 100);
        _settle(_empty(FIRST_DAY));
        Split memory first = _split(FIRST_DAY, 0);
        _warpToNoon(FIRST_DAY + 1);
        _buy(0, 1);
        Split memory second = _split(FIRST_DAY + 1, 0);
        uint256 budget = first.pot + first.rollover + second.pot;
        Settlement memory s = _empty(FIRST_DAY + 1);
        s.merkleRoot = keccak256("root");
        s.poolPayout[0] = budget + 1;
        s.totalPayout = budget + 1;
        _makeDue(FIRST_DAY + 1);
        _refuseCommit(s, abi.encodeWithSelector(SettlementV4.PoolPayoutAboveBudget.selector, 0, budget + 1, budget));
        s.poolPayout[0] = budget;
        s.totalPayout = budget;
        _commit(s);
        // What the carry covers is more than what came in today.
        _release(s);
        vm.assertEq(_state(0).carry, 0);
        vm.assertEq(_state(0).lastRollover, second.rollover);
        _assertSolvent();
    }

    function test_TheReserveOfEarlierDaysPaysAJackpot() public {
        _buy(0, 100);
        _settle(_empty(FIRST_DAY));
        _warpToNoon(FIRST_DAY + 1);
        _buy(0, 1);
        uint256 all = _split(FIRST_DAY, 0).jackpot + _split(FIRST_DAY + 1, 0).jackpot;
        Settlement memory s = _empty(FIRST_DAY + 1);
        s.poolJackpotPayout[0] = all * 9 / 10;
        s.jackpotHit[0] = true;
        s.totalPayout = s.poolJackpotPayout[0];
        s.merkleRoot = keccak256("root");
        _settle(s);
        vm.assertEq(_state(0).reserve, all - all * 9 / 10);
        _assertSolvent();
    }

    /// @dev Over random days every atom is somewhere, and the vault holds exactly what is owed.
    function testFuzz_EveryAtomIsSomewhere(uint256 dice) public {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 day = FIRST_DAY + i;
            _warpToNoon(day);
            for (uint256 k = 0; k < 3; ++k) {
                dice = uint256(keccak256(abi.encode(dice)));
                if (dice % 4 != 0) _buy(uint8(dice % 5), uint8(dice >> 8) % 12 + 1);
            }
            _settle(_randomResult(day, dice));
            _assertSolvent();
            if (dice % 3 == 0 && reserve.accruedFees() > 0) reserve.withdrawFees();
            if (dice % 3 == 1 && reserve.accruedCharity() > 0) reserve.withdrawCharity();
            _assertSolvent();
        }
        uint256 everywhere = usdt.balanceOf(address(reserve)) + usdt.balanceOf(feeReceiver)
            + usdt.balanceOf(address(charityVault));
        vm.assertEq(everywhere, 1e15 - usdt.balanceOf(player));
        vm.assertEq(reserve.held(), usdt.balanceOf(address(reserve)));
    }

    function test_OnlySettlementBooks() public {
        address[3] memory others = [owner, settler, address(game)];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory reason = abi.encodeWithSelector(RoleBound.NotSettlement.selector, others[i]);
            vm.expectRevert(reason);
            vm.prank(others[i]);
            reserve.accrue(1, 1, 1);
            vm.expectRevert(reason);
            vm.prank(others[i]);
            reserve.bookRefund(1, 1);
            vm.expectRevert(reason);
            vm.prank(others[i]);
            reserve.payEnd(others[i], 1);
            vm.expectRevert(reason);
            vm.prank(others[i]);
            prizes.setRoot(1, bytes32(uint256(1)), 1);
            vm.expectRevert(reason);
            vm.prank(others[i]);
            commissions.setRoot(1, bytes32(uint256(1)), 1);
        }
    }

    // ------------------------------------------------------------------------------------- helpers

    function _refuseRelease(Settlement memory s, bytes memory reason) private {
        vm.expectRevert(reason);
        settlement.release(s);
    }

    /// @dev A closed first day with one ticket of pool 0, its word, and a result with every kind of payment.
    function _playedDay() private returns (Settlement memory s) {
        _buy(0, 100);
        _makeDue(FIRST_DAY);
        return _playedAgain();
    }

    /// @dev A fresh copy of the same result.
    function _playedAgain() private pure returns (Settlement memory s) {
        s = _empty(FIRST_DAY);
        s.poolPayout[0] = 1_000_000;
        s.poolJackpotPayout[0] = 500_000;
        s.totalPayout = 1_500_000;
        s.merkleRoot = keccak256("winners");
        s.jackpotHit[0] = true;
        s.affiliateTotal = 250_000;
        s.affiliateRoot = keccak256("affiliates");
        s.charityTotal = 600_000;
    }

    function _randomResult(uint256 day, uint256 dice) private view returns (Settlement memory s) {
        s = _empty(day);
        uint256 fee;
        for (uint256 p = 0; p < 5; ++p) {
            Split memory split = _split(day, p);
            dice = uint256(keccak256(abi.encode(dice, p)));
            fee += split.fee;
            if (game.poolDays(day)[p].tipCount == 0) continue;
            PoolState memory state = _state(p);
            s.poolPayout[p] = dice % (state.carry + state.lastRollover + split.pot + 1);
            if (dice >> 200 & 1 == 1) {
                s.poolJackpotPayout[p] = (dice >> 8) % ((state.reserve + split.jackpot) * 9 / 10 + 1);
            }
            s.jackpotHit[p] = s.poolJackpotPayout[p] > 0;
            s.totalPayout += s.poolPayout[p] + s.poolJackpotPayout[p];
        }
        s.affiliateTotal = dice % (fee + 1);
        s.charityTotal = (dice >> 16) % (fee - s.affiliateTotal + 1);
        if (s.totalPayout > 0) s.merkleRoot = keccak256("winners");
        if (s.affiliateTotal > 0) s.affiliateRoot = keccak256("affiliates");
    }
}

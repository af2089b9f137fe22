// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PrizeVault} from "../src/PrizeVault.sol";
import {ReserveVault} from "../src/ReserveVault.sol";
import {RoleBound} from "../src/RoleBound.sol";
import {SettlementV4} from "../src/SettlementV4.sol";
import {DayRecord, PoolState, Settlement, Split, Wiring} from "../src/Types.sol";
import {Base} from "./Base.sol";

/// @notice Rules 2.5 to 2.7, 2.11 and 4.5: commit, veto, release.
contract SettlingTest is Base {
    // ------------------------------------------------------------------------------------- commit

    function test_OnlyTheSettlerCommits() public {
        _warpToClose(FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotSettler.selector, relayer));
        vm.prank(relayer);
        settlement.commitMerkleSettlement(_empty(FIRST_DAY));
    }

    function test_ADayMustBeClosedAndNext() public {
        vm.warp((FIRST_DAY + 1) * 1 days - 1);
        _refuse(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.DayNotClosed.selector, FIRST_DAY));
        vm.warp((FIRST_DAY + 3) * 1 days);
        bytes4 notNext = SettlementV4.NotNextDay.selector;
        _refuse(_empty(FIRST_DAY + 1), abi.encodeWithSelector(notNext, FIRST_DAY + 1, FIRST_DAY));
        _refuse(_empty(FIRST_DAY - 1), abi.encodeWithSelector(notNext, FIRST_DAY - 1, FIRST_DAY));
        _refuse(_empty(type(uint256).max), abi.encodeWithSelector(notNext, type(uint256).max, FIRST_DAY));
        _commit(_empty(FIRST_DAY));
        _refuse(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.AlreadyCommitted.selector, FIRST_DAY));
        _refuse(_empty(FIRST_DAY + 1), abi.encodeWithSelector(notNext, FIRST_DAY + 1, FIRST_DAY));
    }

    function test_ADayWithTipsNeedsItsWord() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        _refuse(_empty(FIRST_DAY), abi.encodeWithSelector(SettlementV4.SeedMissing.selector, FIRST_DAY));
        _seed(FIRST_DAY, 0);
        _commit(_empty(FIRST_DAY));
    }

    function test_ACommitMovesNothing() public {
        Settlement memory s = _playedDay();
        uint256 before = usdt.balanceOf(address(reserve));
        bytes32 opening = keccak256(abi.encode(settlement.openingState()));
        _commit(s);
        vm.assertEq(usdt.balanceOf(address(reserve)), before);
        vm.assertEq(keccak256(abi.encode(settlement.openingState())), opening);
        vm.assertEq(prizes.rootOf(FIRST_DAY), bytes32(0));
        vm.assertEq(settlement.nextDay(), FIRST_DAY);
        DayRecord memory r = settlement.dayRecord(FIRST_DAY);
        vm.assertEq(r.status, 1);
        vm.assertEq(r.settlementHash, keccak256(abi.encode(s)));
        vm.assertEq(r.runHash, s.runHash);
        vm.assertEq(r.committedAt, block.timestamp);
    }

    function test_SumsRootsAndFlagsMustAgree() public {
        Settlement memory s = _playedDay();
        s.runHash = 0;
        _refuse(s, abi.encodeWithSelector(SettlementV4.ZeroRunHash.selector));
        s = _playedAgain();
        s.totalPayout += 1;
        _refuse(s, abi.encodeWithSelector(SettlementV4.TotalMismatch.selector, s.totalPayout - 1, s.totalPayout));
        s = _playedAgain();
        s.jackpotHit[0] = false;
        _refuse(s, abi.encodeWithSelector(SettlementV4.JackpotHitMismatch.selector, 0));
        s.jackpotHit[0] = true;
        s.jackpotHit[1] = true;
        _refuse(s, abi.encodeWithSelector(SettlementV4.JackpotHitMismatch.selector, 1));
        s = _playedAgain();
        s.merkleRoot = 0;
        _refuse(s, abi.encodeWithSelector(SettlementV4.RootTotalMismatch.selector, bytes32(0), s.totalPayout));
        s = _playedAgain();
        s.affiliateRoot = 0;
        _refuse(s, abi.encodeWithSelector(SettlementV4.RootTotalMismatch.selector, bytes32(0), s.affiliateTotal));
        s = _playedAgain();
        s.affiliateTotal = 0;
        _refuse(s, abi.encodeWithSelector(SettlementV4.RootTotalMismatch.selector, s.affiliateRoot, 0));
    }

    function test_PayoutsStayWithinBudgetReserveAndFee() public {
        Settlement memory s = _playedDay();
        Split memory split = treasury.splits(FIRST_DAY)[0];
        s.poolPayout[0] = split.pot + 1;
        _refuse(
            s, abi.encodeWithSelector(SettlementV4.PoolPayoutAboveBudget.selector, 0, split.pot + 1, split.pot)
        );
        s = _playedAgain();
        uint256 limit = split.jackpot * 9_000 / 10_000;
        s.poolJackpotPayout[0] = limit + 1;
        _refuse(s, abi.encodeWithSelector(SettlementV4.JackpotAboveReserve.selector, 0, limit + 1, limit));
        s = _playedAgain();
        s.charityTotal = split.fee - s.affiliateTotal + 1;
        _refuse(s, abi.encodeWithSelector(SettlementV4.FeeExceeded.selector, split.fee + 1, split.fee));
        s.charityTotal = type(uint256).max;
        _refuse(s, abi.encodeWithSelector(SettlementV4.FeeExceeded.selector, s.affiliateTotal - 1, split.fee));
        s = _playedAgain();
        s.poolPayout[1] = type(uint256).max;
        _refuse(s, abi.encodeWithSelector(SettlementV4.PayoutWithoutTips.selector, 1));
    }

    function test_TheWholeBudgetAndFeeMayBePaid() public {
        Settlement memory s = _playedDay();
        Split memory split = treasury.splits(FIRST_DAY)[0];
        s.poolPayout[0] = split.pot;
        s.poolJackpotPayout[0] = split.jackpot * 9 / 10;
        s.totalPayout = s.poolPayout[0] + s.poolJackpotPayout[0];
        s.charityTotal = split.fee - s.affiliateTotal;
        _commit(s);
        vm.warp(block.timestamp + CHALLENGE);
        settlement.release(s);
        vm.assertEq(reserve.accruedFees(), 0);
        _assertSolvent();
    }

    // ------------------------------------------------------------------------------------- veto

    function test_TheGuardianVetoesUntilTheRelease() public {
        Settlement memory s = _playedDay();
        _commit(s);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.NotGuardian.selector, owner));
        vm.prank(owner);
        settlement.veto(FIRST_DAY, "not mine");
        // After the period too: a stalled sequencer must not eat his time.
        vm.warp(block.timestamp + 10 days);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit SettlementV4.DayVetoed(FIRST_DAY, keccak256(abi.encode(s)), "wrong root");
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "wrong root");
        DayRecord memory r = settlement.dayRecord(FIRST_DAY);
        vm.assertEq(r.status, 0);
        vm.assertEq(r.vetoes, 1);
        vm.assertEq(r.settlementHash, bytes32(0));
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        settlement.release(s);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "again");
        // The same result may be committed again, and its period starts anew.
        _commit(s);
        vm.expectRevert(
            abi.encodeWithSelector(SettlementV4.ChallengePeriodRuns.selector, block.timestamp + CHALLENGE)
        );
        settlement.release(s);
    }

    function test_AReleasedDayCannotBeVetoed() public {
        _settle(_empty(FIRST_DAY));
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        vm.prank(guardian);
        settlement.veto(FIRST_DAY, "late");
    }

    // ------------------------------------------------------------------------------------- release

    function test_AReleaseMovesMoneyRootsAndState() public {
        Settlement memory s = _playedDay();
        _commit(s);
        vm.warp(block.timestamp + CHALLENGE - 1);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.ChallengePeriodRuns.selector, block.timestamp + 1));
        settlement.release(s);
        vm.warp(block.timestamp + 1);
        Settlement memory other = _playedAgain();
        other.charityTotal += 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                SettlementV4.WrongSettlement.selector, keccak256(abi.encode(s)), keccak256(abi.encode(other))
            )
        );
        settlement.release(other);
        vm.prank(address(0xE0));
        settlement.release(s);

        Split memory split = treasury.splits(FIRST_DAY)[0];
        PoolState memory state = _state(0);
        vm.assertEq(state.carry, split.pot - s.poolPayout[0]);
        vm.assertEq(state.reserve, split.jackpot - s.poolJackpotPayout[0]);
        vm.assertEq(state.lastRollover, split.rollover);
        vm.assertEq(state.streak, 0);
        vm.assertEq(prizes.rootOf(FIRST_DAY), s.merkleRoot);
        vm.assertEq(usdt.balanceOf(address(prizes)), s.totalPayout);
        vm.assertEq(usdt.balanceOf(address(commissions)), s.affiliateTotal);
        vm.assertEq(reserve.accruedCharity(), s.charityTotal);
        vm.assertEq(reserve.accruedFees(), split.fee - s.affiliateTotal - s.charityTotal);
        vm.assertEq(settlement.nextDay(), FIRST_DAY + 1);
        vm.assertEq(
            settlement.openingStateHash(FIRST_DAY + 1), keccak256(abi.encode(settlement.openingState()))
        );
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.NotCommitted.selector, FIRST_DAY));
        settlement.release(s);
        _assertSolvent();
    }

    function test_StreakCountsDaysWithTipsAndFallsWithAHit() public {
        for (uint256 day = FIRST_DAY; day < FIRST_DAY + 3; ++day) {
            vm.warp(day * 1 days + 12 hours);
            if (day != FIRST_DAY + 1) _buy(0, 1);
            _settle(_empty(day));
        }
        vm.assertEq(_state(0).streak, 2);
        vm.assertEq(_state(1).streak, 0);
        uint256 today = FIRST_DAY + 3;
        vm.warp(today * 1 days + 12 hours);
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
        Split memory first = treasury.splits(FIRST_DAY)[0];
        vm.warp((FIRST_DAY + 1) * 1 days + 12 hours);
        _buy(0, 1);
        Split memory second = treasury.splits(FIRST_DAY + 1)[0];
        uint256 budget = first.pot + first.rollover + second.pot;
        Settlement memory s = _empty(FIRST_DAY + 1);
        s.merkleRoot = keccak256("root");
        s.poolPayout[0] = budget + 1;
        s.totalPayout = budget + 1;
        _warpToClose(FIRST_DAY + 1);
        _seed(FIRST_DAY + 1, 1);
        _refuse(s, abi.encodeWithSelector(SettlementV4.PoolPayoutAboveBudget.selector, 0, budget + 1, budget));
        s.poolPayout[0] = budget;
        s.totalPayout = budget;
        _commit(s);
        vm.warp(block.timestamp + CHALLENGE);
        settlement.release(s);
        vm.assertEq(_state(0).carry, 0);
        vm.assertEq(_state(0).lastRollover, second.rollover);
        _assertSolvent();
    }

    /// @dev Rule 2.11 over random days: every atom is somewhere, and the reserve vault holds exactly what is owed.
    function testFuzz_EveryAtomIsSomewhere(uint256 dice) public {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 day = FIRST_DAY + i;
            vm.warp(day * 1 days + 12 hours);
            for (uint256 k = 0; k < 3; ++k) {
                dice = uint256(keccak256(abi.encode(dice)));
                if (dice % 4 != 0) _buy(uint8(dice % 5), uint8(dice >> 8) % 12 + 1);
            }
            _settle(_randomResult(day, dice));
            _assertSolvent();
            if (dice % 3 == 0) reserve.withdrawFees();
            if (dice % 3 == 1) reserve.withdrawCharity();
            _assertSolvent();
        }
        uint256 everywhere = usdt.balanceOf(address(reserve)) + usdt.balanceOf(address(prizes))
            + usdt.balanceOf(address(commissions)) + usdt.balanceOf(feeReceiver)
            + usdt.balanceOf(address(charityVault));
        vm.assertEq(everywhere, 1e15 - usdt.balanceOf(player));
    }

    function test_OnlySettlementMovesTheVaults() public {
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotSettlement.selector, owner));
        vm.prank(owner);
        reserve.payOut(1, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(ReserveVault.NotSettlement.selector, settler));
        vm.prank(settler);
        reserve.accrue(1, 1, 1);
        vm.expectRevert();
        vm.prank(settler);
        prizes.setRoot(1, bytes32(uint256(1)), 1);
    }

    function test_ADeploymentThatDisagreesCannotStart() public {
        Wiring memory w = _wiring();
        vm.expectRevert(SettlementV4.BadWiring.selector);
        // Not the address that the vaults were told.
        new SettlementV4(w, CHALLENGE);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.BadChallengePeriod.selector, 0));
        new SettlementV4(w, 0);
        vm.assertEq(keccak256(abi.encode(settlement.contracts())), keccak256(abi.encode(w)));
    }

    // ------------------------------------------------------------------------------------- helpers

    function _refuse(Settlement memory s, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(settler);
        settlement.commitMerkleSettlement(s);
    }

    /// @dev A closed first day with one ticket of pool 0, its word, and a result with every kind of payment.
    function _playedDay() private returns (Settlement memory s) {
        _buy(0, 100);
        _warpToClose(FIRST_DAY);
        _seed(FIRST_DAY, 7);
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
        Split[5] memory splits = treasury.splits(day);
        uint256 fee;
        for (uint256 p = 0; p < 5; ++p) {
            dice = uint256(keccak256(abi.encode(dice, p)));
            fee += splits[p].fee;
            if (game.poolDays(day)[p].tipCount == 0) continue;
            PoolState memory state = _state(p);
            s.poolPayout[p] = dice % (state.carry + state.lastRollover + splits[p].pot + 1);
            if (dice >> 200 & 1 == 1) {
                s.poolJackpotPayout[p] = (dice >> 8) % ((state.reserve + splits[p].jackpot) * 9 / 10 + 1);
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

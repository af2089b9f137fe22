// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {GameManager} from "../../src/lottery/GameManager.sol";
import {GameTreasury} from "../../src/lottery/GameTreasury.sol";
import {GameConstants, Split} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";

/// @notice The split of a stake, and the numbers of the game.
contract TreasuryTest is Base {
    // ------------------------------------------------------------------------------------- split

    function testFuzz_TheSplitLosesNothingAndRoundsDown(uint128 stake) public view {
        Split memory s = treasury.splitStake(stake);
        vm.assertEq(s.fee + s.rollover + s.jackpot + s.pot, stake);
        vm.assertEq(s.fee, uint256(stake) * 11 / 40);
        vm.assertEq(s.rollover, uint256(stake) / 20);
        vm.assertEq(s.jackpot, (stake - s.fee - s.rollover) * 2 / 5);
    }

    function test_TheSplitOfAHundred() public view {
        _assertSplit(treasury.splitStake(100_000_000), Split(27_500_000, 5_000_000, 27_000_000, 40_500_000));
        _assertSplit(treasury.splitStake(0), Split(0, 0, 0, 0));
        _assertSplit(treasury.splitStake(99), Split(27, 4, 27, 41));
    }

    /// @dev All prices are multiples of 250000, for which every floor is exact.
    function testFuzz_TheSplitOfASumIsTheSumOfTheSplits(uint8[12] memory pools, uint8[12] memory tips) public view {
        Split memory expected;
        uint256 stake;
        for (uint256 i = 0; i < 12; ++i) {
            uint256 each = game.priceOf(pools[i] % 5) * tips[i];
            vm.assertEq(each % 250_000, 0);
            Split memory part = treasury.splitStake(each);
            expected.fee += part.fee;
            expected.rollover += part.rollover;
            expected.jackpot += part.jackpot;
            expected.pot += part.pot;
            stake += each;
        }
        _assertSplit(treasury.splitStake(stake), expected);
    }

    function testFuzz_TheSplitOfEveryPriceIsExact(uint256 tips) public view {
        tips %= 1e15;
        for (uint256 p = 0; p < 5; ++p) {
            uint256 price = game.priceOf(p);
            Split memory one = treasury.splitStake(price);
            _assertSplit(
                treasury.splitStake(price * tips),
                Split(one.fee * tips, one.rollover * tips, one.jackpot * tips, one.pot * tips)
            );
            vm.assertEq(one.fee * 10_000, price * 2_750);
            vm.assertEq(one.jackpot * 10_000, (price - one.fee - one.rollover) * 4_000);
        }
    }

    function testFuzz_FiveSplitsAtOnceAreFiveSplits(uint128[5] memory some) public view {
        uint256[5] memory stakes;
        for (uint256 p = 0; p < 5; ++p) stakes[p] = some[p];
        Split[5] memory splits = treasury.splitStakes(stakes);
        for (uint256 p = 0; p < 5; ++p) _assertSplit(splits[p], treasury.splitStake(stakes[p]));
    }

    // ------------------------------------------------------------------------------------- numbers

    function test_AllNumbersOfTheGameAreReadInOneCallWithOneHash() public view {
        GameConstants memory c = treasury.constants();
        uint256[5] memory prices = [uint256(250_000), 500_000, 1_000_000, 5_000_000, 10_000_000];
        for (uint256 p = 0; p < 5; ++p) {
            vm.assertEq(c.prices[p], prices[p]);
            vm.assertEq(game.priceOf(p), prices[p]);
        }
        vm.assertEq(c.numberMax, NUMBER_MAX);
        vm.assertEq(c.numbersPerTip, 6);
        vm.assertEq(c.maxPaidTips, 144);
        vm.assertEq(c.maxTips, 255);
        vm.assertEq(c.feeBps, 2_750);
        vm.assertEq(c.rolloverBps, 500);
        vm.assertEq(c.jackpotBps, 4_000);
        uint256[3] memory shares = [uint256(4_000), 2_500, 3_500];
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(c.tierMatches[i], i + 4);
            vm.assertEq(c.tierShareBps[i], shares[i]);
        }
        vm.assertEq(c.jackpotPayoutBps, 9_000);
        vm.assertEq(c.affiliateDefaultBps, 500);
        vm.assertEq(c.affiliateMaxBps, 1_000);
        vm.assertEq(c.drawDelay, 3_600);
        vm.assertEq(treasury.constantsHash(), keccak256(abi.encode(c)));
        vm.assertEq(game.numberMax(), NUMBER_MAX);
    }

    function test_TheRangeIsSixToFortyNine() public {
        vm.expectRevert(abi.encodeWithSelector(GameTreasury.BadNumberMax.selector, 5));
        new GameTreasury(5);
        vm.expectRevert(abi.encodeWithSelector(GameTreasury.BadNumberMax.selector, 50));
        new GameTreasury(50);
        vm.assertEq(new GameTreasury(6).numberMax(), 6);
        GameTreasury large = new GameTreasury(49);
        vm.assertEq(large.constants().numberMax, 49);
        vm.assertTrue(large.constantsHash() != treasury.constantsHash());
    }

    function test_BonusTips() public {
        uint8[8] memory paid = [1, 4, 5, 9, 10, 14, 50, 144];
        uint8[8] memory bonus = [0, 0, 3, 3, 7, 7, 39, 111];
        for (uint256 i = 0; i < 8; ++i) vm.assertEq(game.bonusTips(paid[i]), bonus[i]);
        for (uint256 n = 1; n <= 144; ++n) {
            vm.assertEq(game.bonusTips(n), n < 5 ? 0 : 3 + 4 * ((n - 5) / 5));
        }
        vm.expectRevert(abi.encodeWithSelector(GameManager.BadPaidTips.selector, 0));
        game.bonusTips(0);
        vm.expectRevert(abi.encodeWithSelector(GameManager.BadPaidTips.selector, 145));
        game.bonusTips(145);
        vm.expectRevert(abi.encodeWithSelector(GameManager.BadPool.selector, 5));
        game.priceOf(5);
    }

    function _assertSplit(Split memory found, Split memory expected) private pure {
        vm.assertEq(found.fee, expected.fee, "fee");
        vm.assertEq(found.rollover, expected.rollover, "rollover");
        vm.assertEq(found.jackpot, expected.jackpot, "jackpot");
        vm.assertEq(found.pot, expected.pot, "pot");
    }
}

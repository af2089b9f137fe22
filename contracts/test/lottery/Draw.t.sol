// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DrawLib} from "../../src/lottery/DrawLib.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {Base} from "./Base.sol";

/// @notice Rules 3.4 and 3.5: the seed and the winning numbers.
contract DrawTest is Base {
    function testFuzz_SixDistinctNumbersWithinRange(bytes32 seed, uint8 range) public view {
        uint8 numberMax = uint8(6 + uint256(range) % 44);
        uint8[6] memory drawn = settlement.drawNumbers(seed, numberMax);
        uint256 seen;
        for (uint256 i = 0; i < 6; ++i) {
            vm.assertTrue(drawn[i] >= 1 && drawn[i] <= numberMax, "out of range");
            vm.assertEq(seen >> drawn[i] & 1, 0, "drawn twice");
            seen |= 1 << drawn[i];
        }
    }

    function testFuzz_AgreesWithADrawWithoutAnArray(bytes32 seed, uint8 range) public view {
        uint8 numberMax = uint8(6 + uint256(range) % 44);
        uint8[6] memory drawn = settlement.drawNumbers(seed, numberMax);
        uint8[6] memory other = _sparseDraw(seed, numberMax);
        for (uint256 i = 0; i < 6; ++i) vm.assertEq(drawn[i], other[i]);
    }

    function test_RangeIsLimited() public {
        vm.expectRevert(abi.encodeWithSelector(DrawLib.BadNumberMax.selector, 5));
        settlement.drawNumbers(bytes32(0), 5);
        vm.expectRevert(abi.encodeWithSelector(DrawLib.BadNumberMax.selector, 50));
        settlement.drawNumbers(bytes32(0), 50);
    }

    function test_EveryNumberComesEquallyOften() public view {
        // 6 of 12, 3000 times: each number is expected 1500 times, with a deviation of about 27.
        uint256[13] memory counts;
        for (uint256 i = 0; i < 3_000; ++i) {
            uint8[6] memory drawn = settlement.drawNumbers(keccak256(abi.encode(i)), 12);
            for (uint256 k = 0; k < 6; ++k) counts[drawn[k]] += 1;
        }
        for (uint256 n = 1; n <= 12; ++n) vm.assertTrue(counts[n] > 1_365 && counts[n] < 1_635, "biased");
    }

    function test_SeedNamesChainContractDayAndPool() public {
        bytes32 seed = settlement.drawSeed(7, 2, 11, 13, bytes32(uint256(17)));
        vm.assertEq(
            seed,
            keccak256(
                abi.encode(
                    bytes32("BO-ENGINE/DRAW/1"), block.chainid, address(settlement), 7, 2, 11, 13, bytes32(uint256(17))
                )
            )
        );
        vm.assertTrue(seed != settlement.drawSeed(8, 2, 11, 13, bytes32(uint256(17))));
        vm.assertTrue(seed != settlement.drawSeed(7, 3, 11, 13, bytes32(uint256(17))));
        vm.chainId(99);
        vm.assertTrue(seed != settlement.drawSeed(7, 2, 11, 13, bytes32(uint256(17))));
    }

    function test_WinningNumbersUseTheStoredWord() public {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(SettlementV4.SeedMissing.selector, FIRST_DAY));
        settlement.winningNumbers(FIRST_DAY, 5, bytes32(uint256(6)));
        _seed(FIRST_DAY, 0);
        uint8[6][5] memory numbers = settlement.winningNumbers(FIRST_DAY, 5, bytes32(uint256(6)));
        for (uint256 p = 0; p < 5; ++p) {
            bytes32 seed = settlement.drawSeed(FIRST_DAY, p, 0, 5, bytes32(uint256(6)));
            uint8[6] memory expected = settlement.drawNumbers(seed, NUMBER_MAX);
            vm.assertEq(keccak256(abi.encode(numbers[p])), keccak256(abi.encode(expected)));
        }
    }

    /// @dev The same draw without a full array: only places that a swap has touched are remembered.
    function _sparseDraw(bytes32 seed, uint256 numberMax) private pure returns (uint8[6] memory drawn) {
        uint256[12] memory places;
        uint256[12] memory balls;
        uint256 touched;
        uint256 counter;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 n = numberMax - i;
            // 2^256 mod n words at the top of the range are drawn again.
            uint256 reject = (type(uint256).max % n + 1) % n;
            uint256 word = uint256(keccak256(abi.encode(seed, counter++)));
            while (reject != 0 && word >= type(uint256).max - reject + 1) {
                word = uint256(keccak256(abi.encode(seed, counter++)));
            }
            uint256 j = i + word % n;
            uint256 ballI = i + 1;
            uint256 ballJ = j + 1;
            for (uint256 k = 0; k < touched; ++k) {
                if (places[k] == i) ballI = balls[k];
                if (places[k] == j) ballJ = balls[k];
            }
            places[touched] = j;
            balls[touched++] = ballI;
            drawn[i] = uint8(ballJ);
        }
    }
}

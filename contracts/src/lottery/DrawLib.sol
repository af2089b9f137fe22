// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MAX_NUMBER_MAX, MIN_NUMBER_MAX} from "./Types.sol";

/// @title DrawLib
/// @notice Six winning numbers out of a seed, every set equally likely.
library DrawLib {
    error BadNumberMax(uint256 numberMax);

    /// @notice The seed of one pool and day. Both sources of randomness and the place they are for go in.
    function seedOf(
        address settlement,
        uint256 dayId,
        uint256 poolId,
        uint256 vrfWord,
        uint64 drandRound,
        bytes32 drandRandomness
    ) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                bytes32("BO-ENGINE/DRAW/1"),
                block.chainid,
                settlement,
                dayId,
                poolId,
                vrfWord,
                drandRound,
                drandRandomness
            )
        );
    }

    /// @notice Draws six of the numbers 1 to `numberMax` (6 to 49), in the order drawn.
    /// @dev Fisher-Yates over the first six places. Words that would favour small numbers are drawn again, so there
    ///      is no modulo bias.
    function draw(bytes32 seed, uint8 numberMax) internal pure returns (uint8[6] memory drawn) {
        if (numberMax < MIN_NUMBER_MAX || numberMax > MAX_NUMBER_MAX) revert BadNumberMax(numberMax);
        uint8[] memory balls = new uint8[](numberMax);
        for (uint256 i = 0; i < numberMax; ++i) {
            balls[i] = uint8(i + 1);
        }
        uint256 counter = 0;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 n = numberMax - i;
            // The last word of the last whole round of n; this form does not overflow when n is a power of two.
            uint256 last = type(uint256).max - ((type(uint256).max % n + 1) % n);
            uint256 word;
            do {
                word = uint256(keccak256(abi.encode(seed, counter++)));
            } while (word > last);
            uint256 j = i + (word % n);
            (balls[i], balls[j]) = (balls[j], balls[i]);
            drawn[i] = balls[i];
        }
    }
}

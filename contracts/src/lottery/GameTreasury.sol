// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {
    AFFILIATE_DEFAULT_BPS,
    AFFILIATE_MAX_BPS,
    DRAW_DELAY,
    FEE_BPS,
    JACKPOT_BPS,
    JACKPOT_PAYOUT_BPS,
    MAX_PAID_TIPS,
    MAX_TIPS,
    NUMBERS_PER_TIP,
    PRICE_0,
    PRICE_1,
    PRICE_2,
    PRICE_3,
    PRICE_4,
    ROLLOVER_BPS,
    TIER_MATCHES_0,
    TIER_MATCHES_1,
    TIER_MATCHES_2,
    TIER_SHARE_BPS_0,
    TIER_SHARE_BPS_1,
    TIER_SHARE_BPS_2
} from "./GameConstants.sol";
import {BPS_ONE, GameConstants, MAX_NUMBER_MAX, MIN_NUMBER_MAX, POOL_COUNT, Split} from "./Types.sol";

/// @title GameTreasury
/// @notice The numbers of the game and the split of a stake, as pure functions. Stores nothing and holds no money.
contract GameTreasury {
    /// @notice Tips are six distinct numbers from 1 to this.
    uint8 public immutable numberMax;

    error BadNumberMax(uint256 numberMax);

    constructor(uint8 numberMax_) {
        if (numberMax_ < MIN_NUMBER_MAX || numberMax_ > MAX_NUMBER_MAX) revert BadNumberMax(numberMax_);
        numberMax = numberMax_;
    }

    /// @notice Splits a stake (atoms), each part rounded down in this order; what rounding leaves goes to the pot. For
    ///         multiples of 250000, as all prices are, no part is rounded: the split of a sum is the sum of the splits.
    function splitStake(uint256 stake) public pure returns (Split memory part) {
        part.fee = stake * FEE_BPS / BPS_ONE;
        part.rollover = stake * ROLLOVER_BPS / BPS_ONE;
        uint256 rest = stake - part.fee - part.rollover;
        part.jackpot = rest * JACKPOT_BPS / BPS_ONE;
        part.pot = rest - part.jackpot;
    }

    /// @notice The splits of five pools' stakes.
    function splitStakes(uint256[5] calldata stakes) external pure returns (Split[5] memory parts) {
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            parts[p] = splitStake(stakes[p]);
        }
    }

    /// @notice All numbers of the game that this deployment fixes.
    function constants() public view returns (GameConstants memory) {
        return GameConstants({
            prices: [PRICE_0, PRICE_1, PRICE_2, PRICE_3, PRICE_4],
            numberMax: numberMax,
            numbersPerTip: NUMBERS_PER_TIP,
            maxPaidTips: MAX_PAID_TIPS,
            maxTips: MAX_TIPS,
            feeBps: FEE_BPS,
            rolloverBps: ROLLOVER_BPS,
            jackpotBps: JACKPOT_BPS,
            tierMatches: [TIER_MATCHES_0, TIER_MATCHES_1, TIER_MATCHES_2],
            tierShareBps: [TIER_SHARE_BPS_0, TIER_SHARE_BPS_1, TIER_SHARE_BPS_2],
            jackpotPayoutBps: JACKPOT_PAYOUT_BPS,
            affiliateDefaultBps: AFFILIATE_DEFAULT_BPS,
            affiliateMaxBps: AFFILIATE_MAX_BPS,
            drawDelay: DRAW_DELAY
        });
    }

    /// @notice keccak256(abi.encode(constants())).
    function constantsHash() external view returns (bytes32) {
        return keccak256(abi.encode(constants()));
    }
}

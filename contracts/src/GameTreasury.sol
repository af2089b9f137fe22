// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BPS_ONE, POOL_COUNT, Split} from "./Types.sol";

/// @title GameTreasury
/// @notice Keeps, per day and pool, where the stakes go. Holds no money.
contract GameTreasury {
    /// @notice Share of the stake that is the operator's fee (affiliates and charity are paid out of it).
    uint256 public constant FEE_BPS = 2_750;
    /// @notice Share of the stake that enters the budget of the day after.
    uint256 public constant ROLLOVER_BPS = 500;
    /// @notice Share of what remains that enters the pool's jackpot reserve; the rest is today's pot.
    uint256 public constant JACKPOT_BPS = 4_000;

    /// @notice The only caller that may record stakes.
    address public immutable gameManager;

    /// @dev Two words instead of four: a purchase writes them.
    struct PackedSplit {
        uint128 fee;
        uint128 rollover;
        uint128 jackpot;
        uint128 pot;
    }

    mapping(uint256 dayId => PackedSplit[5]) private _splits;

    error NotGameManager(address caller);
    error ZeroAddress();

    constructor(address gameManager_) {
        if (gameManager_ == address(0)) revert ZeroAddress();
        gameManager = gameManager_;
    }

    /// @notice Adds one ticket's stake. Floors are per ticket, so sums of tickets never depend on their order.
    function record(uint256 dayId, uint8 poolId, uint256 stake) external {
        if (msg.sender != gameManager) revert NotGameManager(msg.sender);
        Split memory part = splitStake(stake);
        PackedSplit storage sum = _splits[dayId][poolId];
        // The parts are below the stake, and all USDT there can ever be fits 128 bits; an overflow would revert.
        sum.fee += uint128(part.fee);
        sum.rollover += uint128(part.rollover);
        sum.jackpot += uint128(part.jackpot);
        sum.pot += uint128(part.pot);
    }

    /// @notice The five pools' sums of a day, in atoms.
    function splits(uint256 dayId) external view returns (Split[5] memory result) {
        for (uint256 p = 0; p < POOL_COUNT; ++p) {
            PackedSplit storage sum = _splits[dayId][p];
            result[p] = Split({fee: sum.fee, rollover: sum.rollover, jackpot: sum.jackpot, pot: sum.pot});
        }
    }

    /// @notice Splits one stake (atoms), each part rounded down in this order; what rounding leaves goes to the pot.
    function splitStake(uint256 stake) public pure returns (Split memory part) {
        part.fee = stake * FEE_BPS / BPS_ONE;
        part.rollover = stake * ROLLOVER_BPS / BPS_ONE;
        uint256 rest = stake - part.fee - part.rollover;
        part.jackpot = rest * JACKPOT_BPS / BPS_ONE;
        part.pot = rest - part.jackpot;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Number of price classes ("pools"); ids 0 to 4.
uint256 constant POOL_COUNT = 5;

/// @dev One whole, in basis points.
uint256 constant BPS_ONE = 10_000;

/// @dev Tips are numbers from 1 to a limit between these two: six of fewer is no draw, and the engine knows no larger.
uint8 constant MIN_NUMBER_MAX = 6;
uint8 constant MAX_NUMBER_MAX = 49;

/// @dev At most this part of a pool's reserve leaves as a jackpot on one day.
uint256 constant JACKPOT_PAYOUT_BPS = 9_000;

/// @notice What a player signs (EIP-712). `tipsHash` is keccak256 of the packed masks; `gasCostUsdt` is in atoms.
struct BuyPermit {
    address buyer;
    uint256 dayId;
    uint8 poolId;
    bytes32 tipsHash;
    uint8 paidTips;
    uint8 voucherTips;
    address affiliate;
    uint256 gasCostUsdt;
    uint64 deadline;
    bytes16 nonce;
}

/// @notice The result of one day. `poolPayout` is what the tiers pay, without the jackpot. All amounts in atoms.
struct Settlement {
    uint256 dayId;
    uint256[5] poolPayout;
    uint256[5] poolJackpotPayout;
    uint256 totalPayout;
    bytes32 merkleRoot;
    bool[5] jackpotHit;
    uint256 affiliateTotal;
    bytes32 affiliateRoot;
    uint256 charityTotal;
    bytes32 runHash;
}

/// @notice What one pool sold on one day. `digest` is the running hash over all its tickets.
struct PoolDay {
    uint256 ticketCount;
    uint256 tipCount;
    uint256 stake;
    bytes32 digest;
}

/// @notice Where stakes go: fee + rollover + jackpot + pot = stake.
struct Split {
    uint256 fee;
    uint256 rollover;
    uint256 jackpot;
    uint256 pot;
}

/// @notice Money and streak of one pool between two days.
struct PoolState {
    uint256 carry;
    uint256 reserve;
    uint256 lastRollover;
    uint256 streak;
}

/// @notice All addresses of a deployment.
struct Wiring {
    address usdt;
    address roles;
    address gameManager;
    address gameTreasury;
    address reserveVault;
    address prizeVault;
    address affiliateVault;
    address charityVault;
    address vrfReceiver;
    address claimRouter;
}

/// @notice Where a day stands. `status`: 0 none, 1 committed, 2 released, 3 voided.
struct DayRecord {
    uint8 status;
    bytes32 settlementHash;
    bytes32 runHash;
    uint64 committedAt;
    uint64 releasedAt;
    uint32 vetoes;
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @dev Number of price classes ("pools"); ids 0 to 4.
uint256 constant POOL_COUNT = 5;

/// @dev One whole, in basis points.
uint256 constant BPS_ONE = 10_000;

/// @dev Tips are numbers from 1 to a limit between these two: six of fewer is no draw, and the engine knows no larger.
uint8 constant MIN_NUMBER_MAX = 6;
uint8 constant MAX_NUMBER_MAX = 49;

/// @dev What OWNER names or announces can take effect from the first to the second of these times afterwards.
uint256 constant NOTICE = 48 hours;
uint256 constant NOTICE_EXPIRY = 14 days;

/// @dev Sales stop when today is more than so many days after the oldest unsettled day.
uint256 constant MAX_LAG_DAYS = 5;

/// @notice Who may do what; see `Roles`.
enum Office {
    Owner,
    Guardian,
    Relayer,
    Settler,
    Promotions
}

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

/// @notice Where a stake goes: fee + rollover + jackpot + pot = stake.
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

/// @notice The numbers of the game that this deployment fixes: atoms, counts, basis points, seconds.
struct GameConstants {
    uint256[5] prices;
    uint256 numberMax;
    uint256 numbersPerTip;
    uint256 maxPaidTips;
    uint256 maxTips;
    uint256 feeBps;
    uint256 rolloverBps;
    uint256 jackpotBps;
    uint256[3] tierMatches;
    uint256[3] tierShareBps;
    uint256 jackpotPayoutBps;
    uint256 affiliateDefaultBps;
    uint256 affiliateMaxBps;
    uint256 drawDelay;
}

/// @notice All addresses of a deployment, apart from SettlementV4's own.
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

/// @notice Where a day stands. `status`: 0 none, 1 committed, 2 released, 3 voided (`releasedAt` is then the void's
///         time). `takebacks` counts vetoes and all other ends of a commit.
struct DayRecord {
    uint8 status;
    bytes32 settlementHash;
    bytes32 runHash;
    uint64 committedAt;
    uint64 releasedAt;
    uint32 takebacks;
}

/// @notice What the contracts ask of SettlementV4, whose address they know before it stands.
interface ISettlement {
    /// @notice Whether the account is a contract of this deployment, or its token.
    function isOurs(address account) external view returns (bool);
    /// @notice Ends a pending commit, if there is one. Roles only.
    function takeBack() external;
    /// @notice The oldest day that is neither released nor voided.
    function nextDay() external view returns (uint256);
    /// @notice Whether the game is over.
    function finished() external view returns (bool);
}

/// @notice A contract that can receive the pools' money at the end of a game.
interface IEndReceiver {
    /// @notice Returns this function's selector if it accepts the money of that settlement.
    function acceptsEndOf(address settlement) external view returns (bytes4);
}

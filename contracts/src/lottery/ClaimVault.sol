// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ReserveVault} from "./ReserveVault.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";

/// @title ClaimVault
/// @notice Pays what a day's Merkle root promises: once per day and account, to the account's payee, whoever calls.
///         What is promised never expires. Holds no money: a release raises its credit (`totalReleased - totalClaimed`),
///         a claim lowers it, and ReserveVault pays.
abstract contract ClaimVault is RoleBound {
    /// @notice A pause of claims ends by itself after this time, and as long must pass before the next one.
    uint256 public constant PAUSE_SECONDS = 7 days;

    /// @notice Holds the money and pays claims.
    ReserveVault public immutable reserveVault;
    /// @notice The only caller that may set a root.
    address public immutable settlement;
    /// @notice Part of every leaf: ties it to this chain and this vault, so that no proof fits another tree.
    bytes32 public immutable leafDomain;

    /// @notice Claims are refused before this time (unix seconds).
    uint256 public pausedUntil;
    /// @notice A day's root; zero if nothing is to be claimed.
    mapping(uint256 dayId => bytes32) public rootOf;
    /// @notice What a day's leaves add up to, in atoms.
    mapping(uint256 dayId => uint256) public totalOf;
    /// @notice What was claimed of a day, in atoms.
    mapping(uint256 dayId => uint256) public claimedOf;
    /// @notice Whether an account has claimed its payout of a day.
    mapping(uint256 dayId => mapping(address account => bool)) public claimed;
    /// @notice Sum of all days' totals, in atoms.
    uint256 public totalReleased;
    /// @notice Sum of all claims, in atoms.
    uint256 public totalClaimed;

    event RootSet(uint256 indexed dayId, bytes32 root, uint256 total);
    event Claimed(uint256 indexed dayId, address indexed account, address to, uint256 amount);
    event ClaimsPaused(address indexed by, uint256 until);
    event ClaimsUnpaused(address indexed by);

    error RootAlreadySet(uint256 dayId);
    error ClaimsArePaused(uint256 until);
    error PauseNotAllowedYet(uint256 notBefore);
    error NotPaused();
    error NothingToClaim(uint256 dayId);
    error AlreadyClaimed(uint256 dayId, address account);
    error InvalidProof(uint256 dayId, address account, uint256 amount);
    /// @dev The day's claims would exceed what was released for it.
    error ClaimsExceedTotal(uint256 dayId);

    constructor(ReserveVault reserveVault_, Roles roles_) RoleBound(roles_) {
        if (address(reserveVault_) == address(0)) revert ZeroAddress();
        reserveVault = reserveVault_;
        settlement = roles_.settlement();
        // Fixed at deployment, so that a change of the chain's id could not trap prizes that are already released.
        leafDomain = keccak256(abi.encode(bytes32("BO-ENGINE/LEAF/1"), block.chainid, address(this)));
    }

    /// @notice Opens a released day for claims, once.
    function setRoot(uint256 dayId, bytes32 root, uint256 total) external {
        if (msg.sender != settlement) revert NotSettlement(msg.sender);
        if (rootOf[dayId] != bytes32(0)) revert RootAlreadySet(dayId);
        rootOf[dayId] = root;
        totalOf[dayId] = total;
        totalReleased += total;
        emit RootSet(dayId, root, total);
    }

    /// @notice Pays an account's amount of a day. Anyone may call; the money goes to the account's payee.
    /// @param dayId The settled day.
    /// @param account Whose leaf it is.
    /// @param amount The leaf's amount, in atoms.
    /// @param proof The leaf's path to the day's root.
    function claim(uint256 dayId, address account, uint256 amount, bytes32[] calldata proof) external {
        if (block.timestamp < pausedUntil) revert ClaimsArePaused(pausedUntil);
        bytes32 root = rootOf[dayId];
        if (root == bytes32(0)) revert NothingToClaim(dayId);
        if (claimed[dayId][account]) revert AlreadyClaimed(dayId, account);
        if (!MerkleProof.verifyCalldata(proof, root, leafOf(dayId, account, amount))) {
            revert InvalidProof(dayId, account, amount);
        }
        claimed[dayId][account] = true;
        uint256 claimedOfDay = claimedOf[dayId] + amount;
        // One day's tree can never take another day's money, whatever the tree says.
        if (claimedOfDay > totalOf[dayId]) revert ClaimsExceedTotal(dayId);
        claimedOf[dayId] = claimedOfDay;
        totalClaimed += amount;
        emit Claimed(dayId, account, reserveVault.payClaim(account, amount), amount);
    }

    /// @notice Stops claims for seven days at most; afterwards they run for at least seven.
    function pauseClaims() external onlyGuardian {
        uint256 last = pausedUntil;
        if (last != 0 && block.timestamp < last + PAUSE_SECONDS) revert PauseNotAllowedYet(last + PAUSE_SECONDS);
        pausedUntil = block.timestamp + PAUSE_SECONDS;
        emit ClaimsPaused(msg.sender, pausedUntil);
    }

    /// @notice Ends a pause early.
    function unpauseClaims() external onlyGuardianOrOwner {
        if (block.timestamp >= pausedUntil) revert NotPaused();
        pausedUntil = block.timestamp;
        emit ClaimsUnpaused(msg.sender);
    }

    /// @notice The leaf of a payout. Hashed twice, so that an inner node can never pass for a leaf.
    function leafOf(uint256 dayId, address account, uint256 amount) public view returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(leafDomain, dayId, account, amount))));
    }
}

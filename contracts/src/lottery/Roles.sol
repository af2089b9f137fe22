// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ISettlement, NOTICE, NOTICE_EXPIRY, Office} from "./Types.sol";

/// @title Roles
/// @notice Who may do what. Five offices, always held by distinct accounts, so that no stolen key holds two powers. A
///         successor is named in public, waits 48 hours and takes office by its own call within 14 days; so no dead,
///         mistyped or foreign address can hold one, and the old holder acts until then.
contract Roles {
    /// @dev One word, so that asking for a holder costs one read.
    struct Holder {
        address account;
        bool suspended;
    }

    struct Naming {
        address account;
        uint64 namedAt;
    }

    /// @notice Its pending commit is taken back when the settler loses office.
    address public immutable settlement;
    /// @notice Suspended addresses; only OWNER lifts a suspension.
    mapping(address account => bool) public isSuspended;

    Holder[5] private _holders;
    Naming[5] private _namings;

    event HolderNamed(Office indexed office, address indexed account, uint256 notBefore, uint256 notAfter);
    event NamingCancelled(Office indexed office, address indexed account, address indexed by);
    event HolderSet(Office indexed office, address indexed previous, address indexed current);
    event Suspended(Office indexed office, address indexed account);
    event SuspensionLifted(address indexed account);

    error NotOwner(address caller);
    error NotGuardian(address caller);
    error NotGuardianOrOwner(address caller);
    error ZeroAddress();
    /// @dev The account already holds one of the five offices.
    error OfficeHeld(address account);
    error NotNamed(Office office, address caller);
    error NoNaming(Office office);
    error TooEarly(uint256 notBefore);
    error TooLate(uint256 notAfter);
    /// @dev The guardian cannot cancel the naming of its own successor.
    error OwnSuccessor();
    /// @dev Only SETTLER and RELAYER can be removed or suspended.
    error NotAKey(Office office);
    error NoHolder(Office office);
    error AlreadySuspended(address account);
    error NotSuspended(address account);

    modifier onlyOwner() {
        if (msg.sender != owner()) revert NotOwner(msg.sender);
        _;
    }

    constructor(
        address owner_,
        address guardian_,
        address relayer_,
        address settler_,
        address promotions_,
        address settlement_
    ) {
        if (settlement_ == address(0)) revert ZeroAddress();
        settlement = settlement_;
        _setHolder(Office.Owner, owner_);
        _setHolder(Office.Guardian, guardian_);
        _setHolder(Office.Relayer, relayer_);
        _setHolder(Office.Settler, settler_);
        _setHolder(Office.Promotions, promotions_);
    }

    // ------------------------------------------------------------------------------------- succession

    /// @notice Names the next holder of an office. Naming again replaces the name and starts the time anew.
    function nameHolder(Office office, address account) external onlyOwner {
        _requireFree(account);
        _namings[uint8(office)] = Naming(account, uint64(block.timestamp));
        emit HolderNamed(office, account, block.timestamp + NOTICE, block.timestamp + NOTICE_EXPIRY);
    }

    /// @notice Takes a naming back. GUARDIAN cannot cancel that of its own successor.
    function cancelNaming(Office office) external {
        if (msg.sender != owner()) {
            if (msg.sender != guardian()) revert NotGuardianOrOwner(msg.sender);
            if (office == Office.Guardian) revert OwnSuccessor();
        }
        address account = _namings[uint8(office)].account;
        if (account == address(0)) revert NoNaming(office);
        delete _namings[uint8(office)];
        emit NamingCancelled(office, account, msg.sender);
    }

    /// @notice The named account takes the office, from 48 hours to 14 days after it was named.
    function takeOffice(Office office) external {
        (address account, uint256 notBefore, uint256 notAfter) = naming(office);
        if (msg.sender != account) revert NotNamed(office, msg.sender);
        if (block.timestamp < notBefore) revert TooEarly(notBefore);
        if (block.timestamp > notAfter) revert TooLate(notAfter);
        delete _namings[uint8(office)];
        // Checks again that the account is free: it may have taken another office since it was named.
        _setHolder(office, account);
        if (office == Office.Settler) _takeBackCommit();
    }

    // ------------------------------------------------------------------------------------- removal

    /// @notice Leaves the office of SETTLER or RELAYER empty, at once.
    function removeHolder(Office office) external onlyOwner {
        address account = _keyOf(office);
        delete _holders[uint8(office)];
        emit HolderSet(office, account, address(0));
        if (office == Office.Settler) _takeBackCommit();
    }

    /// @notice Stops the present SETTLER or RELAYER, at once. It sticks to the address until OWNER lifts it.
    function suspend(Office office) external {
        if (msg.sender != guardian()) revert NotGuardian(msg.sender);
        address account = _keyOf(office);
        if (isSuspended[account]) revert AlreadySuspended(account);
        isSuspended[account] = true;
        _holders[uint8(office)].suspended = true;
        emit Suspended(office, account);
        if (office == Office.Settler) _takeBackCommit();
    }

    /// @notice Lets a suspended address act again.
    function liftSuspension(address account) external onlyOwner {
        if (!isSuspended[account]) revert NotSuspended(account);
        isSuspended[account] = false;
        for (uint256 i = 0; i < 5; ++i) {
            if (_holders[i].account == account) _holders[i].suspended = false;
        }
        emit SuspensionLifted(account);
    }

    // ------------------------------------------------------------------------------------- reading

    /// @notice Multisig: names the others, announces what changes, ends the game.
    function owner() public view returns (address) {
        return _holders[uint8(Office.Owner)].account;
    }

    /// @notice Pauses purchases and claims, vetoes commits, suspends keys, cancels what OWNER announces.
    function guardian() public view returns (address) {
        return _holders[uint8(Office.Guardian)].account;
    }

    /// @notice The App's key: relays purchases that players signed. Zero while empty or suspended.
    function relayer() external view returns (address) {
        return _acting(Office.Relayer);
    }

    /// @notice The engine's key: requests seeds and commits days. Zero while empty or suspended.
    function settler() external view returns (address) {
        return _acting(Office.Settler);
    }

    /// @notice The account that pays for voucher tips; it has no power here.
    function promotions() external view returns (address) {
        return _holders[uint8(Office.Promotions)].account;
    }

    /// @notice The holder of an office, suspended or not; zero if it is empty.
    function holderOf(Office office) external view returns (address) {
        return _holders[uint8(office)].account;
    }

    /// @notice Who is named for an office, and when the office can be taken (unix seconds); zeros if there is no naming.
    function naming(Office office) public view returns (address account, uint256 notBefore, uint256 notAfter) {
        Naming storage named = _namings[uint8(office)];
        account = named.account;
        if (account != address(0)) (notBefore, notAfter) = (named.namedAt + NOTICE, named.namedAt + NOTICE_EXPIRY);
    }

    // ------------------------------------------------------------------------------------- private

    function _acting(Office office) private view returns (address) {
        Holder memory holder = _holders[uint8(office)];
        return holder.suspended ? address(0) : holder.account;
    }

    function _keyOf(Office office) private view returns (address account) {
        if (office != Office.Settler && office != Office.Relayer) revert NotAKey(office);
        account = _holders[uint8(office)].account;
        if (account == address(0)) revert NoHolder(office);
    }

    function _setHolder(Office office, address account) private {
        _requireFree(account);
        emit HolderSet(office, _holders[uint8(office)].account, account);
        _holders[uint8(office)] = Holder(account, isSuspended[account]);
    }

    function _requireFree(address account) private view {
        if (account == address(0)) revert ZeroAddress();
        for (uint256 i = 0; i < 5; ++i) {
            if (_holders[i].account == account) revert OfficeHeld(account);
        }
    }

    function _takeBackCommit() private {
        // Before SettlementV4 stands there is no commit.
        if (settlement.code.length != 0) ISettlement(settlement).takeBack();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Roles
/// @notice Who may do what. Four roles and the promotions account, always five distinct addresses, so that no stolen
///         key holds two powers. Ownership and the promotions account move in two steps, so neither can be lost or
///         forced upon anybody.
contract Roles {
    /// @notice Multisig and timelock: replaces the others, sets receivers, schedules rulesets and rates, voids days.
    address public owner;
    /// @notice Named by the owner; becomes owner by accepting.
    address public pendingOwner;
    /// @notice Pauses purchases and claims, vetoes commits.
    address public guardian;
    /// @notice The App's key: relays purchases that players signed.
    address public relayer;
    /// @notice The engine's key: commits days.
    address public settler;
    /// @notice The account that pays for voucher tips; holds no power here.
    address public promotions;
    /// @notice Named by the owner; becomes the promotions account by accepting.
    address public pendingPromotions;

    event OwnershipTransferStarted(address indexed owner, address indexed pendingOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    event GuardianSet(address indexed previous, address indexed current);
    event RelayerSet(address indexed previous, address indexed current);
    event SettlerSet(address indexed previous, address indexed current);
    event PromotionsProposed(address indexed current, address indexed proposed);
    event PromotionsSet(address indexed previous, address indexed current);

    error NotOwner(address caller);
    error NotPendingOwner(address caller);
    error NotPendingPromotions(address caller);
    error ZeroRole();
    /// @dev The address already holds one of the five places.
    error RoleTaken(address account);

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    constructor(address owner_, address guardian_, address relayer_, address settler_, address promotions_) {
        _requireFree(owner_);
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
        _requireFree(guardian_);
        guardian = guardian_;
        emit GuardianSet(address(0), guardian_);
        _requireFree(relayer_);
        relayer = relayer_;
        emit RelayerSet(address(0), relayer_);
        _requireFree(settler_);
        settler = settler_;
        emit SettlerSet(address(0), settler_);
        _requireFree(promotions_);
        promotions = promotions_;
        emit PromotionsSet(address(0), promotions_);
    }

    /// @notice Names the next owner; zero takes a naming back. Nothing changes until he accepts.
    function transferOwnership(address account) external onlyOwner {
        if (account != address(0)) _requireFree(account);
        pendingOwner = account;
        emit OwnershipTransferStarted(owner, account);
    }

    /// @notice The named account takes the ownership.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotPendingOwner(msg.sender);
        // Checked again: he may have been given another role since he was named.
        _requireFree(msg.sender);
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }

    /// @notice Replaces the guardian.
    function setGuardian(address account) external onlyOwner {
        _requireFree(account);
        emit GuardianSet(guardian, account);
        guardian = account;
    }

    /// @notice Replaces the relayer.
    function setRelayer(address account) external onlyOwner {
        _requireFree(account);
        emit RelayerSet(relayer, account);
        relayer = account;
    }

    /// @notice Replaces the settler.
    function setSettler(address account) external onlyOwner {
        _requireFree(account);
        emit SettlerSet(settler, account);
        settler = account;
    }

    /// @notice Names the next promotions account; zero takes a naming back. Nothing changes until it accepts: players
    ///         approve the ReserveVault too, and must not be made to pay for vouchers by being named.
    function setPromotions(address account) external onlyOwner {
        if (account != address(0)) _requireFree(account);
        emit PromotionsProposed(promotions, account);
        pendingPromotions = account;
    }

    /// @notice The named account agrees to pay for voucher tips from now on.
    function acceptPromotions() external {
        if (msg.sender != pendingPromotions) revert NotPendingPromotions(msg.sender);
        _requireFree(msg.sender);
        emit PromotionsSet(promotions, msg.sender);
        promotions = msg.sender;
        pendingPromotions = address(0);
    }

    function _requireFree(address account) private view {
        if (account == address(0)) revert ZeroRole();
        if (
            account == owner || account == guardian || account == relayer || account == settler || account == promotions
        ) revert RoleTaken(account);
    }
}

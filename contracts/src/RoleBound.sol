// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";

/// @title RoleBound
/// @notice Base of every contract that asks `Roles` who the caller is.
abstract contract RoleBound {
    /// @notice The contract that knows the five accounts.
    Roles public immutable roles;

    error NotOwner(address caller);
    error NotGuardian(address caller);
    error NotGuardianOrOwner(address caller);
    error NotRelayer(address caller);
    error NotSettler(address caller);
    error ZeroAddress();

    modifier onlyOwner() {
        if (msg.sender != roles.owner()) revert NotOwner(msg.sender);
        _;
    }

    modifier onlyGuardian() {
        if (msg.sender != roles.guardian()) revert NotGuardian(msg.sender);
        _;
    }

    modifier onlyGuardianOrOwner() {
        if (msg.sender != roles.guardian() && msg.sender != roles.owner()) revert NotGuardianOrOwner(msg.sender);
        _;
    }

    modifier onlyRelayer() {
        if (msg.sender != roles.relayer()) revert NotRelayer(msg.sender);
        _;
    }

    modifier onlySettler() {
        if (msg.sender != roles.settler()) revert NotSettler(msg.sender);
        _;
    }

    constructor(Roles roles_) {
        if (address(roles_) == address(0)) revert ZeroAddress();
        roles = roles_;
    }
}

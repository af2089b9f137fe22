// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Roles} from "./Roles.sol";
import {ISettlement} from "./Types.sol";

/// @title RoleBound
/// @notice Base of every contract that asks `Roles` who the caller is.
abstract contract RoleBound {
    /// @notice The contract that knows the five offices.
    Roles public immutable roles;

    error NotOwner(address caller);
    error NotGuardian(address caller);
    error NotGuardianOrOwner(address caller);
    error NotRelayer(address caller);
    error NotSettler(address caller);
    error NotSettlement(address caller);
    error ZeroAddress();
    /// @dev Money or rights given to a contract of this deployment, or to the token, would be lost.
    error AccountIsOurs(address account);

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

    function _requireOutside(address account) internal view {
        if (account == address(0)) revert ZeroAddress();
        if (ISettlement(roles.settlement()).isOurs(account)) revert AccountIsOurs(account);
    }
}

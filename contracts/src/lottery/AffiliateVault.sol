// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "./ClaimVault.sol";
import {ReserveVault} from "./ReserveVault.sol";
import {Roles} from "./Roles.sol";

/// @title AffiliateVault
/// @notice Pays affiliates' commissions.
contract AffiliateVault is ClaimVault {
    constructor(ReserveVault reserveVault_, Roles roles_) ClaimVault(reserveVault_, roles_) {}
}

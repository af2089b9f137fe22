// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ClaimVault} from "./ClaimVault.sol";
import {Roles} from "./Roles.sol";

/// @title PrizeVault
/// @notice Pays winnings, and refunds of a voided day.
contract PrizeVault is ClaimVault {
    constructor(IERC20 usdt_, Roles roles_, address settlement_) ClaimVault(usdt_, roles_, settlement_) {}
}

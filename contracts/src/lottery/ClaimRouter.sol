// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClaimVault} from "./ClaimVault.sol";
import {ReserveVault} from "./ReserveVault.sol";

/// @title ClaimRouter
/// @notice Many claims or refunds in one call. One that fails is skipped and reported, the others are paid. Holds no
///         money and no rights: the money goes to the account's payee, whoever calls.
contract ClaimRouter {
    /// @notice One claim for `ClaimVault.claim`.
    struct Claim {
        address vault;
        uint256 dayId;
        address account;
        uint256 amount;
        bytes32[] proof;
    }

    /// @notice One call of `ReserveVault.refund`.
    struct Refund {
        address buyer;
        bytes16[] nonces;
    }

    /// @notice Pays winnings.
    address public immutable prizeVault;
    /// @notice Pays commissions.
    address public immutable affiliateVault;
    /// @notice Pays refunds.
    address public immutable reserveVault;

    /// @notice The claim at `index` was not paid; `reason` is the vault's revert data.
    event ClaimSkipped(
        uint256 indexed index, address indexed vault, uint256 indexed dayId, address account, bytes reason
    );

    /// @notice The refund at `index` was not paid; `reason` is the vault's revert data.
    event RefundSkipped(uint256 indexed index, address indexed buyer, bytes reason);

    error ZeroAddress();
    error UnknownVault(address vault);

    constructor(address prizeVault_, address affiliateVault_, address reserveVault_) {
        if (prizeVault_ == address(0) || affiliateVault_ == address(0) || reserveVault_ == address(0)) {
            revert ZeroAddress();
        }
        prizeVault = prizeVault_;
        affiliateVault = affiliateVault_;
        reserveVault = reserveVault_;
    }

    /// @notice Makes the claims in order and returns how many were paid.
    function claimMany(Claim[] calldata claims) external returns (uint256 paid) {
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata c = claims[i];
            if (c.vault != prizeVault && c.vault != affiliateVault) {
                emit ClaimSkipped(
                    i, c.vault, c.dayId, c.account, abi.encodeWithSelector(UnknownVault.selector, c.vault)
                );
                continue;
            }
            try ClaimVault(c.vault).claim(c.dayId, c.account, c.amount, c.proof) {
                ++paid;
            } catch (bytes memory reason) {
                emit ClaimSkipped(i, c.vault, c.dayId, c.account, reason);
            }
        }
    }

    /// @notice Makes the refunds in order and returns how many calls were paid.
    function refundMany(Refund[] calldata refunds) external returns (uint256 paid) {
        for (uint256 i = 0; i < refunds.length; ++i) {
            try ReserveVault(reserveVault).refund(refunds[i].buyer, refunds[i].nonces) {
                ++paid;
            } catch (bytes memory reason) {
                emit RefundSkipped(i, refunds[i].buyer, reason);
            }
        }
    }
}

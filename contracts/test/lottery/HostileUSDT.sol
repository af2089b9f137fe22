// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {TestUSDT} from "../../src/shared/test/TestUSDT.sol";

/// @notice A token that can do what the real one can, besides blocking: take a fee from what arrives, destroy an
///         account's money, pay less than asked, and take more from the sender than asked.
contract HostileUSDT is TestUSDT {
    /// @notice Leaves what arrives with every transfer.
    uint256 public fee;
    /// @notice Is missing from what a transfer moves.
    uint256 public underPaid;
    /// @notice Is taken from the sender besides what a transfer moves.
    uint256 public surcharge;

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function setUnderPaid(uint256 underPaid_) external {
        underPaid = underPaid_;
    }

    function setSurcharge(uint256 surcharge_) external {
        surcharge = surcharge_;
    }

    /// @notice What Tether's `destroyBlackFunds` does.
    function destroy(address account, uint256 amount) external {
        _burn(account, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, amount);
        super._update(from, to, amount - underPaid);
        if (fee > 0) super._update(to, address(0xFEE), fee);
        if (surcharge > 0) super._update(from, address(0xFEE), surcharge);
    }
}

/// @notice Code for a token that knows no blocked accounts.
contract PlainUSDT is ERC20 {
    constructor() ERC20("", "") {}
}

/// @notice Code for a token that burns all gas when it is asked about a blocked account.
contract GasBurningUSDT is ERC20 {
    constructor() ERC20("", "") {}

    function isBlocked(address) external pure returns (bool) {
        assembly ("memory-safe") {
            invalid()
        }
    }
}

/// @notice Code for a token that answers with less than a word when it is asked about a blocked account.
contract ShortAnswerUSDT is ERC20 {
    constructor() ERC20("", "") {}

    function isBlocked(address) external pure returns (bool) {
        assembly ("memory-safe") {
            mstore(0, not(0))
            return(0, 31)
        }
    }
}

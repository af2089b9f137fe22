// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TestUSDT} from "../../../src/shared/test/TestUSDT.sol";

/// @notice A token with Tether's two powers: it blocks accounts (see TestUSDT), and it can start to take a fee out of
///         what arrives. `surcharge` is what Tether cannot do: it takes more from the sender than he sends.
contract FeeUSDT is TestUSDT {
    address public constant COLLECTOR = address(0xFEE);
    uint256 public feeBps;
    uint256 public surcharge;

    function setFee(uint256 feeBps_) external {
        feeBps = feeBps_;
    }

    function setSurcharge(uint256 surcharge_) external {
        surcharge = surcharge_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from == address(0)) return;
        super._update(to, COLLECTOR, amount * feeBps / 10_000);
        super._update(from, COLLECTOR, surcharge);
    }
}

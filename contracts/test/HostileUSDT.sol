// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {TestUSDT} from "../src/test/TestUSDT.sol";

/// @notice A token that can do what the real one can: block an account, and take a fee.
contract HostileUSDT is TestUSDT {
    mapping(address account => bool) public isBlocked;
    uint256 public fee;

    error Blocked(address account);

    function setBlocked(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (isBlocked[from]) revert Blocked(from);
        if (isBlocked[to]) revert Blocked(to);
        super._update(from, to, amount);
        if (fee > 0 && from != address(0)) super._update(to, address(0xFEE), fee);
    }
}

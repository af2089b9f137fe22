// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title TestUSDT
/// @notice A 6-decimals token that anyone can mint. For local chains only.
contract TestUSDT is ERC20 {
    constructor() ERC20("Test Tether USD", "USDT") {}

    /// @notice Makes `amount` atoms out of nothing.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title TestUSDT
/// @notice A 6-decimals token that anyone can mint, with Tether's rule for blocked accounts: only the sender, and the
///         caller of `transferFrom`, are asked, so money can go into a blocked account and stays there. For local
///         chains only.
contract TestUSDT is ERC20 {
    /// @notice Whether an account is blocked.
    mapping(address account => bool) public isBlocked;

    error Blocked(address account);

    constructor() ERC20("Test Tether USD", "USDT") {}

    /// @notice Makes `amount` atoms out of nothing.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice Blocks an account, or lets it go.
    function setBlocked(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    /// @inheritdoc ERC20
    function transfer(address to, uint256 amount) public override returns (bool) {
        if (isBlocked[msg.sender]) revert Blocked(msg.sender);
        return super.transfer(to, amount);
    }

    /// @inheritdoc ERC20
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (isBlocked[msg.sender]) revert Blocked(msg.sender);
        if (isBlocked[from]) revert Blocked(from);
        return super.transferFrom(from, to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}

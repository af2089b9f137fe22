// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";
import {Timelocked} from "./Timelocked.sol";

/// @title CharityVault
/// @notice Holds the charity share and pays it to registered charities only, every step by event.
contract CharityVault is Timelocked {
    using SafeERC20 for IERC20;

    /// @notice The token of all amounts.
    IERC20 public immutable usdt;
    /// @notice Whether an account is a registered charity.
    mapping(address charity => bool) public isCharity;
    /// @notice What a charity has received, in atoms.
    mapping(address charity => uint256) public paidTo;

    event CharityRegistered(address indexed charity, string name);
    event CharityRemoved(address indexed charity);
    event CharityPaid(address indexed charity, uint256 amount);

    error AlreadyRegistered(address charity);
    error NotRegistered(address charity);

    constructor(IERC20 usdt_, Roles roles_) RoleBound(roles_) {
        if (address(usdt_) == address(0)) revert ZeroAddress();
        usdt = usdt_;
    }

    /// @notice Announces a new charity; its address is the subject.
    function announceCharity(address charity, string calldata name) external onlyOwner {
        _requireOutside(charity);
        if (isCharity[charity]) revert AlreadyRegistered(charity);
        _announce(bytes32(uint256(uint160(charity))), abi.encode(charity, name));
    }

    /// @notice Takes a charity off the list, at once.
    function removeCharity(address charity) external onlyOwner {
        if (!isCharity[charity]) revert NotRegistered(charity);
        isCharity[charity] = false;
        emit CharityRemoved(charity);
    }

    /// @notice Pays a registered charity, in atoms.
    function pay(address charity, uint256 amount) external onlyOwner {
        if (!isCharity[charity]) revert NotRegistered(charity);
        paidTo[charity] += amount;
        emit CharityPaid(charity, amount);
        usdt.safeTransfer(charity, amount);
    }

    /// @inheritdoc Timelocked
    function _apply(bytes32, bytes memory data) internal override {
        (address charity, string memory name) = abi.decode(data, (address, string));
        if (isCharity[charity]) revert AlreadyRegistered(charity);
        isCharity[charity] = true;
        emit CharityRegistered(charity, name);
    }
}

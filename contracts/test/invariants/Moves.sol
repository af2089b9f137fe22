// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Checks} from "./Checks.sol";

/// @notice What all moves share: chance, time and refusals.
abstract contract Moves is Checks {
    uint256 private _entropy;
    uint256 private _newcomers;

    /// @dev After each move somebody tries something that he may not do.
    modifier move(uint256 seed) {
        _entropy = uint256(keccak256(abi.encode(seed, block.timestamp)));
        _;
        _tryForbidden();
    }

    function _tryForbidden() internal virtual;

    function _random() internal returns (uint256) {
        _entropy = uint256(keccak256(abi.encode(_entropy)));
        return _entropy;
    }

    /// @dev 0 to `count` - 1.
    function _below(uint256 count) internal returns (uint256) {
        return _random() % count;
    }

    function _oneIn(uint256 count) internal returns (bool) {
        return _random() % count == 0;
    }

    /// @dev An address that nobody has used.
    function _newcomer() internal returns (address account) {
        account = address(uint160(0xC0DE0000 + ++_newcomers));
        _meet(account);
    }

    function _warpTo(uint256 time) internal {
        if (block.timestamp < time) vm.warp(time);
    }

    /// @dev The call must fail, for this reason if one is given.
    function _refused(address who, address target, bytes memory data, bytes4 reason, string memory broken) internal {
        vm.prank(who);
        (bool ok, bytes memory answer) = target.call(data);
        require(!ok, broken);
        if (reason != 0) require(bytes4(answer) == reason, string.concat(broken, " (refused for another reason)"));
    }
}

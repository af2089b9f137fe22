// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PowerChecks} from "./PowerChecks.sol";

/// @notice forge's cheat code that writes bytes as hex.
interface Hex {
    function toString(bytes calldata value) external pure returns (string memory);
}

/// @notice What all moves share: chance, time and refusals. A move that needs something first brings it about, so that
///         the deep states are reached in few moves; one that is impossible as things stand is discarded.
abstract contract Moves is PowerChecks {
    uint256 private _entropy;
    uint256 private _newcomers;

    /// @dev After each move something forbidden is tried.
    modifier move(uint256 seed) {
        _entropy = uint256(keccak256(abi.encode(seed, block.timestamp)));
        _;
        _tryForbidden();
    }

    function _tryForbidden() internal virtual;

    /// @dev Sells a ticket for today; discards the move if it cannot.
    function _sellToday() internal virtual;

    /// @dev Brings it about that the next day has tips, by a sale if need be; discards the move if it cannot.
    function _bringSoldDay() internal virtual;

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

    /// @dev An address that was not used before.
    function _newcomer() internal returns (address account) {
        account = address(uint160(0xC0DE0000 + ++_newcomers));
        _meet(account);
    }

    /// @dev Anyone at all: the caller must not matter.
    function _anyone() internal returns (address) {
        return everybody[_below(everybody.length)];
    }

    function _guardianOrOwner() internal returns (address) {
        return _oneIn(2) ? _guardian() : _owner();
    }

    function _warpTo(uint256 time) internal {
        if (block.timestamp < time) vm.warp(time);
    }

    function _call(address who, address target, bytes memory data, string memory broken)
        internal
        returns (bytes memory)
    {
        vm.prank(who);
        (bool ok, bytes memory answer) = target.call(data);
        if (!ok) revert(string.concat(broken, " (refused: ", Hex(address(vm)).toString(answer), ")"));
        return answer;
    }

    /// @dev The call must fail, for this reason if one is given.
    function _refused(address who, address target, bytes memory data, bytes4 reason, string memory broken) internal {
        vm.prank(who);
        (bool ok, bytes memory answer) = target.call(data);
        require(!ok, broken);
        if (reason == 0 || bytes4(answer) == reason) return;
        revert(string.concat(broken, " (refused for another reason: ", Hex(address(vm)).toString(answer), ")"));
    }
}

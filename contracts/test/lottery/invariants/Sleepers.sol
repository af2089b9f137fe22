// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Rules} from "./Rules.sol";

/// @notice Time that passes: hours, days, and half a year in which no one does anything.
abstract contract Sleepers is Rules {
    uint256[5] private _sleeps = [uint256(7 days), 12 days, 31 days, 60 days, 181 days];

    function timePasses(uint256 seed) external move(seed) {
        uint256 close = _closeOf(_today());
        uint256 kind = _below(5);
        if (kind == 0) vm.warp(close - 1);
        else if (kind == 1) vm.warp(close);
        else if (kind == 2) vm.warp(close + _below(12 hours));
        else if (kind == 3) vm.warp(block.timestamp + _below(3 hours));
        else vm.warp(block.timestamp + 1 + _below(3 days));
    }

    function allSleep(uint256 seed) external move(seed) {
        vm.assume(_oneIn(2));
        vm.warp(block.timestamp + _sleeps[_below(5)]);
    }
}

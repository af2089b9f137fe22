// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice A Merkle tree with sorted pairs. An odd node moves up alone, so every number of leaves has a tree.
library Tree {
    function root(bytes32[] memory level) internal pure returns (bytes32) {
        while (level.length > 1) level = _up(level);
        return level.length == 0 ? bytes32(0) : level[0];
    }

    function proof(bytes32[] memory level, uint256 index) internal pure returns (bytes32[] memory path) {
        bytes32[] memory found = new bytes32[](8);
        uint256 length;
        for (; level.length > 1; index /= 2) {
            uint256 sibling = index ^ 1;
            if (sibling < level.length) found[length++] = level[sibling];
            level = _up(level);
        }
        path = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) path[i] = found[i];
    }

    function _up(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            bytes32 left = level[2 * i];
            if (2 * i + 1 == level.length) {
                above[i] = left;
                continue;
            }
            bytes32 right = level[2 * i + 1];
            above[i] = left < right ? keccak256(bytes.concat(left, right)) : keccak256(bytes.concat(right, left));
        }
    }
}

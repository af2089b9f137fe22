// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VRFCoordinatorV2_5Mock} from "@chainlink/contracts/src/v0.8/vrf/mocks/VRFCoordinatorV2_5Mock.sol";

/// @title TestCoordinator
/// @notice Chainlink's mock with the list of proving keys that the real coordinator has. For local chains only.
contract TestCoordinator is VRFCoordinatorV2_5Mock {
    struct ProvingKey {
        bool exists;
        uint64 maxGas;
    }

    /// @notice As in Chainlink's VRFCoordinatorV2_5.
    mapping(bytes32 keyHash => ProvingKey) public s_provingKeys;

    constructor(uint96 baseFee, uint96 gasPrice, int256 weiPerUnitLink)
        VRFCoordinatorV2_5Mock(baseFee, gasPrice, weiPerUnitLink)
    {}

    /// @notice Adds or removes a key.
    function setProvingKey(bytes32 keyHash, bool exists) external {
        s_provingKeys[keyHash] = ProvingKey(exists, 0);
    }
}

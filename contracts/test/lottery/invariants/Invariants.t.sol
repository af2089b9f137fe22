// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Campaign} from "./Campaign.sol";

/// @notice Random campaigns of everybody's moves. A move that the contracts should allow and refuse fails the campaign
///         (fail_on_revert), and so does a forbidden one that they allow; foundry.toml says how many and how long.
contract InvariantsTest {
    /// @dev forge asks for this shape.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Campaign private _campaign;
    bytes4[] private _moves;

    function setUp() public {
        _campaign = new Campaign();
        _campaign.setUp();
        _moves = _campaign.moves();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_campaign);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory selectors) {
        selectors = new FuzzSelector[](1);
        selectors[0] = FuzzSelector(address(_campaign), _moves);
    }

    /// @dev One function, because forge plays all campaigns again for each; the reason names what broke.
    function invariant_EveryAtomIsAccountedForAfterEveryMove() external view {
        _campaign.check();
    }

    function afterInvariant() external {
        _campaign.liquidate();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CharityVault} from "../../src/CharityVault.sol";
import {ClaimVault} from "../../src/ClaimVault.sol";
import {GameManager} from "../../src/GameManager.sol";
import {GameTreasury} from "../../src/GameTreasury.sol";
import {ReserveVault} from "../../src/ReserveVault.sol";
import {RoleBound} from "../../src/RoleBound.sol";
import {Roles} from "../../src/Roles.sol";
import {SettlementV4} from "../../src/SettlementV4.sol";
import {BuyPermit} from "../../src/Types.sol";
import {VRFReceiver} from "../../src/VRFReceiver.sol";
import {Owners} from "./Owners.sol";

/// @notice After every move somebody does another's work; he must be refused, and for that reason.
abstract contract Intruders is Owners {
    /// @dev A protected function, with arguments that its holder could use.
    struct Power {
        address target;
        bytes data;
        bytes4 refusal;
        address holder;
        address otherHolder;
    }

    uint256 public intrusions;

    function _intrude() internal {
        Power memory power = _anyPower();
        address who = _anybody();
        if (who == power.holder || who == power.otherHolder) who = thief;
        ++intrusions;
        _refused(who, power.target, power.data, power.refusal, "roles: nobody does another's work");
    }

    function _anybody() private returns (address) {
        address[15] memory all = [
            owner,
            guardian,
            relayer,
            settler,
            promotions,
            players[0],
            address(wallet),
            thief,
            former,
            address(game),
            address(settlement),
            address(reserve),
            address(prizes),
            address(router),
            address(coordinator)
        ];
        return all[_below(15)];
    }

    function _anyPower() private returns (Power memory) {
        uint256 kind = _below(5);
        if (kind == 0) return _ownersPower();
        if (kind == 1) return _ownersOtherPower();
        if (kind == 2) return _guardiansPower();
        if (kind == 3) return _keysPower();
        return _contractsPower();
    }

    function _owned(address target, bytes memory data) private view returns (Power memory) {
        return Power(target, data, RoleBound.NotOwner.selector, owner, owner);
    }

    function _ownersPower() private returns (Power memory) {
        uint256 kind = _below(8);
        address to = address(0xFACE);
        if (kind == 0) return _owned(address(roles), abi.encodeCall(Roles.setGuardian, (to)));
        if (kind == 1) return _owned(address(roles), abi.encodeCall(Roles.setRelayer, (to)));
        if (kind == 2) return _owned(address(roles), abi.encodeCall(Roles.setSettler, (to)));
        if (kind == 3) return _owned(address(roles), abi.encodeCall(Roles.setPromotions, (to)));
        if (kind == 4) return _owned(address(roles), abi.encodeCall(Roles.transferOwnership, (to)));
        if (kind == 5) return _owned(address(reserve), abi.encodeCall(ReserveVault.setFeeReceiver, (to)));
        if (kind == 6) return _owned(address(reserve), abi.encodeCall(ReserveVault.setGasSafe, (to)));
        bytes memory config = abi.encodeCall(VRFReceiver.setVrfConfig, (bytes32("lane"), 200_000, 3, 1));
        return _owned(address(vrf), config);
    }

    function _ownersOtherPower() private returns (Power memory) {
        uint256 kind = _below(7);
        uint256 day = _today() + 40;
        if (kind == 0) return _owned(address(settlement), abi.encodeCall(SettlementV4.announceVoid, (next)));
        if (kind == 1) {
            uint256 stake = _stakeOf(next);
            bytes32 root = stake == 0 ? bytes32(0) : bytes32("root");
            return _owned(address(settlement), abi.encodeCall(SettlementV4.voidDay, (next, root, stake)));
        }
        if (kind == 2) return _owned(address(game), abi.encodeCall(GameManager.scheduleRuleset, ("two", day)));
        if (kind == 3) return _owned(address(game), abi.encodeCall(GameManager.setAffiliateRate, (thief, 1_000, day)));
        if (kind == 4) return _owned(address(charityVault), abi.encodeCall(CharityVault.registerCharity, (thief, "")));
        if (kind == 5) return _owned(address(charityVault), abi.encodeCall(CharityVault.removeCharity, (thief)));
        return _owned(address(charityVault), abi.encodeCall(CharityVault.pay, (thief, 1)));
    }

    function _guardiansPower() private returns (Power memory) {
        uint256 kind = _below(5);
        ClaimVault vault = _vault(_below(2));
        bytes4 alone = RoleBound.NotGuardian.selector;
        bytes4 both = RoleBound.NotGuardianOrOwner.selector;
        if (kind == 0) {
            bytes memory veto = abi.encodeCall(SettlementV4.veto, (next, "mine"));
            return Power(address(settlement), veto, alone, guardian, guardian);
        }
        if (kind == 1) {
            return Power(address(game), abi.encodeCall(GameManager.pausePurchases, ()), alone, guardian, guardian);
        }
        if (kind == 2) {
            return Power(address(vault), abi.encodeCall(ClaimVault.pauseClaims, ()), alone, guardian, guardian);
        }
        bytes memory unpause = abi.encodeCall(ClaimVault.unpauseClaims, ());
        if (kind == 3) return Power(address(vault), unpause, both, guardian, owner);
        return Power(address(game), abi.encodeCall(GameManager.unpausePurchases, ()), both, guardian, owner);
    }

    /// @dev The settler's and the relayer's.
    function _keysPower() private returns (Power memory) {
        if (_oneIn(2)) {
            bytes memory commit = abi.encodeCall(SettlementV4.commitMerkleSettlement, (_candidate()));
            return Power(address(settlement), commit, RoleBound.NotSettler.selector, settler, settler);
        }
        (BuyPermit memory permit, bytes memory tips) = _order(players[_below(5)], true);
        bytes memory sale = _purchase(permit, tips, true);
        return Power(address(game), sale, RoleBound.NotRelayer.selector, relayer, relayer);
    }

    /// @dev What only one of our contracts may ask of another, and what only a named account may accept.
    function _contractsPower() private returns (Power memory) {
        uint256 kind = _below(8);
        address to = address(_vault(kind % 2));
        bytes4 notSettlement = ReserveVault.NotSettlement.selector;
        bytes4 notGame = ReserveVault.NotGameManager.selector;
        address s = address(settlement);
        address g = address(game);
        bytes memory data = abi.encodeCall(ClaimVault.setRoot, (next, bytes32("root"), 1));
        if (kind <= 1) return Power(to, data, notSettlement, s, s);
        data = abi.encodeCall(ReserveVault.payOut, (next, 1, 1));
        if (kind == 2) return Power(address(reserve), data, notSettlement, s, s);
        data = abi.encodeCall(ReserveVault.accrue, (next, 1, 1));
        if (kind == 3) return Power(address(reserve), data, notSettlement, s, s);
        data = abi.encodeCall(ReserveVault.collect, (players[1], 1, 1, 1));
        if (kind == 4) return Power(address(reserve), data, notGame, g, g);
        data = abi.encodeCall(GameTreasury.record, (next, 0, 1));
        if (kind == 5) return Power(address(treasury), data, notGame, g, g);
        data = abi.encodeCall(VRFReceiver.rawFulfillRandomWords, (1, new uint256[](1)));
        address c = address(coordinator);
        if (kind == 6) return Power(address(vrf), data, VRFReceiver.OnlyCoordinator.selector, c, c);
        data = abi.encodeCall(Roles.acceptOwnership, ());
        address named = roles.pendingOwner();
        return Power(address(roles), data, Roles.NotPendingOwner.selector, named, named);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CharityVault} from "../../../src/lottery/CharityVault.sol";
import {ClaimVault} from "../../../src/lottery/ClaimVault.sol";
import {GameManager} from "../../../src/lottery/GameManager.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../../src/lottery/RoleBound.sol";
import {Roles} from "../../../src/lottery/Roles.sol";
import {SettlementV4} from "../../../src/lottery/SettlementV4.sol";
import {Timelocked} from "../../../src/lottery/Timelocked.sol";
import {BuyPermit, Office, Settlement} from "../../../src/lottery/Types.sol";
import {VRFReceiver} from "../../../src/lottery/VRFReceiver.sol";
import {Sleepers} from "./Sleepers.sol";

/// @notice After every move an account uses a power that it does not have, with arguments that its holder could use: a
///         stranger, the holder of another office, a former or suspended one, a named one, one of our contracts.
abstract contract Strangers is Sleepers {
    struct Power {
        address target;
        bytes data;
        bytes4 refusal;
        address holder;
        address otherHolder;
    }

    function _intrude() internal {
        Power memory power = _anyPower();
        address who = _somebody();
        if (who == power.holder || who == power.otherHolder) who = thief;
        _refused(who, power.target, power.data, power.refusal, "powers: used by an account without it");
    }

    function _somebody() private returns (address) {
        uint256 kind = _below(6);
        if (kind == 0) return thief;
        if (kind == 1) return _orThief(holder[_below(5)]);
        if (kind == 2) return known[_below(known.length)];
        if (kind == 3) return _orThief(named[_below(5)].account);
        if (kind == 4) return players[_below(5)];
        address[7] memory ours = [
            address(game),
            address(settlement),
            address(reserve),
            address(prizes),
            address(roles),
            address(vrf),
            address(coordinator)
        ];
        return ours[_below(7)];
    }

    function _orThief(address account) private view returns (address) {
        return account == address(0) ? thief : account;
    }

    function _anyPower() private returns (Power memory) {
        uint256 kind = _below(7);
        if (kind == 0) return _ofOwnerOverAccounts();
        if (kind == 1) return _ofOwnerOverMoney();
        if (kind == 2) return _ofOwnerOverTheGame();
        if (kind == 3) return _ofGuardian();
        if (kind == 4) return _ofGuardianOrOwner();
        if (kind == 5) return _ofKeys();
        return _ofContracts();
    }

    function _owned(address target, bytes memory data) private view returns (Power memory) {
        return Power(target, data, RoleBound.NotOwner.selector, _owner(), _owner());
    }

    function _ofOwnerOverAccounts() private returns (Power memory) {
        uint256 kind = _below(5);
        address to = address(0xFACE);
        address target = address(roles);
        if (kind == 0) return _owned(target, abi.encodeCall(Roles.nameHolder, (Office(_below(5)), to)));
        if (kind == 1) return _owned(target, abi.encodeCall(Roles.removeHolder, (Office.Settler)));
        if (kind == 2) return _owned(target, abi.encodeCall(Roles.liftSuspension, (known[_below(known.length)])));
        if (kind == 3) return _owned(address(reserve), abi.encodeCall(ReserveVault.announceFeeReceiver, (to)));
        return _owned(address(reserve), abi.encodeCall(ReserveVault.announceGasSafe, (to)));
    }

    function _ofOwnerOverMoney() private returns (Power memory) {
        uint256 kind = _below(6);
        address target = address(reserve);
        if (kind == 0) return _owned(target, abi.encodeCall(ReserveVault.announceVoucherCap, (100e6)));
        if (kind == 1) return _owned(target, abi.encodeCall(ReserveVault.lowerVoucherCap, (0)));
        if (kind == 2) return _owned(target, abi.encodeCall(ReserveVault.announceSweep, (1)));
        target = address(charityVault);
        if (kind == 3) return _owned(target, abi.encodeCall(CharityVault.announceCharity, (thief, "")));
        if (kind == 4) return _owned(target, abi.encodeCall(CharityVault.removeCharity, (charities[0])));
        return _owned(target, abi.encodeCall(CharityVault.pay, (charities[0], 1)));
    }

    function _ofOwnerOverTheGame() private returns (Power memory) {
        uint256 kind = _below(4);
        uint256 day = _max(_today() + 30, FIRST_DAY);
        if (kind == 0) return _owned(address(game), abi.encodeCall(GameManager.scheduleRuleset, ("two", day)));
        if (kind == 1) return _owned(address(game), abi.encodeCall(GameManager.setAffiliateRate, (thief, 1_000, day)));
        if (kind == 2) return _owned(address(settlement), _endCall(day, HEIR));
        VRFReceiver.VrfConfig memory config = VRFReceiver.VrfConfig(LANE, 200_000, 3, 1);
        return _owned(address(vrf), abi.encodeCall(VRFReceiver.announceConfig, (config)));
    }

    function _ofGuardian() private returns (Power memory) {
        uint256 kind = _below(3);
        bytes4 reason = RoleBound.NotGuardian.selector;
        (address target, bytes memory data) = (address(game), abi.encodeCall(GameManager.pausePurchases, ()));
        if (kind == 0) (target, data) = (address(_vault(_below(2))), abi.encodeCall(ClaimVault.pauseClaims, ()));
        if (kind == 1) (target, data) = (address(roles), abi.encodeCall(Roles.suspend, (Office.Settler)));
        return Power(target, data, reason, _guardian(), _guardian());
    }

    function _ofGuardianOrOwner() private returns (Power memory) {
        uint256 kind = _below(7);
        (address target, bytes memory data) = (address(game), abi.encodeCall(GameManager.unpausePurchases, ()));
        if (kind == 0) (target, data) = (address(_vault(_below(2))), abi.encodeCall(ClaimVault.unpauseClaims, ()));
        if (kind == 1) (target, data) = (address(game), abi.encodeCall(GameManager.cancelRuleset, ()));
        if (kind == 2) (target, data) = (address(roles), abi.encodeCall(Roles.cancelNaming, (Office(_below(5)))));
        // What is open to all must not be asked here: veto and cancelEnd look at the caller first.
        if (kind == 3) (target, data) = (address(settlement), abi.encodeCall(SettlementV4.veto, (next, "mine")));
        if (kind == 4) (target, data) = (address(settlement), _cancelCall());
        if (kind == 5) {
            (Timelocked place, bytes32 key) = _placeOf(Subject(_below(7)));
            (target, data) = (address(place), abi.encodeCall(Timelocked.cancel, (key)));
        }
        return Power(target, data, RoleBound.NotGuardianOrOwner.selector, _guardian(), _owner());
    }

    /// @dev The settler's, the relayer's, a player's own and a named account's.
    function _ofKeys() private returns (Power memory) {
        uint256 kind = _below(4);
        if (kind == 0) {
            Settlement memory s = _isPending() ? _pendingResult() : _result(next, Forgery.All);
            address settler = _acting(Office.Settler);
            return Power(address(settlement), _commitCall(s), RoleBound.NotSettler.selector, settler, settler);
        }
        if (kind == 1) {
            Office office = Office(_below(5));
            address account = named[uint8(office)].account;
            bytes memory take = abi.encodeCall(Roles.takeOffice, (office));
            return Power(address(roles), take, Roles.NotNamed.selector, account, account);
        }
        address buyer = players[_below(5)];
        (BuyPermit memory permit, bytes memory tips) = _order(buyer, kind == 2, 0);
        bytes memory sale = _purchase(permit, tips, kind == 2);
        address relayer = _acting(Office.Relayer);
        if (kind == 2) return Power(address(game), sale, RoleBound.NotRelayer.selector, relayer, relayer);
        return Power(address(game), sale, GameManager.NotBuyer.selector, buyer, buyer);
    }

    /// @dev What only one of our contracts may ask of another.
    function _ofContracts() private returns (Power memory) {
        uint256 kind = _below(10);
        (address s, address g, address r) = (address(settlement), address(game), address(reserve));
        bytes4 reason = RoleBound.NotSettlement.selector;
        if (kind <= 1) {
            return Power(address(_vault(kind)), abi.encodeCall(ClaimVault.setRoot, (next, "root", 1)), reason, s, s);
        }
        if (kind == 2) return Power(r, abi.encodeCall(ReserveVault.accrue, (next, 1, 1)), reason, s, s);
        if (kind == 3) return Power(r, abi.encodeCall(ReserveVault.bookRefund, (next, 1)), reason, s, s);
        if (kind == 4) return Power(r, abi.encodeCall(ReserveVault.payEnd, (thief, 1)), reason, s, s);
        if (kind == 5) return Power(g, abi.encodeCall(GameManager.setSaleWindow, (0, 0)), reason, s, s);
        if (kind == 6) {
            bytes memory collect = abi.encodeCall(ReserveVault.collect, (players[1], next, 1, 0, 0));
            return Power(r, collect, ReserveVault.NotGameManager.selector, g, g);
        }
        if (kind == 7) {
            bytes memory pay = abi.encodeCall(ReserveVault.payClaim, (thief, 1));
            return Power(r, pay, ReserveVault.NotClaimVault.selector, address(prizes), address(commissions));
        }
        if (kind == 8) {
            bytes memory note = abi.encodeCall(GameManager.takeNote, (players[1], bytes16(uint128(1))));
            return Power(g, note, GameManager.NotReserveVault.selector, r, r);
        }
        bytes memory back = abi.encodeCall(SettlementV4.takeBack, ());
        return Power(s, back, SettlementV4.NotRoles.selector, address(roles), address(roles));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Timelocked} from "../../../src/lottery/Timelocked.sol";
import {Office} from "../../../src/lottery/Types.sol";
import {World} from "./World.sol";

/// @notice Who ought to have which power, and which settings ought to be in force: kept beside the contracts.
abstract contract Powers is World {
    /// @dev What OWNER can announce. Two charities, because each has a subject of its own.
    enum Subject {
        FeeReceiver,
        GasSafe,
        VoucherCap,
        Sweep,
        VrfConfig,
        CharityA,
        CharityB
    }

    struct Named {
        address account;
        uint256 since;
    }

    struct Notice {
        bytes data;
        uint256 since;
    }

    struct RateEvent {
        address affiliate;
        uint256 rateBps;
        uint256 fromDay;
    }

    struct Rule {
        bytes32 hash;
        uint256 fromDay;
    }

    struct Ending {
        uint256 lastDay;
        address receiver;
        bool abandoned;
    }

    // Offices.
    address[5] internal holder = [address(0x0A01), address(0x0A02), address(0x0A03), address(0x0A04), address(0x0A05)];
    Named[5] internal named;
    mapping(address account => bool) internal isSuspended;
    /// @dev Everyone who ever held an office or was suspended.
    address[] internal known;

    // Settings.
    Notice[7] internal notices;
    address internal feeReceiver = address(0x0B01);
    address internal gasSafe = address(0x0B02);
    uint256 internal voucherCap = FIRST_CAP;
    bytes32 internal lane = LANE;
    uint32 internal callbackGas = 200_000;
    uint96 internal linkPerRequest = LINK_PER_REQUEST;
    address[2] internal charities = [address(0xC4A1), address(0xC4A2)];
    mapping(address charity => bool) internal isCharity;
    mapping(address account => address) internal payeeOf;
    bool internal isPaused;
    uint256[2] internal claimsPausedUntil;
    RateEvent[] internal rates;
    Rule[] internal rules;

    // The end.
    Ending internal ending;
    bool internal isFinished;
    uint256 internal aliveAt = FIRST_DAY * 1 days;
    uint256 internal drawnVoidAt;

    function _owner() internal view returns (address) {
        return holder[uint8(Office.Owner)];
    }

    function _guardian() internal view returns (address) {
        return holder[uint8(Office.Guardian)];
    }

    function _promotions() internal view returns (address) {
        return holder[uint8(Office.Promotions)];
    }

    /// @dev RELAYER or SETTLER as far as it can act: zero while the office is empty or its holder suspended.
    function _acting(Office office) internal view returns (address account) {
        account = holder[uint8(office)];
        if (isSuspended[account]) account = address(0);
    }

    function _isHolder(address account) internal view returns (bool) {
        for (uint256 i = 0; i < 5; ++i) if (holder[i] == account) return true;
        return false;
    }

    function _placeOf(Subject subject) internal view returns (Timelocked target, bytes32 key) {
        if (subject == Subject.FeeReceiver) return (reserve, "fee receiver");
        if (subject == Subject.GasSafe) return (reserve, "gas safe");
        if (subject == Subject.VoucherCap) return (reserve, "voucher cap");
        if (subject == Subject.Sweep) return (reserve, "sweep");
        if (subject == Subject.VrfConfig) return (vrf, "vrf config");
        return (charityVault, bytes32(uint256(uint160(_charityOf(subject)))));
    }

    function _charityOf(Subject subject) internal view returns (address) {
        return charities[subject == Subject.CharityA ? 0 : 1];
    }

    function _receiverOf(address account) internal view returns (address) {
        return payeeOf[account] == address(0) ? account : payeeOf[account];
    }

    /// @dev The last day that is sold.
    function _lastDay() internal view returns (uint256) {
        return ending.receiver == address(0) ? type(uint64).max : ending.lastDay;
    }

    /// @dev Section 7: the rate of a day is that of the last event, in log order, with fromDay <= day.
    function _rateOf(address affiliate, uint256 day) internal view returns (uint256) {
        for (uint256 i = rates.length; i != 0; --i) {
            RateEvent storage set = rates[i - 1];
            if (set.affiliate == affiliate && set.fromDay <= day) return set.rateBps;
        }
        return 500;
    }

    function _rulesetOf(uint256 day) internal view returns (bytes32) {
        for (uint256 i = rules.length; i != 0; --i) if (rules[i - 1].fromDay <= day) return rules[i - 1].hash;
        return 0;
    }

    /// @dev The latest ruleset can still be replaced or cancelled.
    function _isRulesetWaiting() internal view returns (bool) {
        return rules.length > 1 && rules[rules.length - 1].fromDay > _today();
    }
}

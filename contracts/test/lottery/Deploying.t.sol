// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {CharityVault} from "../../src/lottery/CharityVault.sol";
import {ClaimRouter} from "../../src/lottery/ClaimRouter.sol";
import {ClaimVault} from "../../src/lottery/ClaimVault.sol";
import {GameManager} from "../../src/lottery/GameManager.sol";
import {GameTreasury} from "../../src/lottery/GameTreasury.sol";
import {PrizeVault} from "../../src/lottery/PrizeVault.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {RoleBound} from "../../src/lottery/RoleBound.sol";
import {Roles} from "../../src/lottery/Roles.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {SettlementWiring} from "../../src/lottery/SettlementWiring.sol";
import {Wiring} from "../../src/lottery/Types.sol";
import {Base} from "./Base.sol";

/// @notice What a deployment must be before it can start: SettlementV4 stands last and checks all of it.
contract DeployingTest is Base {
    function test_ADeploymentNamesItsParts() public view {
        vm.assertEq(keccak256(abi.encode(settlement.contracts())), keccak256(abi.encode(_wiring())));
        vm.assertEq(settlement.heir(), heir);
        vm.assertEq(settlement.challengePeriod(), CHALLENGE);
        vm.assertEq(settlement.firstDay(), FIRST_DAY);
        vm.assertEq(settlement.nextDay(), FIRST_DAY);
        vm.assertEq(settlement.aliveAt(), FIRST_DAY * 1 days);
        vm.assertEq(settlement.openingStateHash(FIRST_DAY), keccak256(abi.encode(settlement.openingState())));
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) vm.assertTrue(settlement.isOurs(ours[i]));
        vm.assertFalse(settlement.isOurs(stranger));
        vm.assertFalse(settlement.isOurs(address(0)));
        vm.assertFalse(settlement.isOurs(heir));
    }

    function test_TheChallengePeriodIs600SecondsTo20Hours() public {
        _deployParts(address(coordinator), FIRST_DAY);
        uint256[4] memory bad = [uint256(0), 599, 72_001, type(uint256).max];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(SettlementV4.BadChallengePeriod.selector, bad[i]));
            this.stand(bad[i], heir);
        }
        this.stand(600, heir);
        vm.assertEq(SettlementV4(roles.settlement()).challengePeriod(), 600);
        _deployParts(address(coordinator), FIRST_DAY);
        this.stand(72_000, heir);
        vm.assertEq(SettlementV4(roles.settlement()).challengePeriod(), 72_000);
    }

    function test_TheFirstDayIsTheDeploymentsDayOrUpTo30DaysLater() public {
        uint256[2] memory bad = [FIRST_DAY - 1, FIRST_DAY + 31];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(GameManager.BadFirstDay.selector, bad[i]));
            new GameManager(roles, reserve, treasury, bad[i], RULESET);
        }
        _deploy(address(coordinator), FIRST_DAY);
        _deploy(address(coordinator), FIRST_DAY + 30);
        vm.assertEq(settlement.firstDay(), FIRST_DAY + 30);
        vm.expectRevert(GameManager.ZeroHash.selector);
        new GameManager(roles, reserve, treasury, FIRST_DAY, 0);
    }

    function test_TheHeirIsNotOurs() public {
        _deployParts(address(coordinator), FIRST_DAY);
        settlement = SettlementV4(roles.settlement());
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) {
            vm.expectRevert(abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, ours[i]));
            this.stand(CHALLENGE, ours[i]);
        }
        vm.expectRevert(RoleBound.ZeroAddress.selector);
        this.stand(CHALLENGE, address(0));
        this.stand(CHALLENGE, heir);
    }

    function test_TheFirstReceiversAreNotOurs() public {
        address honest = feeReceiver;
        feeReceiver = address(usdt);
        _deployParts(address(coordinator), FIRST_DAY);
        vm.expectRevert(abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, address(usdt)));
        this.stand(CHALLENGE, heir);
        feeReceiver = honest;
        // The charity vault that comes two contracts later.
        gasSafe = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 2);
        _deployParts(address(coordinator), FIRST_DAY);
        vm.assertEq(gasSafe, address(charityVault));
        vm.expectRevert(abi.encodeWithSelector(RoleBound.AccountIsOurs.selector, gasSafe));
        this.stand(CHALLENGE, heir);
    }

    function test_APartThatNamesAnotherPartnerCannotStart() public {
        _deployParts(address(coordinator), FIRST_DAY);
        _refuse(address(roles), abi.encodeCall(roles.settlement, ()));
        _refuse(address(game), abi.encodeCall(game.roles, ()));
        _refuse(address(game), abi.encodeCall(game.reserveVault, ()));
        _refuse(address(game), abi.encodeCall(game.gameTreasury, ()));
        _refuse(address(game), abi.encodeCall(game.settlement, ()));
        _refuse(address(reserve), abi.encodeCall(reserve.roles, ()));
        _refuse(address(reserve), abi.encodeCall(reserve.usdt, ()));
        _refuse(address(reserve), abi.encodeCall(reserve.settlement, ()));
        _refuse(address(reserve), abi.encodeCall(reserve.gameManager, ()));
        _refuse(address(reserve), abi.encodeCall(reserve.prizeVault, ()));
        _refuse(address(reserve), abi.encodeCall(reserve.affiliateVault, ()));
        _refuse(address(reserve), abi.encodeCall(reserve.charityVault, ()));
        _refuse(address(vrf), abi.encodeCall(vrf.roles, ()));
        _refuse(address(vrf), abi.encodeCall(vrf.gameManager, ()));
        _refuseVault(prizes);
        _refuseVault(commissions);
        _refuse(address(charityVault), abi.encodeCall(charityVault.roles, ()));
        _refuse(address(charityVault), abi.encodeCall(charityVault.usdt, ()));
        _refuse(address(router), abi.encodeCall(router.prizeVault, ()));
        _refuse(address(router), abi.encodeCall(router.affiliateVault, ()));
        _refuse(address(router), abi.encodeCall(router.reserveVault, ()));
        // As they are, they start.
        this.stand(CHALLENGE, heir);
    }

    function test_SettlementStandsOnlyWhereItsPartsExpectIt() public {
        _deployParts(address(coordinator), FIRST_DAY);
        new GameTreasury(NUMBER_MAX);
        vm.expectRevert(SettlementWiring.BadWiring.selector);
        this.stand(CHALLENGE, heir);
    }

    function test_PrizesAndCommissionsAreTwoVaults() public {
        _deployParts(address(coordinator), FIRST_DAY);
        Wiring memory w = _wiring();
        w.affiliateVault = w.prizeVault;
        // Even if all others agreed.
        bytes memory prizeVault = abi.encode(w.prizeVault);
        vm.mockCall(address(reserve), abi.encodeCall(reserve.affiliateVault, ()), prizeVault);
        vm.mockCall(address(router), abi.encodeCall(router.affiliateVault, ()), prizeVault);
        vm.expectRevert(SettlementWiring.BadWiring.selector);
        this.standWith(w, CHALLENGE, heir);
    }

    function test_PartsAskForTheirPartners() public {
        vm.expectRevert(RoleBound.ZeroAddress.selector);
        new CharityVault(usdt, Roles(address(0)));
        vm.expectRevert(RoleBound.ZeroAddress.selector);
        new CharityVault(IERC20(address(0)), roles);
        vm.expectRevert(RoleBound.ZeroAddress.selector);
        new PrizeVault(ReserveVault(address(0)), roles);
        vm.expectRevert(ClaimRouter.ZeroAddress.selector);
        new ClaimRouter(address(prizes), address(commissions), address(0));
        // ReserveVault was told another game.
        vm.expectRevert(GameManager.BadWiring.selector);
        new GameManager(roles, reserve, treasury, FIRST_DAY, RULESET);
    }

    function test_ReserveVaultAsksForEachOfItsLinks() public {
        bytes memory links = abi.encode(
            address(usdt), address(1), address(2), address(3), address(4), address(5), address(6), uint256(1)
        );
        for (uint256 i = 0; i < 7; ++i) {
            bytes memory broken = bytes.concat(links);
            assembly ("memory-safe") {
                mstore(add(add(broken, 32), mul(i, 32)), 0)
            }
            vm.expectRevert(RoleBound.ZeroAddress.selector);
            new ReserveVault(roles, abi.decode(broken, (ReserveVault.Links)));
        }
        ReserveVault.Links memory high = abi.decode(links, (ReserveVault.Links));
        high.voucherCap = uint256(type(uint88).max) + 1;
        vm.expectRevert(
            abi.encodeWithSelector(ReserveVault.VoucherCapTooHigh.selector, high.voucherCap, type(uint88).max)
        );
        new ReserveVault(roles, high);
    }

    // ------------------------------------------------------------------------------------- helpers

    /// @dev External, so that a failed try leaves the address free for the next one.
    function stand(uint256 challengePeriod, address heir_) external {
        new SettlementV4(_wiring(), challengePeriod, heir_);
    }

    function standWith(Wiring calldata w, uint256 challengePeriod, address heir_) external {
        new SettlementV4(w, challengePeriod, heir_);
    }

    /// @dev Lets one part name a stranger in one place.
    function _refuse(address part, bytes memory getter) private {
        vm.mockCall(part, getter, abi.encode(stranger));
        vm.expectRevert(SettlementWiring.BadWiring.selector);
        this.stand(CHALLENGE, heir);
        vm.clearMockedCalls();
    }

    function _refuseVault(ClaimVault vault) private {
        _refuse(address(vault), abi.encodeCall(vault.roles, ()));
        _refuse(address(vault), abi.encodeCall(vault.reserveVault, ()));
        _refuse(address(vault), abi.encodeCall(vault.settlement, ()));
    }
}

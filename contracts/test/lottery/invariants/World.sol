// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AffiliateVault} from "../../../src/lottery/AffiliateVault.sol";
import {CharityVault} from "../../../src/lottery/CharityVault.sol";
import {ClaimRouter} from "../../../src/lottery/ClaimRouter.sol";
import {ClaimVault} from "../../../src/lottery/ClaimVault.sol";
import {GameManager} from "../../../src/lottery/GameManager.sol";
import {GameTreasury} from "../../../src/lottery/GameTreasury.sol";
import {PrizeVault} from "../../../src/lottery/PrizeVault.sol";
import {ReserveVault} from "../../../src/lottery/ReserveVault.sol";
import {Roles} from "../../../src/lottery/Roles.sol";
import {SettlementV4} from "../../../src/lottery/SettlementV4.sol";
import {TestCoordinator} from "../../../src/lottery/test/TestCoordinator.sol";
import {Wiring} from "../../../src/lottery/Types.sol";
import {VRFReceiver} from "../../../src/lottery/VRFReceiver.sol";
import {Vm} from "../../shared/Vm.sol";
import {ContractWallet} from "../Wallets.sol";
import {EndReceiver} from "./EndReceiver.sol";
import {FeeUSDT} from "./FeeUSDT.sol";

/// @notice A whole deployment, ten days before its first day, with a hostile token and a small VRF subscription.
abstract contract World {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    uint256 internal constant PRIZES = 0;
    uint256 internal constant COMMISSIONS = 1;

    uint256 internal constant FIRST_DAY = 20_000;
    uint256 internal constant DAYS_BEFORE = 10;
    uint256 internal constant CHALLENGE = 2 hours;
    uint256 internal constant KEY = 0xA11CE;
    uint256 internal constant FIRST_CAP = 20e6;
    bytes32 internal constant LANE = keccak256("lane");
    bytes32 internal constant OTHER_LANE = keccak256("other lane");
    bytes32 internal constant RULESET = keccak256("ruleset 1");
    /// @dev The mock takes about 25 LINK for a word.
    uint96 internal constant LINK_PER_REQUEST = 30e18;

    address internal constant HEIR = address(0xE17);

    FeeUSDT internal usdt;
    TestCoordinator internal coordinator;
    EndReceiver internal endReceiver;
    ContractWallet internal wallet;
    Roles internal roles;
    GameTreasury internal treasury;
    CharityVault internal charityVault;
    ReserveVault internal reserve;
    GameManager internal game;
    VRFReceiver internal vrf;
    PrizeVault internal prizes;
    AffiliateVault internal commissions;
    ClaimRouter internal router;
    SettlementV4 internal settlement;

    function _deploy(address[5] memory offices, address feeReceiver, address gasSafe) internal {
        vm.warp((FIRST_DAY - DAYS_BEFORE) * 1 days + 1 hours);
        // Block 0 has no parent hash, from which the mock makes the subscription's id.
        vm.roll(10);
        usdt = new FeeUSDT();
        coordinator = new TestCoordinator(1e17, 1e9, 4e15);
        coordinator.setProvingKey(LANE, true);
        coordinator.setProvingKey(OTHER_LANE, true);
        endReceiver = new EndReceiver();

        uint256 n = vm.getNonce(address(this));
        roles = new Roles(offices[0], offices[1], offices[2], offices[3], offices[4], _planned(n + 9));
        treasury = new GameTreasury(38);
        charityVault = new CharityVault(usdt, roles);
        reserve = new ReserveVault(
            roles,
            ReserveVault.Links({
                usdt: address(usdt),
                gameManager: _planned(n + 4),
                prizeVault: _planned(n + 6),
                affiliateVault: _planned(n + 7),
                charityVault: address(charityVault),
                feeReceiver: feeReceiver,
                gasSafe: gasSafe,
                voucherCap: FIRST_CAP
            })
        );
        game = new GameManager(roles, reserve, treasury, FIRST_DAY, RULESET);
        vrf = new VRFReceiver(
            address(coordinator), roles, game, VRFReceiver.VrfConfig(LANE, 200_000, 3, LINK_PER_REQUEST)
        );
        prizes = new PrizeVault(reserve, roles);
        commissions = new AffiliateVault(reserve, roles);
        router = new ClaimRouter(address(prizes), address(commissions), address(reserve));
        settlement = new SettlementV4(_wiring(), CHALLENGE, HEIR);
        wallet = new ContractWallet(vm.addr(KEY), usdt, address(reserve));
        coordinator.fundSubscription(vrf.subscriptionId(), 2 * LINK_PER_REQUEST);
    }

    function _planned(uint256 nonce) private view returns (address) {
        return vm.computeCreateAddress(address(this), nonce);
    }

    function _wiring() private view returns (Wiring memory) {
        return Wiring({
            usdt: address(usdt),
            roles: address(roles),
            gameManager: address(game),
            gameTreasury: address(treasury),
            reserveVault: address(reserve),
            prizeVault: address(prizes),
            affiliateVault: address(commissions),
            charityVault: address(charityVault),
            vrfReceiver: address(vrf),
            claimRouter: address(router)
        });
    }

    function _vault(uint256 which) internal view returns (ClaimVault) {
        return which == PRIZES ? ClaimVault(address(prizes)) : ClaimVault(address(commissions));
    }

    function _today() internal view returns (uint256) {
        return block.timestamp / 1 days;
    }

    function _closeOf(uint256 day) internal pure returns (uint256) {
        return (day + 1) * 1 days;
    }

    function _max(uint256 a, uint256 b) internal pure returns (uint256) {
        return a > b ? a : b;
    }

    function _min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }
}

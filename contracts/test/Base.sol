// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VRFCoordinatorV2_5Mock} from "@chainlink/contracts/src/v0.8/vrf/mocks/VRFCoordinatorV2_5Mock.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {AffiliateVault} from "../src/AffiliateVault.sol";
import {CharityVault} from "../src/CharityVault.sol";
import {ClaimRouter} from "../src/ClaimRouter.sol";
import {GameManager} from "../src/GameManager.sol";
import {GameTreasury} from "../src/GameTreasury.sol";
import {PrizeVault} from "../src/PrizeVault.sol";
import {ReserveVault} from "../src/ReserveVault.sol";
import {Roles} from "../src/Roles.sol";
import {SettlementV4} from "../src/SettlementV4.sol";
import {BuyPermit, PoolDay, PoolState, Settlement, Split, Wiring} from "../src/Types.sol";
import {VRFReceiver} from "../src/VRFReceiver.sol";
import {HostileUSDT} from "./HostileUSDT.sol";
import {Vm} from "./Vm.sol";

/// @notice A whole deployment with Chainlink's mock, and the moves that tests make on it.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    uint256 internal constant FIRST_DAY = 20_000;
    uint256 internal constant CHALLENGE = 2 hours;
    uint8 internal constant NUMBER_MAX = 38;
    bytes32 internal constant RULESET = keccak256("ruleset 1");
    uint256 internal constant PLAYER_KEY = 0xA11CE;

    address internal owner = address(0x0A01);
    address internal guardian = address(0x0A02);
    address internal relayer = address(0x0A03);
    address internal settler = address(0x0A04);
    address internal promotions = address(0x0A05);
    address internal feeReceiver = address(0x0B01);
    address internal gasSafe = address(0x0B02);
    address internal player = vm.addr(PLAYER_KEY);

    HostileUSDT internal usdt;
    VRFCoordinatorV2_5Mock internal coordinator;
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

    uint256 private _nonces;

    function setUp() public virtual {
        vm.warp(FIRST_DAY * 1 days + 1 hours);
        usdt = new HostileUSDT();
        coordinator = new VRFCoordinatorV2_5Mock(1e17, 1e9, 4e15);
        // Block 0 has no parent hash, from which the mock makes the subscription's id.
        vm.roll(10);
        uint256 subscription = coordinator.createSubscription();
        coordinator.fundSubscription(subscription, 1e24);
        roles = new Roles(owner, guardian, relayer, settler, promotions);

        uint256 n = vm.getNonce(address(this));
        address atReserve = vm.computeCreateAddress(address(this), n + 2);
        address atGame = vm.computeCreateAddress(address(this), n + 3);
        address atPrizes = vm.computeCreateAddress(address(this), n + 5);
        address atCommissions = vm.computeCreateAddress(address(this), n + 6);
        address atSettlement = vm.computeCreateAddress(address(this), n + 8);

        treasury = new GameTreasury(atGame);
        charityVault = new CharityVault(usdt, roles);
        reserve = new ReserveVault(
            roles,
            ReserveVault.Links(
                address(usdt),
                atGame,
                atSettlement,
                atPrizes,
                atCommissions,
                address(charityVault),
                feeReceiver,
                gasSafe
            )
        );
        vm.assertEq(address(reserve), atReserve);
        game = new GameManager(roles, reserve, treasury, NUMBER_MAX, FIRST_DAY, RULESET);
        vrf = new VRFReceiver(
            address(coordinator), roles, game, VRFReceiver.VrfConfig(keccak256("lane"), 200_000, 3, subscription)
        );
        prizes = new PrizeVault(usdt, roles, atSettlement);
        commissions = new AffiliateVault(usdt, roles, atSettlement);
        router = new ClaimRouter(address(prizes), address(commissions));
        settlement = new SettlementV4(_wiring(), CHALLENGE);
        vm.assertEq(address(settlement), atSettlement);
        coordinator.addConsumer(subscription, address(vrf));

        _fund(player);
        _fund(promotions);
    }

    function _wiring() internal view returns (Wiring memory) {
        return Wiring(
            address(usdt),
            address(roles),
            address(game),
            address(treasury),
            address(reserve),
            address(prizes),
            address(commissions),
            address(charityVault),
            address(vrf),
            address(router)
        );
    }

    /// @dev Money and the approval that every player gives.
    function _fund(address account) internal {
        usdt.mint(account, 1e15);
        vm.prank(account);
        usdt.approve(address(reserve), type(uint256).max);
    }

    // ------------------------------------------------------------------------------------- buying

    /// @dev `count` tips, all 1-2-3-4-5-6.
    function _tips(uint256 count) internal pure returns (bytes memory tips) {
        for (uint256 i = 0; i < count; ++i) {
            tips = bytes.concat(tips, bytes8(uint64(0x3f)));
        }
    }

    function _permit(address buyer, uint8 poolId, uint8 paid, uint8 voucher, bytes memory tips)
        internal
        returns (BuyPermit memory)
    {
        return BuyPermit({
            buyer: buyer,
            dayId: block.timestamp / 1 days,
            poolId: poolId,
            tipsHash: keccak256(tips),
            paidTips: paid,
            voucherTips: voucher,
            affiliate: address(0),
            gasCostUsdt: 0,
            deadline: uint64(block.timestamp + 1 hours),
            nonce: bytes16(uint128(++_nonces))
        });
    }

    function _sign(BuyPermit memory permit) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PLAYER_KEY, game.permitDigest(permit));
        return abi.encodePacked(r, s, v);
    }

    /// @dev A direct purchase of the player with as many tips as his paid ones bring.
    function _buy(uint8 poolId, uint8 paid) internal returns (uint256 ticketId) {
        bytes memory tips = _tips(paid + game.bonusTips(paid));
        BuyPermit memory permit = _permit(player, poolId, paid, 0, tips);
        vm.prank(player);
        return game.buyTicket(permit, tips);
    }

    // ------------------------------------------------------------------------------------- settling

    function _warpToClose(uint256 dayId) internal {
        vm.warp((dayId + 1) * 1 days);
    }

    function _seed(uint256 dayId, uint256 word) internal {
        uint256 requestId = vrf.requestSeed(dayId);
        uint256[] memory words = new uint256[](1);
        words[0] = word;
        coordinator.fulfillRandomWordsWithOverride(requestId, address(vrf), words);
    }

    /// @dev A result that pays nobody.
    function _empty(uint256 dayId) internal pure returns (Settlement memory s) {
        s.dayId = dayId;
        s.runHash = keccak256(abi.encode("run", dayId));
    }

    function _commit(Settlement memory s) internal {
        vm.prank(settler);
        settlement.commitMerkleSettlement(s);
    }

    /// @dev Closes, seeds, commits and releases.
    function _settle(Settlement memory s) internal {
        if (block.timestamp < (s.dayId + 1) * 1 days) _warpToClose(s.dayId);
        if (game.hasTips(s.dayId)) _seed(s.dayId, uint256(keccak256(abi.encode(s.dayId))));
        _commit(s);
        vm.warp(block.timestamp + CHALLENGE);
        settlement.release(s);
    }

    function _state(uint256 p) internal view returns (PoolState memory) {
        return settlement.openingState()[p];
    }

    /// @dev Rule G12: everything that is owed is there.
    function _assertSolvent() internal view {
        uint256 owed = reserve.accruedFees() + reserve.accruedCharity();
        PoolState[5] memory states = settlement.openingState();
        for (uint256 p = 0; p < 5; ++p) {
            owed += states[p].carry + states[p].reserve + states[p].lastRollover;
        }
        for (uint256 day = settlement.nextDay(); day <= block.timestamp / 1 days; ++day) {
            PoolDay[5] memory sold = game.poolDays(day);
            for (uint256 p = 0; p < 5; ++p) owed += sold[p].stake;
        }
        vm.assertEq(usdt.balanceOf(address(reserve)), owed, "reserve vault");
        _assertVaultSolvent(prizes.totalReleased() - prizes.totalClaimed(), address(prizes));
        _assertVaultSolvent(commissions.totalReleased() - commissions.totalClaimed(), address(commissions));
    }

    function _assertVaultSolvent(uint256 owed, address vault) private view {
        vm.assertEq(usdt.balanceOf(vault), owed, "claim vault");
    }

    /// @dev Two leaves make the smallest tree that has proofs.
    function _pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }

    function _one(bytes32 sibling) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](1);
        proof[0] = sibling;
    }
}

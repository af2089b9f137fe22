// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AffiliateVault} from "../../src/lottery/AffiliateVault.sol";
import {CharityVault} from "../../src/lottery/CharityVault.sol";
import {ClaimRouter} from "../../src/lottery/ClaimRouter.sol";
import {GameManager} from "../../src/lottery/GameManager.sol";
import {GameTreasury} from "../../src/lottery/GameTreasury.sol";
import {PrizeVault} from "../../src/lottery/PrizeVault.sol";
import {ReserveVault} from "../../src/lottery/ReserveVault.sol";
import {Roles} from "../../src/lottery/Roles.sol";
import {SettlementV4} from "../../src/lottery/SettlementV4.sol";
import {TestCoordinator} from "../../src/lottery/test/TestCoordinator.sol";
import {BuyPermit, Office, PoolDay, PoolState, Settlement, Split, Wiring} from "../../src/lottery/Types.sol";
import {VRFReceiver} from "../../src/lottery/VRFReceiver.sol";
import {HostileUSDT} from "./HostileUSDT.sol";
import {Vm} from "../shared/Vm.sol";

/// @notice A whole deployment with Chainlink's mock, and the moves that tests make on it.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    uint256 internal constant FIRST_DAY = 20_000;
    /// @dev When the first day closes.
    uint256 internal constant CLOSE = (FIRST_DAY + 1) * 1 days;
    uint256 internal constant CHALLENGE = 2 hours;
    uint256 internal constant DRAW_DELAY = 3_600;
    uint8 internal constant NUMBER_MAX = 38;
    uint256 internal constant VOUCHER_CAP = 1_000_000_000;
    bytes32 internal constant RULESET = keccak256("ruleset 1");
    bytes32 internal constant KEY_HASH = keccak256("lane");
    uint96 internal constant LINK_PER_REQUEST = 1e18;
    uint256 internal constant PLAYER_KEY = 0xA11CE;

    address internal owner = address(0x0A01);
    address internal guardian = address(0x0A02);
    address internal relayer = address(0x0A03);
    address internal settler = address(0x0A04);
    address internal promotions = address(0x0A05);
    address internal feeReceiver = address(0x0B01);
    address internal gasSafe = address(0x0B02);
    address internal heir = address(0x0B03);
    /// @dev Holds no office and no ticket.
    address internal stranger = address(0xE0);
    address internal player = vm.addr(PLAYER_KEY);

    HostileUSDT internal usdt;
    TestCoordinator internal coordinator;
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
        coordinator = new TestCoordinator(1e17, 1e9, 4e15);
        coordinator.setProvingKey(KEY_HASH, true);
        _deploy(address(coordinator), FIRST_DAY);
        coordinator.fundSubscription(vrf.subscriptionId(), 1_000e18);
        _fund(player);
        _fund(promotions);
    }

    // ------------------------------------------------------------------------------------- deploying

    function _deploy(address vrfCoordinator, uint256 firstDay) internal {
        _deployParts(vrfCoordinator, firstDay);
        settlement = new SettlementV4(_wiring(), CHALLENGE, heir);
        vm.assertEq(address(settlement), roles.settlement());
    }

    /// @dev All but SettlementV4, which stands last and is named by the others before.
    function _deployParts(address vrfCoordinator, uint256 firstDay) internal {
        uint256 n = vm.getNonce(address(this));
        address atReserve = vm.computeCreateAddress(address(this), n + 3);
        address atGame = vm.computeCreateAddress(address(this), n + 4);
        address atPrizes = vm.computeCreateAddress(address(this), n + 6);
        address atCommissions = vm.computeCreateAddress(address(this), n + 7);
        address atSettlement = vm.computeCreateAddress(address(this), n + 9);
        // Block 0 has no parent hash, from which the coordinator makes the subscription's id.
        vm.roll(10);

        roles = new Roles(owner, guardian, relayer, settler, promotions, atSettlement);
        treasury = new GameTreasury(NUMBER_MAX);
        charityVault = new CharityVault(usdt, roles);
        reserve = new ReserveVault(
            roles,
            ReserveVault.Links(
                address(usdt),
                atGame,
                atPrizes,
                atCommissions,
                address(charityVault),
                feeReceiver,
                gasSafe,
                VOUCHER_CAP
            )
        );
        vm.assertEq(address(reserve), atReserve);
        game = new GameManager(roles, reserve, treasury, firstDay, RULESET);
        vrf = new VRFReceiver(vrfCoordinator, roles, game, _vrfConfig());
        prizes = new PrizeVault(reserve, roles);
        commissions = new AffiliateVault(reserve, roles);
        router = new ClaimRouter(address(prizes), address(commissions), address(reserve));
    }

    function _vrfConfig() internal view virtual returns (VRFReceiver.VrfConfig memory) {
        return VRFReceiver.VrfConfig(KEY_HASH, 100_000, 3, LINK_PER_REQUEST);
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

    /// @dev Every contract of the deployment and the token.
    function _ours() internal view returns (address[11] memory) {
        return [
            address(usdt),
            address(roles),
            address(game),
            address(treasury),
            address(reserve),
            address(prizes),
            address(commissions),
            address(charityVault),
            address(vrf),
            address(router),
            address(settlement)
        ];
    }

    /// @dev Money and the approval that every player gives.
    function _fund(address account) internal {
        usdt.mint(account, 1e15);
        vm.prank(account);
        usdt.approve(address(reserve), type(uint256).max);
    }

    // ------------------------------------------------------------------------------------- offices

    /// @dev Names an account, waits the notice and lets it take office.
    function _succeed(Office office, address account) internal {
        vm.prank(owner);
        roles.nameHolder(office, account);
        vm.warp(block.timestamp + 48 hours);
        vm.prank(account);
        roles.takeOffice(office);
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
    function _buy(uint8 poolId, uint8 paid) internal returns (bytes16 nonce) {
        return _buyAs(player, poolId, paid);
    }

    function _buyAs(address buyer, uint8 poolId, uint8 paid) internal returns (bytes16 nonce) {
        bytes memory tips = _tips(paid + game.bonusTips(paid));
        BuyPermit memory permit = _permit(buyer, poolId, paid, 0, tips);
        vm.prank(buyer);
        game.buyTicket(permit, tips);
        return permit.nonce;
    }

    /// @dev A relayed purchase of the player.
    function _relay(uint8 poolId, uint8 paid, uint8 vouchers, uint256 gasCost) internal returns (bytes16 nonce) {
        bytes memory tips = _tips(paid + game.bonusTips(paid) + vouchers);
        BuyPermit memory permit = _permit(player, poolId, paid, vouchers, tips);
        permit.gasCostUsdt = gasCost;
        bytes memory signature = _sign(permit);
        vm.prank(relayer);
        game.buyTicketFor(permit, tips, signature);
        return permit.nonce;
    }

    function _ticketCount() internal view returns (uint256 count) {
        (count,,,) = game.sales();
    }

    // ------------------------------------------------------------------------------------- settling

    function _warpToClose(uint256 dayId) internal {
        vm.warp((dayId + 1) * 1 days);
    }

    /// @dev To noon of a day.
    function _warpToNoon(uint256 dayId) internal {
        vm.warp(dayId * 1 days + 12 hours);
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

    function _refuseCommit(Settlement memory s, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(settler);
        settlement.commitMerkleSettlement(s);
    }

    /// @dev Closes the day, has its word stored if it needs one, and waits until it can be committed.
    function _makeDue(uint256 dayId) internal {
        if (block.timestamp < (dayId + 1) * 1 days) _warpToClose(dayId);
        (bool hasWord,) = vrf.wordOf(dayId);
        if (game.hasTips(dayId) && !hasWord) _seed(dayId, uint256(keccak256(abi.encode(dayId))));
        uint256 earliest = settlement.earliestCommit(dayId);
        if (block.timestamp < earliest) vm.warp(earliest);
    }

    function _release(Settlement memory s) internal {
        vm.warp(block.timestamp + CHALLENGE);
        settlement.release(s);
    }

    /// @dev Closes, seeds, commits and releases.
    function _settle(Settlement memory s) internal {
        _makeDue(s.dayId);
        _commit(s);
        _release(s);
    }

    function _status(uint256 dayId) internal view returns (uint8) {
        return settlement.dayRecord(dayId).status;
    }

    function _state(uint256 p) internal view returns (PoolState memory) {
        return settlement.openingState()[p];
    }

    function _split(uint256 dayId, uint256 p) internal view returns (Split memory) {
        return treasury.splitStake(game.poolDays(dayId)[p].stake);
    }

    function _stakeOfDay(uint256 dayId) internal view returns (uint256 stake) {
        PoolDay[5] memory sold = game.poolDays(dayId);
        for (uint256 p = 0; p < 5; ++p) stake += sold[p].stake;
    }

    // ------------------------------------------------------------------------------------- sums

    /// @dev Rule G12: `held` is the sum of all debts, and the money is there.
    function _assertSolvent() internal view {
        _assertHeld();
        vm.assertGe(usdt.balanceOf(address(reserve)), reserve.held(), "money is missing");
    }

    function _assertHeld() internal view {
        vm.assertEq(reserve.held(), _owed(), "held");
        address[11] memory ours = _ours();
        for (uint256 i = 0; i < 11; ++i) {
            if (ours[i] == address(reserve) || ours[i] == address(charityVault)) continue;
            vm.assertEq(usdt.balanceOf(ours[i]), 0, "money where none belongs");
        }
    }

    function _owed() internal view returns (uint256 owed) {
        owed = reserve.accruedFees() + reserve.accruedCharity() + reserve.accruedGas() + reserve.refundableTotal();
        owed += prizes.totalReleased() - prizes.totalClaimed();
        owed += commissions.totalReleased() - commissions.totalClaimed();
        PoolState[5] memory states = settlement.openingState();
        for (uint256 p = 0; p < 5; ++p) {
            owed += states[p].carry + states[p].reserve + states[p].lastRollover;
        }
        for (uint256 day = settlement.nextDay(); day <= block.timestamp / 1 days; ++day) owed += _stakeOfDay(day);
    }

    // ------------------------------------------------------------------------------------- trees

    /// @dev Two leaves make the smallest tree that has proofs.
    function _pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }

    function _one(bytes32 sibling) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](1);
        proof[0] = sibling;
    }

    function _nonce(bytes16 nonce) internal pure returns (bytes16[] memory nonces) {
        nonces = new bytes16[](1);
        nonces[0] = nonce;
    }
}

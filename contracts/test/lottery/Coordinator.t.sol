// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VRFTypes} from "@chainlink/contracts/src/v0.8/vrf/VRFTypes.sol";
import {VRF} from "@chainlink/contracts/src/v0.8/vrf/VRF.sol";
import {SubscriptionAPI} from "@chainlink/contracts/src/v0.8/vrf/dev/SubscriptionAPI.sol";
import {VRFV2PlusClient} from "@chainlink/contracts/src/v0.8/vrf/dev/libraries/VRFV2PlusClient.sol";
import {VRFReceiver} from "../../src/lottery/VRFReceiver.sol";
import {Base} from "./Base.sol";
import {HostileUSDT} from "./HostileUSDT.sol";
import {Prover, TestLink} from "./Prover.sol";
import {Vm} from "../shared/Vm.sol";

/// @dev What the test asks of the real coordinator, whose source pins another compiler.
interface IRealCoordinator {
    event RandomWordsRequested(
        bytes32 indexed keyHash,
        uint256 requestId,
        uint256 preSeed,
        uint256 indexed subId,
        uint16 minimumRequestConfirmations,
        uint32 callbackGasLimit,
        uint32 numWords,
        bytes extraArgs,
        address indexed sender
    );

    error InvalidRequestConfirmations(uint16 have, uint16 min, uint16 max);

    function setLINKAndLINKNativeFeed(address link, address feed) external;
    function setConfig(
        uint16 minimumRequestConfirmations,
        uint32 maxGasLimit,
        uint32 stalenessSeconds,
        uint32 gasAfterPaymentCalculation,
        int256 fallbackWeiPerUnitLink,
        uint32 fulfillmentFlatFeeNativePPM,
        uint32 fulfillmentFlatFeeLinkDiscountPPM,
        uint8 nativePremiumPercentage,
        uint8 linkPremiumPercentage
    ) external;
    function registerProvingKey(uint256[2] calldata key, uint64 maxGas) external;
    function deregisterProvingKey(uint256[2] calldata key) external;
    function s_provingKeyHashes(uint256 index) external view returns (bytes32);
    function fundSubscriptionWithNative(uint256 subId) external payable;
    function getSubscription(uint256 subId)
        external
        view
        returns (uint96 balance, uint96 nativeBalance, uint64 requests, address subscriber, address[] memory consumers);
    function fulfillRandomWords(
        VRF.Proof calldata proof,
        VRFTypes.RequestCommitmentV2Plus calldata commitment,
        bool onlyPremium
    ) external returns (uint96 payment);
}

/// @notice Against Chainlink's real coordinator, with real proofs, LINK and a registered key.
contract CoordinatorTest is Base {
    IRealCoordinator private _real;
    TestLink private _link;
    Prover private _node;
    uint256 private _subscription;
    bytes32 private _keyHash;

    function setUp() public override {
        vm.warp(FIRST_DAY * 1 days + 1 hours);
        usdt = new HostileUSDT();
        _link = new TestLink();
        _node = new Prover(0xC0FFEE);
        _real = _deployCoordinator();
        _real.setLINKAndLINKNativeFeed(address(_link), address(_link));
        _real.setConfig(3, 2_500_000, 86_400, 33_825, 4e15, 500, 100, 60, 50);
        _real.registerProvingKey(_node.publicKey(), 1_000 gwei);
        _keyHash = _real.s_provingKeyHashes(0);
        _deploy(address(_real), FIRST_DAY);
        _subscription = vrf.subscriptionId();
        _fund(player);
    }

    function test_VrfReceiverOwnsItsSubscriptionAndIsItsOnlyConsumer() public view {
        (uint96 balance,,, address subscriber, address[] memory consumers) = _real.getSubscription(_subscription);
        vm.assertEq(balance, 0);
        vm.assertEq(subscriber, address(vrf));
        vm.assertEq(consumers.length, 1);
        vm.assertEq(consumers[0], address(vrf));
    }

    function test_ARequestIsRefusedWithoutFundsAndServedWhenAnyoneHasSentLink() public {
        _closeADayWithTips();
        vm.expectRevert(
            abi.encodeWithSelector(VRFReceiver.SubscriptionUnderfunded.selector, 0, LINK_PER_REQUEST)
        );
        vrf.requestSeed(FIRST_DAY);
        // Ether pays nothing, because requests are paid in LINK.
        _real.fundSubscriptionWithNative{value: 1 ether}(_subscription);
        _sendLink(LINK_PER_REQUEST - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                VRFReceiver.SubscriptionUnderfunded.selector, LINK_PER_REQUEST - 1, LINK_PER_REQUEST
            )
        );
        vrf.requestSeed(FIRST_DAY);
        _sendLink(1);
        _answer(_request(FIRST_DAY));
        (bool fulfilled,) = vrf.wordOf(FIRST_DAY);
        vm.assertTrue(fulfilled);
    }

    function test_ARequestIsRefusedWhileTheKeyIsNotRegistered() public {
        _sendLink(10e18);
        _closeADayWithTips();
        _real.deregisterProvingKey(_node.publicKey());
        vm.expectRevert(abi.encodeWithSelector(VRFReceiver.UnknownKeyHash.selector, _keyHash));
        vrf.requestSeed(FIRST_DAY);
        _real.registerProvingKey(_node.publicKey(), 1_000 gwei);
        vrf.requestSeed(FIRST_DAY);
    }

    function test_AConfigurationThatTheCoordinatorRefusesBurnsNoDay() public {
        _sendLink(10e18);
        vm.prank(owner);
        vrf.announceConfig(VRFReceiver.VrfConfig(_keyHash, 100_000, 2, LINK_PER_REQUEST));
        vm.warp(block.timestamp + 48 hours);
        vrf.execute("vrf config");
        _buy(0, 1);
        uint256 today = block.timestamp / 1 days;
        _warpToClose(today);
        vm.expectRevert(abi.encodeWithSelector(IRealCoordinator.InvalidRequestConfirmations.selector, 2, 3, 200));
        vrf.requestSeed(today);
        (, uint64 requestedAt,) = vrf.requestOf(today);
        vm.assertEq(requestedAt, 0);
    }

    /// @dev The proof is verified, the callback has 100000 gas and does not fail, and the day is settled with its word.
    function test_ARealProofBringsTheWordWithTheLeastCallbackGas() public {
        _sendLink(10e18);
        _closeADayWithTips();
        _answer(_request(FIRST_DAY));
        (bool fulfilled, uint256 word) = vrf.wordOf(FIRST_DAY);
        vm.assertTrue(fulfilled);
        vm.assertTrue(word != 0);
        vm.warp(settlement.earliestCommit(FIRST_DAY));
        _commit(_empty(FIRST_DAY));
        _release(_empty(FIRST_DAY));
        (uint96 balance,, uint64 answers,,) = _real.getSubscription(_subscription);
        vm.assertEq(answers, 1);
        vm.assertTrue(balance < 10e18);
    }

    function test_AfterFinishTheRestOfTheSubscriptionGoesToTheFeeReceiver() public {
        _sendLink(10e18);
        _closeADayWithTips();
        _answer(_request(FIRST_DAY));
        vm.warp(settlement.earliestCommit(FIRST_DAY));
        _commit(_empty(FIRST_DAY));
        _release(_empty(FIRST_DAY));
        vm.expectRevert(VRFReceiver.GameGoesOn.selector);
        vrf.closeSubscription();
        _finish();
        (uint96 balance,,,,) = _real.getSubscription(_subscription);
        vm.prank(stranger);
        vrf.closeSubscription();
        vm.assertEq(_link.balanceOf(feeReceiver), balance);
        vm.expectRevert(SubscriptionAPI.InvalidSubscription.selector);
        _real.getSubscription(_subscription);
        vm.expectRevert(SubscriptionAPI.InvalidSubscription.selector);
        vrf.closeSubscription();
    }

    /// @dev Known, see docs/contracts.md: a word that never came keeps the subscription open.
    function test_AnUnansweredRequestKeepsTheSubscriptionOpen() public {
        _sendLink(10e18);
        _closeADayWithTips();
        _request(FIRST_DAY);
        vm.warp(CLOSE + 7 days);
        settlement.voidDay(FIRST_DAY);
        _finish();
        vm.expectRevert(SubscriptionAPI.PendingRequestExists.selector);
        vrf.closeSubscription();
    }

    /// @dev Known, see docs/contracts.md: the coordinator calls the receiver, with no ether.
    function test_AFeeReceiverThatRefusesACallKeepsTheSubscriptionOpenUntilItIsReplaced() public {
        _sendLink(10e18);
        _finish();
        vm.etch(feeReceiver, hex"fe");
        vm.expectRevert(SubscriptionAPI.FailedToSendNative.selector);
        vrf.closeSubscription();
        vm.prank(owner);
        reserve.announceFeeReceiver(address(0xB9));
        vm.warp(block.timestamp + 48 hours);
        reserve.execute("fee receiver");
        vrf.closeSubscription();
        vm.assertEq(_link.balanceOf(address(0xB9)), 10e18);
    }

    // ------------------------------------------------------------------------------------- helpers

    function _vrfConfig() internal view override returns (VRFReceiver.VrfConfig memory) {
        return VRFReceiver.VrfConfig(_keyHash, 100_000, 3, LINK_PER_REQUEST);
    }

    function _deployCoordinator() private returns (IRealCoordinator) {
        string memory built = vm.readFile("test/lottery/VRFCoordinatorV2_5.json");
        // The store of block hashes is asked only for old blocks.
        bytes memory code = bytes.concat(vm.parseJsonBytes(built, ".bytecode"), abi.encode(address(0)));
        address place;
        assembly ("memory-safe") {
            place := create(0, add(code, 32), mload(code))
        }
        vm.assertTrue(place != address(0));
        return IRealCoordinator(place);
    }

    function _sendLink(uint256 amount) private {
        _link.transferAndCall(address(_real), amount, abi.encode(_subscription));
    }

    function _closeADayWithTips() private {
        _buy(0, 1);
        _warpToClose(FIRST_DAY);
    }

    function _request(uint256 day) private returns (uint256 preSeed) {
        vm.recordLogs();
        vm.prank(stranger);
        vrf.requestSeed(day);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IRealCoordinator.RandomWordsRequested.selector) continue;
            (, preSeed,,,,) = abi.decode(logs[i].data, (uint256, uint256, uint16, uint32, uint32, bytes));
        }
    }

    function _answer(uint256 preSeed) private {
        uint64 asked = uint64(block.number);
        vm.roll(block.number + 3);
        VRF.Proof memory proof = _node.prove(preSeed, blockhash(asked));
        VRFTypes.RequestCommitmentV2Plus memory commitment = VRFTypes.RequestCommitmentV2Plus({
            blockNum: asked,
            subId: _subscription,
            callbackGasLimit: 100_000,
            numWords: 1,
            sender: address(vrf),
            extraArgs: VRFV2PlusClient._argsToBytes(VRFV2PlusClient.ExtraArgsV1({nativePayment: false}))
        });
        _real.fulfillRandomWords(proof, commitment, false);
    }

    function _finish() private {
        uint256 last = block.timestamp / 1 days + 30;
        vm.prank(owner);
        settlement.announceEnd(last, heir);
        vm.warp((last + 2) * 1 days);
        while (settlement.nextDay() <= last) settlement.voidDay(settlement.nextDay());
        settlement.finish();
    }
}

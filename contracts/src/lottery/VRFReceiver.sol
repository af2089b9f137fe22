// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {VRFV2PlusClient} from "@chainlink/contracts/src/v0.8/vrf/dev/libraries/VRFV2PlusClient.sol";
import {GameManager} from "./GameManager.sol";
import {RoleBound} from "./RoleBound.sol";
import {Roles} from "./Roles.sol";
import {Timelocked} from "./Timelocked.sol";
import {ISettlement, MAX_LAG_DAYS} from "./Types.sol";

/// @notice What we ask of Chainlink's VRF v2.5 coordinator.
interface IVRFCoordinator {
    function createSubscription() external returns (uint256 subscriptionId);
    function addConsumer(uint256 subscriptionId, address consumer) external;
    function cancelSubscription(uint256 subscriptionId, address to) external;
    function requestRandomWords(VRFV2PlusClient.RandomWordsRequest calldata request) external returns (uint256);
    function s_provingKeys(bytes32 keyHash) external view returns (bool exists, uint64 maxGas);
    function getSubscription(uint256 subscriptionId)
        external
        view
        returns (
            uint96 balance,
            uint96 nativeBalance,
            uint64 requestCount,
            address owner,
            address[] memory consumers
        );
}

/// @notice Arbitrum's system precompile, for the number of the chain's own block.
interface IArbSys {
    function arbBlockNumber() external view returns (uint256);
}

/// @title VRFReceiver
/// @notice Asks Chainlink VRF for one word per day, once and never again, and keeps the first answer. An own minimal
///         consumer: the coordinator is immutable, so no owner can slip in another source of randomness. Owns its
///         subscription and is its only consumer, so no further key can starve it; anyone may fund it.
contract VRFReceiver is Timelocked {
    /// @notice How words are requested. `linkPerRequest` (juels) must be there for each word that is outstanding.
    struct VrfConfig {
        bytes32 keyHash;
        uint32 callbackGasLimit;
        uint16 confirmations;
        uint96 linkPerRequest;
    }

    struct Request {
        uint256 requestId;
        uint64 requestedAt;
        uint64 requestedBlock;
        bool fulfilled;
        uint256 word;
    }

    /// @notice Subject of the announcement of a configuration.
    bytes32 public constant VRF_CONFIG = "vrf config";
    /// @notice Less gas could let the callback fail, and then the word of the day would be lost.
    uint32 public constant MIN_CALLBACK_GAS = 100_000;

    /// @notice Chainlink's coordinator.
    address public immutable coordinator;
    /// @notice Knows which days have tips.
    GameManager public immutable gameManager;
    /// @notice The subscription that pays, in LINK.
    uint256 public immutable subscriptionId;
    /// @notice The configuration of coming requests.
    VrfConfig public config;

    mapping(uint256 dayId => Request) private _requests;
    /// @dev The day plus one, because zero means "not ours".
    mapping(uint256 requestId => uint256) private _dayPlusOne;

    event VrfConfigSet(bytes32 keyHash, uint32 callbackGasLimit, uint16 confirmations, uint96 linkPerRequest);
    event SubscriptionClosed(address indexed receiver);
    event SeedRequested(uint256 indexed dayId, uint256 requestId);
    event SeedFulfilled(uint256 indexed dayId, uint256 requestId, uint256 word);
    /// @notice Somebody's note of a beacon, for readers. Not an authority: the beacon's own signature is.
    event DrandRecorded(uint256 indexed dayId, uint64 round, bytes signature, address indexed by);

    error DayNotClosed(uint256 dayId);
    error DaySettled(uint256 dayId);
    error DayWithoutTips(uint256 dayId);
    error AlreadyRequested(uint256 dayId);
    error OnlyCoordinator(address caller);
    error CallbackGasTooLow(uint256 given);
    error BadDrandSignature(uint256 length);
    error UnknownKeyHash(bytes32 keyHash);
    error SubscriptionUnderfunded(uint256 balance, uint256 needed);
    error GameGoesOn();

    constructor(address coordinator_, Roles roles_, GameManager gameManager_, VrfConfig memory config_)
        RoleBound(roles_)
    {
        if (coordinator_ == address(0) || address(gameManager_) == address(0)) revert ZeroAddress();
        coordinator = coordinator_;
        gameManager = gameManager_;
        subscriptionId = IVRFCoordinator(coordinator_).createSubscription();
        IVRFCoordinator(coordinator_).addConsumer(subscriptionId, address(this));
        _setConfig(config_);
    }

    /// @notice Requests the word of a closed, unsettled day with tips. Anyone may call; a day is asked for once and never
    ///         again. Refused while the coordinator would not serve it, so that no day is burnt.
    function requestSeed(uint256 dayId) external returns (uint256 requestId) {
        if (block.timestamp / 1 days <= dayId) revert DayNotClosed(dayId);
        uint256 nextDay = ISettlement(roles.settlement()).nextDay();
        if (dayId < nextDay) revert DaySettled(dayId);
        if (!gameManager.hasTips(dayId)) revert DayWithoutTips(dayId);
        Request storage request = _requests[dayId];
        if (request.requestedAt != 0) revert AlreadyRequested(dayId);
        VrfConfig memory cfg = config;
        _requireServed(cfg, nextDay);
        request.requestedAt = uint64(block.timestamp);
        request.requestedBlock = uint64(_blockNumber());
        requestId = IVRFCoordinator(coordinator).requestRandomWords(
            VRFV2PlusClient.RandomWordsRequest({
                keyHash: cfg.keyHash,
                subId: subscriptionId,
                requestConfirmations: cfg.confirmations,
                callbackGasLimit: cfg.callbackGasLimit,
                numWords: 1,
                extraArgs: VRFV2PlusClient._argsToBytes(VRFV2PlusClient.ExtraArgsV1({nativePayment: false}))
            })
        );
        request.requestId = requestId;
        _dayPlusOne[requestId] = dayId + 1;
        emit SeedRequested(dayId, requestId);
    }

    /// @notice The coordinator's callback. Keeps the first word and never reverts for the coordinator.
    function rawFulfillRandomWords(uint256 requestId, uint256[] calldata words) external {
        if (msg.sender != coordinator) revert OnlyCoordinator(msg.sender);
        uint256 dayPlusOne = _dayPlusOne[requestId];
        if (dayPlusOne == 0 || words.length == 0) return;
        Request storage request = _requests[dayPlusOne - 1];
        if (request.fulfilled) return;
        request.fulfilled = true;
        request.word = words[0];
        emit SeedFulfilled(dayPlusOne - 1, requestId, words[0]);
    }

    /// @notice Notes a drand beacon for readers of the chain.
    function recordDrand(uint256 dayId, uint64 round, bytes calldata signature) external {
        // Signatures on G1 have 48 bytes, on G2 96.
        if (signature.length != 48 && signature.length != 96) revert BadDrandSignature(signature.length);
        emit DrandRecorded(dayId, round, signature, msg.sender);
    }

    /// @notice Announces how coming words are requested. A request already made keeps its terms.
    function announceConfig(VrfConfig calldata config_) external onlyOwner {
        _requireCallbackGas(config_);
        _announce(VRF_CONFIG, abi.encode(config_));
    }

    /// @notice Sends what is left of the subscription to the fee receiver, once the game is over. Anyone may call.
    function closeSubscription() external {
        if (!ISettlement(roles.settlement()).finished()) revert GameGoesOn();
        address receiver = gameManager.reserveVault().feeReceiver();
        emit SubscriptionClosed(receiver);
        IVRFCoordinator(coordinator).cancelSubscription(subscriptionId, receiver);
    }

    /// @notice A day's request; `requestedAt` (unix seconds) is zero before it. `requestedBlock` is the chain's own
    ///         block number, also on Arbitrum, where `block.number` is the parent chain's.
    function requestOf(uint256 dayId)
        external
        view
        returns (uint256 requestId, uint64 requestedAt, uint64 requestedBlock)
    {
        Request storage request = _requests[dayId];
        return (request.requestId, request.requestedAt, request.requestedBlock);
    }

    /// @notice A day's word. Zero is a word like any other, so `fulfilled` tells whether it is there.
    function wordOf(uint256 dayId) external view returns (bool fulfilled, uint256 word) {
        Request storage request = _requests[dayId];
        return (request.fulfilled, request.word);
    }

    /// @notice When the word of a day was requested (unix seconds; zero: not yet) and whether it is there.
    function seedStatus(uint256 dayId) external view returns (uint64 requestedAt, bool fulfilled) {
        Request storage request = _requests[dayId];
        return (request.requestedAt, request.fulfilled);
    }

    /// @inheritdoc Timelocked
    function _apply(bytes32, bytes memory data) internal override {
        VrfConfig memory cfg = abi.decode(data, (VrfConfig));
        _requireServed(cfg, ISettlement(roles.settlement()).nextDay());
        _setConfig(cfg);
    }

    function _setConfig(VrfConfig memory cfg) private {
        _requireCallbackGas(cfg);
        config = cfg;
        emit VrfConfigSet(cfg.keyHash, cfg.callbackGasLimit, cfg.confirmations, cfg.linkPerRequest);
    }

    function _requireCallbackGas(VrfConfig memory cfg) private pure {
        if (cfg.callbackGasLimit < MIN_CALLBACK_GAS) revert CallbackGasTooLow(cfg.callbackGasLimit);
    }

    /// @dev The coordinator knows the key, and one more word can be paid besides those that are outstanding.
    function _requireServed(VrfConfig memory cfg, uint256 nextDay) private view {
        (bool exists,) = IVRFCoordinator(coordinator).s_provingKeys(cfg.keyHash);
        if (!exists) revert UnknownKeyHash(cfg.keyHash);
        uint256 words = 1;
        // Sales stop after this many unsettled days, so no later one has tips.
        for (uint256 day = nextDay; day <= nextDay + MAX_LAG_DAYS; ++day) {
            if (_requests[day].requestedAt != 0 && !_requests[day].fulfilled) ++words;
        }
        (uint96 balance,,,,) = IVRFCoordinator(coordinator).getSubscription(subscriptionId);
        uint256 needed = words * cfg.linkPerRequest;
        if (balance < needed) revert SubscriptionUnderfunded(balance, needed);
    }

    function _blockNumber() private view returns (uint256) {
        // A chain without the precompile answers with nothing; one with a stand-in that fails costs at most this gas.
        (bool ok, bytes memory answer) =
            address(0x64).staticcall{gas: 20_000}(abi.encodeCall(IArbSys.arbBlockNumber, ()));
        return ok && answer.length == 32 ? abi.decode(answer, (uint256)) : block.number;
    }
}

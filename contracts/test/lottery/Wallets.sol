// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {TestUSDT} from "../../src/shared/test/TestUSDT.sol";
import {IEndReceiver} from "../../src/lottery/Types.sol";

/// @notice A contract wallet (EIP-1271): accepts what its owner's key has signed.
contract ContractWallet {
    address private immutable _key;

    constructor(address key, TestUSDT usdt, address spender) {
        _key = key;
        usdt.approve(spender, type(uint256).max);
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(digest, signature) == _key ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @notice A contract wallet that says yes to everything, after it has burned as much gas as it was told.
contract SlowWallet {
    uint256 private immutable _gasToBurn;

    constructor(uint256 gasToBurn, TestUSDT usdt, address spender) {
        _gasToBurn = gasToBurn;
        usdt.approve(spender, type(uint256).max);
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        uint256 start = gasleft();
        while (start - gasleft() < _gasToBurn) {}
        return this.isValidSignature.selector;
    }
}

/// @notice A contract wallet whose answer is what it was told.
contract OddWallet {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    fallback(bytes calldata) external returns (bytes memory) {
        return _answer;
    }
}

/// @notice A contract that can receive the pools' money at the end of one game, and change its mind.
contract EndReceiver is IEndReceiver {
    address public settlement;

    constructor(address settlement_) {
        settlement = settlement_;
    }

    function setSettlement(address settlement_) external {
        settlement = settlement_;
    }

    function acceptsEndOf(address settlement_) external view returns (bytes4) {
        return settlement_ == settlement ? this.acceptsEndOf.selector : bytes4(0);
    }
}

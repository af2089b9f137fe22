"""Calls, results and events of our contracts as bytes and back, from the ABI in abi/."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, cast

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_typing import ABIEvent, ABIFunction
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic, function_abi_to_4byte_selector

import abi
from bo_engine.errors import UsageError
from bo_engine.units import hex_of

# Bytes from a liar may name an offset or a length beyond what Python can seek or hold.
_UNDECODABLE: Final = (DecodingError, ValueError, OverflowError, MemoryError, RecursionError)


class ContractCodec:
    """Encodes and decodes what one contract speaks."""

    def __init__(self, name: str) -> None:
        self.name = name
        entries = abi.load(name).abi
        self._constructor: list[Any] = next(
            (entry["inputs"] for entry in entries if entry["type"] == "constructor"), []
        )
        self._functions = {entry["name"]: entry for entry in entries if entry["type"] == "function"}
        self._events = {entry["name"]: entry for entry in entries if entry["type"] == "event"}

    def selector(self, function: str) -> bytes:
        """The four bytes by which the contract knows the function."""
        return bytes(function_abi_to_4byte_selector(cast(ABIFunction, self._functions[function])))

    def signature(self, function: str) -> str:
        """Name and types, as people compare them: ``nameHolder(uint8,address)``."""
        inputs = self._functions[function]["inputs"]
        return f"{function}({','.join(collapse_if_tuple(entry) for entry in inputs)})"

    def call_data(self, function: str, arguments: Sequence[object]) -> bytes:
        """Selector and ABI-encoded arguments."""
        types = [collapse_if_tuple(entry) for entry in self._functions[function]["inputs"]]
        return self.selector(function) + encode(types, list(arguments))

    def creation(self, arguments: Sequence[object]) -> bytes:
        """What a transaction without a target carries to create the contract: its code and ABI-encoded arguments."""
        types = [collapse_if_tuple(entry) for entry in self._constructor]
        return bytes.fromhex(abi.load(self.name).bytecode.removeprefix("0x")) + encode(types, list(arguments))

    def arguments(self, function: str, data: bytes) -> dict[str, Any]:
        """The arguments in call data by name, a struct's fields one by one.

        Raises: UsageError ``contract_unexpected``.
        """
        inputs = self._functions[function]["inputs"]
        try:
            values = decode([collapse_if_tuple(entry) for entry in inputs], data[4:])
        except _UNDECODABLE:
            raise UsageError("contract_unexpected", f"these bytes are no call of {self.name}.{function}") from None
        found: dict[str, Any] = {}
        for entry, value in zip(inputs, values, strict=True):
            fields = entry.get("components")
            found |= (
                {field["name"]: one for field, one in zip(fields, value, strict=True)}
                if fields
                else {entry["name"]: value}
            )
        return found

    def result(self, function: str, data: bytes) -> tuple[Any, ...]:
        """The decoded return values.

        Raises: UsageError ``contract_unexpected`` when the bytes are not what this function returns.
        """
        types = [collapse_if_tuple(entry) for entry in self._functions[function]["outputs"]]
        try:
            return tuple(decode(types, data))
        except _UNDECODABLE:
            raise UsageError(
                "contract_unexpected",
                f"{self.name}.{function} does not answer as expected ({len(data)} bytes): check SETTLEMENT_ADDRESS",
            ) from None

    def topic(self, event: str) -> str:
        """The first topic of the event's logs, 0x hex."""
        return hex_of(bytes(event_abi_to_log_topic(cast(ABIEvent, self._events[event]))))

    def event(self, event: str, log: Mapping[str, Any]) -> dict[str, Any]:
        """The event's fields by name, indexed ones included.

        Raises: UsageError ``contract_unexpected`` when the log is not such an event.
        """
        inputs = self._events[event]["inputs"]
        indexed = [entry for entry in inputs if entry["indexed"]]
        plain = [entry for entry in inputs if not entry["indexed"]]
        try:
            values = decode([collapse_if_tuple(entry) for entry in plain], bytes.fromhex(log["data"][2:]))
            fields = dict(zip([entry["name"] for entry in plain], values, strict=True))
            for entry, topic in zip(indexed, log["topics"][1:], strict=True):
                (fields[entry["name"]],) = decode([collapse_if_tuple(entry)], bytes.fromhex(topic[2:]))
        except (*_UNDECODABLE, KeyError, TypeError):
            raise UsageError(
                "contract_unexpected",
                f"a log of {self.name} in block {log.get('blockNumber')} is no {event}: check SETTLEMENT_ADDRESS",
            ) from None
        return fields


def decoded(types: Sequence[str], data: bytes, what: str) -> tuple[Any, ...]:
    """ABI-encoded values that a contract keeps as bytes. Raises: UsageError ``contract_unexpected``."""
    try:
        return tuple(decode(types, data))
    except _UNDECODABLE:
        raise UsageError("contract_unexpected", f"{what} does not decode as {', '.join(types)}") from None


@cache
def codec(name: str) -> ContractCodec:
    """The codec of the contract with that name in abi/."""
    return ContractCodec(name)

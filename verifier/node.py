"""A node of the chain, asked over JSON-RPC. It is not trusted to be polite: sizes, times and shapes are bounded."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from verifier.checking import CannotVerify, Differs, NodeRefuses, NodeSilent
from verifier.hashing import hex_of, keccak256
from verifier.strict_json import shallow

_CONNECT_S, _READ_S, _ALL_S = 10, 30, 60
_DAY_S = 600  # of all requests of one run to one node
_MAX_ANSWER = 32 * 2**20
_BATCH = 50
_REVERTED = 3  # JSON-RPC code of a call that the contract refused


class Node:
    """One endpoint. Its address may hold a key and is never shown: it is known by its number."""

    def __init__(self, url: str, number: int) -> None:
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise CannotVerify(f"--rpc number {number} is no http or https address")
        self._url = url
        self._until = time.monotonic() + _DAY_S
        self._takes_lists = True
        self.name = f"node {number}"

    def ask(self, method: str, *params: Any) -> Any:
        """One answer; null is one. Raises: NodeSilent, Differs when a contract refuses the call."""
        return self.ask_all([(method, list(params))])[0]

    def ask_all(self, questions: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """Answers in the order of the questions."""
        found: list[Any] = []
        for start in range(0, len(questions), _BATCH):
            part = questions[start : start + _BATCH]
            body = [
                {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                for number, (method, params) in enumerate(part)
            ]
            found += self._answers(self._post_all(body), len(part))
        return found

    def _post_all(self, body: list[dict[str, Any]]) -> Any:
        """The answers of a list of questions; asked one by one of a node that takes no lists."""
        if self._takes_lists:
            answer = self._post(body)
            if not isinstance(answer, dict):
                return answer
            # One object for a list of questions is how a node says that it takes none.
            self._takes_lists = False
        return [self._post(question) for question in body]

    def call(self, to: str, signature: str, *words: bytes, block: int) -> bytes:
        """What a contract's view function returns."""
        return self.call_all([(to, signature, words)], block=block)[0]

    def call_all(self, calls: Sequence[tuple[str, str, Sequence[bytes]]], *, block: int) -> list[bytes]:
        """The same of many."""
        questions = [
            ("eth_call", [{"to": to, "data": hex_of(keccak256(name.encode())[:4] + b"".join(words))}, hex(block)])
            for to, name, words in calls
        ]
        answers = []
        for answer, (to, name, _) in zip(self.ask_all(questions), calls, strict=True):
            found = hex_bytes(answer, self.name)
            if not found:
                raise Differs(f"no contract at {to} answers to {name.split('(')[0]}")
            answers.append(found)
        return answers

    def _answers(self, answer: Any, count: int) -> list[Any]:
        if not isinstance(answer, list) or len(answer) != count:
            raise NodeSilent(f"{self.name} does not answer a list of {count} questions with as many answers")
        by_id = {entry.get("id"): entry for entry in answer if isinstance(entry, dict) and type(entry.get("id")) is int}
        found = []
        for number in range(count):
            entry = by_id.get(number)
            if entry is None:
                raise NodeSilent(f"{self.name} left a question without an answer")
            if entry.get("error") is not None:
                self._refused(entry["error"])
            if "result" not in entry:
                raise NodeSilent(f"{self.name} gave an answer without a result")
            found.append(entry["result"])
        return found

    def _refused(self, error: Any) -> None:
        code = error.get("code") if isinstance(error, dict) else None
        said = str(error.get("message") if isinstance(error, dict) else error)
        if code == _REVERTED or "revert" in said.lower():
            raise Differs("a contract refuses a question that ours answers: another contract stands at that address")
        raise NodeRefuses(f"{self.name} answered with error {str(code)[:20]}")

    def _post(self, body: Any) -> Any:
        """One exchange, in a thread of its own: whatever bytes a node sends, and wherever, it ends in time.

        The timeouts of an HTTP client are for each byte. Headers, trailers and chunks that drip in, or interim answers
        without end, keep it busy for ever; the thread is then left behind and dies with the program.
        """
        until = min(time.monotonic() + _ALL_S, self._until)
        box: list[Any] = []

        def exchange() -> None:
            try:
                box.append((self._exchange(body, lambda: time.monotonic() > until), None))
            except Exception as error:
                box.append((None, error))

        thread = threading.Thread(target=exchange, name=self.name, daemon=True)
        thread.start()
        thread.join(max(0, until - time.monotonic()))
        if not box:
            raise NodeSilent(f"{self.name} sends too much or too slowly")
        answer, error = box[0]
        if error is not None:
            raise error
        return answer

    def _exchange(self, body: Any, is_late: Callable[[], bool]) -> Any:
        try:
            with requests.post(
                self._url,
                json=body,
                headers={"Accept-Encoding": "identity"},  # a small answer shall not unfold into a large one
                timeout=(_CONNECT_S, _READ_S),
                stream=True,
                allow_redirects=False,
            ) as answer:
                if answer.status_code != 200:
                    raise NodeSilent(f"{self.name} answered with HTTP status {answer.status_code}")
                if answer.headers.get("Content-Encoding", "identity") != "identity":
                    raise NodeSilent(f"{self.name} answered in a Content-Encoding that it was asked not to use")
                data = bytearray()
                # read1 gives what is there: a larger read would wait for more, as long as single bytes drip in.
                while chunk := answer.raw.read1(65536, decode_content=False):
                    data += chunk
                    if len(data) > _MAX_ANSWER or is_late():
                        raise NodeSilent(f"{self.name} sends too much or too slowly")
            with shallow():
                return json.loads(bytes(data))
        except (requests.RequestException, HTTPError, OSError):
            raise NodeSilent(f"{self.name} cannot be reached") from None
        except (ValueError, RecursionError):
            raise NodeSilent(f"{self.name} answered with something that is no JSON") from None


def hex_bytes(value: Any, name: str) -> bytes:
    """0x hex as bytes. Raises: NodeSilent."""
    try:
        if not isinstance(value, str) or not value.startswith("0x"):
            raise ValueError
        return bytes.fromhex(value[2:])
    except ValueError:
        raise NodeSilent(f"{name} answered with something that is no hex") from None


def hex_number(value: Any, name: str) -> int:
    """A quantity. Raises: NodeSilent."""
    try:
        if not isinstance(value, str) or not value.startswith("0x") or len(value) > 66:
            raise ValueError
        return int(value, 16)
    except ValueError:
        raise NodeSilent(f"{name} answered with something that is no number") from None

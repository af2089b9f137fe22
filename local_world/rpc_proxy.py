"""A second RPC endpoint in front of the chain that can be made to fail, in a process of its own.

Faults are set at a control port of its own, so that they can also be taken back while the endpoint is "down":
``GET /rules`` gives rules and calls per method, ``PUT /rules`` replaces the rules (a JSON list of ``faults.Rule``).
Run as ``python -m local_world.rpc_proxy CHAIN_PORT``.
"""

import contextlib
import http.client
import json
import re
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from local_world import processes
from local_world.faults import LINE_FAULTS, Answer, Request, Rule, Rules, wrong_answer
from local_world.http_server import JsonHandler, LocalServer
from local_world.processes import Started

_LISTENING: Final = re.compile(r"Listening on \S+:(\d+ \d+)\n")
_START_WAIT_S: Final = 30.0
_CALL_WAIT_S: Final = 120.0


class RpcProxy:
    """The starter's side: address and remote control of a running proxy."""

    def __init__(self, url: str, control_url: str, process: Started) -> None:
        self.url = url
        self.control_url = control_url
        self.process = process

    def set_rules(self, *rules: Rule) -> None:
        """Replace all faults; none at all lets everything pass. Counting starts again."""
        self._control("PUT", [asdict(rule) for rule in rules])

    def fail(self, fault: str, method: str = "*", **args: object) -> None:
        """One fault for all calls of a method until the rules change: down, http (status), hang (seconds), lost,
        wrong_chain_id (chain_id), stale_head (blocks), empty_logs, wrong_call (to, selector, value), null_result,
        foreign_id, says (value or refusal)."""
        self.set_rules(Rule(fault, method, args=args))

    def heal(self) -> None:
        """Let everything pass."""
        self.set_rules()

    def calls(self) -> dict[str, int]:
        """Calls per method since the rules were last set."""
        counted: dict[str, int] = self._control("GET", None)["calls"]
        return counted

    def _control(self, verb: str, document: object) -> dict[str, Any]:
        host = self.control_url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.request(verb, "/rules", None if document is None else json.dumps(document))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer.get("error", "the proxy refused the rules"))
        return answer


def start_rpc_proxy(folder: Path, chain_url: str) -> RpcProxy:
    """Start the proxy; its log goes to ``folder``. Raises: Unavailable ``start_failed``."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "rpc_proxy.log"
    argv = [sys.executable, "-m", "local_world.rpc_proxy", chain_url.rpartition(":")[2]]
    process = processes.start("rpc_proxy", argv, log=log)
    try:
        ports = processes.wait_for_line(process, log, _LISTENING, _START_WAIT_S).split()
    except BaseException:
        processes.end(process)
        raise
    return RpcProxy(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", process)


class _Upstream(threading.local):
    """A keep-alive connection to the chain per thread."""

    port = 0
    connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> bytes:
        """Forward bytes; once more on a fresh connection when the kept one has died meanwhile."""
        if self.connection is not None:
            try:
                return self._post_on(self.connection, body)
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_CALL_WAIT_S)
        return self._post_on(self.connection, body)

    @staticmethod
    def _post_on(connection: http.client.HTTPConnection, body: bytes) -> bytes:
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return connection.getresponse().read()


_RULES: Final = Rules()
_UPSTREAM: Final = _Upstream()


class _Endpoint(JsonHandler):
    def do_POST(self) -> None:  # noqa: N802 - the base class names it
        body = self.body()
        document = json.loads(body)
        requests: list[Request] = document if isinstance(document, list) else [document]
        rules = [_RULES.count(str(request.get("method"))) for request in requests]
        line_fault = next((rule for rule in rules if rule is not None and rule.fault in LINE_FAULTS), None)
        if line_fault is not None:
            self._break_line(line_fault, body)
            return
        try:
            if not any(rules):
                self.answer_bytes(_UPSTREAM.post(body))
                return
            answers = [_answer(request, rule) for request, rule in zip(requests, rules, strict=True)]
        except (OSError, http.client.HTTPException):
            self.reset()  # the chain itself is gone: so is this endpoint
            return
        self.answer(answers if isinstance(document, list) else answers[0])

    def _break_line(self, rule: Rule, body: bytes) -> None:
        if rule.fault == "http":
            headers = {"Retry-After": str(rule.args["retry_after"])} if "retry_after" in rule.args else None
            self.answer({"error": "made to fail"}, int(rule.args.get("status", 500)), headers)
            return
        if rule.fault == "lost":
            with contextlib.suppress(OSError, http.client.HTTPException):
                _UPSTREAM.post(body)
        if rule.fault == "hang":
            # Ends early when the rules change, so that no thread outlives its test by much.
            deadline = time.monotonic() + float(rule.args.get("seconds", _CALL_WAIT_S))
            generation = _RULES.generation
            while time.monotonic() < deadline and _RULES.generation == generation:
                time.sleep(0.02)
        self.reset()


def _answer(request: Request, rule: Rule | None) -> Answer:
    return _forward(request) if rule is None else wrong_answer(rule, request, _forward)


def _forward(request: Request) -> Answer:
    answer: Answer = json.loads(_UPSTREAM.post(json.dumps(request).encode()))
    return answer


class _Control(JsonHandler):
    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        self.answer(_RULES.document())

    def do_PUT(self) -> None:  # noqa: N802 - the base class names it
        try:
            _RULES.set(tuple(Rule(**rule) for rule in json.loads(self.body())))
        except (TypeError, ValueError) as error:
            self.answer({"error": str(error)}, 400)
        else:
            self.answer(_RULES.document())


def main() -> None:
    """Serve until the process is ended."""
    _Upstream.port = int(sys.argv[1])
    endpoint, control = LocalServer(_Endpoint), LocalServer(_Control)
    threading.Thread(target=control.serve_forever, daemon=True).start()
    sys.stdout.write(f"Listening on 127.0.0.1:{endpoint.port} {control.port}\n")
    sys.stdout.flush()
    endpoint.serve_forever()


if __name__ == "__main__":
    main()

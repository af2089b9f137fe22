"""Both RPC endpoints of a world once more, in front of the chain and able to fail: a process of its own.

Each endpoint has its own faults. They are set at a control port, so that they can also be taken back while an endpoint
is "down": ``GET /NAME/rules`` gives rules and calls per method of the endpoint ``primary`` or ``fallback``, ``PUT``
replaces the rules (a JSON list of ``faults.Rule``). Run as ``python -m local_world.rpc_proxy CHAIN_PORT``.
"""

import http.client
import json
import re
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from local_world import processes
from local_world.faults.answers import ANSWER_FAULTS, Answer, Asked, Request
from local_world.faults.chaos import resolved
from local_world.faults.lines import LINE_FAULTS, Line
from local_world.faults.modes import mode
from local_world.faults.rules import CHAOS, PASS, Hit, Rule, Rules
from local_world.http_server import JsonHandler, LocalServer
from local_world.processes import Started

ENDPOINTS: Final = ("primary", "fallback")
_LISTENING: Final = re.compile(r"Listening on \S+:(\d+ \d+ \d+)\n")
_START_WAIT_S: Final = 30.0
_CALL_WAIT_S: Final = 120.0


class RpcProxy:
    """The starter's side: address and remote control of one endpoint."""

    def __init__(self, url: str, control_url: str, process: Started) -> None:
        self.url = url
        self.control_url = control_url
        self.process = process

    def set_rules(self, *rules: Rule) -> None:
        """Replace all faults; none at all lets everything pass. Counting starts again."""
        self._control("PUT", [asdict(rule) for rule in rules])

    def fail(self, fault: str, method: str = "*", **args: object) -> None:
        """One fault (``faults.answers``, ``faults.lines``) for all calls of a method until the rules change."""
        self.set_rules(Rule(fault, method, args=args))

    def set_mode(self, name: str) -> None:
        """One line of the table of modes (``faults.modes``) until the rules change."""
        self.set_rules(mode(name).rule)

    def heal(self) -> None:
        """Let everything pass."""
        self.set_rules()

    def calls(self) -> dict[str, int]:
        """Calls per method since the rules were last set."""
        counted: dict[str, int] = self._control("GET", None)["calls"]
        return counted

    def _control(self, verb: str, document: object) -> dict[str, Any]:
        host, _, name = self.control_url.removeprefix("http://").partition("/")
        connection = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.request(verb, f"/{name}/rules", None if document is None else json.dumps(document))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(answer.get("error", "the proxy refused the rules"))
        return answer


def start_rpc_proxy(folder: Path, chain_url: str) -> tuple[RpcProxy, RpcProxy]:
    """Start both endpoints (primary, fallback); their log goes to ``folder``. Raises: Unavailable ``start_failed``."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "rpc_proxy.log"
    argv = [sys.executable, "-m", "local_world.rpc_proxy", chain_url.rpartition(":")[2]]
    process = processes.start("rpc_proxy", argv, log=log)
    try:
        *ports, control = processes.wait_for_line(process, log, _LISTENING, _START_WAIT_S).split()
    except BaseException:
        processes.end(process)
        raise
    primary, fallback = (
        RpcProxy(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{control}/{name}", process)
        for name, port in zip(ENDPOINTS, ports, strict=True)
    )
    return primary, fallback


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


_RULES: Final = {name: Rules() for name in ENDPOINTS}
_UPSTREAM: Final = _Upstream()


class _Endpoint(JsonHandler):
    rules: Rules

    def do_POST(self) -> None:  # noqa: N802 - the base class names it
        body = self.body()
        document = json.loads(body)
        requests: list[Request] = document if isinstance(document, list) else [document]
        hits = [self._count(str(request.get("method"))) for request in requests]
        line_fault = next((hit.rule for hit in hits if hit is not None and hit.rule.fault in LINE_FAULTS), None)
        try:
            if line_fault is not None:
                generation = self.rules.generation
                line = Line(self, body, line_fault.args, _UPSTREAM.post, lambda: self.rules.generation == generation)
                LINE_FAULTS[line_fault.fault](line)
                return
            if not any(hits):
                self.answer_bytes(_UPSTREAM.post(body))
                return
            answers = [self._answer(request, hit) for request, hit in zip(requests, hits, strict=True)]
        except (OSError, http.client.HTTPException):
            self.reset()  # the chain itself is gone: so is this endpoint
            return
        self.answer(answers if isinstance(document, list) else answers[0])

    def _count(self, method: str) -> Hit | None:
        return resolved(self.rules.count(method), method)

    def _answer(self, request: Request, hit: Hit | None) -> Answer:
        if hit is None:
            return _forward(request)
        asked = Asked(request, hit.rule.args, hit.place, self.rules.memory, _forward)
        return ANSWER_FAULTS[hit.rule.fault](asked)


class _Primary(_Endpoint):
    rules = _RULES["primary"]


class _Fallback(_Endpoint):
    rules = _RULES["fallback"]


def _forward(request: Request) -> Answer:
    answer: Answer = json.loads(_UPSTREAM.post(json.dumps(request).encode()))
    return answer


class _Control(JsonHandler):
    def do_GET(self) -> None:  # noqa: N802 - the base class names it
        rules = self._rules()
        if rules is not None:
            self.answer(rules.document())

    def do_PUT(self) -> None:  # noqa: N802 - the base class names it
        rules = self._rules()
        if rules is None:
            return
        try:
            wanted = tuple(Rule(**rule) for rule in json.loads(self.body()))
        except (TypeError, ValueError) as error:
            self.answer({"error": str(error)}, 400)
            return
        unknown = {rule.fault for rule in wanted} - {PASS, CHAOS, *LINE_FAULTS, *ANSWER_FAULTS}
        if unknown:
            self.answer({"error": f"no such fault: {', '.join(sorted(unknown))}"}, 400)
            return
        rules.set(wanted)
        self.answer(rules.document())

    def _rules(self) -> Rules | None:
        name = self.path.removeprefix("/").removesuffix("/rules")
        if name not in _RULES:
            self.answer({"error": f"no such endpoint: {name}"}, 404)
        return _RULES.get(name)


def main() -> None:
    """Serve until the process is ended."""
    _Upstream.port = int(sys.argv[1])
    servers = [LocalServer(handler) for handler in (_Primary, _Fallback, _Control)]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"Listening on 127.0.0.1:{' '.join(str(server.port) for server in servers)}\n")
    sys.stdout.flush()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()

"""Runs the engine's command line in this very process, and ends it where the plan says.

    python -m tests.support.kill_runner --list -- settle --json
    python -m tests.support.kill_runner --kill-before 12 -- settle --json

``--list`` writes each boundary to stderr as a JSON line. ``--serve FD`` waits for orders on a socket and forks a child
for each, so that a test pays for the imports once; the child is a process of its own, with its own end.
"""

import argparse
import importlib
import json
import os
import pkgutil
import socket
import sys
from typing import Any, NoReturn

from tests.support.boundaries import FLAVOURS, Plan, Watch, install

_PACKAGES = ("cli", "services", "workers", "io_layer", "core", "merkle", "local_world")


def main() -> NoReturn:
    """Read the arguments, then become the engine."""
    parser = argparse.ArgumentParser(prog="kill_runner")
    parser.add_argument("--list", action="store_true", help="only name the boundaries")
    parser.add_argument("--serve", type=int, metavar="FD", help="take orders on this socket")
    for flavour in FLAVOURS[1:4]:
        parser.add_argument(f"--{flavour.replace('_', '-')}", type=int, metavar="N", dest=flavour)
    parser.add_argument("arguments", nargs="*", help="the engine's own command line, after --")
    given = parser.parse_args()
    if given.serve is not None:
        _serve(socket.socket(fileno=given.serve))
    chosen = [(flavour, getattr(given, flavour)) for flavour in FLAVOURS[1:4] if getattr(given, flavour) is not None]
    plan = Plan(*chosen[0]) if chosen else Plan()
    trace_fd = os.dup(2) if given.list else os.open(os.devnull, os.O_WRONLY)
    _become(given.arguments, Watch(plan, trace_fd, ask=lambda _: "go"))


def _become(arguments: list[str], watch: Watch) -> NoReturn:
    from cli.main import main as context

    install(watch)
    sys.argv = ["bo-engine", *arguments]
    context()


def _serve(orders: socket.socket) -> NoReturn:
    for package in _PACKAGES:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    # Once a process, and it takes a second.
    importlib.import_module("io_layer.lottery.recount.backends").second_backends()
    lines = orders.makefile("r", encoding="utf-8")
    for line in lines:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _obey(order, orders)
        _, status = os.waitpid(pid, 0)
        _tell(orders, {"ended": os.waitstatus_to_exitcode(status)})
    sys.exit(0)


def _obey(order: dict[str, Any], orders: socket.socket) -> NoReturn:
    code = 70
    try:
        os.environ.clear()
        os.environ.update(order["env"])
        os.chdir(order["cwd"])
        for fd, path in ((0, os.devnull), (1, order["stdout"]), (2, order["stderr"])):
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(opened, fd)
            os.close(opened)
        trace_fd = os.open(order["trace"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

        def ask(document: dict[str, Any]) -> str:
            _tell(orders, document)
            return orders.recv(16).decode().strip()

        _become(order["arguments"], Watch(Plan(order["flavour"], order["at"]), trace_fd, ask))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tell(orders: socket.socket, document: dict[str, Any]) -> None:
    orders.sendall(json.dumps(document).encode() + b"\n")


if __name__ == "__main__":
    main()

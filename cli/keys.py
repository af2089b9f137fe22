"""Commands for key files: make one, import a key. A key is never an argument. A product adds its own."""

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from bo_engine.errors import EXIT_DONE, UsageError
from bo_engine.redaction import know_secrets
from cli.output import JsonOption, print_facts, print_json

app = typer.Typer(
    help="The SETTLER's key: make or import its encrypted file, show its address. A key is typed hidden or read from "
    "a file of mode 600, never given as an argument.",
    no_args_is_help=True,
)
OutOption = Annotated[Path, typer.Option("--out", help="The keystore file to make; never overwritten.", metavar="FILE")]
PasswordOption = Annotated[
    Path | None,
    typer.Option("--password-file", help="File of mode 600 with the password; else asked, hidden.", metavar="FILE"),
]
KeyOption = Annotated[
    Path | None,
    typer.Option("--key-file", help="File of mode 600 with the private key; else asked, hidden.", metavar="FILE"),
]


@app.command("new")
def new_key(out: OutOption, password_file: PasswordOption = None, json: JsonOption = False) -> int:
    """Make a new key in a new encrypted file (keystore version 3, scrypt, mode 600) and print its address. May be
    repeated: a file that exists is refused and left as it is."""
    from services.deployment.keys import make_key

    return _print_made(make_key(out, _password(password_file)), out, json)


@app.command("import")
def import_key(
    out: OutOption, key_file: KeyOption = None, password_file: PasswordOption = None, json: JsonOption = False
) -> int:
    """Put an existing private key into a new encrypted file and print its address. May be repeated: a file that
    exists is refused and left as it is."""
    from services.deployment.keys import import_key as take

    if key_file is None:
        key = hidden("Private key (64 hex digits): ", "--key-file")
    else:
        from io_layer.keys.key_file import read_private

        key = read_private(key_file, "--key-file", code="unreadable_file")
    know_secrets([key.strip(), key.strip().removeprefix("0x")])
    return _print_made(take(out, key, _password(password_file)), out, json)


def _print_made(made: str, out: Path, json: bool) -> int:
    facts = {"address": made, "file": str(out)}
    if json:
        print_json(facts)
    else:
        print_facts("Key file written; keep a copy of it, and its password apart from it", facts)
    return EXIT_DONE


def _password(file: Path | None) -> str:
    if file is not None:
        from io_layer.keys.key_file import read_private

        password = read_private(file, "--password-file", code="unreadable_file").rstrip("\r\n")
    else:
        password = hidden("Password of the new file: ", "--password-file")
        if hidden("The same again: ", "--password-file") != password:
            raise UsageError("passwords_differ", "the two passwords are not the same; nothing was written")
    know_secrets([password])
    return password


def hidden(prompt: str, flag: str) -> str:
    # getpass without a terminal would read it from stdin and show it.
    if not sys.stdin.isatty():
        raise UsageError("no_terminal", f"there is no terminal to type at: use {flag}")
    try:
        text = getpass(prompt, stream=sys.stderr)
    except EOFError:
        raise UsageError("no_terminal", f"nothing was typed: use {flag}") from None
    know_secrets([text])
    return text

"""`bo-engine key`: a key file is made once, encrypted, for its owner alone; the key itself shows nowhere."""

import json
import os
import pty
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from bo_engine.errors import EXIT_DONE, EXIT_USAGE
from bo_engine.settings import SETTINGS
from bo_engine.units import parse_wallet
from tests.support.played_world import PlayedWorld
from tests.support.warm_cli import Finished, WarmCli

ROOT = Path(__file__).resolve().parents[2]
KEY = "4c" * 32
ADDRESS = parse_wallet(Account.from_key(KEY).address)
PASSWORD = "quite a right horse"


class Keys:
    """The key commands in a folder of their own, without any settings: no database, no chain."""

    def __init__(self, folder: Path, cli: WarmCli) -> None:
        self.folder = folder
        self.cli = cli
        self.password = self.private("password", PASSWORD + "\n")
        self.out = folder / "settler.json"

    def private(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file of this mode."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def env(self, **changed: str) -> dict[str, str]:
        """The surroundings without settings."""
        names = {setting.name for setting in SETTINGS} | {"BO_ENV_FILE"}
        return {**{name: value for name, value in os.environ.items() if name not in names}, **changed}

    def run(self, *arguments: str, **changed: str) -> Finished:
        """One command; what it says never holds the key or the password."""
        done = self.cli.run(("key", *map(str, arguments)), env=self.env(**changed), cwd=self.folder)
        assert KEY not in (done.stdout + done.stderr).lower()
        assert PASSWORD not in done.stdout + done.stderr
        return done

    def refused(self, code: str, *arguments: object) -> None:
        """It must end with this usage error and leave the folder as it was."""
        before = self.files()
        done = self.run(*map(str, arguments))
        assert (done.code, done.stderr.startswith(f"bo-engine: {code}: ")) == (EXIT_USAGE, True), done
        assert self.files() == before

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Name, mode and content of all in the folder."""
        return {
            path.name: (path.lstat().st_mode, b"" if path.is_symlink() else path.read_bytes())
            for path in self.folder.iterdir()
        }


@pytest.fixture(scope="module")
def cli() -> Iterator[WarmCli]:
    """A warm process for this module's commands."""
    warm = WarmCli()
    yield warm
    warm.close()


@pytest.fixture
def keys(tmp_path: Path, cli: WarmCli) -> Keys:
    """An empty folder with a password file."""
    return Keys(tmp_path, cli)


def opened(path: Path) -> str:
    """The private key in a keystore, and what must hold of every keystore."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = json.loads(path.read_text())
    assert (document["version"], document["crypto"]["kdf"], document["crypto"]["kdfparams"]["n"]) == (
        3,
        "scrypt",
        2**18,
    )
    return bytes(Account.decrypt(document, PASSWORD)).hex()


def test_a_new_key_is_written_encrypted_for_its_owner_alone_and_shows_nowhere(keys: Keys) -> None:
    done = keys.run("new", "--out", keys.out, "--password-file", keys.password, "--json")
    assert (done.code, done.stderr) == (EXIT_DONE, "")
    key = opened(keys.out)
    made = json.loads(done.stdout)
    assert made == {"address": parse_wallet(Account.from_key(key).address), "file": str(keys.out)}
    assert key not in done.stdout
    assert sorted(keys.files()) == ["password", "settler.json"]  # nothing is left beside it
    # Nobody's file is overwritten, not even with the same words again.
    keys.refused("key_file_exists", "new", "--out", keys.out, "--password-file", keys.password)


def test_an_imported_key_is_the_same_key_and_opens_for_the_signer(keys: Keys) -> None:
    plain = keys.private("plain", f"0x{KEY.upper()}\n")
    done = keys.run("import", "--out", keys.out, "--key-file", plain, "--password-file", keys.password, "--json")
    assert (done.code, json.loads(done.stdout)["address"], opened(keys.out)) == (EXIT_DONE, ADDRESS, KEY)
    files = {"SETTLER_KEYSTORE_FILE": str(keys.out), "SETTLER_PASSWORD_FILE": str(keys.password)}
    shown = keys.run("address", "--json", **files)
    assert (shown.code, json.loads(shown.stdout)) == (
        EXIT_DONE,
        {"address": ADDRESS, **dict.fromkeys(("settler", "is_settler", "is_suspended", "can_take_office"))},
    )


def test_what_stands_under_the_name_is_never_overwritten_nor_followed(keys: Keys) -> None:
    keys.out.symlink_to(keys.folder / "elsewhere")  # leads nowhere yet
    keys.refused("key_file_exists", "new", "--out", keys.out, "--password-file", keys.password)
    keys.out.unlink()
    keys.out.write_text("something of somebody's")
    plain = keys.private("plain", KEY)
    keys.refused("key_file_exists", "import", "--out", keys.out, "--key-file", plain, "--password-file", keys.password)
    away = keys.folder / "missing" / "settler.json"
    keys.refused("key_file_unwritable", "new", "--out", away, "--password-file", keys.password)


def test_a_key_or_a_password_that_others_could_know_is_refused(keys: Keys) -> None:
    out = ("--out", keys.out)
    open_key, open_password = keys.private("k", KEY, 0o640), keys.private("p", PASSWORD, 0o604)
    keys.refused("key_file_exposed", "new", *out, "--password-file", open_password)
    keys.refused("key_file_exposed", "import", *out, "--key-file", open_key, "--password-file", keys.password)
    keys.refused("weak_password", "new", *out, "--password-file", keys.private("weak", "short"))
    keys.refused("unreadable_file", "new", *out, "--password-file", keys.folder / "nowhere")
    for number, text in enumerate(("", "0x", "00" * 32, "ff" * 32, KEY[:-1], KEY + "4c", "no key")):
        bad = keys.private(f"bad {number}", text)
        keys.refused("bad_key", "import", *out, "--key-file", bad, "--password-file", keys.password)


def test_a_key_typed_as_an_argument_is_refused_and_not_repeated(keys: Keys) -> None:
    keys.refused("usage", "import", "--out", keys.out, "0x" + KEY)
    keys.refused("usage", "import", "--out", keys.out, f"--key=0x{KEY}")
    keys.refused("no_terminal", "import", "--out", keys.out)
    keys.refused("no_terminal", "new", "--out", keys.out)


def typed(keys: Keys, *arguments: object, lines: tuple[str, ...]) -> tuple[int, str]:
    """The command at a terminal at which somebody types these lines; its exit code and all that the terminal shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(keys.folder)
        argv = [sys.executable, "-m", "cli.main", "key", *map(str, arguments)]
        os.execve(sys.executable, argv, keys.env(PYTHONPATH=str(ROOT)))  # noqa: S606 - our own program
    shown, left = b"", list(lines)
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
            if left and shown.endswith(b": "):
                os.write(terminal, left.pop(0).encode() + b"\n")
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_what_is_typed_at_a_terminal_is_hidden_and_the_password_is_asked_twice(keys: Keys) -> None:
    code, shown = typed(keys, "import", "--out", keys.out, lines=(KEY, PASSWORD, PASSWORD))
    assert (code, opened(keys.out)) == (EXIT_DONE, KEY), shown
    assert KEY not in shown.lower() and PASSWORD not in shown and ADDRESS in shown
    other = keys.folder / "other.json"
    code, shown = typed(keys, "new", "--out", other, lines=(PASSWORD, PASSWORD + "x"))
    assert (code, "passwords_differ" in shown, other.exists()) == (EXIT_USAGE, True, False)
    assert PASSWORD not in shown


@pytest.mark.world
def test_address_says_whether_the_key_is_the_settler_of_the_contracts_and_needs_no_database(
    played: PlayedWorld, keys: Keys
) -> None:
    settler = parse_wallet(played.world.account("settler").address)
    nowhere = "postgresql://nobody:nothing@127.0.0.1:9/nowhere"
    done = played.cli("key", "address", "--json", DATABASE_URL=nowhere)
    office = {"settler": settler, "is_suspended": False, "can_take_office": "not named"}
    assert json.loads(done.stdout) == {"address": settler, "is_settler": True, **office}
    plain = keys.private("plain", KEY)
    keys.run("import", "--out", keys.out, "--key-file", plain, "--password-file", keys.password)
    other = {"SETTLER_KEYSTORE_FILE": str(keys.out), "SETTLER_PASSWORD_FILE": str(keys.password)}
    done = played.cli("key", "address", "--json", DATABASE_URL=nowhere, SETTLER_PRIVATE_KEY="", **other)
    assert (done.code, json.loads(done.stdout)) == (
        EXIT_DONE,
        {"address": ADDRESS, "is_settler": False, **office},
    )
    told = played.cli("key", "address", DATABASE_URL=nowhere)
    assert (told.code, settler in told.stdout, "yes" in told.stdout) == (EXIT_DONE, True, True)

"""A bug of the engine reaches the operator as one line; the trace goes to a file, without secrets (fault X01)."""

import json
from pathlib import Path

import pytest

from bo_engine.errors import EXIT_FAILED
from cli import main
from io_layer.files.job_log import dated_files
from tests.support.played_world import PlayedWorld

SECRET = "canary-password-of-the-database"


def test_a_bug_is_one_line_on_stderr_and_a_blotted_trace_in_the_logs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://bo:{SECRET}@localhost/bo")
    monkeypatch.setenv("LOGS_DIR", str(tmp_path / "logs"))
    monkeypatch.setattr("sys.argv", ["bo-engine", "settle", "--json"])

    def app(*, standalone_mode: bool) -> None:
        raise RuntimeError(f"cannot reach {SECRET}\nat all")

    monkeypatch.setattr(main, "app", app)
    monkeypatch.setattr(main, "add_plugins", lambda: None)
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == EXIT_FAILED
    out, err = capsys.readouterr()
    (log,) = (path for path, _ in dated_files(tmp_path / "logs" / "engine"))
    assert err == f"bo-engine: unexpected_error: RuntimeError, a bug of the engine; details are in {log}\n"
    assert json.loads(out)["error"] == "unexpected_error"
    (line,) = log.read_text().splitlines()
    assert "RuntimeError: cannot reach ***" in json.loads(line)["trace"]
    assert SECRET not in line + out + err


def test_without_a_folder_for_logs_the_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    monkeypatch.setenv("LOGS_DIR", str(tmp_path / "logs"))
    monkeypatch.setattr("sys.argv", ["bo-engine", "settle"])
    assert main._report_unexpected(RuntimeError("x")) == EXIT_FAILED
    assert capsys.readouterr().err.endswith("no details could be written\n")


def test_a_bug_whose_trace_cannot_even_be_made_is_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fault P08. Without the secrets nothing can be blotted, so its words stay untold."""

    def broken(text: str) -> str:
        raise RuntimeError("the second error")

    monkeypatch.setattr("sys.argv", ["bo-engine", "settle"])
    monkeypatch.setattr(main, "blot", broken)
    monkeypatch.setattr(main, "_logs_dir", broken)
    assert main._report_unexpected(RuntimeError("x")) == EXIT_FAILED
    assert capsys.readouterr().err == "bo-engine: unexpected_error: no details could be told\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:Tr0ub[4dor]Sekret@localhost/db"),
        ("RPC_URL", "http://user:supersecretpass@ho\u2100st/keykeykey"),
        ("RPC_URL", "http://[secretkeysecret"),
    ],
)
def test_an_address_that_python_cannot_read_is_refused_without_a_part_of_it(
    played: PlayedWorld, name: str, value: str
) -> None:
    done = played.cli("settle", **{name: value})
    assert done.code == 2
    assert done.stderr.startswith(f"bo-engine: bad_setting: {name} must be")
    for part in ("4dor", "supersecretpass", "keykeykey", "secretkey", "Traceback"):
        assert part not in done.stdout + done.stderr

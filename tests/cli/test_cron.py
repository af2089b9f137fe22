"""The schedule: every job stands in it once, and installing it touches nothing but our own block of a crontab.

`python -m tests.cli.test_cron` writes crontab/bo-engine.crontab and the timers anew, after a job has come or gone.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bo_engine.errors import InvalidInput
from cli.cron import job_lines
from io_layer.crontab import read_table, with_block, without_block, write_table
from io_layer.files.job_log import append_line
from services.jobs.job import Job
from tests.support.commands import wait_until
from tests.support.warm_cli import WarmCli
from workers.all_jobs import all_jobs

FOLDER = Path(__file__).resolve().parents[2] / "crontab"
HEAD = """\
# The schedule of BO-Engine. `bo-engine cron install` puts these lines into your crontab with the right path; by hand,
# put the path of your checkout in place of /srv/bo-engine. Two hosts may have the same lines: leases keep their jobs
# apart. Times are the host's. crontab/systemd has timers instead; use one of the two.
"""


def crontab_text() -> str:
    """The file as the jobs demand it."""
    return HEAD + "\n".join(job_lines(Path("/srv/bo-engine"), {})) + "\n"


def timer_text(job: Job) -> str:
    """A job's systemd timer."""
    minute, hour, day, month, weekday = job.schedule.split()
    assert (day, month) == ("*", "*")
    days = "" if weekday == "*" else ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")[int(weekday)] + " "
    when = f"{days}*-*-* {hour.zfill(2) if hour != '*' else '*'}:{minute.replace('*/', '0/').zfill(2)}:00"
    return (
        f"[Unit]\nDescription=Starts BO-Engine's job {job.name}\n\n[Timer]\nOnCalendar={when.replace('0*', '*')}\n"
        f"AccuracySec=1s\nUnit=bo-engine@{job.name}.service\n\n[Install]\nWantedBy=timers.target\n"
    )


def test_the_crontab_and_the_timers_are_what_the_jobs_say() -> None:
    assert (FOLDER / "bo-engine.crontab").read_text(encoding="utf-8") == crontab_text()
    timers = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "systemd").glob("*.timer")}
    assert timers == {f"bo-engine-{job.name}.timer": timer_text(job) for job in all_jobs().values()}
    assert {"settle", "refresh-seeds", "recover-intents", "prune"} <= set(all_jobs())


def test_systemd_takes_the_times_of_the_timers() -> None:
    times = [line.partition("=")[2] for job in all_jobs().values() for line in timer_text(job).splitlines()
             if line.startswith("OnCalendar=")]  # fmt: skip
    try:
        done = subprocess.run(["systemd-analyze", "calendar", *times], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.xfail("systemd-analyze cannot be had here, so nobody but us has read the timers")
    assert done.returncode == 0, done.stderr


lines = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)
tables = st.lists(lines, max_size=6).map(lambda found: "".join(f"{line}\n" for line in found))


@given(table=tables, more=tables)
def test_only_our_own_block_of_a_crontab_changes(table: str, more: str) -> None:
    installed = with_block(table, "/one", ["* * * * * a", "* * * * * b"])
    assert installed.startswith(table)
    assert without_block(installed, "/one") == table
    # Somebody adds lines of his own behind it, another checkout its block; a second install changes only ours.
    both = with_block(installed + more, "/two", ["0 0 * * * c"])
    changed = with_block(both, "/one", ["5 * * * * d"])
    assert changed == with_block(table, "/one", ["5 * * * * d"]) + more + with_block("", "/two", ["0 0 * * * c"])
    assert with_block(changed, "/one", ["5 * * * * d"]) == changed
    assert without_block(without_block(changed, "/one"), "/two") == table + more


def test_a_pipe_in_place_of_a_log_holds_no_run(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    os.mkfifo(tmp_path / "seeds" / "a-job-2026-11-22.jsonl")
    with pytest.raises(OSError, match="No such device"):
        append_line(tmp_path, "seeds", "a-job", date(2026, 11, 22), {})


def test_a_table_without_its_last_newline_gets_one() -> None:
    assert with_block("@daily x", "/one", ["a"]).startswith("@daily x\n# BEGIN bo-engine /one")


COMMAND = """#!/bin/sh
case $1 in -l) cat "$0.table" ;; -) cat >"$0.table" ;; esac
"""


@pytest.mark.parametrize("mine", [b"0 1 * * * a\r\n0 2 * * * b\n", b"# aufr\xe4umen\n0 1 * * *\ta\x0cb\n"])
def test_other_lines_keep_their_bytes_whatever_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: bytes
) -> None:
    (tmp_path / "crontab").write_text(COMMAND)
    (tmp_path / "crontab").chmod(0o755)
    (tmp_path / "crontab.table").write_bytes(mine)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    write_table(with_block(read_table(), "/one", ["* * * * * c"]))
    assert (tmp_path / "crontab.table").read_bytes().startswith(mine + b"# BEGIN")
    write_table(without_block(read_table(), "/one"))
    assert (tmp_path / "crontab.table").read_bytes() == mine


def test_an_editor_that_changes_the_ends_of_lines_does_not_double_the_block() -> None:
    installed = with_block("mine\n", "/one", ["a"]).replace("\n", "\r\n")
    assert with_block(installed, "/one", ["b"]) == "mine\r\n" + with_block("", "/one", ["b"])


def test_a_block_in_which_another_one_stands_is_left_to_a_person() -> None:
    begin, line, end = with_block("", "/one", ["a"]).splitlines(keepends=True)
    with pytest.raises(InvalidInput, match="without others between them"):
        without_block(begin + line + with_block("", "/two", ["b"]) + end, "/one")


@pytest.mark.parametrize("drop", ["# BEGIN", "# END"])
def test_a_broken_block_is_left_to_a_person(drop: str) -> None:
    installed = with_block("mine\n", "/one", ["a"])
    broken = "".join(line for line in installed.splitlines(keepends=True) if not line.startswith(drop))
    for change in (lambda: with_block(broken, "/one", ["a"]), lambda: without_block(broken, "/one")):
        with pytest.raises(InvalidInput) as caught:
            change()
        assert caught.value.code == "cron_block_broken"


def test_odd_paths_reach_the_shell_whole() -> None:
    line = job_lines(Path("/srv/a b%c'd"), {"BO_ENV_FILE": "/x y"})[0].replace("\\%", "%")
    command = line.split(None, 5)[5]
    done = subprocess.run(
        ["sh", "-c", f"set -- {command.removeprefix('BO_ENV_FILE=')}; printf '%s\\n' \"$@\""],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[:2] == ["/x y", "/srv/a b%c'd/crontab/run-job"]


def test_settings_that_cron_would_not_see_are_refused(tmp_path: Path) -> None:
    (tmp_path / "crontab").write_text(COMMAND)
    (tmp_path / "crontab").chmod(0o755)
    (tmp_path / "crontab.table").write_text("mine\n")
    (tmp_path / "env").write_text("CHAIN_ID=42161\n")
    given = {"PATH": f"{tmp_path}:/usr/bin:/bin", "BO_ENV_FILE": str(tmp_path / "env"), "CHAIN_ID": "42161"}
    cli = WarmCli()
    try:
        done = cli.run(
            ("cron", "install", "--json"), env={**given, "CHAIN_ID": "421614", "LOGS_DIR": "/l"}, cwd=tmp_path
        )
        assert (done.code, json.loads(done.stdout)["error"]) == (2, "settings_not_for_cron")
        assert "CHAIN_ID, LOGS_DIR: " in done.stderr
        assert (tmp_path / "crontab.table").read_text() == "mine\n"
        assert cli.run(("cron", "install", "--json"), env=given, cwd=tmp_path).code == 0
    finally:
        cli.close()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with our wrapper, in which `bo-engine` is what a test writes there."""
    root = tmp_path / "a checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / "crontab").mkdir()
    shutil.copy(FOLDER / "run-job", root / "crontab")
    (root / ".venv" / "bin" / "bo-engine").touch(mode=0o755)
    return root


def test_a_job_that_systemd_or_a_reboot_ends_is_asked_and_waited_for(checkout: Path) -> None:
    """Both ask every process of the job. The wrapper must not be gone before the job has come to a safe point: systemd
    kills at once what is left behind by a main process that has ended."""
    script = "#!/bin/sh\ntrap 'sleep 0.2; touch heard; exit 75' TERM\ntouch ready\nsleep 20 & wait\n"
    (checkout / ".venv" / "bin" / "bo-engine").write_text(script)
    with subprocess.Popen(
        [checkout / "crontab" / "run-job", "settle"], start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        wait_until((checkout / "ready").exists, "the job to begin")
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=20) == 75
    assert (checkout / "heard").exists()
    # `mixed` would ask the wrapper alone, and it could only die of that.
    unit = (FOLDER / "systemd" / "bo-engine@.service").read_text(encoding="utf-8")
    assert "KillMode=control-group\n" in unit


def test_cron_makes_the_files_of_a_day_as_readable_as_a_person_does(checkout: Path) -> None:
    (checkout / ".venv" / "bin" / "bo-engine").write_text("#!/bin/sh\numask >mask\necho said >&2\n")
    subprocess.run([checkout / "crontab" / "run-job", "settle"], check=True, umask=0o077)
    assert (checkout / "mask").read_text() == "0022\n"
    (log,) = (checkout / "logs" / "cron").iterdir()
    assert (log.read_text(), log.stat().st_mode & 0o777) == ("said\n", 0o640)


@pytest.fixture
def mailed(checkout: Path) -> Callable[..., str]:
    """What cron would mail when `bo-engine` is this shell script, at this hour."""
    command, clock = checkout / ".venv" / "bin" / "bo-engine", checkout / "bin" / "date"
    clock.parent.mkdir()

    def run(script: str, *, hour: int = 10) -> str:
        command.write_text(f"#!/bin/sh\n{script}\n")
        clock.write_text(f'#!/bin/sh\n[ "$2" = +%Y-%m-%d ] && echo 2026-11-22 || echo 2026-11-22T{hour}\n')
        clock.chmod(0o755)
        path = f"{clock.parent}:{os.environ['PATH']}"
        job = [checkout / "crontab" / "run-job", "settle"]
        return subprocess.run(job, check=False, stdout=subprocess.PIPE, text=True, env={"PATH": path}).stdout

    return run


def test_what_goes_on_failing_is_mailed_once_an_hour_and_anything_new_at_once(mailed: Callable[..., str]) -> None:
    halted = 'echo "bo-engine: job_halted: since $$" >&2; exit 1'
    head, line = mailed(halted).splitlines()
    assert "settle ended with 1" in head
    assert line.startswith("bo-engine: job_halted: since")
    assert mailed(halted) == ""
    # To try again later ends no failure; another error is another one, with no known name too.
    assert mailed("exit 75") == mailed(halted) == ""
    assert "bad_wallet" in mailed('echo "bo-engine: bad_wallet: 0x" >&2; exit 1')
    assert "ended with 137" in mailed("kill -KILL $$")
    assert mailed("kill -KILL $$") == ""
    assert "ended with 137" in mailed("kill -KILL $$", hour=11)
    # The clock is set back.
    assert "ended with 137" in mailed("kill -KILL $$", hour=10)
    assert mailed("exit 0") == ""
    assert "ended with 137" in mailed("kill -KILL $$")


def test_the_mail_begins_with_the_error_however_many_findings_stand_below_it(mailed: Callable[..., str]) -> None:
    def failing(code: str, findings: int) -> str:
        lines = ["bo-engine: warning: of the story", *(f'{{"event": "x{i}"}}' for i in range(9))]
        lines += [f"bo-engine: {code}: day 20776", *(f"  - G{i}: odd" for i in range(findings))]
        return f"cat >&2 <<'END'\n{chr(10).join(lines)}\nEND\nexit 1"

    assert mailed(failing("gates_failed", 7)).splitlines()[1:] == [
        "bo-engine: gates_failed: day 20776",
        *(f"  - G{i}: odd" for i in range(7)),
    ]
    # The error is known by its name: the same one is not mailed again, with other findings too; another one is.
    assert mailed(failing("gates_failed", 8)) == ""
    line, *findings = mailed(failing("settlement_differs", 500)).splitlines()[1:]
    assert (line, len(findings), findings[-1]) == ("bo-engine: settlement_differs: day 20776", 29, "  - G28: odd")
    # Nothing names an error.
    said = [f"line {i}" for i in range(7)]
    for count, shown in ((7, said[2:]), (5, said[:5]), (2, said[:2]), (0, [""])):
        text = "".join(f"echo 'line {i}' >&2\n" for i in range(count))
        assert mailed(f"{text}exit 3", hour=11 + count).splitlines()[1:] == shown


def test_without_cron_the_command_says_what_to_do(tmp_path: Path) -> None:
    cli = WarmCli()
    try:
        for command in ("install", "show", "remove"):
            done = cli.run(("cron", command, "--json"), env={"PATH": str(tmp_path)}, cwd=tmp_path)
            assert (done.code, json.loads(done.stdout)["error"]) == (2, "no_cron")
    finally:
        cli.close()


if __name__ == "__main__":
    (FOLDER / "bo-engine.crontab").write_text(crontab_text(), encoding="utf-8")
    for one in all_jobs().values():
        (FOLDER / "systemd" / f"bo-engine-{one.name}.timer").write_text(timer_text(one), encoding="utf-8")

"""Commands for the schedule: what cron starts and when."""

import difflib
import os
import shlex
import sys
from pathlib import Path

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED, UsageError
from bo_engine.redaction import plain
from bo_engine.settings import Settings, load_settings
from cli.output import DryRun, JsonOption, print_json
from workers.all_jobs import all_jobs

app = typer.Typer(
    help="The schedule: puts it into the user's crontab, shows it, takes it out.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def job_lines(root: Path, environment: dict[str, str]) -> list[str]:
    """The lines of the crontab, one for each job; ``environment`` stands before each command."""
    given = "".join(f"{name}={shlex.quote(value)} " for name, value in environment.items())
    command = f"{given}{shlex.quote(str(root / 'crontab' / 'run-job'))}"
    # To cron a percent sign is the end of the command.
    return [f"{job.schedule:<13} {command} {job.name}".replace("%", r"\%") for job in all_jobs().values()]


def _here() -> tuple[str, list[str]]:
    root = Path(__file__).resolve().parents[1]
    environment = {}
    if os.environ.get("BO_ENV_FILE"):
        environment["BO_ENV_FILE"] = str(_settings_file(root))
    logs_dir = root / _settings_of_cron(root).logs_dir
    if logs_dir != root / "logs":
        environment["BO_CRON_LOGS"] = str(logs_dir / "cron")
    if not (root / "crontab" / "run-job").is_file():
        raise UsageError("no_cron", f"{root}/crontab/run-job is missing: install from a checkout, as the README says")
    if not str(root).isprintable():
        raise UsageError("no_cron", "the checkout lies in a folder that no crontab can name")
    return str(root), job_lines(root, environment)


def _settings_file(root: Path) -> Path:
    named = os.environ.get("BO_ENV_FILE")
    return Path(named).absolute() if named else root / ".env"


def _settings_of_cron(root: Path) -> Settings:
    """Cron hands a job nothing of the environment that it is installed from, and the wrapper starts it in ``root``."""
    file = _settings_file(root)
    return load_settings({}, file) if os.environ.get("BO_ENV_FILE") or file.is_file() else Settings({})


def _require_seen_by_cron(root: Path) -> None:
    unseen = load_settings(os.environ).unknown_to(_settings_of_cron(root))
    if unseen:
        raise UsageError(
            "settings_not_for_cron",
            f"{', '.join(unseen)}: set here (in this shell, or this folder's .env), but cron's jobs would not see it; "
            f"put it into {_settings_file(root)}, or name a file with BO_ENV_FILE",
        )


@app.command()
def install(json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Put the jobs into the user's crontab, in a block of their own, and show the difference. All other lines stay.
    Safe to repeat."""
    from io_layer.crontab import read_table, with_block

    owner, lines = _here()
    _require_seen_by_cron(Path(owner))
    table = read_table()
    return _change(table, with_block(table, owner, lines), json, dry_run)


@app.command()
def remove(json: JsonOption = False, dry_run: DryRun = False) -> int:
    """Take the block of this checkout out of the user's crontab and show the difference. Safe to repeat."""
    from io_layer.crontab import read_table, without_block

    owner, _ = _here()
    table = read_table()
    return _change(table, without_block(table, owner), json, dry_run)


@app.command()
def show(json: JsonOption = False) -> int:
    """The lines as they should be, and how the user's crontab differs: exit code 1 if it does. Reads only."""
    from io_layer.crontab import read_table, with_block

    owner, lines = _here()
    table = read_table()
    difference = _difference(table, with_block(table, owner, lines))
    if json:
        print_json({"lines": lines, "installed": not difference, "difference": difference})
    else:
        sys.stdout.write("\n".join(lines) + "\n\n")
        said = [*difference, "so it is not: `bo-engine cron install` does it"] if difference else ["so it stands there"]
        sys.stdout.write("In the crontab:\n" + "\n".join(said) + "\n")
    return EXIT_FAILED if difference else EXIT_DONE


def _change(table: str, wanted: str, json: bool, dry_run: bool) -> int:
    from io_layer.crontab import write_table

    difference = _difference(table, wanted)
    if difference and not dry_run:
        write_table(wanted)
    if json:
        print_json({"changed": bool(difference) and not dry_run, "difference": difference, "dry_run": dry_run})
    else:
        note = "dry run: nothing was changed" if dry_run else "done" if difference else "nothing to change"
        sys.stdout.write("\n".join((*difference, note)) + "\n")
    return EXIT_DONE


def _difference(table: str, wanted: str) -> list[str]:
    lines = difflib.unified_diff(table.splitlines(), wanted.splitlines(), "crontab", "crontab", lineterm="", n=1)
    return [plain(line) for line in lines]

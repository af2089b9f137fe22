"""Commands for the files of a day."""

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED
from bo_engine.units import parse_day
from cli.output import JsonOption, OneDay, print_facts, print_json
from cli.start import opened_engine

app = typer.Typer(help="The day's files: restore or check them.", no_args_is_help=True)


@app.command()
def restore(day: OneDay, json: JsonOption = False) -> int:
    """Write a day's files anew from the database, byte for byte, over whatever stands there. Safe to repeat.

    One that was changed in the database is named and not brought back.
    """
    from services.lottery.engine import require_writable
    from services.lottery.settlement.files.artifacts import restore_artifacts
    from services.lottery.settlement.settle_days import JOB
    from services.running.lease import held_lease

    with opened_engine() as engine:
        require_writable(engine.artifacts_dir, parse_day(day))
        # Two writers of one folder would clear away each other's half-written files.
        with held_lease(engine.conn, JOB, engine.stop):
            facts = restore_artifacts(engine, parse_day(day))
    if json:
        print_json(facts)
    else:
        print_facts(f"Restored to {facts['folder']}", facts["files"])
    return EXIT_DONE


@app.command()
def check(day: OneDay, json: JsonOption = False) -> int:
    """Compare a day's files with the database, and these with the run, its bundle and the chain.

    Each is ok, missing, changed (on disk) or changed in the database. Reads only; exit 1 if a file is not ok.
    """
    from services.lottery.settlement.files.artifacts import artifact_states
    from services.lottery.settlement.files.compare_files import stored_states

    with opened_engine(for_display=True) as engine:
        states = dict(artifact_states(engine.conn, engine.artifacts_dir, parse_day(day)))
        states |= stored_states(engine, parse_day(day))
    if json:
        print_json({"day_id": day, "files": states})
    else:
        print_facts(f"Files of day {day}", states or {"files": "none stored"})
    return EXIT_DONE if all(state == "ok" for state in states.values()) else EXIT_FAILED

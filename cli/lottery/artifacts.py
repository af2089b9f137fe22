"""Commands for the files of a day."""

import typer

from bo_engine.errors import EXIT_DONE, EXIT_FAILED
from bo_engine.units import parse_day
from cli.lottery.start import opened_lottery
from cli.output import JsonOption, OneDay, print_facts, print_json

app = typer.Typer(help="The day's files: restore or check them.", no_args_is_help=True)


@app.command()
def restore(day: OneDay, json: JsonOption = False) -> int:
    """Write a day's files anew from the database, byte for byte, over whatever stands there. Safe to repeat.

    One that was changed in the database is named and not brought back.
    """
    from services.lottery.context import require_writable
    from services.lottery.policy import JOB
    from services.lottery.settlement.files.artifacts import restore_artifacts
    from services.running.lease import held_lease

    with opened_lottery() as context:
        require_writable(context.artifacts_dir, parse_day(day))
        # Two writers of one folder would clear away each other's half-written files.
        with held_lease(context, JOB):
            facts = restore_artifacts(context, parse_day(day))
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
    from services.lottery.settlement.files.artifacts import CopyState, artifact_states
    from services.lottery.settlement.files.compare_files import stored_states

    with opened_lottery(for_display=True) as context:
        copies = dict(artifact_states(context.conn, context.artifacts_dir, parse_day(day)))
        changed = stored_states(context, parse_day(day))
    states = {**copies, **changed}
    if json:
        print_json({"day_id": day, "files": states})
    else:
        print_facts(f"Files of day {day}", states or {"files": "none stored"})
    is_good = not changed and all(copy is CopyState.OK for copy in copies.values())
    return EXIT_DONE if is_good else EXIT_FAILED

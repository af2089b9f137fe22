"""Commands for a product's transaction journal: look at it, and take what is open one step further."""

from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from bo_engine.errors import EXIT_DONE
from cli.output import DryRun, JsonOption, print_facts, print_json, print_table
from cli.start import loaded_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from services.running.context import RunContext
    from services.running.policy import Wording

_ID = typer.Option("--id", min=1, help="The transaction's number, as `tx list` shows it.", metavar="N")
_COLUMNS = ("id", "purpose", "status", "nonce", "state", "attempts", "block")


class Opened(Protocol):
    """Opens the context of a product, as ``cli.lottery.start.opened_lottery``."""

    def __call__(self, *, for_display: bool) -> "AbstractContextManager[RunContext]": ...


def commands(opened: Opened, wording: "Callable[[], Wording]") -> typer.Typer:
    """The commands for the transactions of one product."""
    app = typer.Typer(help="The engine's transactions: list, look at one, send open ones again.", no_args_is_help=True)

    @app.command("list")
    def list_transactions(
        only_open: Annotated[bool, typer.Option("--open", help="Only those that are not finished.")] = False,
        json: JsonOption = False,
    ) -> int:
        """Show what the engine has sent: what for, nonce, state, attempts, hash, fee, block. Reads only; asks no
        node."""
        from io_layer.postgres.connection import connect
        from services.transactions.show import transaction_documents

        with connect(loaded_settings().database_url, application_name="bo-engine") as conn:
            found = transaction_documents(conn, wording(), is_open=only_open)
        if json:
            print_json({"transactions": found})
            return EXIT_DONE
        if not found:
            print_facts("Transactions", {"open" if only_open else "all": "none"})
            return EXIT_DONE
        print_table("Transactions", _COLUMNS, [[one[name] for name in _COLUMNS] for one in found])
        signed = [(one["id"], one["hash"], one["max_fee_wei"]) for one in found if one["hash"]]
        print_table("Hashes", ("id", "hash", "max fee (wei)"), signed)
        return EXIT_DONE

    @app.command()
    def show(number: Annotated[int, _ID], json: JsonOption = False) -> int:
        """Show all of one transaction: its calldata in words, each attempt, and what both endpoints say of it now.
        Reads only."""
        from services.transactions.show import transaction_document

        with opened(for_display=True) as context:
            document = transaction_document(context, number)
        if json:
            print_json(document)
            return EXIT_DONE
        tries, calldata = document.pop("tries"), document.pop("calldata")
        print_facts(f"Transaction {number}", document)
        print_facts("Calldata", calldata)
        for one in tries:
            print_facts(f"Attempt {one.pop('attempt')}", one)
        return EXIT_DONE

    @app.command()
    def resume(number: Annotated[int | None, _ID] = None, json: JsonOption = False, dry_run: DryRun = False) -> int:
        """Follow open transactions, send them again, raise their fee where they cannot be mined; settles nothing and
        takes no new nonce. Safe to repeat. With --id also one that failed: it may then be signed anew."""
        from services.transactions.resume import resume_transactions

        with opened(for_display=False) as context:
            done = resume_transactions(context, tx_id=number, dry_run=dry_run)
        if json:
            print_json(done.document())
        elif not done.transactions:
            print_facts("Transactions", {"open": "none"})
        else:
            title = "Transactions (dry run: nothing was written or sent)" if dry_run else "Transactions"
            columns = ("id", "purpose", "status", "attempts", "did")
            print_table(title, columns, [[one[name] for name in columns] for one in done.transactions])
        return done.exit_code

    return app

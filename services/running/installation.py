"""A database belongs to one installation: a test RPC with the production database is refused (fault H08)."""

from bo_engine.errors import UsageError
from bo_engine.settings import Settings
from io_layer.postgres.connection import Conn
from io_layer.stores.installation import Deployment, insert_deployment, select_deployment
from services.running.context import RunContext


def require_own_database(conn: Conn, settings: Settings) -> bool:
    """Compare with what the database remembers; False when it belongs to nobody yet.

    Raises: UsageError ``other_database``.
    """
    known, ours = select_deployment(conn), _ours(settings)
    if known is None:
        return False
    if known != ours:
        raise UsageError(
            "other_database",
            f"this database belongs to the contracts at {known.settlement} on chain {known.chain_id}, the settings "
            f"name {ours.settlement} on chain {ours.chain_id}: correct DATABASE_URL, or CHAIN_ID and "
            "SETTLEMENT_ADDRESS; another installation needs a database of its own",
        )
    return True


def claim_database(context: RunContext) -> None:
    """From the first job on the database belongs to the installation that the settings name. Call it when the chain
    has confirmed them, under a lease. Raises: UsageError ``other_database``."""
    if not require_own_database(context.conn, context.settings):
        with context.transaction():
            insert_deployment(context.conn, _ours(context.settings))
        require_own_database(context.conn, context.settings)


def _ours(settings: Settings) -> Deployment:
    return Deployment(settings.chain_id, settings.settlement_address)

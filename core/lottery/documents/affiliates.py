"""affiliates.json: what becomes of the day's fee (rule 4.2). Nothing in it depends on the draw."""

from collections.abc import Iterator, Sequence
from typing import Final

from bo_engine.units import DayId
from core.lottery.affiliates import FeeSplit, commission_of
from core.lottery.documents.canonical import StreamedList, render_object
from core.lottery.documents.parts import payout_text
from core.lottery.model import ReferredStake

SCHEMA: Final = "bo-engine/affiliates/1"


def render_affiliates(
    *, day_id: DayId, chain_id: int, referred: Sequence[ReferredStake], fee: FeeSplit
) -> Iterator[bytes]:
    """Yield affiliates.json in chunks; referred players by (affiliate, player), whatever order they come in."""
    ordered = sorted(referred, key=lambda item: (item.affiliate, item.player))
    return render_object(
        {
            "schema": SCHEMA,
            "day_id": day_id,
            "chain_id": chain_id,
            "referred": StreamedList(_referred_text(item) for item in ordered),
            "affiliates": StreamedList(payout_text(payout) for payout in fee.affiliate_payouts),
            "affiliate_total": str(fee.affiliate_total_atoms),
            "charity_total": str(fee.charity_total_atoms),
            "net_fee": str(fee.net_fee_atoms),
            "fee": str(fee.fee_atoms),
        }
    )


def _referred_text(item: ReferredStake) -> str:
    return (
        f'{{"affiliate":"{item.affiliate}","commission":"{commission_of(item)}","player":"{item.player}",'
        f'"rate_bps":{item.rate_bps},"stake":"{item.stake_atoms}"}}'
    )

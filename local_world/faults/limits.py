"""Bounds that commands show in their help; apart, because every command of bo-engine loads what names them."""

from typing import Final

#: Of a hundred calls so many go wrong at most: with more, hardly a run would come to its end.
MAX_PERCENT: Final = 30
DEFAULT_PERCENT: Final = 5

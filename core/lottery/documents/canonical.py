"""Canonical JSON of objects whose large lists never stand in memory as a whole."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

import rfc8785

ITEMS_PER_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True)
class StreamedList:
    """A JSON list whose items come as canonical JSON texts already, in pure ASCII."""

    items: Iterable[str]


def render_object(fields: Mapping[str, object]) -> Iterator[bytes]:
    """Yield the RFC 8785 JSON of an object with ASCII keys; a value may be a :class:`StreamedList`.

    The bytes are those of ``rfc8785.dumps`` of the whole object.
    """
    opened = b"{"
    for key in sorted(fields):
        yield opened + f'"{key}":'.encode("ascii")
        opened = b","
        value = fields[key]
        if isinstance(value, StreamedList):
            yield from _render_list(value)
        else:
            # rfc8785's type for JSON values is narrower than ours.
            yield rfc8785.dumps(value)  # type: ignore[arg-type]
    yield b"}"


def _render_list(value: StreamedList) -> Iterator[bytes]:
    stream = iter(value.items)
    opened = "["
    while chunk := list(islice(stream, ITEMS_PER_CHUNK)):
        yield (opened + ",".join(chunk)).encode("ascii")
        opened = ","
    yield b"[]" if opened == "[" else b"]"

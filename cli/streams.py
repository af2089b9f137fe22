"""Standard streams that may be closed, full or gone: a result that nobody takes must not look like a failed run."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

#: The reader has gone or never was: `| head`, `>&-`. Nobody misses the output.
_NOT_WANTED: Final = frozenset({errno.EPIPE, errno.EBADF})


class Stream(io.TextIOBase):
    """A text stream that keeps its first error instead of raising it, and writes nothing after that."""

    def __init__(self, inner: TextIO | None) -> None:
        super().__init__()
        self._inner = inner
        self.error: OSError | None = None
        if isinstance(inner, io.TextIOWrapper):
            # A terminal that knows ASCII only still gets the result, with escapes in it.
            inner.reconfigure(errors="backslashreplace")

    @property
    def is_lost(self) -> bool:
        """Whether output was wanted and did not arrive."""
        return self.error is not None and self.error.errno not in _NOT_WANTED

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return (self._inner.encoding if self._inner is not None else None) or "utf-8"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._inner is not None and self._inner.isatty()

    def fileno(self) -> int:
        if self._inner is None:
            raise OSError(errno.EBADF, "the stream is closed")
        return self._inner.fileno()

    def write(self, text: str) -> int:
        if self._inner is not None and self.error is None:
            try:
                self._inner.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self._inner is not None and self.error is None:
            try:
                self._inner.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.error = error
        # What is still in the buffer would be tried again, and complained about, when Python ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


@contextmanager
def patient_streams() -> Iterator[Stream]:
    """stdout (which is given) and stderr as ``Stream``s; a descriptor that is closed is opened on nothing."""
    # In this order: open() takes the lowest free number, and a database must never get that of stdout.
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before

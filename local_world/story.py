"""Tells what the demo does while it does it: a bar and ticked lines on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Story:
    """Steps of known number, told on stderr."""

    def __init__(self, steps: int, console: Console, progress: Progress | None, task: TaskID | None) -> None:
        self._steps = steps
        self._done = 0
        self._console = console
        self._progress = progress
        self._task = task
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall time since the beginning."""
        return time.monotonic() - self._started

    @contextmanager
    def step(self, text: str) -> Iterator[list[str]]:
        """One step. What the body appends to the list is told when the step is over."""
        facts: list[str] = []
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=escape(text))
        yield facts
        self._done += 1
        said = ": ".join([text, ", ".join(facts)]) if facts else text
        if self._progress is not None and self._task is not None:
            self._progress.console.print(f"  [green]✓[/green] {escape(said)}", highlight=False)
            self._progress.update(self._task, completed=self._done)
        else:
            self._console.print(f"[{self.seconds:5.1f} s] {said}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def told_story(steps: int) -> Iterator[Story]:
    """A story on stderr; the bar vanishes at the end and the ticked lines stay."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Story(steps, console, None, None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Story(steps, console, progress, progress.add_task("", total=steps))

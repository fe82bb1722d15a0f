"""A progress bar on stderr, where there is a person to see it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class _Polled(Progress):
    """Asks how far things are each time that it draws itself."""

    count: Callable[[], int] | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, up to date."""
        if self.count:
            for task in self.task_ids:
                self.update(task, completed=self.count())
        return super().get_renderables()


@contextmanager
def progress_bar(count: Callable[[], int], total: int | None) -> Iterator[None]:
    """Show the bar while the function runs; nothing if stderr is no terminal."""
    console = Console(stderr=True)
    bar = _Polled(
        TextColumn("instances asked"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # The function's own stdout goes to its log: keep rich's hands off it.
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not console.is_terminal,
    )
    with bar:
        bar.add_task("asked", total=total)
        bar.count = count
        yield

"""Ports that die, or are overtaken, before or after any of their effects.

Every call of a wrapped port is an effect, whatever its name: a new one is found without being
listed anywhere. What passes through a port piece by piece is one effect for each piece told.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from backup_audit.notify.message import Message
from backup_audit.notify.progress import BatchResult
from tests.doubles.fakes import RecordingNotifier


class Died(BaseException):
    """The process ends here: nothing catches it, nothing is cleaned up."""


class Effects:
    """Counts points before and after effects, from 0, and acts at one of them."""

    def __init__(self, at: int | None = None, act: Callable[[], None] = lambda: None) -> None:
        self._at = at
        self._act = act
        self.names: list[str] = []

    def point(self, name: str) -> None:
        """Something is about to happen, or has."""
        self.names.append(name)
        if len(self.names) - 1 == self._at:
            self._act()

    def around(self, port: object) -> Any:  # noqa: ANN401  # it stands for any port
        """The port with a point before and after each call."""
        return _Port(port, self)


def dies() -> None:
    """End the process."""
    raise Died


class _Port:
    def __init__(self, port: object, effects: Effects) -> None:
        self._port = port
        self._effects = effects

    def __getattr__(self, name: str) -> object:
        value = getattr(self._port, name)
        if not callable(value):
            return value

        def called(*arguments: object, **named: object) -> object:
            subject = arguments[0] if arguments and isinstance(arguments[0], str) else ""
            told = f"{name} {subject}".strip()
            self._effects.point(f"before {told}")
            result = value(*arguments, **named)
            if isinstance(result, AbstractContextManager):
                return self._written(told, result)
            self._effects.point(f"after {told}")
            return result

        return called

    @contextmanager
    def _written(self, told: str, writing: AbstractContextManager[Any]) -> Iterator[Any]:
        """What is written in a block is there after the block."""
        with writing as written:
            yield written
            self._effects.point(f"before the end of {told}")
        self._effects.point(f"after {told}")


class OneByOne:
    """A Notifier that passes messages on one after the other, each an effect of this name."""

    def __init__(self, notifier: RecordingNotifier, effects: Effects, name: str) -> None:
        self._notifier = notifier
        self._effects = effects
        self._name = name

    def publish(
        self, messages: Iterable[Message], took: Callable[[BatchResult], object] = lambda _: None
    ) -> int:
        """Publish all."""
        count = 0
        for message in messages:
            self._effects.point(f"before publish {self._name}")
            self._notifier.publish([message])
            self._effects.point(f"after publish {self._name}")
            took(BatchResult(first=count, size=1))
            count += 1
        return count


class MortalNotifier(RecordingNotifier):
    """A Notifier that ends the process rather than take more messages than it `lives`."""

    def __init__(self, lives: int) -> None:
        super().__init__()
        self.lives = lives
        self.refuses = self._dies

    def _dies(self, _: Message) -> bool:
        if len(self.messages) >= self.lives:
            raise Died
        return False

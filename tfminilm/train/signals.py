"""Note Ctrl-C, and SIGTERM as the schedulers of clusters send it."""

import signal
import types


class Signals:
    """Note Ctrl-C and SIGTERM; the second one stops at once."""

    def __enter__(self) -> "Signals":
        self.stop = False
        self._old = {
            number: signal.signal(number, self._note)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True

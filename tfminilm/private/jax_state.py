"""Give back what JAX' functional training borrows from a model."""

import contextlib
from collections.abc import Iterator
from typing import Any


class Restored:
    """Lets a `keras.Model` that inherits from it, first, survive an error.

    On JAX, Keras takes the values out of a model's variables for as long as
    it trains. If that fails before the first step has ended they stay empty,
    and with them every model that shares them, such as a teacher.
    """

    _lent: tuple[tuple[Any, Any], ...] = ()

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """In this context, an error leaves the variables as they were."""
        try:
            yield
        except BaseException:
            self._give_back()
            raise
        finally:
            self._lend(())

    def _give_back(self) -> None:
        if not self._lent:
            return
        self.jax_state_sync()  # type: ignore[attr-defined]
        for variable, value in self._lent:
            if variable._value is None and not value.is_deleted():
                variable.assign(value)

    def _lend(self, lent: tuple[tuple[Any, Any], ...]) -> None:
        # Set past Keras, which would take the variables for the model's own.
        object.__setattr__(self, "_lent", lent)

    def _purge_model_variables(self, **kwargs: Any) -> None:
        # Only Keras' trainer for JAX has this, and calls it.
        self._lend(
            tuple(
                (variable, variable._value)
                for variable in (
                    *self.variables,  # type: ignore[attr-defined]
                    *self.optimizer.variables,  # type: ignore[attr-defined]
                    *self.metrics_variables,  # type: ignore[attr-defined]
                )
                if variable._value is not None
            )
        )
        super()._purge_model_variables(**kwargs)  # type: ignore[misc]

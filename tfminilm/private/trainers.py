"""Changes of what a `keras.Model` does around a training step."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from tfminilm.private import Use, gradients, replicas
from tfminilm.typing import Tensor, Tensors

_MODEL = "keras.Model"
_JAX = "keras.src.backend.jax.trainer.JAXTrainer"
_TF = "keras.src.backend.tensorflow.trainer.TensorFlowTrainer"
USES = (
    Use(
        _MODEL,
        "_compile_loss",
        "the loss that `compile` got, beside a method's",
    ),
    Use(_MODEL, "_compile_metrics", "is cleared, so that models compile anew"),
    Use(_MODEL, "_loss_tracker", "a mean over replicas, not within one"),
    Use(_MODEL, "_aggregate_additional_loss", "a replica's share of a loss"),
    Use(_TF, "_maybe_symbolic_build", "is given the first worker's part"),
    Use(_TF, "_distribute_strategy", "tells whether there are workers"),
    Use(_JAX, "_purge_model_variables", "values lent, given back on errors"),
    Use("keras.Variable", "_value", "values lent, given back on errors"),
)


def forget_compiled(model: keras.Model) -> None:
    """Forget the loss and the metrics of an earlier `compile`."""
    model._compile_loss = model._compile_metrics = None


def compiled_loss(model: keras.Model) -> Any:
    """Return the loss that `compile` got, as a function, or `None`."""
    return model._compile_loss


def set_loss_tracker(model: keras.Model, metric: keras.metrics.Mean) -> None:
    """Replace the metric "loss" of a compiled model."""
    # `object.__setattr__`, as Keras' own would list the metric twice.
    object.__setattr__(model, "_loss_tracker", metric)


def share_of_loss(model: keras.Model, loss: Tensor) -> Any:
    """Return a replica's share of a scalar loss: Keras adds up the shares."""
    return model._aggregate_additional_loss(loss)


class OnWorkers:
    """Lets a `keras.Model` that inherits from it, first, train on workers.

    It is no `keras.Model` itself: Keras turns all bases of a functional
    model's class into functional models, and then no other model could
    inherit from them. What its steps trace is freed together with it.
    """

    def train_step(self, *args: Any) -> Any:
        with gradients.forgotten():
            return replicas.per_worker(super().train_step(*args))  # type: ignore[misc]

    def test_step(self, *args: Any) -> Any:
        with gradients.forgotten():
            return replicas.per_worker(super().test_step(*args))  # type: ignore[misc]

    def _maybe_symbolic_build(
        self, iterator: Iterator[Any] | None = None, data_batch: Tensors = None
    ) -> None:
        # Keras joins the workers' parts of a batch to learn its shapes, which
        # is wrong for other workers' parts: the first part is enough.
        strategy = self._distribute_strategy  # type: ignore[attr-defined]
        if strategy is not None and iterator is not None:
            for _, _, batches in iterator:
                data_batch = keras.tree.map_structure(
                    lambda x: strategy.experimental_local_results(x)[0],
                    next(batches),
                )
                break
        super()._maybe_symbolic_build(  # type: ignore[misc]
            data_batch=data_batch
        )


class Restored:
    """Lets a `keras.Model` that inherits from it, first, survive an error.

    On JAX, Keras takes the values out of a model's variables while it trains.
    If the first step fails, they stay empty, and so do the variables of every
    model that shares them, such as a teacher.
    """

    _lent: tuple[tuple[Any, Any], ...] = ()

    @contextlib.contextmanager
    def restored(self) -> Iterator[None]:
        """Leave the variables as they were if an error ends this context."""
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
        # `object.__setattr__`, as Keras' own would count the variables as the
        # model's.
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

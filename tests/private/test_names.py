"""The private names of other libraries are still there."""

import importlib
import inspect
import pkgutil

import keras
import pytest

from tfminilm import private

BACKENDS = ("jax", "tensorflow", "torch")
USES = [
    (name, use)
    for _, name, _ in pkgutil.iter_modules(private.__path__)
    for use in getattr(
        importlib.import_module(f"tfminilm.private.{name}"), "USES", ()
    )
]


def owner_of(path):
    """Return the class or module that a dotted path names."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise ImportError(path)


@pytest.mark.parametrize(
    ("module", "use"), USES, ids=lambda x: getattr(x, "name", x)
)
def test_name_is_there(module, use):
    backends = set(BACKENDS) & set(use.owner.split(".backend.")[-1].split("."))
    if backends and keras.backend.backend() not in backends:
        pytest.skip(f"only on {backends.pop()}")
    owner = owner_of(use.owner)
    # Many are set on objects, when they are built: the source names them.
    classes = inspect.getmro(owner) if inspect.isclass(owner) else [owner]
    is_there = hasattr(owner, use.name) or any(
        use.name in inspect.getsource(each)
        for each in classes
        if each is not object
    )
    assert is_there, (
        f"{use.owner} has no {use.name} any more ({use.why}): mend "
        f"tfminilm/private/{module}.py"
    )


def test_every_private_module_says_what_it_uses():
    silent = {"replicas"}  # It uses public names alone.
    modules = {name for _, name, _ in pkgutil.iter_modules(private.__path__)}
    assert {name for name, _ in USES} == modules - silent

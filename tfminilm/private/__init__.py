"""Everything that uses private parts of Keras, KerasHub and TensorFlow.

A new release may change them without notice; then only this package needs a
fix. Each module names what it uses, and a test compares that with the
installed versions. The test has passed with Keras 3.13 and KerasHub 0.30 (the
oldest that we allow), and with 3.15 and 0.32.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Use:
    """A private name of another library.

    Attributes:
        owner: the class or module that has it.
        name: the private name.
        why: what it is used for, and why nothing public serves.
    """

    owner: str
    name: str
    why: str

"""Maps from the student's layers to the teacher's layers that teach them."""

from tfminilm.errors import UserError

KINDS = ("last", "uniform", "top", "bottom", "skip")


def layer_map(
    kind: str, num_teacher_layers: int, num_student_layers: int
) -> tuple[int, ...]:
    """Return the teacher's layer for each layer of the student, lowest first.

    With L teacher and M student layers, m from 1 to M, counted from 1:

    - "uniform": m L / M (TinyBERT, arXiv 1909.10351): every k-th layer, the
      last one included;
    - "top": m + L - M, the upper layers;
    - "bottom": m, the lower ones;
    - "skip" (PKD-Skip, arXiv 1908.09355): "uniform" without its last layer,
      which the soft targets teach already: of 12 layers, 2, 4, 6, 8 and 10
      teach a student's first five of six;
    - "last" (PKD-Last): "top" without its last layer: 7 to 11 teach a
      student's first five of six.

    Args:
        kind: one of these.
        num_teacher_layers: L.
        num_student_layers: M, at most L; for "uniform" and "skip" a divisor
            of L.

    Returns:
        Layers counted from 0, one for each of the student's layers from the
        bottom: M of them, M - 1 for "skip" and "last".

    Raises:
        UserError: there is no such map.
    """
    teacher, student = num_teacher_layers, num_student_layers
    if kind not in KINDS:
        raise UserError(f"layer map is {kind!r}, expected {', '.join(KINDS)}")
    if not 1 <= student <= teacher:
        raise UserError(
            f"a layer map of {student} student layers on {teacher} of a "
            f"teacher does not exist: expected 1 to {teacher} student layers"
        )
    if kind == "bottom":
        return tuple(range(student))
    if kind in ("top", "last"):
        layers = tuple(range(teacher - student, teacher))
    elif teacher % student:
        raise UserError(
            f"layer map {kind!r} takes every k-th layer, and {student} student "
            f"layers do not divide {teacher} of the teacher: use 'top' or "
            "'bottom' ('last' for 'skip'), or another number of layers"
        )
    else:
        step = teacher // student
        layers = tuple(range(step - 1, teacher, step))
    return layers[:-1] if kind in ("skip", "last") else layers

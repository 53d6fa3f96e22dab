"""Access to the operators of LiteRT's interpreter."""

from typing import TYPE_CHECKING

from tfminilm.private import Use

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

USES = (
    Use(
        "ai_edge_litert.interpreter.Interpreter",
        "_get_ops_details",
        "which operators a delegate took over",
    ),
)


def operator_names(interpreter: "Interpreter") -> list[str]:
    """Return the operators of an interpreter's first graph, in order."""
    return [node["op_name"] for node in interpreter._get_ops_details()]

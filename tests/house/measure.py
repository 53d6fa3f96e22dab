"""Measure how easy the package is to read: `python tests/house/measure.py`.

The figures come from the source alone; nothing of the package is imported.
"""

import ast
import pathlib
import re
import statistics
import sys
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "tfminilm"
MOST_LINES = 400
# From the bottom up: a package imports those before it, never one behind it.
LAYERS = (
    ("errors",),
    (
        "config",
        "files",
        "checks",
        "json_files",
        "typed_json",
        "json_schema",
        "typing",
        "shard_manifest",
        "source_names",
        "quiet",
    ),
    ("private",),
    ("layers",),
    ("losses",),
    ("tokenizer",),
    ("families", "teachers", "students"),
    ("inputs", "views", "methods"),
    ("averaged", "distiller"),
    ("__init__",),
    ("data",),
    ("tasks",),
    ("compress",),
    ("train",),
    ("recipes",),
    ("export",),
    ("inference",),
    ("serve",),
    ("web",),
    ("report",),
    ("pipeline",),
    ("commands",),
)
QUESTIONS = {"how", "of", "that", "those", "what", "where", "whether", "which"}
VERBS = set((pathlib.Path(__file__).parent / "verbs.txt").read_text().split())
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}


def sources() -> dict[str, ast.Module]:
    """Return the parsed modules of the package by their dotted names."""
    modules = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        modules[name] = ast.parse(path.read_text(), str(path))
    return modules


def imports(modules: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Return the package's modules that each module names in an import.

    A type checker's imports do not count: they are not there at run time.
    """
    return {
        name: set(_imported(tree, modules)) for name, tree in modules.items()
    }


def _imported(
    tree: ast.Module, modules: dict[str, ast.Module]
) -> Iterator[str]:
    unseen = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in modules:
                    yield inner
                elif node.module in modules:
                    yield node.module
        elif isinstance(node, ast.Import):
            yield from (x.name for x in node.names if x.name in modules)


def back_arrows(arrows: dict[str, set[str]]) -> list[str]:
    """Return the imports that run from a lower package to a higher one."""
    return [
        f"{source} -> {target}"
        for source, targets in arrows.items()
        for target in sorted(targets)
        if rank(target) > rank(source)
    ]


def rank(module: str) -> int:
    """Return the layer that a module stands in.

    Raises:
        KeyError: its package is in no layer.
    """
    parts = module.split(".")
    return RANKS[parts[1] if len(parts) > 1 else "__init__"]


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str, graph: dict[str, set[str]], out: list[str]) -> None:
        stack = [(name, iter(sorted(graph.get(name, ()))))]
        seen.add(name)
        while stack:
            node, targets = stack[-1]
            for target in targets:
                if target not in seen:
                    seen.add(target)
                    stack.append((target, iter(sorted(graph.get(target, ())))))
                    break
            else:
                out.append(node)
                stack.pop()

    for name in arrows:
        if name not in seen:
            visit(name, arrows, order)
    back: dict[str, set[str]] = {}
    for source, targets in arrows.items():
        for target in targets:
            back.setdefault(target, set()).add(source)
    seen.clear()
    groups = []
    for name in reversed(order):
        if name not in seen:
            group: list[str] = []
            visit(name, back, group)
            if len(group) > 1:
                groups.append(sorted(group))
    return groups


def docstrings(modules: dict[str, ast.Module]) -> Iterator[tuple[str, str]]:
    """Yield where each docstring of a function stands, and its first line."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for name, tree in modules.items():
        for node in ast.walk(tree):
            # A property's docstring names what it is.
            if not isinstance(node, kinds) or _is_property(node):
                continue
            text = ast.get_docstring(node)
            if text:
                yield f"{name}:{node.lineno}", text.splitlines()[0]


def open_questions(modules: dict[str, ast.Module]) -> list[str]:
    """Return docstrings of any kind that open with What, Where, How and such.

    Modules, classes and properties may open with a noun, but not with these.
    """
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        f"{name}: {text.splitlines()[0]}"
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, kinds) and (text := ast.get_docstring(node))
        if text.split()[0].lower() in QUESTIONS
    ]


def _is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = {ast.unparse(x).split(".")[-1] for x in node.decorator_list}
    return bool(names & {"property", "cached_property"})


def opens_with_verb(line: str) -> bool:
    """Return whether the first word is among the verbs that we open with."""
    return line.split()[0].strip(".,:;").lower() in VERBS


def typed_arguments(
    modules: dict[str, ast.Module],
) -> Iterator[tuple[str, str]]:
    """Yield where each annotated argument stands, and its annotation."""
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.arguments):
                every = [*node.posonlyargs, *node.args, *node.kwonlyargs]
                for argument in [*every, node.vararg, node.kwarg]:
                    if argument and argument.annotation:
                        where = f"{name}:{argument.lineno}:{argument.arg}"
                        yield where, ast.unparse(argument.annotation)


def lengths() -> dict[str, int]:
    """Return the number of lines of each file of the package."""
    return {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def kind_branches() -> list[str]:
    """Return the comparisons with a task's kind outside of `tasks/kinds`."""
    return _lines(r"\.kind (==|!=|in|not in) ", ("tasks/kinds/",), "task")


def family_names() -> list[str]:
    """Return the strings that name a family outside of `families`.

    `tokenizer` may: its rules are called by the families that have them. So
    may recipes, which choose a student, annotations, `__all__`, which lists
    public names, and `AUGMENTATIONS`, which are called by their papers.
    """
    names = "bert|roberta|xlm_roberta|xlmr|distilbert|distil_bert|albert|"
    names += "electra|mobilebert|ib_bert|bilstm"
    name = re.compile(rf"({names})(_?backbone|_?tokenizer)?", re.IGNORECASE)
    homes = ("families", "tokenizer", "recipes")
    found = []
    for module, tree in sources().items():
        if module.split(".")[1:2] in ([home] for home in homes):
            continue
        passed = set(map(id, _unread(tree)))
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and id(node) not in passed
            if is_text and name.fullmatch(str(node.value)):
                found.append(f"{module}:{node.lineno}: {node.value!r}")
    return found


def _unread(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes of annotations, and of lists that may name families."""
    for node in ast.walk(tree):
        parts = [getattr(node, "annotation", None)]
        parts.append(getattr(node, "returns", None))
        if isinstance(node, ast.Assign):
            target = ast.unparse(node.targets[0])
            lists = target in ("__all__", "AUGMENTATIONS")
            parts.append(node.value if lists else None)
        for part in filter(None, parts):
            yield from ast.walk(part)


def _lines(pattern: str, homes: tuple[str, ...], needed: str = "") -> list[str]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = str(path.relative_to(PACKAGE))
        if name.startswith(homes):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(pattern, line) and needed in line:
                found.append(f"{name}:{number}: {line.strip()}")
    return found


def main(details: bool) -> None:
    """Print each figure, and with `details` what counts against it."""
    modules = sources()
    arrows = imports(modules)
    opening = list(docstrings(modules))
    others = [f"{x}: {y}" for x, y in opening if not opens_with_verb(y)]
    typed = list(typed_arguments(modules))
    loose = [f"{x}: {y}" for x, y in typed if y == "Any"]
    sizes = lengths()
    long = [f"{x}: {y}" for x, y in sizes.items() if y > MOST_LINES]
    rows: list[tuple[str, str, list]] = [
        (
            "docstrings that open with a verb",
            f"{1 - len(others) / len(opening):.1%} of {len(opening)}",
            others,
        ),
        (
            "docstrings that open with a question",
            str(len(open_questions(modules))),
            open_questions(modules),
        ),
        (
            "arguments typed Any",
            f"{len(loose) / len(typed):.1%} of {len(typed)}",
            loose,
        ),
        ("import circles", str(len(circles(arrows))), circles(arrows)),
        (
            "imports that run back up",
            str(len(back_arrows(arrows))),
            back_arrows(arrows),
        ),
        ("files over 400 lines", str(len(long)), long),
        ("median file", f"{statistics.median(sizes.values()):.0f} lines", []),
        (
            "branches on a task's kind",
            str(len(kind_branches())),
            kind_branches(),
        ),
        (
            "family names outside their files",
            str(len(family_names())),
            family_names(),
        ),
    ]
    for name, value, against in rows:
        print(f"{name:34} {value}")
        for item in against if details else ():
            print(f"    {item}")


if __name__ == "__main__":
    main("--details" in sys.argv)

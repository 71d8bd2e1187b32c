"""Imports run one way, stay light, and the public face is what it says."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import weft

ROOT = Path(__file__).parents[1]
FOLDERS = {"tracking": 0, "tracer": 1, "evals": 2, "ui": 3, "weft": 4}
"""A module may import its own folder and those below it; the front door imports everybody."""
HEAVY = ("openai", "streamlit", "sqlalchemy", "pandas", "numpy", "pyarrow", "tiktoken", "genai_prices", "alembic")


def _modules(folder: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        inside = path.relative_to(ROOT / folder).with_suffix("")
        parts = [part for part in inside.parts if part != "__init__"]
        package = ["weft"] if folder == "weft" else ["weft", folder]
        yield ".".join([*package, *parts]), ast.parse(path.read_text())


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _folder(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "weft" or len(parts) == 1:
        return None
    return parts[1] if parts[1] in FOLDERS else "weft"


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_run_one_way(folder: str) -> None:
    wrong = [
        f"{module} imports {target}"
        for module, tree in _modules(folder)
        for target in _imports(tree)
        if (owner := _folder(target)) is not None
        and FOLDERS[owner] > FOLDERS[folder]
        and target != "weft.__version__"  # the version is a name of the front door, and needs nothing of it
    ]

    assert not wrong, "\n".join(wrong)


def _runtime_imports(tree: ast.Module) -> Iterator[str]:
    """Imports at the top of a module that really run: not those under TYPE_CHECKING or inside functions."""
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _imports(node)
        elif isinstance(node, ast.Try):
            for inner in node.body:
                yield from _imports(inner)


def test_there_are_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for module, tree in _modules(folder):
            graph[module] = set(_runtime_imports(tree))
    for module, targets in graph.items():
        # `from package import module` is about the module; the package's own face runs first in any case.
        packages = {target.rpartition(".")[0] for target in targets if target in graph}
        graph[module] = {target for target in targets if target in graph and target not in packages}
    state: dict[str, int] = {}
    cycles: list[str] = []

    def visit(module: str, path: list[str]) -> None:
        state[module] = 1
        for target in graph[module] - {"weft"}:
            if state.get(target) == 1:
                cycles.append(
                    " -> ".join([*path[path.index(target) :], target] if target in path else [module, target])
                )
            elif target not in state:
                visit(target, [*path, target])
        state[module] = 2

    for module in graph:
        if module not in state:
            visit(module, [module])

    assert not cycles, "\n".join(cycles)


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_weft_imports_nothing_heavy_and_changes_nothing_global() -> None:
    out = _run(
        "import sys, threading, signal, os; before = dict(os.environ), sys.excepthook, signal.getsignal(2)\n"
        "import weft\n"
        f"assert not set(sys.modules) & set({HEAVY!r}), set(sys.modules) & set({HEAVY!r})\n"
        "assert (dict(os.environ), sys.excepthook, signal.getsignal(2)) == before\n"
        "assert threading.active_count() == 1\n"
        "print(sorted(m for m in sys.modules if m.startswith('weft')))"
    )

    assert out.strip() == "['weft']"


def test_a_traced_program_imports_nothing_heavy(tmp_path: Path) -> None:
    """The store, prices and tables belong to whoever reads, never to the program that records."""
    _run(
        "import sys, os; os.environ['WEFT_HOME'] = sys.argv[1] if len(sys.argv) > 1 else " + repr(str(tmp_path)) + "\n"
        "import weft\n"
        "@weft.op\n"
        "def double(x): return 2 * x\n"
        "assert double(2) == 4\n"
        f"assert not set(sys.modules) & set({HEAVY!r}), set(sys.modules) & set({HEAVY!r})"
    )


def test_every_public_name_exists_and_all_is_sorted() -> None:
    assert list(weft.__all__) == sorted(weft.__all__)
    for name in set(weft.__all__) - {"config", "summary"}:
        getattr(weft, name)
    with pytest.raises(weft.Error, match="no run is active"):
        _ = weft.config.lr
    with pytest.raises(AttributeError, match="nonsense"):
        _ = weft.nonsense


def test_type_checkers_see_the_names_that_exist() -> None:
    """`TYPE_CHECKING` imports and the lazy table are two lists of one thing."""
    tree = ast.parse((ROOT / "weft" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    declared = {
        alias.asname: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }

    assert declared == weft._OWNER


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_is_called_by_what_it_is_not(folder: str) -> None:
    for module, tree in _modules(folder):
        assert module.rsplit(".", 1)[-1] not in {"utils", "helpers", "common", "constants", "misc"}
        assert ast.get_docstring(tree), f"{module} has no docstring"


def test_recording_draws_nothing_from_the_users_random_generator(tmp_path: Path) -> None:
    out = _run(
        f"import os; os.environ['WEFT_HOME'] = {str(tmp_path)!r}\n"
        "import random, weft\n"
        "random.seed(7); expected = random.random(); random.seed(7)\n"
        "@weft.op\n"
        "def f(): return 1\n"
        "f()\n"
        "with weft.span('s'): pass\n"
        "print(random.random() == expected)"
    )

    assert out.strip() == "True"


FORWARDED = {
    "weft.tracer.op": "kept in span.error, for f.call()",
    "weft.tracer.streams": "thrown on into the generator",
    "weft.tracer.workers": "handed to the caller in another process",
    "weft.tracking.faults": "an exception's own words",
}
"""Modules that catch everything and pass it on by other means than raising."""


@pytest.mark.parametrize("folder", ["tracking", "tracer"])
def test_nobody_swallows_what_the_program_throws_in(folder: str) -> None:
    """Whoever catches any exception raises it, or calls `let_through` or `Faults.note`, which raise the program's."""
    wrong = [
        f"{module}:{handler.lineno}"
        for module, tree in _modules(folder)
        if module not in FORWARDED
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler) and _catches_all(handler) and not _lets_through(handler)
    ]

    assert not wrong, "\n".join(wrong)


def _catches_all(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds)


def _lets_through(handler: ast.ExceptHandler) -> bool:
    calls = (node.func for node in ast.walk(handler) if isinstance(node, ast.Call))
    named = {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}
    return any(isinstance(node, ast.Raise) for node in handler.body) or bool(
        named & {"let_through", "note", "_not_opened"}
    )

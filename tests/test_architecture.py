"""The rules that hookserver/ARCHITECTURE.md states, read from the syntax trees of the sources."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hookserver.errors import CODES

PACKAGE = Path(__file__).resolve().parent.parent / "hookserver"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(), str(path)) for path in SOURCES}

# room -> rooms of ours that it may import. A module beside the rooms is a room of its own.
MAY_IMPORT = {
    "errors": set(),
    "core": set(),
    "providers": {"core"},
    "rollups": {"core"},
    "store": {"core", "errors"},
    "config": {"core", "providers", "errors"},
    "tasks": {"core", "providers", "config", "errors"},
    "feeds": {"core", "config", "tasks", "errors"},
    "ops": {"core", "config", "store", "tasks", "errors"},
    "services": {"core", "providers", "rollups", "store", "tasks", "feeds", "config", "errors"},
    "web": {"services", "core", "config", "errors"},
    "app": {"core", "providers", "rollups", "store", "tasks", "config", "errors", "services", "web", "ops", "feeds"},
    "cli": {"app", "services", "core", "config", "errors", "ops"},
    "__main__": {"cli"},
    "__init__": set(),
}
PURE = ("core", "providers", "rollups")
FOREIGN_TO_PURE = {"os", "time", "random", "socket", "asyncio", "tornado", "logging", "pathlib", "threading",
                   "subprocess", "tempfile", "io", "ssl", "select", "shutil", "secrets", "uuid", "urllib.request"}
NAMES_TO_AVOID = ("utils", "util", "helpers", "helper", "manager", "misc", "common")


def room_of(path: Path) -> str:
    """The first part of the path inside the package, without .py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path, tree: ast.AST) -> list[str]:
    """Absolute names of all that a module imports; of ``from a import b`` both ``a`` and ``a.b``."""
    package = ("hookserver", *path.relative_to(PACKAGE).parts[:-1])
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[:len(package) - node.level + 1]) if node.level else []
            base += [node.module] if node.module else []
            names.append(".".join(base))
            names += [".".join([*base, alias.name]) for alias in node.names]
    return names


def each(found: list[str]) -> str:
    return "\n" + "\n".join(found)


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"


def test_every_room_imports_only_what_it_may():
    wrong = []
    for path, tree in TREES.items():
        room = room_of(path)
        assert room in MAY_IMPORT, f"{path}: a new room needs a row in this test and in ARCHITECTURE.md"
        others = {name.split(".")[1] for name in imported(path, tree) if name.startswith("hookserver.")}
        others -= {room, "__version__"}
        wrong += [f"{path.relative_to(PACKAGE)} imports {other}" for other in sorted(others - MAY_IMPORT[room])]
    assert not wrong, each(wrong)


def test_pure_rooms_know_no_clock_no_chance_and_no_outside():
    wrong = []
    for path, tree in TREES.items():
        if room_of(path) not in PURE:
            continue
        for name in imported(path, tree):
            if name in FOREIGN_TO_PURE or name.split(".")[0] in FOREIGN_TO_PURE:
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) in ("open", "now", "utcnow", "today", "print", "input"):
                wrong.append(f"{place(path, node)} calls {called(node)}")
    assert not wrong, each(wrong)


def called(node: ast.Call) -> str:
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def test_files_and_functions_stay_short():
    wrong = [f"{path.relative_to(PACKAGE)}: {lines} lines" for path in SOURCES
             if (lines := len(path.read_text().splitlines())) > 400]
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                if lines > 50:
                    wrong.append(f"{place(path, node)} {node.name}: {lines} lines")
    assert not wrong, each(wrong)


def test_handler_methods_parse_call_one_service_and_write():
    wrong = []
    verbs = ("get", "post", "put", "delete", "head", "options", "prepare")
    for path, tree in TREES.items():
        if room_of(path) == "web":
            wrong += [f"{place(path, node)} {node.name}: {lines} lines" for node in ast.walk(tree)
                      if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in verbs
                      and (lines := node.end_lineno - node.lineno + 1) > 20]
    assert not wrong, each(wrong)


def test_names_say_what_things_are():
    wrong = [str(path.relative_to(PACKAGE)) for path in SOURCES if path.stem.lower() in NAMES_TO_AVOID]
    for path, tree in TREES.items():
        wrong += [f"{place(path, node)} {node.name}" for node in ast.walk(tree)
                  if isinstance(node, ast.ClassDef) and node.name.lower().endswith(NAMES_TO_AVOID)]
    assert not wrong, each(wrong)


def test_no_error_is_swallowed_in_silence():
    """A handler of Exception or wider either does something, or carries a comment that says why not."""
    wrong = []
    for path, tree in TREES.items():
        lines = path.read_text().splitlines()
        for node in ast.walk(tree):
            if not isinstance(node, ast.ExceptHandler) or not catches_all(node):
                continue
            idle = all(isinstance(step, (ast.Pass, ast.Continue)) for step in node.body)
            reason = any("#" in line for line in lines[node.lineno - 1:node.end_lineno])
            if node.type is None or (idle and not reason):
                wrong.append(place(path, node))
    assert not wrong, each(wrong)


def catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in kinds)


def test_every_error_code_in_use_is_in_the_table():
    """The first argument of Refused(…) and every code=… is a key of errors.CODES."""
    wrong = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            codes = node.args[:1] if called(node) == "Refused" else []
            if called(node) in ("Refused", "StorageUnavailable", "StorePoisoned", "Rejected"):
                codes = codes + [word.value for word in node.keywords if word.arg == "code"]
            wrong += [f"{place(path, node)} {code.value!r}" for code in codes
                      if isinstance(code, ast.Constant) and code.value not in CODES]
    assert not wrong, each(wrong)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_code_has_a_lawful_status_and_a_sentence(code):
    status, meaning = CODES[code]
    assert 400 <= status <= 499 or status == 503 or code == "filtered"
    assert meaning.endswith(".")


def test_modules_and_long_functions_say_what_they_do():
    wrong = []
    for path, tree in TREES.items():
        if not ast.get_docstring(tree):
            wrong.append(f"{path.relative_to(PACKAGE)}: no docstring")
        wrong += [f"{place(path, node)} {node.name}" for node in tree.body
                  if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_")
                  and node.end_lineno - node.lineno > 10 and not ast.get_docstring(node)]
    assert not wrong, each(wrong)

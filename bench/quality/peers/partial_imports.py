"""Imports parts of programs that were never meant to be imported alone."""

import ast
import sys
import types
from contextlib import contextmanager


def stand_in(name, **members):
    """Stands in for a module that a peer imports and needs a line of."""
    module = types.ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module
    return module


def bare_package(name, folder):
    """`folder` as the package `name`, without running its __init__: those patch transformers."""
    module = stand_in(name)
    module.__path__ = [str(folder)]
    return module


@contextmanager
def found_first(folder):
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def functions_of(file, names, scope):
    """Functions of a peer's file without importing it, for it wants its whole family; `outer.inner` is one
    that is defined inside another. Adds them to `scope`, which is what they see, and returns it."""
    tree = ast.parse(file.read_text())
    for name in names:
        function = tree
        for part in name.split("."):
            (function,) = [node for node in function.body if getattr(node, "name", None) == part]
        alone = ast.Module(body=[function], type_ignores=[])
        exec(compile(alone, str(file), "exec"), scope)
    return scope

"""Finding the app that a command names: `app.py`, `app.py:pricing`, `package.module`, `package.module:pricing`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from drave.streams.app import App
from drave.streams.errors import StreamsError


class AppNotFound(StreamsError):
    """What was named holds no app, or several."""


def load_app(target: str) -> App:
    """The app at `target`. Raises AppNotFound, and whatever the module itself raises."""
    source, colon, name = target.partition(":")
    module = _from_file(Path(source)) if source.endswith(".py") else _from_package(source)
    if colon:
        found = getattr(module, name, None)
        if not isinstance(found, App):
            raise AppNotFound(f"{source} has no app named {name!r}{_there_are(module)}")
        return found
    apps = _apps(module)
    if len(apps) != 1:
        raise AppNotFound(f"{source} has {'no app' if not apps else 'several apps'}{_there_are(module)}")
    return next(iter(apps.values()))


def _apps(module: ModuleType) -> dict[str, App]:
    return {name: value for name, value in vars(module).items() if isinstance(value, App)}


def _there_are(module: ModuleType) -> str:
    names = list(_apps(module))
    if not names:
        return '; make one with app = App("name")'
    return f"; name one: {', '.join(f'{module.__name__}:{name}' for name in names)}"


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise AppNotFound(f"there is no file {path}")
    sys.path.insert(0, str(path.parent.resolve()))  # as `python path` does, for what it imports from beside it
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "it ends with .py"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # before it runs, for annotations are looked up there
    spec.loader.exec_module(module)
    return module


def _from_package(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))  # as `python -m name` does
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise  # something that the module itself imports
        raise AppNotFound(f"there is no module {name}; a file is named with its .py") from None

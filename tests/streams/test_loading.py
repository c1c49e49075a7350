"""What `drave streams run APP` names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from drave.streams.loading import AppNotFound, load_app

ONE = 'from drave.streams import App\napp = App("one")\n'
TWO = ONE + 'other = App("two")\n'


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Modules and paths of one test are gone in the next."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.chdir(tmp_path)


def test_a_file_with_one_app_needs_no_name(tmp_path):
    (tmp_path / "first.py").write_text(ONE)
    assert load_app(str(tmp_path / "first.py")).name == "one"


def test_of_several_apps_one_is_named(tmp_path):
    (tmp_path / "several.py").write_text(TWO)
    assert load_app(f"{tmp_path / 'several.py'}:other").name == "two"
    with pytest.raises(AppNotFound, match="several apps; name one: several:app, several:other"):
        load_app(str(tmp_path / "several.py"))


def test_a_file_may_import_what_lies_beside_it(tmp_path):
    (tmp_path / "shapes.py").write_text('NAME = "beside"\n')
    (tmp_path / "importing.py").write_text("from shapes import NAME\nfrom drave.streams import App\napp = App(NAME)\n")
    assert load_app(str(tmp_path / "importing.py")).name == "beside"


def test_a_module_is_found_from_where_one_is(tmp_path):
    package = tmp_path / "service"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "apps.py").write_text(ONE)
    assert load_app("service.apps:app").name == "one"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("missing.py", "there is no file missing.py"),
        ("no.such.module", "there is no module no.such.module; a file is named with its .py"),
        ("empty.py", "empty.py has no app; make one with app = App"),
        ("first.py:other", "first.py has no app named 'other'; name one: first:app"),
    ],
)
def test_what_is_not_there_is_named_with_the_remedy(tmp_path, target, says):
    (tmp_path / "empty.py").touch()
    (tmp_path / "first.py").write_text(ONE)
    with pytest.raises(AppNotFound, match=says):
        load_app(target)


def test_a_module_that_a_module_misses_is_its_own_error(tmp_path):
    (tmp_path / "broken.py").write_text("import surely_not_installed\n")
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        load_app("broken")

"""ARCHITECTURE.md, the folders and the import contract say the same."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()
SOURCE = ROOT / "src" / "artificer"
MAPS = sorted(SOURCE.rglob("README.md"))


def _packages() -> set[str]:
    """The packages, and the modules that stand beside them."""
    folders = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    return folders | {path.stem for path in SOURCE.glob("*.py") if path.stem[0] != "_"}


def _described() -> dict[str, bool]:
    """Each package of the page's table, and whether the page says that it is to come."""
    table = re.findall(r"^\| *\d+ *\| (.+?) \|", PAGE, re.MULTILINE)
    words = [word for cell in table for word in re.findall(r"(\()?`(\w+)`", cell)]
    return {name: bool(bracket) for bracket, name in words}


def _contract() -> dict[str, bool]:
    """Each name of the import contract, and whether it is in parentheses: to come."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = " | ".join(settings["contracts"][0]["layers"])
    return {name: bool(bracket) for bracket, name in re.findall(r"(\()?(\w+)", layers)}


def test_the_page_is_short_enough_to_be_read() -> None:
    assert len(PAGE.splitlines()) <= 120


def test_every_folder_is_on_the_page() -> None:
    assert _packages() <= set(_described())


def test_every_package_of_the_page_is_a_folder_or_said_to_come() -> None:
    here = {name for name, to_come in _described().items() if not to_come}

    assert here == _packages()


def test_the_page_and_the_import_contract_name_the_same_packages() -> None:
    assert set(_described()) == set(_contract()) - {"__main__"}


def test_a_package_that_is_here_is_not_optional_in_the_contract() -> None:
    assert {name for name in _packages() if _contract()[name]} == set()


def test_every_folder_of_tests_mirrors_a_package_or_is_on_the_page() -> None:
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and p.name[0] not in "_."}

    assert {f for f in folders - _packages() if f"`tests/{f}`" not in PAGE} == set()


@pytest.mark.parametrize("page", MAPS, ids=lambda page: page.parent.name)
def test_a_map_of_a_package_names_every_module(page: Path) -> None:
    places = re.findall(r"`([\w/]+)`", page.read_text())
    modules = {path for path in page.parent.rglob("*.py") if path.stem[0] != "_"}

    # Of these folders one file is like the other: they are one line.
    alike = {"calls", "lint", "rules"} & {place[:-1] for place in places}
    known = {place.rpartition("/")[2] for place in places}
    lost = {path for path in modules if path.stem not in known and path.parent.name not in alike}
    assert {str(path.relative_to(SOURCE)) for path in lost} == set()


def test_every_map_is_on_the_page() -> None:
    pages = {str(page.relative_to(ROOT)) for page in MAPS}

    assert pages == set(re.findall(r"\((src/[\w/]+/README\.md)\)", PAGE))


def test_files_fit_a_mind() -> None:
    lengths = {p: len(p.read_text().splitlines()) for p in SOURCE.rglob("*.py")}

    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > 400} == {}


def test_no_module_has_the_name_of_a_drawer() -> None:
    drawers = {"utils", "helpers", "common", "core", "manager", "misc"}
    found = {str(p.relative_to(SOURCE)) for p in SOURCE.rglob("*") if p.stem in drawers}

    # Docker's credential helpers are programs of that name.
    assert found <= {"registry/helpers.py"}


def test_every_change_says_what_kind_it_is() -> None:
    names = [p.name for p in (ROOT / "changes").iterdir() if p.name != "README.md"]
    kind = re.compile(r"\d+\.(added|changed|fixed|removed|security)\.md")

    assert [name for name in names if not kind.fullmatch(name)] == []

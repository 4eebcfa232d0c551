"""Reference pages that are written by hand say what the code says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from artificer import errors
from artificer.builder.kind import LAYER_KEY
from artificer.builder.shared import ARTIFACT_TYPE
from artificer.oci.edit import BASE_DIGEST, BASE_NAME
from artificer.oci.reference import _TRANSPORTS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCE = ROOT / "src" / "artificer"

READS_VARIABLES = ("cli", "http", "registry")
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|HOME|PATH|CI|TERM|TMPDIR|NETRC")
NO_VARIABLE = re.compile(r"O_[A-Z]+|.*_(?:UNKNOWN|INVALID|IMMUTABLE)")
"""Flags of open(2), and codes of the distribution-spec."""
READ_BY_OTHERS = {"SSL_CERT_DIR"}
"""By OpenSSL itself."""
COMPUTED = {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ECR"}


def rows(page: str) -> Iterator[list[str]]:
    """The cells of each row of each table of a page, without heads and lines."""
    for line in (REFERENCE / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and (cells[0].startswith("`") or cells[0].isdecimal()):
            yield cells


def code_words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def variables_of_the_source() -> set[str]:
    found: set[str] = set()
    for folder in READS_VARIABLES:
        for path in (SOURCE / folder).rglob("*.py"):
            if "server" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.add(node.value)
    return {name for name in found if VARIABLE.fullmatch(name) and not NO_VARIABLE.fullmatch(name)}


def test_every_exit_code_of_an_error_is_on_its_page() -> None:
    said = {int(cells[0]) for cells in rows("exit-codes.md")}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ArtificerError)
    }

    assert raised <= said


def test_every_variable_that_is_read_is_on_its_page_and_no_other() -> None:
    page = (REFERENCE / "environment.md").read_text()
    said = {word for word in code_words(page) if VARIABLE.fullmatch(word)}

    assert said - READ_BY_OTHERS - COMPUTED == variables_of_the_source()


def test_every_transport_is_on_its_page() -> None:
    page = (REFERENCE / "references.md").read_text()

    assert [name for name in _TRANSPORTS if f"`{name}:" not in page] == []


def test_every_annotation_is_on_its_page() -> None:
    page = (REFERENCE / "annotations.md").read_text()

    for name in (BASE_NAME, BASE_DIGEST, LAYER_KEY, ARTIFACT_TYPE):
        assert f"`{name}`" in page

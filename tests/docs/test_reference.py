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
READ_BY_OTHERS = {
    *("SSL_CERT_DIR", "SSH_IDENTITY_FILE", "SSH_KNOWN_HOSTS"),
    "KIND_EXPERIMENTAL_PROVIDER",
}
"""By OpenSSL and kind themselves, and for ssh by sources.git_program, which sets others, too."""
COMPUTED = {
    *("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ECR"),
    *("GIT_AUTH_HEADER", "GIT_AUTH_TOKEN"),
    *("ARTIFICER_JOB", "ARTIFICER_JOB_FILE", "ARTIFICER_JOB_IMAGE", "ARTIFICER_SERVICE_ACCOUNT"),
    "JOB_COMPLETION_INDEX",
}
"""The page has them; a constant of the source names them."""


def rows(page: str) -> Iterator[list[str]]:
    """The cells of each row of each table of a page, without heads and lines."""
    for line in (REFERENCE / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and (cells[0].startswith("`") or cells[0].isdecimal()):
            yield cells


def code_words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def variables_of_the_source() -> set[str]:
    """What is looked up in an environment; below cli also what is named beside one."""
    found: set[str] = set()
    for folder in READS_VARIABLES:
        for path in (SOURCE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call | ast.Subscript) and is_about_environ(node):
                    found |= texts_in(node)
                elif isinstance(node, ast.FunctionDef) and folder != "cli":
                    found |= texts_in(node) if is_about_environ(node) else set()
    return {name for name in found if VARIABLE.fullmatch(name)}


def is_about_environ(node: ast.AST) -> bool:
    """Whether *node* speaks of an environment; of a call or a look-up, what is called or asked."""
    match node:
        case ast.Call(func=ast.Attribute(value=asked)) | ast.Subscript(value=asked):
            return names_environ(asked)
        case ast.FunctionDef():
            return any(names_environ(one) for one in ast.walk(node))
        case _:
            return False


def names_environ(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lstrip("_") == "environ"
        case _:
            return False


def texts_in(node: ast.AST) -> set[str]:
    constants = (one for one in ast.walk(node) if isinstance(one, ast.Constant))
    return {one.value for one in constants if isinstance(one.value, str)}


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

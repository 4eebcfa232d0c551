"""Every option of docker, buildx, buildah and kaniko is on the page that says what it does."""

import re
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
BUILDX = """
    --add-host --allow --annotation --attest --build-arg --build-context --builder --cache-from
    --cache-to --call --cgroup-parent --check --debug --file --iidfile --label --load
    --metadata-file --network --no-cache --no-cache-filter --output --platform --policy --progress
    --provenance --pull --push --quiet --resource --sbom --secret --shm-size --ssh --tag --target
    --ulimit
"""
DOCKER = """
    --add-host --build-arg --cache-from --cgroup-parent --compress --cpu-period --cpu-quota
    --cpu-shares --cpuset-cpus --cpuset-mems --disable-content-trust --file --force-rm --iidfile
    --isolation --label --memory --memory-swap --network --no-cache --platform --pull --quiet --rm
    --security-opt --shm-size --squash --stream --tag --target --ulimit
"""
BUILDAH = """
    --add-host --all-platforms --annotation --arch --authfile --build-arg --build-arg-file
    --build-context --cache-from --cache-to --cache-ttl --cap-add --cap-drop --cert-dir
    --cgroup-parent --compress --compression-format --compression-level --cpp-flag --cpu-period
    --cpu-quota --cpu-shares --cpuset-cpus --cpuset-mems --creds --cw --decryption-key --device
    --disable-compression --disable-content-trust --dns --dns-option --dns-search --env --file
    --force-compression --force-rm --format --from --group-add --help --hooks-dir --http-proxy
    --identity-label --ignorefile --iidfile --iidfile-raw --inherit-annotations --inherit-labels
    --ipc --isolation --jobs --label --layer-label --layers --logfile --logsplit --logwriter
    --manifest --memory --memory-swap --metadata-file --network --no-cache --no-hostname
    --no-hosts --omit-history --os --os-feature --os-version --output --pid --platform --pull
    --quiet --retry --retry-delay --rewrite-timestamp --rm --runtime --runtime-flag --rusage
    --save-stages --sbom --sbom-image-output --sbom-merge-strategy --sbom-output
    --sbom-purl-output --sbom-scanner-command --sbom-scanner-image --secret --security-opt
    --shm-size --sign-by --signature-policy --skip-unused-stages --source-date-epoch
    --source-policy-file --squash --squash-all --ssh --stage-labels --stdin --tag --target
    --timestamp --tls-verify --transient-run-mounts --ulimit --unsetannotation --unsetenv
    --unsetlabel --userns --userns-gid-map --userns-gid-map-group --userns-uid-map
    --userns-uid-map-user --uts --variant --volume
"""
KANIKO = """
    --build-arg --bucket --cache --cache-copy-layers --cache-dir --cache-repo --cache-run-layers
    --cache-ttl --cleanup --compressed-caching --compression --compression-level --context
    --context-sub-path --custom-platform --destination --digest-file --dockerfile --force --git
    --ignore-path --ignore-var-run --image-download-retry --image-fs-extract-retry
    --image-name-tag-with-digest-file --image-name-with-digest-file --initial-fs-unpacked
    --insecure --insecure-pull --insecure-registry --kaniko-dir --label --log-format
    --log-timestamp --no-push --no-push-cache --oci-layout-path
    --push-ignore-immutable-tag-errors --push-retry --registry-certificate --registry-client-cert
    --registry-map --registry-mirror --reproducible --run-v2 --single-snapshot
    --skip-default-registry-fallback --skip-push-permission-check --skip-tls-verify
    --skip-tls-verify-pull --skip-tls-verify-registry --skip-unused-stages --snapshot-mode
    --tar-path --target --use-new-run --verbosity
"""
KANIKO_SINCE = """
    --annotation --credential-helpers --dryrun --image-format --materialize --pre-cleanup
    --preserve-context --secret
"""


def listed(page: str) -> set[str]:
    """The options in the first column of a page's tables."""
    cells = re.findall(r"^\| (`[^|]*) \|", (REFERENCE / page).read_text(), re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(--?[a-z][a-z0-9-]*)`", cell)}


@pytest.mark.parametrize("names", [BUILDX, DOCKER, BUILDAH], ids=["buildx", "docker", "buildah"])
def test_every_option_of_docker_works_or_is_refused_by_name(names: str) -> None:
    assert set(names.split()) - listed("docker-build.md") == set()


@pytest.mark.parametrize("names", [KANIKO, KANIKO_SINCE], ids=["google", "successor"])
def test_every_flag_of_kaniko_works_or_is_refused_by_name(names: str) -> None:
    assert set(names.split()) - listed("kaniko.md") == set()

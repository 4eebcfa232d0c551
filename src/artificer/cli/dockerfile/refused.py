"""Options of docker, buildx and buildah, and of other commands, without a meaning here: why."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """Why an option is refused, and the way out; values in *usual* ask for what is so anyway."""

    reason: str
    hint: str | None = None
    usual: tuple[str, ...] = ()


_YES = ("1", "t", "true")
_NO = ("0", "f", "false")
_CGROUP = Refusal(
    "commands run with the resources of this process, there is no daemon to make a cgroup",
    "limit the job, pod or shell that artificer runs in",
)
_NO_ATTESTATION = Refusal(
    "no attestations are written yet", "leave it out, or say `=false`", (*_NO, "mode=disabled")
)
_CAPABILITIES = Refusal(
    "commands have what the way to run them allows, and no more",
    "`artificer doctor run` shows which ways there are; `--rung` chooses one",
)
_ISOLATION = Refusal(
    "how commands are run is found by probing",
    "`artificer doctor run` shows the ways, `--rung` chooses one",
)
_SIGNATURES = Refusal("nothing is signed yet", "sign the digest that is printed")
_INHERIT = Refusal(
    "what a base says is inherited, as a Dockerfile has it", "change it with ENV or LABEL"
)
_REMOTE = Refusal("there is no daemon", "leave it out: the build runs in this process")
_RETRY = Refusal("requests are tried again and uploads resumed by fixed rules", "leave it out")
_DNS = Refusal("commands see this machine's /etc/resolv.conf", "leave it out")
_HISTORY = Refusal("history is part of what an image says", "leave it out")
_MOUNT = Refusal(
    "what a command reads has to stand in the Dockerfile",
    "`RUN --mount=type=bind,from=NAME` with `--build-context NAME=DIR`",
)
_ENV = Refusal("the environment is the Dockerfile's", "write ENV, or `--build-arg` for an ARG")

_PACKAGES = Refusal(
    "packages are installed by the Dockerfile, or upon the image that it makes",
    "`RUN apt-get install …` in it; or then `artificer -b IMAGE --apt NAME -t TARGET`",
)

REFUSED = {
    # docker build and buildx build
    "--allow": Refusal("no step may do more than others", "drop --security and --device of RUN"),
    "--attest": _NO_ATTESTATION,
    "--provenance": _NO_ATTESTATION,
    "--sbom": _NO_ATTESTATION,
    "--builder": _REMOTE,
    "--cgroup-parent": _CGROUP,
    "--compress": Refusal("a context is not sent anywhere", "leave it out", _NO),
    "--cpu-period": _CGROUP,
    "--cpu-quota": _CGROUP,
    "-c --cpu-shares": _CGROUP,
    "--cpuset-cpus": _CGROUP,
    "--cpuset-mems": _CGROUP,
    "--disable-content-trust": Refusal("nothing speaks notary here", "leave it out", _YES),
    "--force-rm": Refusal("there are no containers to keep", "leave it out", (*_YES, *_NO)),
    "--rm": Refusal("there are no containers to keep", "leave it out", _YES),
    "-m --memory": _CGROUP,
    "--memory-swap": _CGROUP,
    "--policy": Refusal("there is no language of policies", "policy.json says what is trusted"),
    "--resource": _CGROUP,
    "--security-opt": _CAPABILITIES,
    "--shm-size": Refusal(
        "commands have the /dev/shm of the way to run them",
        "mount one: `RUN --mount=type=tmpfs,target=/dev/shm,size=…`",
    ),
    "--squash": Refusal(
        "layers stay those of the Dockerfile", "`artificer flatten` makes one layer of them", _NO
    ),
    "--stream": _REMOTE,
    "--ulimit": Refusal("commands have the limits of this process", "call `ulimit` before it"),
    "-D --debug": Refusal("there is nothing more to tell", "`--progress plain` tells all"),
    # buildah build and podman build
    "--all-platforms": Refusal("platforms are named", "`--platform linux/amd64,linux/arm64`", _NO),
    "--cache-ttl": Refusal("what is known does not get old", "`--no-cache` makes it anew"),
    "--cap-add": _CAPABILITIES,
    "--cap-drop": _CAPABILITIES,
    "--cert-dir": Refusal("certificates are named", "`--cacert FILE`, `--client-cert FILE`"),
    "--compression-format": Refusal("it is `--compression`", "write `--compression zstd`"),
    "--cpp-flag": Refusal("a Containerfile.in is not preprocessed", "run cpp before the build"),
    "--cw": Refusal("there are no confidential workloads"),
    "--decryption-key": Refusal("encrypted layers cannot be read"),
    "--device": _CAPABILITIES,
    "--disable-compression": Refusal("layers are compressed once and kept", None, _NO),
    "--dns": _DNS,
    "--dns-option": _DNS,
    "--dns-search": _DNS,
    "--env": _ENV,
    "--force-compression": Refusal("layers of a base stay as they are", None, _NO),
    "--from": Refusal("the base is the Dockerfile's", "`--build-context NAME=docker-image://…`"),
    "--group-add": _CAPABILITIES,
    "--hooks-dir": _CAPABILITIES,
    "--http-proxy": Refusal(
        "proxies of this process are not told to commands", "`--build-arg HTTP_PROXY=…`", _NO
    ),
    "--identity-label": Refusal("no label says what built it", "leave it out", _NO),
    "--iidfile-raw": Refusal("an ID has its algorithm", "`--iidfile` writes sha256:…"),
    "--inherit-annotations": _INHERIT._replace(usual=_YES),
    "--inherit-labels": _INHERIT._replace(usual=_YES),
    "--ipc": _CAPABILITIES,
    "--isolation": _ISOLATION,
    "--layer-label": Refusal("labels are of the image", "`--label`"),
    "--layers": Refusal("every instruction is a layer that is kept", "leave it out", _YES),
    "--logfile": Refusal("progress goes to standard error", "redirect it: 2>FILE"),
    "--logsplit": Refusal("progress goes to standard error", "redirect it: 2>FILE", _NO),
    "--logwriter": Refusal("progress goes to standard error", "redirect it: 2>FILE"),
    "--manifest": Refusal("several platforms make an index", "name it with `-t`"),
    "--no-hostname": Refusal("the image's /etc/hostname is not touched", None, _NO),
    "--no-hosts": Refusal("commands have a /etc/hosts", None, _NO),
    "--omit-history": _HISTORY._replace(usual=_NO),
    "--os-feature": Refusal("an image says what its base says"),
    "--os-version": Refusal("an image says what its base says"),
    "--pid": _CAPABILITIES,
    "--retry": _RETRY,
    "--retry-delay": _RETRY,
    "--rewrite-timestamp": Refusal(
        "times of files are a matter of each instruction", "SOURCE_DATE_EPOCH says `created`", _NO
    ),
    "--rusage": Refusal("nothing is measured", "`time artificer build …`", _NO),
    "--runtime": _ISOLATION,
    "--runtime-flag": _ISOLATION,
    "--save-stages": Refusal("only the stage that is asked for has a name", "`--target`", _NO),
    "--sbom-image-output": _NO_ATTESTATION,
    "--sbom-merge-strategy": _NO_ATTESTATION,
    "--sbom-output": _NO_ATTESTATION,
    "--sbom-purl-output": _NO_ATTESTATION,
    "--sbom-scanner-command": _NO_ATTESTATION,
    "--sbom-scanner-image": _NO_ATTESTATION,
    "--sign-by": _SIGNATURES,
    "--signature-policy": Refusal("it is found where containers/image looks", "policy.json"),
    "--skip-unused-stages": Refusal("stages that nobody needs are skipped", None, _YES),
    "--source-policy-file": Refusal("there is no source policy", "`artificer lock` pins tags"),
    "--squash-all": Refusal(
        "layers stay those of the Dockerfile", "`artificer flatten` makes one layer of them", _NO
    ),
    "--stage-labels": Refusal("labels are of the stage that is asked for", None, _NO),
    "--stdin": Refusal("commands read nothing", None, _NO),
    "--tls-verify": Refusal(
        "a registry that is not trusted is named", "`--insecure-registry HOST`", _YES
    ),
    "--transient-run-mounts": _MOUNT,
    "--unsetannotation": _INHERIT,
    "--unsetenv": _ENV,
    "--unsetlabel": _INHERIT,
    "--userns": _ISOLATION,
    "--userns-gid-map": _ISOLATION,
    "--userns-gid-map-group": _ISOLATION,
    "--userns-uid-map": _ISOLATION,
    "--userns-uid-map-user": _ISOLATION,
    "--uts": _CAPABILITIES,
    "--variant": Refusal("it is part of the platform", "`--platform linux/arm/v7`"),
    "--arch": Refusal("it is part of the platform", "`--platform linux/arm64`"),
    "--os": Refusal("it is part of the platform", "`--platform linux/arm64`"),
    "-v --volume": _MOUNT,
    # artificer -b
    "--apt": _PACKAGES,
    "--deb": _PACKAGES,
}
"""By the option, and its short name before it."""

"""What a cluster, or `kubectl` on its behalf, complains about: as errors with a way out."""

import re

from artificer.errors import ArtificerError, Misused
from artificer.kubernetes.cluster import (
    Busy,
    Conflict,
    Forbidden,
    Full,
    NoCluster,
    NotFound,
    Refused,
    Unidentified,
    not_gone,
)

_LINE = 600
_LOG = re.compile(r"^[EWIF]\d{4} \d\d:\d\d:\d\d|^\s|^$")
_SERVER = re.compile(
    r"^(?:Error from server|error: .*?) ?\((\w+)\): (?:error when \w+ing \S+: )?(.*)", re.S
)
_PLUGIN = re.compile(r"exec: (?:executable (\S+) not found|\"(\S+)\": executable file not found)")
_LOGIN = re.compile(r"getting credentials: (?:exec: executable (\S+) failed .*|.*)")
# Validation is the first that asks the server; to turn it off would not help.
_SCHEMA = re.compile(r".*failed to download openapi: (.*?)(?:; if you choose to ignore.*)?")
_BUSY = frozenset(
    (
        "Expired",
        "Gone",
        "InternalError",
        "ServerTimeout",
        "ServiceUnavailable",
        "Timeout",
        "TooManyRequests",
    )
)
_QUOTA = re.compile(r"exceeded quota:.*?(?:limited: \S+=(?P<limited>\S+)|$)")
_WAITED = re.compile(r"timed out waiting for the condition on \S+/(\S+)")
_CONTEXT = re.compile(
    r"context was not found for specified context: (.*)|"
    r"(?:cannot locate |^)context \"?(.*?)\"?(?: does not exist)?$"
)
_UNCONFIGURED = re.compile(
    "localhost:8080|no configuration has been provided|current-context must exist"
)
_UNREACHABLE = re.compile(
    r"was refused|no such host|i/o timeout|Unable to connect|connection refused|no route to host|"
    r"handshake timeout|x509|certificate|network is unreachable|EOF|connection reset|deadline"
)


class NoContext(Misused):
    """The context or the kubeconfig that is named does not exist."""


def of_status(reason: str, message: str) -> ArtificerError:
    """What the server means by a Status of that *reason*."""
    text = one_line(message)
    if reason in _BUSY:
        return Busy(f"the cluster cannot answer now: {text}")
    match reason:
        case "Forbidden":
            return _forbidden(text)
        case "Unauthorized":
            return Unidentified(
                "the cluster does not know who we are",
                hint="log in to it again; `kubectl auth whoami` tells as whom it sees you",
            )
        case "NotFound":
            where = "name another" if text.startswith("namespaces ") else "name its namespace"
            return NotFound(text, hint=f"{where} with `--namespace`")
        case "AlreadyExists":
            return Conflict(text, hint="choose another `--name`, or `--generate-name PREFIX`")
        case _:
            return Refused(
                f"the cluster refuses it: {text}",
                hint="`artificer job render` shows what is sent",
            )


def _forbidden(text: str) -> ArtificerError:
    if "violates PodSecurity" in text:
        return Refused(
            f"forbidden by Pod Security: {text.partition('violates PodSecurity ')[2]}",
            hint="leave away what it forbids (`--commands`, `--user`), or use another namespace",
        )
    if found := _QUOTA.search(text):
        return _full(found)
    if "cannot" not in text:
        return Refused(
            f"the cluster refuses it: {text}",
            hint="a policy of the namespace forbids it: ask who set it",
        )
    return Forbidden(
        f"not allowed: {text}",
        hint="whoever submits needs a Role: jobs create, get, list, watch, delete; pods get, "
        "list, watch; pods/log get; events list, watch; configmaps create, get",
    )


def _full(quota: re.Match[str]) -> ArtificerError:
    """What a *quota* means whose ``limited`` is not enough now, or never is."""
    message = f"the namespace has no room: {quota[0]}"
    if quota["limited"] == "0":
        return Refused(message, hint="it never has: name another with `--namespace`")
    return Full(
        message,
        hint="it has when others are done, or gone: a Job that is over counts for the time of its "
        "`--keep`; `kubectl describe quota` tells what else does",
    )


def of_kubectl(stderr: str) -> ArtificerError:
    """What *stderr* of a `kubectl` that failed means."""
    lines = [line for line in stderr.splitlines() if not _LOG.match(line)]
    text = "\n".join(lines).strip() or stderr.strip() or "it does not say why"
    if found := _PLUGIN.search(stderr):
        name = found.group(1) or found.group(2)
        return Unidentified(
            f"the program that logs in to the cluster is not installed: {name}",
            hint=f"the kubeconfig names it; install {name}, and see that it is on the PATH",
        )
    if found := _LOGIN.search(text):
        name = found.group(1) or "the kubeconfig's way to log in"
        return Unidentified(
            f"nobody is logged in to the cluster: {name} failed",
            hint="log in again; `kubectl get jobs` says what is wrong",
        )
    if found := _SERVER.match(text):
        return of_status(found.group(1), found.group(2))
    if "must be logged in to the server" in text or "Unauthorized" in text:
        return of_status("Unauthorized", text)
    return _of_words(text)


def _of_words(text: str) -> ArtificerError:
    line = one_line(text).removeprefix("error: ")
    if found := _SCHEMA.fullmatch(line):
        line = found.group(1)
    if found := _WAITED.search(line):
        return not_gone(found.group(1))
    if problem := _of_configuration(line):
        return problem
    if "Username" in line or "(BadRequest)" in line:
        return Unidentified(
            "the kubeconfig has no credentials for the cluster",
            hint="log in to it, or name another context with `--kube-context`",
        )
    if _UNREACHABLE.search(line):
        return NoCluster(f"the cluster does not answer: {line}", hint=_unreachable_hint(line))
    return Refused(f"kubectl: {line}", hint="`artificer job render` shows what is sent")


def _unreachable_hint(line: str) -> str:
    if "not yet valid" in line or "has expired" in line:
        return "set this machine's clock, or renew the certificate of the cluster"
    if "unknown authority" in line:
        return "the kubeconfig has the `certificate-authority` of another cluster, or a past one"
    return "is it running, and is this the right context? `kubectl config get-contexts`"


def _of_configuration(line: str) -> ArtificerError | None:
    """What is wrong with the kubeconfig, if that is it."""
    if found := _CONTEXT.search(line):
        return NoContext(
            f"no such context: {found.group(1) or found.group(2)}",
            hint="`kubectl config get-contexts` lists them; `--kube-context` names one",
        )
    if line.startswith("stat ") and "no such file" in line:
        return NoContext(
            f"there is no kubeconfig {line.split()[1].rstrip(':')}",
            hint="`--kubeconfig FILE`, or KUBECONFIG",
        )
    if line.startswith("error loading config file"):
        return NoContext(line, hint="another kubeconfig: `--kubeconfig FILE`, or KUBECONFIG")
    if _UNCONFIGURED.search(line):
        return NoCluster(
            "no cluster is configured: there is no kubeconfig, or it has no current context",
            hint="name a kubeconfig: `--kubeconfig FILE`, KUBECONFIG, or ~/.kube/config; "
            "`--kube-context` names a context of it",
        )
    return None


def one_line(text: str) -> str:
    """*text* as a line that is not too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= _LINE else f"{flat[: _LINE - 1]}…"

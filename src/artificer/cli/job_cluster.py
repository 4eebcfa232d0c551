"""The options that say which cluster is meant, and as whom it is asked."""

from argparse import Namespace

from artificer.cli.grammar import Once, Parser
from artificer.kubernetes.kubectl import Kubeconfig


def add_cluster_options(parser: Parser) -> None:
    """Add what kubectl calls --kubeconfig and --context."""
    add = parser.add_argument_group("the cluster").add_argument
    add("--kubeconfig", metavar="FILE", action=Once, help="(KUBECONFIG, ~/.kube/config)")
    add("--kube-context", metavar="NAME", action=Once, help="of it (the current one)")


def kubeconfig_of(args: Namespace) -> Kubeconfig:
    """Which cluster and namespace *args* name; what they do not is kubectl's own choice."""
    return Kubeconfig(args.kubeconfig or "", args.kube_context or "", args.namespace or "")

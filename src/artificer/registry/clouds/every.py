"""Every cloud whose registries are known."""

from collections.abc import Callable, Mapping

from artificer.registry.clouds.azure import azure
from artificer.registry.clouds.ecr import ecr
from artificer.registry.clouds.exchange import Reach
from artificer.registry.clouds.google import Accounts, google
from artificer.registry.credential import Found


def every_cloud(
    reach: Reach,
    environ: Mapping[str, str],
    *,
    home: str,
    gcloud: Callable[[], str] | None = None,
) -> Callable[[str], Found | None]:
    """A `credentials.Cloud` that asks the cloud which the host belongs to."""
    clouds = (
        ecr(reach, environ, home=home),
        google(reach, Accounts(environ, home, gcloud)),
        azure(reach, environ),
    )

    def find(host: str) -> Found | None:
        return next((found for ask in clouds if (found := ask(host)) is not None), None)

    return find

"""The accounts of the emulated clouds: domains, users, projects, access keys and agencies."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from functools import cached_property


def fixed_id(name: str) -> str:
    """Return the id of a built-in object. It is the same in every emulated cloud, so that logs can be compared."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"ecs-emulator:{name}").hex


@dataclass(frozen=True)
class Domain:
    """A domain, which the Open Telekom Cloud calls an account."""

    id: str
    name: str

    @property
    def reference(self) -> dict[str, str]:
        """The domain in the body of a token."""
        return {"id": self.id, "name": self.name}


@dataclass(frozen=True)
class User:
    """A user.

    Attributes:
        name: the name.
        domain: the domain of the user.
        roles: the roles in every project of the user.
        password: None for an agency, whose token is obtained with the method `assume_role`.
        passcode: the one-time passcode of its virtual MFA device; None if it has no such device.
        agency: the name of the agency that the user stands for.
    """

    name: str
    domain: Domain
    roles: tuple[str, ...]
    password: str | None = None
    passcode: str | None = None
    agency: str | None = None

    @cached_property
    def id(self) -> str:
        """The id."""
        return fixed_id(f"user/{self.name}")


@dataclass(frozen=True)
class Project:
    """A project.

    Attributes:
        name: the name.
        domain: the domain of the project.
        users: the names of the users with a role in it; the first one owns what is created in tests.
        region: the only region of its tokens; None for a project of all regions.
    """

    name: str
    domain: Domain
    users: tuple[str, ...]
    region: str | None = None

    @cached_property
    def id(self) -> str:
        """The id."""
        return fixed_id(
            f"project/{self.name}" if self.domain in _OWN_DOMAINS else f"project/{self.users[0]}/{self.name}"
        )


@dataclass(frozen=True)
class AccessKey:
    """An access key, which signs requests instead of a token."""

    access: str
    secret: str
    user: str


@dataclass(frozen=True)
class Accounts:
    """All accounts of a cloud. The first user and the first project are the defaults."""

    users: tuple[User, ...]
    projects: tuple[Project, ...]
    keys: tuple[AccessKey, ...] = ()
    tolerated: tuple[str, ...] = field(default=())
    """Names and ids of domains that do not exist but are accepted as the domain of a project."""

    def user(self, name: str) -> User:
        """Return a user by name.

        Raises:
            KeyError: there is no such user.
        """
        for user in self.users:
            if user.name == name:
                return user
        raise KeyError(f"there is no user {name!r}; there is {', '.join(user.name for user in self.users)}")

    def project(self, name: str) -> Project:
        """Return a project of the first domain by name.

        Raises:
            KeyError: there is no such project.
        """
        for project in self.projects:
            if project.name == name and project.domain == self.users[0].domain:
                return project
        raise KeyError(f"no project {name!r}; there are {', '.join(project.name for project in self.projects)}")

    def project_by_id(self, id_: str) -> Project | None:
        """Return a project by id."""
        return next((project for project in self.projects if project.id == id_), None)

    def default_project(self, region: str) -> Project:
        """Return the first project that has tokens for the region."""
        return next(project for project in self.projects if project.region in (None, region))


_DEFAULT = Domain("default", "Default")
_ACCOUNT = Domain(fixed_id("domain/account"), "OTC-EU-DE-00000000001000000001")
_OTHER = Domain(fixed_id("domain/other"), "OTC-EU-DE-00000000001000000002")
_OWN_DOMAINS = (_DEFAULT, _ACCOUNT)
_MEMBER, _ADMIN = ("member", "reader"), ("admin", "member", "reader")

OPENSTACK_ACCOUNTS = Accounts(
    users=(User("demo", _DEFAULT, _MEMBER, "demo-secret"), User("admin", _DEFAULT, _ADMIN, "admin-secret")),
    projects=(Project("demo", _DEFAULT, ("demo", "admin")), Project("admin", _DEFAULT, ("admin",))),
)
OTC_ACCOUNTS = Accounts(
    users=(
        User("demo", _ACCOUNT, _MEMBER, "demo-secret"),
        User("admin", _ACCOUNT, _ADMIN, "admin-secret"),
        User("careful", _ACCOUNT, _MEMBER, "careful-secret", passcode="123456"),
        # The agency of another account, which delegates its projects to this one.
        User("agency", _OTHER, _MEMBER, agency="ecs-agency"),
    ),
    projects=(
        *(Project(region, _ACCOUNT, ("demo", "admin", "careful"), region) for region in ("eu-de", "eu-nl")),
        *(Project(f"{region}_admin", _ACCOUNT, ("admin",), region) for region in ("eu-de", "eu-nl")),
        *(Project(region, _OTHER, ("agency",), region) for region in ("eu-de", "eu-nl")),
    ),
    keys=(AccessKey("DEMOACCESSKEY0000001", "demo-secret-key", "demo"),),
    # The sample configuration of the Open Telekom Cloud has no domain of the project, for which OpenStack's clients
    # send the id `default`.
    tolerated=("default", "Default"),
)

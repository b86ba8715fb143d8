"""A stack of the real engine on an emulated cloud, and the comparison of the cloud with a program."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.walks.cloud import NOTIFICATION_SECONDS, differences, documents
from tests.walks.programs import to_source

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.support.project import Project
    from tests.walks.programs import Program


class RealStack:
    """A stack of the real engine.

    Attributes:
        project: Its project.
    """

    def __init__(self, project: Project, cloud: Emulator) -> None:
        self.project = project
        self._cloud = cloud
        with cloud.state() as state:
            self._unmanaged = documents(state)

    def write(self, program: Program) -> None:
        """Write this program into the project."""
        self.project.program.write_text(to_source(program))

    def differences(self, program: Program) -> list[str]:
        """Return the differences between the cloud and the program, after all notifications."""
        ids = {name.partition(" ")[2]: each["id"] for name, each in self.project.state().items()}
        time.sleep(NOTIFICATION_SECONDS / self._cloud.cloud.speed)
        with self._cloud.state() as state:
            return list(differences(program, ids, self._unmanaged, documents(state)))

    def pending_changes(self, *arguments: str) -> list[str]:
        """Return the changes that a preview shows."""
        changes = self.project.preview(*arguments).changes
        return [f"{step} of {name}" for name, step in changes.items()]

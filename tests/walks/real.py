"""A stack of the real engine on an emulated cloud, and whether that cloud holds what the program declares."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.walks.cloud import REST, differences, documents
from tests.walks.programs import written

if TYPE_CHECKING:
    from ecs_pulumi.emulator import Emulator
    from tests.support.project import Project
    from tests.walks.programs import Program


class RealStack:
    """A project of the real engine.

    Attributes:
        project: The project.
    """

    def __init__(self, project: Project, cloud: Emulator) -> None:
        self.project = project
        self._cloud = cloud
        with cloud.state() as state:
            self._others = documents(state)

    def write(self, program: Program) -> None:
        """Make this the program."""
        self.project.program.write_text(written(program))

    def differences(self, program: Program) -> list[str]:
        """What in the cloud, once it has come to rest, is not what the program declares."""
        ids = {name.partition(" ")[2]: each["id"] for name, each in self.project.state().items()}
        time.sleep(REST / self._cloud.cloud.speed)
        with self._cloud.state() as state:
            return list(differences(program, ids, self._others, documents(state)))

    def not_at_rest(self, *arguments: str) -> list[str]:
        """What a preview would change."""
        changes = self.project.preview(*arguments).changes
        return [f"{step} of {name}" for name, step in changes.items()]

"""A script that creates a stack, previews a change of it and destroys it, without a project folder and without prompts.

`python deploy.py` needs the command line `pulumi`, a backend (`PULUMI_BACKEND_URL`), a passphrase
(`PULUMI_CONFIG_PASSPHRASE`) and a cloud (`OS_CLOUD`).
"""

import re
import sys

import pulumi
from pulumi import automation

import ecs_pulumi as ecs


def program() -> None:
    """Declare the resources."""
    config = pulumi.Config()
    network = ecs.Network("shop")
    ecs.Subnet("shop", network_id=network.id, cidr="192.168.30.0/24")
    volume = ecs.Volume("data", size=config.require_int("size"))
    pulumi.export("network", network.id)
    pulumi.export("size", volume.size)


def deploy() -> None:
    """Run the whole life of a stack."""
    stack = automation.create_or_select_stack("dev", project_name="automation", program=program)
    stack.set_config("size", automation.ConfigValue("10"))
    up = stack.up()
    print("created:", up.summary.resource_changes, up.outputs["size"].value)

    stack.set_config("size", automation.ConfigValue("20"))
    print("preview:", stack.preview().change_summary)

    stack.destroy()
    stack.workspace.remove_stack("dev")


if __name__ == "__main__":
    try:
        deploy()
    except automation.CommandError as failure:
        # It has the whole output of the command. The reasons are its lines with an error.
        reasons = re.findall(r"^ *(error: (?!update failed|preview failed).+)", str(failure), re.MULTILINE)
        sys.exit(reasons[0] if reasons else str(failure))

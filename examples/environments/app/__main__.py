"""The servers of an environment, in the networks that the stack of the same name in ../network has made."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
environment = config.get("network") or pulumi.get_stack()
networks = pulumi.StackReference(f"organization/shop-network/{environment}").require_output("networks")

addresses = {}
for region, wanted in config.require_object("servers").items():
    for number in range(wanted["count"]):
        name = f"web-{region}-{number}"
        port = ecs.Port(name, network_id=networks[region], region=region)
        server = ecs.Server(
            name,
            flavor=config.require("flavor"),
            image=config.require("image"),
            region=region,
            availability_zone=wanted["zones"][number % len(wanted["zones"])],
            admin_pass=config.require_secret("adminPassword"),
            networks=[{"port_id": port.id}],
            block_devices=[
                {
                    "source_type": "image",
                    "destination_type": "volume",
                    "volume_size": config.require_int("disk"),
                    "boot_index": 0,
                    "delete_on_termination": True,
                }
            ],
            # Nobody deletes or replaces one of these by mistake: Pulumi refuses.
            opts=pulumi.ResourceOptions(protect=config.get_bool("protect")),
        )
        addresses[name] = port.ip_address

pulumi.export("addresses", addresses)

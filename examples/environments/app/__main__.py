"""The servers of an environment, in the networks of the stack of the same name in ../network."""

import pulumi

import ecs_pulumi as ecs

config = pulumi.Config()
environment = config.get("network") or pulumi.get_stack()
networks = pulumi.StackReference(f"organization/shop-network/{environment}").require_output("networks")

addresses = {}
for region, settings in config.require_object("servers").items():
    for number in range(settings["count"]):
        name = f"web-{region}-{number}"
        port = ecs.Port(name, network_id=networks[region], region=region)
        server = ecs.Server(
            name,
            flavor=config.require("flavor"),
            image=config.require("image"),
            region=region,
            availability_zone=settings["zones"][number % len(settings["zones"])],
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
            # With `protect`, Pulumi refuses to delete or replace the server.
            opts=pulumi.ResourceOptions(protect=config.get_bool("protect")),
        )
        addresses[name] = port.ip_address

pulumi.export("addresses", addresses)

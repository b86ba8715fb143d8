"""Web servers; the module `webshop` declares them, so that unit tests can import it."""

import pulumi
import webshop

pulumi.export("addresses", [server.access_ip_v4 for server in webshop.servers])

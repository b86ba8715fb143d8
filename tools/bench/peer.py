"""Measurements of the peer: Terraform's OpenStack provider under OpenTofu with `-parallelism=10`.

The cloud was an OpenStack with a fake hypervisor on two processors, which it shared with the client. The flavor change
of the peer neither stops nor starts the server.
"""

from __future__ import annotations

REQUESTS = {
    1: {"create": 40, "nothing changed": 14, "flavor change": 26, "destroy": 37},
    10: {"create": 332, "nothing changed": 104, "flavor change": 243, "destroy": 286},
}
SECONDS = {
    1: {"create": "9.2 s", "nothing changed": "0.8 s", "flavor change": "7.8 s", "destroy": "10.2 s"},
    10: {"create": "42 to 58 s", "nothing changed": "3.6 s", "flavor change": "39 to 42 s", "destroy": "29 to 37 s"},
}

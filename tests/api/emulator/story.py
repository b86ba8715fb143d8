"""Chapters 3 to 7 of the ECS guide and their error cases, as requests that every OpenStack supports.

The same scenario runs on the emulator and on a real OpenStack, and the recordings are compared. The labels are the
keys of the recording in `real.json`.
"""

from __future__ import annotations

import requests

from tests.api.emulator.recorder import Json, Recorder, shape

MISSING_ID = "11111111-2222-3333-4444-555555555555"
USER_DATA = "IyEvYmluL3NoCg=="
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtmJvpVUm6IVSBVW3f3m5TEHOaVJLvSQ9Zb4ZbQ8pX7 story@example.com"
# Fields that Nova clears in a failed server immediately, later or never.
UNSTABLE_FIELDS = ("addresses", "security_groups", "os-extended-volumes:volumes_attached")


class Story(Recorder):
    """The whole scenario."""

    def run(self) -> dict[str, Json]:
        """Run all parts and return the recording."""
        try:
            for chapter in (
                self.chapter_3_requests,
                self.chapter_4_preparations,
                self.chapter_7_networks,
                self.chapter_4_server,
                self.chapter_4_errors,
                self.stop_and_start,
                self.chapter_5_resize,
                self.chapter_6_disks,
                self.chapter_7_interfaces,
                self.labels,
                self.local_disks,
                self.other_actions,
                self.groups_and_locks,
                self.volume_backed_limits,
                self.failures,
                self.delete_server,
            ):
                chapter()
        finally:
            self.clean_up()
        return self.recording

    def chapter_3_requests(self) -> None:
        """Token, service catalog and API versions."""
        env = self._environment
        auth_url = env["OS_AUTH_URL"].rstrip("/")
        domain = {"name": env.get("OS_USER_DOMAIN_NAME", "Default")}
        user = {"name": env["OS_USERNAME"], "domain": domain, "password": env["OS_PASSWORD"]}
        scope = {"project": {"name": env["OS_PROJECT_NAME"], "domain": domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        tokens = f"{auth_url}/auth/tokens"
        response = requests.post(tokens, json={"auth": {"identity": identity, "scope": scope}}, timeout=60)
        assert response.status_code == 201
        self.session.headers["X-Auth-Token"] = response.headers["X-Subject-Token"]
        token = response.json()["token"]
        self.project_id = token["project"]["id"]
        self.record("token", shape({key: value for key, value in token.items() if key != "catalog"}))
        for service in token["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public" and endpoint["region"] == env["OS_REGION_NAME"]:
                    self._endpoints[service["type"]] = endpoint["url"]
        self.record("catalog entry", shape(token["catalog"][0]))
        wrong = {"methods": ["password"], "password": {"user": user | {"password": "wrong"}}}
        for label, body, expect in (
            ("wrong password", {"auth": {"identity": wrong, "scope": scope}}, 401),
            ("no such project", {"auth": {"identity": identity, "scope": {"project": {"id": MISSING_ID}}}}, 401),
            ("no such method", {"auth": {"identity": {"methods": ["wish"]}}}, 400),
            ("no scope", {"auth": {"identity": identity}}, 201),
        ):
            self.request(f"token: {label}", "POST", tokens, body, expect=expect)
        self.request("keystone", "GET", auth_url, expect=200)
        bad = {"X-Auth-Token": "bad"}
        self.request("compute: bad token", "GET", self.compute("/servers"), headers=bad, expect=401, with_message=True)
        self.request("network: bad token", "GET", self.network("/networks"), headers=bad, expect=401, with_message=True)
        self.request("volume: bad token", "GET", self.volume("/volumes"), headers=bad, expect=401, with_message=True)
        root = self.compute("").rpartition("/v2.1")[0]
        self.request("versions", "GET", f"{root}/", expect=200)
        self.request("version v2.1", "GET", f"{root}/v2.1/", expect=200)
        self.request("version v2", "GET", f"{root}/v2", expect=200)
        self.request(
            "not a version", "GET", self.compute("/servers"), version="compute 2.x", expect=400, with_message=True
        )
        self.request("no such version", "GET", self.compute("/servers"), version="compute 2.999", expect=406)
        no_match_url = self.compute(f"/servers?name={self.prefix}")
        self.request("newest version", "GET", no_match_url, version="compute latest", expect=200)
        self.request("no such resource", "GET", self.compute("/no-such-thing"), expect=404)
        self.request("no such method", "PATCH", self.compute("/servers"), expect=404)
        other = self.compute("/servers").replace(self.project_id, MISSING_ID)
        self.request("another project", "GET", other, expect=400, with_message=False)
        self.request("zones", "GET", self.compute("/os-availability-zone"), expect=200)
        self.request(
            "zones in detail", "GET", self.compute("/os-availability-zone/detail"), expect=403, with_message=True
        )
        self.request("limits", "GET", self.compute("/limits"), expect=200)
        self.request("limits v2", "GET", self.compute("/limits", legacy=True), expect=200)
        self.request("newest limits", "GET", self.compute("/limits"), version="compute 2.90", expect=200)

    def chapter_4_preparations(self) -> None:
        """Flavors, images, networks as listed by Nova, and key pairs."""
        for legacy in (False, True):
            dialect = "v2" if legacy else "v2.1"
            flavors = self.request(
                f"flavors {dialect}", "GET", self.compute("/flavors/detail", legacy=legacy), expect=200
            )
            self.request(f"images {dialect}", "GET", self.compute("/images/detail", legacy=legacy), expect=200)
            self.request(f"os-networks {dialect}", "GET", self.compute("/os-networks", legacy=legacy), expect=200)
        self._ids |= {f"flavor {flavor['name']}": flavor["id"] for flavor in flavors["flavors"]}
        small = self._ids["flavor s1.small"]
        self.request("flavor", "GET", self.compute(f"/flavors/{small}"), expect=200)
        self.request("flavor 2.61", "GET", self.compute(f"/flavors/{small}"), version="compute 2.61", expect=200)
        self.request("flavor 404", "GET", self.compute("/flavors/nope"), expect=404, with_message=True)
        self.request("flavor specs", "GET", self.compute(f"/flavors/{small}/os-extra_specs"), expect=200)
        selected = self.request(
            "flavors filtered and sorted",
            "GET",
            self.compute("/flavors/detail?minRam=4000&sort_key=vcpus&sort_dir=desc&limit=1&is_public=true"),
            expect=200,
        )
        assert [flavor["name"] for flavor in selected["flavors"]] == ["x1.huge"]
        self.request(
            "flavors with invalid filter", "GET", self.compute("/flavors?minDisk=x"), expect=400, with_message=True
        )
        self.request("os-networks gone", "GET", self.compute("/os-networks"), version="compute 2.36", expect=404)
        images = self.request("glance", "GET", self.image("/images?name=cirros-peer"), expect=200)
        self._ids["image"] = images["images"][0]["id"]
        self.request("glance image", "GET", self.image(f"/images/{self._ids['image']}"), expect=200)
        self.request("glance 404", "GET", self.image(f"/images/{MISSING_ID}"), expect=404)
        self.request("glance with invalid sort key", "GET", self.image("/images?sort=colour:up"), expect=400)
        self._key_pairs()

    def _key_pairs(self) -> None:
        keys = self.compute("/os-keypairs")
        keys_v2 = self.compute("/os-keypairs", legacy=True)
        created, imported = self.name("made"), self.name("imported")
        for name in (created, imported):
            self.delete_at_end(f"{keys}/{name}")
        guide_request = {"keypair": {"type": "ssh", "name": created, "user_id": "fake"}}
        self.request("key created with the guide's request", "POST", keys_v2, guide_request, expect=200)
        self.request("key with unknown property", "POST", keys, guide_request, expect=400)
        self.request("key again", "POST", keys, {"keypair": {"name": created}}, expect=409, with_message=True)
        import_request = {"keypair": {"name": imported, "public_key": PUBLIC_KEY, "type": "ssh"}}
        self.request("key imported", "POST", keys, import_request, version="compute 2.2", expect=201)
        bad = {"keypair": {"name": self.name("bad"), "public_key": "nope"}}
        self.request("key with invalid public key", "POST", keys, bad, expect=400, with_message=True)
        self.request("key with invalid name", "POST", keys, {"keypair": {"name": "a.b"}}, expect=400, with_message=True)
        wrong = {"keypair": {"name": self.name("bad"), "type": "dsa"}}
        self.request("key with invalid type", "POST", keys, wrong, version="compute 2.2", expect=400, with_message=True)
        foreign = {"keypair": {"name": self.name("bad"), "user_id": "x"}}
        self.request(
            "key of another user", "POST", keys, foreign, version="compute 2.10", expect=403, with_message=True
        )
        self.request("keys", "GET", keys, expect=200)
        self.request("key", "GET", f"{keys}/{imported}", expect=200)
        self.request("key 2.10", "GET", f"{keys}/{imported}", version="compute 2.10", expect=200)
        self.request("key deleted", "DELETE", f"{keys}/{created}", expect=202)
        self.request("key gone", "GET", f"{keys}/{created}", expect=404, with_message=False)
        self.request("key deleted twice", "DELETE", f"{keys}/{created}", expect=404)

    def chapter_7_networks(self) -> None:
        """Create a network, a subnet and a port."""
        network = self.request(
            "network made",
            "POST",
            self.network("/networks"),
            {"network": {"shared": False, "name": self.name("net"), "admin_state_up": True}},
            expect=201,
        )["network"]
        self.delete_at_end(self.network(f"/networks/{network['id']}"))
        subnet = {
            "name": self.name("subnet"),
            "enable_dhcp": True,
            "network_id": network["id"],
            "dns_nameservers": ["8.8.8.8", "8.8.8.7"],
            "allocation_pools": [{"start": "10.77.10.100", "end": "10.77.10.254"}],
            "host_routes": [],
            "ip_version": 4,
            "gateway_ip": "10.77.10.1",
            "cidr": "10.77.10.0/24",
        }
        created = self.request("subnet made", "POST", self.network("/subnets"), {"subnet": subnet}, expect=201)[
            "subnet"
        ]
        requested = {
            "admin_state_up": True,
            "fixed_ips": [{"subnet_id": created["id"]}],
            "name": self.name("port"),
            "network_id": network["id"],
        }
        port = self.request("port made", "POST", self.network("/ports"), {"port": requested}, expect=201)["port"]
        self.delete_at_end(self.network(f"/ports/{port['id']}"))
        self._ids |= {"network": network["id"], "subnet": created["id"], "port": port["id"]}

    def _server(self, what: str, /, **fields: Json) -> dict[str, Json]:
        """Return the create request of the guide: a server that boots from an image copied to a volume."""
        disk = {
            "source_type": "image",
            "destination_type": "volume",
            "volume_size": "1",
            "delete_on_termination": "true",
            "uuid": self._ids["image"],
            "boot_index": "0",
        }
        server = {
            "flavorRef": self._ids["flavor s1.small"],
            "name": self.name(what),
            "block_device_mapping_v2": [disk],
            "networks": [{"uuid": self._ids["network"]}],
        }
        return {"server": server | fields}

    def chapter_4_server(self) -> None:
        """Create a server with a key pair on the port, booted from a volume."""
        body = self._server(
            "web",
            networks=[{"port": self._ids["port"]}],
            key_name=self.name("imported"),
            availability_zone="nova",
            metadata={"role": "web"},
            user_data=USER_DATA,
            security_groups=[{"name": "default"}],
        )
        created = self.request("server made", "POST", self.compute("/servers", legacy=True), body, expect=202)
        server = created["server"]["id"]
        self._ids["server"] = server
        url = self.compute(f"/servers/{server}")
        self.delete_at_end(url)
        self.request("server right after create", "GET", url, expect=200)
        self.wait_for_server("build", server, "ACTIVE")
        self.request("server v2.1", "GET", url, expect=200)
        self.request("server v2", "GET", self.compute(f"/servers/{server}", legacy=True), expect=200)
        for version in ("2.3", "2.9", "2.19", "2.26", "2.47", "2.63", "2.73", "2.79", "2.93"):
            self.request(f"server {version}", "GET", url, version=f"compute {version}", expect=200)
        self.request("servers", "GET", self.compute(f"/servers?name={self.prefix}-web"), expect=200)
        page = self.compute(f"/servers/detail?name={self.prefix}-web&limit=1")
        found = self.request("servers, a page", "GET", page, expect=200)
        assert [each["id"] for each in found["servers"]] == [server]
        for label, query in (
            ("status", "status=ACTIVE"),
            ("flavor", f"flavor={self._ids['flavor s1.small']}"),
            ("changes", "changes-since=2020-01-01T00:00:00Z"),
            ("address", "ip=10.77.10."),
        ):
            list_url = self.compute(f"/servers?name={self.prefix}-web&{query}")
            hits = self.request(f"servers by {label}", "GET", list_url, expect=200)["servers"]
            assert [each["id"] for each in hits] == [server], label
        for label, query in (
            ("status", "status=SHUTOFF"),
            ("image", f"image={self._ids['image']}"),
            ("flavor", "flavor=nope"),
            ("changes", "changes-since=2099-01-01T00:00:00Z"),
            ("reservation", "reservation_id=r-nope"),
        ):
            list_url = self.compute(f"/servers?name={self.prefix}-web&{query}")
            assert not self.request(f"no servers by {label}", "GET", list_url, expect=200)["servers"], label
        for label, query, expect in (
            ("marker", "marker=nope", 400),
            ("limit", "limit=-1", 400),
            ("date", "changes-since=yesterday", 400),
            ("tenants", "all_tenants=1", 403),
        ):
            self.request(
                f"servers, bad {label}", "GET", self.compute(f"/servers?{query}"), expect=expect, with_message=True
            )
        disks = self.request("first disk", "GET", f"{url}/os-volume_attachments", expect=200)
        self._ids["root"] = disks["volumeAttachments"][0]["volumeId"]
        self.request("root volume", "GET", self.volume(f"/volumes/{self._ids['root']}"), expect=200)
        self.request("first interface", "GET", f"{url}/os-interface", expect=200)
        self.request("renamed", "PUT", url, {"server": {"name": self.name("web")}}, expect=200)
        described = {"server": {"description": "of the story"}}
        self.request("described", "PUT", url, described, version="compute 2.19", expect=200)
        self.request("described in full", "PUT", url, described, version="compute 2.79", expect=200)
        self.request("described without microversion", "PUT", url, described, expect=400)
        self.request("history", "GET", f"{url}/os-instance-actions", expect=200)
        self.request("newer history", "GET", f"{url}/os-instance-actions", version="compute 2.58", expect=200)

    def chapter_4_errors(self) -> None:
        """Requests to create a server that are rejected."""
        image = {"imageRef": self._ids["image"]}
        disk = self._server("x")["server"]["block_device_mapping_v2"][0]
        networks = [{"uuid": MISSING_ID}]
        cases: dict[str, tuple[int, dict[str, Json]]] = {
            "flavor": (400, {"flavorRef": "no-such"}),
            "network": (400, {"networks": networks}),
            "port": (400, {"networks": [{"port": MISSING_ID}]}),
            "port in use": (409, {"networks": [{"port": self._ids["port"]}]}),
            "network's id": (400, {"networks": [{"uuid": "no-uuid"}]}),
            "image of a disk": (400, {"block_device_mapping_v2": [disk | {"uuid": MISSING_ID}]}),
            "disk without size": (
                400,
                {"block_device_mapping_v2": [{k: v for k, v in disk.items() if k != "volume_size"}]},
            ),
            "disk's source": (400, {"block_device_mapping_v2": [disk | {"source_type": "wrong"}]}),
            "disk's order": (400, {"block_device_mapping_v2": [disk | {"boot_index": 1}]}),
            "volume": (
                400,
                {
                    "block_device_mapping_v2": [
                        {"uuid": MISSING_ID, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
                    ]
                },
            ),
            "volume in use": (
                400,
                {
                    "block_device_mapping_v2": [
                        {
                            "uuid": self._ids["root"],
                            "source_type": "volume",
                            "destination_type": "volume",
                            "boot_index": 0,
                        }
                    ]
                },
            ),
            "nothing to boot": (400, {"block_device_mapping_v2": []}),
            "image": (400, {"block_device_mapping_v2": [], "imageRef": MISSING_ID}),
            "image's id": (400, {"block_device_mapping_v2": [], "imageRef": "no-uuid"}),
            "key": (400, {"key_name": "no-such"}),
            "zone": (400, {"availability_zone": "no-such"}),
            "group": (400, {"security_groups": [{"name": "no-such"}]}),
            "name": (400, {"name": ""}),
            "quota": (403, {"flavorRef": self._ids["flavor x1.huge"]}),
            "user data": (400, {"user_data": "not base 64"}),
        }
        for label, (expect, fields) in cases.items():
            body = self._server("refused", **fields)
            # These messages contain the current usage or the rendered server, which differ between clouds.
            with_message = label not in ("quota", "volume in use")
            self.request(
                f"refused: {label}", "POST", self.compute("/servers"), body, expect=expect, with_message=with_message
            )
            if label != "name":
                servers_v2 = self.compute("/servers", legacy=True)
                self.request(
                    f"refused by v2: {label}", "POST", servers_v2, body, expect=expect, with_message=with_message
                )
        self.request("refused: no name", "POST", self.compute("/servers"), {"server": image}, expect=400)
        self.request(
            "refused: wrong root", "POST", self.compute("/servers"), {"servers": {}}, expect=400, with_message=True
        )
        unknown = self._server("refused", colour="red")
        self.request("refused: unknown property", "POST", self.compute("/servers"), unknown, expect=400)
        bare = self._server("refused")
        del bare["server"]["networks"]
        self.request("refused: networks", "POST", self.compute("/servers"), bare, expect=409, with_message=True)
        typed = self._server("refused", block_device_mapping_v2=[disk | {"volume_type": "SATA"}])
        self.request("refused: volume type without microversion", "POST", self.compute("/servers"), typed, expect=400)
        for version in ("2.37", "2.93"):
            label = f"refused: networks missing, {version}"
            self.request(label, "POST", self.compute("/servers"), bare, version=f"compute {version}", expect=400)
        for method, path, action, expect in (
            ("GET", "", None, 404),
            ("DELETE", "", None, 404),
            ("POST", "/action", {"os-stop": None}, 404),
            ("GET", "/os-interface", None, 404),
            ("GET", "/os-volume_attachments", None, 404),
        ):
            url = self.compute(f"/servers/{MISSING_ID}{path}")
            self.request(f"missing server: {method} {path}", method, url, action, expect=expect, with_message=True)

    def act(self, label: str, body: Json, *, expect: int = 202, with_message: bool = False) -> Json:
        """Send an action to the server."""
        url = self.compute(f"/servers/{self._ids['server']}/action")
        return self.request(label, "POST", url, body, expect=expect, with_message=with_message)

    def stop_and_start(self) -> None:
        """Power actions, pause, suspend and lock."""
        server = self._ids["server"]
        self.act("start while active", {"os-start": None}, expect=409, with_message=True)
        self.act("unknown action", {"no-such-action": None}, expect=400, with_message=True)
        self.act("forbidden action", {"os-resetState": {"state": "error"}}, expect=403, with_message=True)
        self.act("reboot with invalid type", {"reboot": {"type": "slowly"}}, expect=400, with_message=True)
        self.act("reboot", {"reboot": {"type": "HARD"}})
        self.wait_for_server("rebooted", server, "ACTIVE")
        self.act("pause", {"pause": None})
        self.wait_for_server("paused", server, "PAUSED")
        self.act("stop while paused", {"os-stop": None}, expect=409, with_message=True)
        self.act("unpause", {"unpause": None})
        self.wait_for_server("unpaused", server, "ACTIVE")
        self.act("lock", {"lock": None})
        self.act("unlock", {"unlock": None})
        self.act("stop", {"os-stop": None})
        self.wait_for_server("stopped", server, "SHUTOFF")
        self.act("stop again", {"os-stop": None}, expect=409, with_message=True)
        self.act("soft reboot", {"reboot": {"type": "SOFT"}}, expect=409, with_message=True)

    def chapter_5_resize(self) -> None:
        """Resize the stopped server, confirm and revert; and the actions that are rejected meanwhile."""
        server = self._ids["server"]
        self.act("confirm without resize", {"confirmResize": None}, expect=409, with_message=True)
        self.act("revert without resize", {"revertResize": None}, expect=409, with_message=True)
        small, medium = self._ids["flavor s1.small"], self._ids["flavor s1.medium"]
        self.act("resize to the same flavor", {"resize": {"flavorRef": small}}, expect=400, with_message=True)
        self.act("resize to missing flavor", {"resize": {"flavorRef": "no-such"}}, expect=400, with_message=True)
        self.act("resize without flavor", {"resize": {}}, expect=400, with_message=True)
        huge = {"resize": {"flavorRef": self._ids["flavor x1.huge"]}}
        self.act("resize over the quota", huge, expect=403)
        self.act("resize without valid host", {"resize": {"flavorRef": self._ids["flavor x1.nohost"]}})
        self.wait_for_server("resize fell back", server, "SHUTOFF")
        actions = self.compute(f"/servers/{server}/os-instance-actions")
        newest = self.session.get(actions, timeout=60).json()["instanceActions"][0]
        assert (newest["action"], newest["message"]) == ("resize", "Error")
        self.act("resize", {"resize": {"flavorRef": medium}})
        self.act("resize during resize", {"resize": {"flavorRef": small}}, expect=409)
        self.wait_for_server("resized", server, "VERIFY_RESIZE")
        self.request("server resized", "GET", self.compute(f"/servers/{server}"), expect=200)
        self.act("resize when resized", {"resize": {"flavorRef": small}}, expect=409, with_message=True)
        self.act("stop when resized", {"os-stop": None}, expect=409, with_message=True)
        self.act("confirm", {"confirmResize": None}, expect=204)
        self.wait_for_server("confirmed", server, "SHUTOFF")
        self.act("resize back", {"resize": {"flavorRef": small}})
        self.wait_for_server("resized back", server, "VERIFY_RESIZE")
        self.act("revert", {"revertResize": None})
        self.wait_for_server("reverted", server, "SHUTOFF")
        state = self.session.get(self.compute(f"/servers/{server}"), timeout=60).json()["server"]
        assert state["flavor"]["id"] == medium
        self.act("start", {"os-start": None})
        self.wait_for_server("started", server, "ACTIVE")

    def chapter_6_disks(self) -> None:
        """Create a volume, attach and detach it."""
        requested = {
            "name": self.name("data"),
            "availability_zone": "nova",
            "description": "create for api test",
            "volume_type": "SATA",
            "size": 1,
        }
        created = self.request("volume made", "POST", self.volume("/volumes"), {"volume": requested}, expect=202)
        volume = created["volume"]["id"]
        url = self.volume(f"/volumes/{volume}")
        self.delete_at_end(url)

        def wait_for_volume(label: str, status: str) -> None:
            self.poll(label, url, "volume", lambda state: state["status"] == status, "status")

        wait_for_volume("volume available", "available")
        disks = self.compute(f"/servers/{self._ids['server']}/os-volume_attachments")
        body = {"volumeAttachment": {"volumeId": volume, "device": "/dev/sdb"}}
        attached = self.request("attach", "POST", disks, body, expect=200)
        assert attached["volumeAttachment"]["device"] == "/dev/sdb"
        wait_for_volume("volume in use", "in-use")
        self.request("volume when in use", "GET", url, expect=200)
        self.request("delete volume in use", "DELETE", url, expect=400, with_message=True)
        for label, action in (
            ("extend volume in use", {"os-extend": {"new_size": 2}}),
            ("set read-only flag of volume in use", {"os-update_readonly_flag": {"readonly": True}}),
        ):
            self.request(label, "POST", f"{url}/action", action, expect=400, with_message=True)
        self.request("disks", "GET", disks, expect=200)
        for version in ("2.1", "2.70", "2.79", "2.89"):
            self.request(f"disk {version}", "GET", f"{disks}/{volume}", version=f"compute {version}", expect=200)
        self.request("attach again", "POST", disks, body, expect=400, with_message=True)
        nothing = {"volumeAttachment": {"volumeId": MISSING_ID}}
        self.request("attach missing volume", "POST", disks, nothing, expect=404, with_message=True)
        no_id = {"volumeAttachment": {"volumeId": "no-uuid"}}
        self.request("attach invalid volume id", "POST", disks, no_id, expect=400, with_message=True)
        self.request("detach the root", "DELETE", f"{disks}/{self._ids['root']}", expect=400, with_message=True)
        self.request("detach", "DELETE", f"{disks}/{volume}", expect=202)
        self.request("detach again", "DELETE", f"{disks}/{volume}", expect=400)
        wait_for_volume("volume available again", "available")
        # Nova removes the attachment a moment after Cinder reports the volume as available.
        list_url = f"{disks}/{volume}"
        self.poll("disk gone", list_url, "volumeAttachment", lambda it: it["id"] == "gone", "id", record=False)
        self.request("no such disk", "GET", f"{disks}/{volume}", expect=404, with_message=True)
        self.request("detach when not attached", "DELETE", f"{disks}/{volume}", expect=404, with_message=True)
        self.request("volume deleted", "DELETE", url, expect=202)
        self.poll("volume gone", url, "volume", lambda state: state["status"] == "gone", "status")

    def chapter_7_interfaces(self) -> None:
        """Attach interfaces by network and by address, and the requests that are rejected."""
        url = self.compute(f"/servers/{self._ids['server']}/os-interface")
        network = {"net_id": self._ids["network"]}
        created = self.request("plug in", "POST", url, {"interfaceAttachment": network}, expect=200)
        port = created["interfaceAttachment"]["port_id"]
        self.request("interface", "GET", f"{url}/{port}", expect=200)
        self.request("interface 2.70", "GET", f"{url}/{port}", version="compute 2.70", expect=200)
        for label, expect, body in (
            ("a port in use", 409, {"port_id": self._ids["port"]}),
            ("no port", 404, {"port_id": MISSING_ID}),
            ("no network", 500, {"net_id": MISSING_ID}),
            ("both", 400, {"port_id": self._ids["port"], **network}),
            ("address alone", 400, {"fixed_ips": [{"ip_address": "10.77.10.77"}]}),
            ("no id", 400, {"port_id": "no-uuid"}),
        ):
            self.request(
                f"plug in {label}", "POST", url, {"interfaceAttachment": body}, expect=expect, with_message=True
            )
        fixed = {"interfaceAttachment": network | {"fixed_ips": [{"ip_address": "10.77.10.77"}]}}
        fixed_port = self.request("plug in an address", "POST", url, fixed, expect=200)["interfaceAttachment"][
            "port_id"
        ]
        self.request("plug in the address again", "POST", url, fixed, expect=409, with_message=True)
        for each in (port, fixed_port):
            self.request(
                f"unplug {'by network' if each == port else 'by address'}", "DELETE", f"{url}/{each}", expect=202
            )
            self.poll(
                "unplugged",
                f"{url}/{each}",
                "interfaceAttachment",
                lambda state: state["port_state"] == "gone",
                "port_state",
                record=False,
            )
        self.request("unplug again", "DELETE", f"{url}/{port}", expect=202)
        self.request("port deleted with interface", "GET", self.network(f"/ports/{port}"), expect=404)
        self.request("no such interface", "GET", f"{url}/{port}", expect=404, with_message=True)

    def labels(self) -> None:
        """Metadata, tags and server groups."""
        url = self.compute(f"/servers/{self._ids['server']}")
        self.request("metadata merged", "POST", f"{url}/metadata", {"metadata": {"tier": "1"}}, expect=200)
        self.request("metadata replaced", "PUT", f"{url}/metadata", {"metadata": {"tier": "2"}}, expect=200)
        number = {"metadata": {"tier": 1}}
        self.request("metadata of another type", "POST", f"{url}/metadata", number, expect=400, with_message=True)
        self.session.put(f"{url}/metadata", json={"metadata": {}}, timeout=60)
        version = "compute 2.26"
        self.request("tags", "PUT", f"{url}/tags", {"tags": ["a", "b"]}, version=version, expect=200)
        self.request("tag added", "PUT", f"{url}/tags/c", version=version, expect=201)
        self.request("tag added again", "PUT", f"{url}/tags/c", version=version, expect=204)
        for query, hits in (("tags=a,b", 1), ("not-tags=a", 0), ("tags-any=a,z", 1), ("tags=z", 0)):
            list_url = self.compute(f"/servers?name={self.prefix}-web&{query}")
            found = self.request(f"servers by {query}", "GET", list_url, version=version, expect=200)
            assert len(found["servers"]) == hits, query
        groups = self.compute("/os-server-groups")
        requested = {"server_group": {"name": self.name("group"), "policies": ["anti-affinity"]}}
        group = self.request("server group", "POST", groups, requested, expect=200)["server_group"]["id"]
        self.delete_at_end(f"{groups}/{group}")
        self.request("server group 2.64", "GET", f"{groups}/{group}", version="compute 2.64", expect=200)
        self.request("server group deleted", "DELETE", f"{groups}/{group}", expect=204)
        self.request("server group gone", "GET", f"{groups}/{group}", expect=404, with_message=True)

    def local_disks(self) -> None:
        """Create a second server with a local disk, and the local disks that are rejected."""
        local = self._server("local", imageRef=self._ids["image"], block_device_mapping_v2=[])
        blank = {"source_type": "blank", "destination_type": "local", "boot_index": -1, "volume_size": 1}
        swap = blank | {"guest_format": "swap"}
        root = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": self._ids["image"]}
        for label, disks in (
            ("local disk", [root, blank]),
            ("swap disk", [root, swap]),
            ("no first disk", [blank]),
            ("second image", [root, root | {"boot_index": 1}]),
        ):
            body = self._server("refused", imageRef=self._ids["image"], block_device_mapping_v2=disks)
            self.request(f"refused: {label}", "POST", self.compute("/servers"), body, expect=400, with_message=True)
        server = self.request("local server made", "POST", self.compute("/servers"), local, expect=202)["server"]["id"]
        url = self.compute(f"/servers/{server}")
        self.delete_at_end(url)
        self.wait_for_server("local build", server, "ACTIVE")
        self.request("local server", "GET", url, expect=200)
        self.request("local server's disks", "GET", f"{url}/os-volume_attachments", expect=200)
        self._ids["local"] = server

    def act_on_local(self, label: str, body: Json, status: str = "", *, expect: int = 202, version: str = "") -> None:
        """Send an action to the second server and wait for the status."""
        url = self.compute(f"/servers/{self._ids['local']}/action")
        self.request(label, "POST", url, body, expect=expect, with_message=expect >= 400, version=version or None)
        if status:
            self.wait_for_server(f"{label}, settled", self._ids["local"], status)

    def other_actions(self) -> None:
        """Rebuild, suspend, rescue and password change of the second server."""
        act = self.act_on_local
        image = {"imageRef": self._ids["image"]}
        act("rebuild", {"rebuild": image}, "ACTIVE")
        act("rebuild 2.90", {"rebuild": image | {"name": self.name("local")}}, "ACTIVE", version="compute 2.90")
        act("rebuild from missing image", {"rebuild": {"imageRef": MISSING_ID}}, expect=400)
        act("rebuild without image", {"rebuild": {}}, expect=400)
        act("suspend", {"suspend": None}, "SUSPENDED")
        act("suspend again", {"suspend": None}, expect=409)
        act("resume", {"resume": None}, "ACTIVE")
        act("rescue", {"rescue": None}, "RESCUE", expect=200)
        act("rescue again", {"rescue": None}, expect=409)
        act("unrescue", {"unrescue": None}, "ACTIVE")
        act("password", {"changePassword": {"adminPass": "secret-word"}}, "ACTIVE")
        act("no password", {"changePassword": {}}, expect=400)

    def groups_and_locks(self) -> None:
        """Security groups, lock, shelve and forced delete of the second server."""
        act = self.act_on_local
        url = self.compute(f"/servers/{self._ids['local']}")
        act("group gone", {"addSecurityGroup": {"name": "no-such"}}, expect=404)
        group = {"security_group": {"name": self.name("extra")}}
        created = self.request("group made", "POST", self.network("/security-groups"), group, expect=201)
        self.delete_at_end(self.network(f"/security-groups/{created['security_group']['id']}"))
        act("group added", {"addSecurityGroup": {"name": self.name("extra")}})
        act("reboot softly", {"reboot": {"type": "SOFT"}}, "ACTIVE")
        act("lock with a reason", {"lock": {"locked_reason": "story"}}, version="compute 2.73")
        self.request("server locked", "GET", url, version="compute 2.73", expect=200)
        act("unlock it", {"unlock": None})
        act("shelve", {"shelve": None}, "SHELVED_OFFLOADED")
        self.request("server shelved", "GET", url, expect=200)
        act("start while shelved", {"os-start": None}, expect=409)
        act("unshelve", {"unshelve": None}, "ACTIVE")
        act("confirm on second server", {"confirmResize": None}, expect=409)
        act("shelve offload", {"shelveOffload": None}, expect=403)
        self.request("forced delete", "POST", f"{url}/action", {"forceDelete": None}, expect=202)
        self.poll("local gone", url, "server", lambda state: state["status"] == "gone", "status", record=False)

    def volume_backed_limits(self) -> None:
        """Actions that a volume-backed server does not support, and X.509 key pairs."""
        image = {"imageRef": self._ids["image"]}
        boot = self.compute(f"/servers/{self._ids['server']}/action")
        other = self.request("other glance image", "GET", self.image("/images?name=debian-peer"), expect=200)["images"][
            0
        ]["id"]
        self.request(
            "rebuild of a volume from another image",
            "POST",
            boot,
            {"rebuild": {"imageRef": other}},
            expect=400,
            with_message=True,
        )
        self.request("rescue of a volume", "POST", boot, {"rescue": None}, expect=400, with_message=True)
        self.request("rebuild of a volume from the same image", "POST", boot, {"rebuild": image}, expect=202)
        self.wait_for_server("rebuilt from the same image", self._ids["server"], "ACTIVE")
        certificate = {"keypair": {"name": self.name("cert"), "type": "x509"}}
        keys = self.compute("/os-keypairs")
        self.delete_at_end(f"{keys}/{self.name('cert')}")
        self.request("certificate", "POST", keys, certificate, version="compute 2.2", expect=201)
        bad = {"keypair": {"name": self.name("bad"), "type": "x509", "public_key": PUBLIC_KEY}}
        self.request("invalid certificate", "POST", keys, bad, version="compute 2.2", expect=400)

    def failures(self) -> None:
        """Servers that end in ERROR: no host is found, or the hypervisor fails."""
        for label, body in (
            ("no host", self._server("nohost", flavorRef=self._ids["flavor x1.nohost"])),
            ("no spawn", self._server("peer-fail-spawn")),
        ):
            created = self.request(f"server made with {label}", "POST", self.compute("/servers"), body, expect=202)
            server = created["server"]["id"]
            url = self.compute(f"/servers/{server}")
            self.delete_at_end(url)
            self.wait_for_server(f"{label}: build", server, "ERROR")
            self.request(f"{label}: server", "GET", url, expect=200, ignore=UNSTABLE_FIELDS)
            start = {"os-start": None}
            self.request(f"{label}: start", "POST", f"{url}/action", start, expect=409, with_message=True)
            self.request(f"{label}: deleted", "DELETE", url, expect=204)
            self.poll(f"{label}: gone", url, "server", lambda state: state["status"] == "gone", "status", record=False)

    def delete_server(self) -> None:
        """Delete the server: its port is kept, everything else is deleted."""
        url = self.compute(f"/servers/{self._ids['server']}")
        self.request("server deleted", "DELETE", url, expect=204)
        self.request("server deleted again during deletion", "DELETE", url, expect=204)
        self.poll("server gone", url, "server", lambda state: state["status"] == "gone", "status", record=False)
        self.request("server deleted again after deletion", "DELETE", url, expect=404, with_message=True)
        since = self.compute(f"/servers/detail?name={self.prefix}-web&changes-since=2020-01-01T00:00:00Z")
        deleted = self.request("servers deleted", "GET", since, expect=200)["servers"]
        assert [each["status"] for each in deleted] == ["DELETED"]
        self.request("port stays", "GET", self.network(f"/ports/{self._ids['port']}"), expect=200)
        self.request("port deleted", "DELETE", self.network(f"/ports/{self._ids['port']}"), expect=204)
        self.request("network deleted", "DELETE", self.network(f"/networks/{self._ids['network']}"), expect=204)

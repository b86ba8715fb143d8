"""The guide's chapters 3 to 7 and their error cases, as plain requests that any OpenStack understands.

Written once, told on the emulator and on a real OpenStack, and compared.
"""

from __future__ import annotations

import requests

from tests.api.emulator.recorder import Json, Recorder, shape

NOWHERE = "11111111-2222-3333-4444-555555555555"
USER_DATA = "IyEvYmluL3NoCg=="
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtmJvpVUm6IVSBVW3f3m5TEHOaVJLvSQ9Zb4ZbQ8pX7 story@example.com"
# Of a server that failed to build, Nova takes these back at once, a moment later, or not at all.
UNSETTLED = ("addresses", "security_groups", "os-extended-volumes:volumes_attached")


class Story(Recorder):
    """The whole story."""

    def tell(self) -> dict[str, Json]:
        """Tell all of it."""
        try:
            for chapter in (
                self.chapter_3_requests,
                self.chapter_4_preparations,
                self.chapter_7_networks,
                self.chapter_4_server,
                self.chapter_4_refusals,
                self.stop_and_start,
                self.chapter_5_resize,
                self.chapter_6_disks,
                self.chapter_7_interfaces,
                self.labels,
                self.local_disks,
                self.other_actions,
                self.groups_and_locks,
                self.limits_of_volumes,
                self.failures,
                self.farewell,
            ):
                chapter()
        finally:
            self.clean_up()
        return self.notes

    def chapter_3_requests(self) -> None:
        """A token, the catalog, the versions."""
        env = self._environment
        auth_url = env["OS_AUTH_URL"].rstrip("/")
        domain = {"name": env.get("OS_USER_DOMAIN_NAME", "Default")}
        user = {"name": env["OS_USERNAME"], "domain": domain, "password": env["OS_PASSWORD"]}
        scope = {"project": {"name": env["OS_PROJECT_NAME"], "domain": domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        tokens = f"{auth_url}/auth/tokens"
        answer = requests.post(tokens, json={"auth": {"identity": identity, "scope": scope}}, timeout=60)
        assert answer.status_code == 201
        self.session.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        token = answer.json()["token"]
        self.project_id = token["project"]["id"]
        self.note("token", shape({key: value for key, value in token.items() if key != "catalog"}))
        for service in token["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public" and endpoint["region"] == env["OS_REGION_NAME"]:
                    self._endpoints[service["type"]] = endpoint["url"]
        self.note("catalog entry", shape(token["catalog"][0]))
        wrong = {"methods": ["password"], "password": {"user": user | {"password": "wrong"}}}
        for label, body, expect in (
            ("wrong password", {"auth": {"identity": wrong, "scope": scope}}, 401),
            ("no such project", {"auth": {"identity": identity, "scope": {"project": {"id": NOWHERE}}}}, 401),
            ("no such method", {"auth": {"identity": {"methods": ["wish"]}}}, 400),
            ("no scope", {"auth": {"identity": identity}}, 201),
        ):
            self.ask(f"token: {label}", "POST", tokens, body, expect=expect)
        self.ask("keystone", "GET", auth_url, expect=200)
        self.ask("validate", "GET", tokens, headers={"X-Subject-Token": answer.headers["X-Subject-Token"]}, expect=200)
        bad = {"X-Auth-Token": "bad"}
        self.ask("compute: bad token", "GET", self.compute("/servers"), headers=bad, expect=401, said=True)
        self.ask("network: bad token", "GET", self.network("/networks"), headers=bad, expect=401, said=True)
        self.ask("volume: bad token", "GET", self.volume("/volumes"), headers=bad, expect=401, said=True)
        root = self.compute("").rpartition("/v2.1")[0]
        self.ask("versions", "GET", f"{root}/", expect=200)
        self.ask("version v2.1", "GET", f"{root}/v2.1/", expect=200)
        self.ask("version v2", "GET", f"{root}/v2", expect=200)
        self.ask("not a version", "GET", self.compute("/servers"), version="compute 2.x", expect=400, said=True)
        self.ask("no such version", "GET", self.compute("/servers"), version="compute 2.999", expect=406)
        none = self.compute(f"/servers?name={self.prefix}")
        self.ask("newest version", "GET", none, version="compute latest", expect=200)
        self.ask("no such resource", "GET", self.compute("/no-such-thing"), expect=404)
        self.ask("no such method", "PATCH", self.compute("/servers"), expect=404)
        other = self.compute("/servers").replace(self.project_id, NOWHERE)
        self.ask("another project", "GET", other, expect=400, said=False)
        self.ask("zones", "GET", self.compute("/os-availability-zone"), expect=200)
        self.ask("zones in detail", "GET", self.compute("/os-availability-zone/detail"), expect=403, said=True)
        self.ask("limits", "GET", self.compute("/limits"), expect=200)
        self.ask("limits v2", "GET", self.compute("/limits", legacy=True), expect=200)
        self.ask("newest limits", "GET", self.compute("/limits"), version="compute 2.90", expect=200)
        quotas = self.compute(f"/os-quota-sets/{self.project_id}")
        self.ask("quotas", "GET", quotas, expect=200)
        self.ask("newest quotas", "GET", quotas, version="compute 2.90", expect=200)
        self.ask("quotas in detail", "GET", f"{quotas}/detail", expect=200)

    def chapter_4_preparations(self) -> None:
        """Flavors, images, networks as Nova lists them, and key pairs."""
        for legacy in (False, True):
            dialect = "v2" if legacy else "v2.1"
            flavors = self.ask(f"flavors {dialect}", "GET", self.compute("/flavors/detail", legacy=legacy), expect=200)
            self.ask(f"images {dialect}", "GET", self.compute("/images/detail", legacy=legacy), expect=200)
            self.ask(f"os-networks {dialect}", "GET", self.compute("/os-networks", legacy=legacy), expect=200)
        self._ids |= {f"flavor {flavor['name']}": flavor["id"] for flavor in flavors["flavors"]}
        small = self._ids["flavor s1.small"]
        self.ask("flavor", "GET", self.compute(f"/flavors/{small}"), expect=200)
        self.ask("flavor 2.61", "GET", self.compute(f"/flavors/{small}"), version="compute 2.61", expect=200)
        self.ask("flavor 404", "GET", self.compute("/flavors/nope"), expect=404, said=True)
        self.ask("flavor specs", "GET", self.compute(f"/flavors/{small}/os-extra_specs"), expect=200)
        chosen = self.ask(
            "flavors chosen",
            "GET",
            self.compute("/flavors/detail?minRam=4000&sort_key=vcpus&sort_dir=desc&limit=1&is_public=true"),
            expect=200,
        )
        assert [flavor["name"] for flavor in chosen["flavors"]] == ["x1.huge"]
        self.ask("flavors badly", "GET", self.compute("/flavors?minDisk=x"), expect=400, said=True)
        self.ask("images gone", "GET", self.compute("/images"), version="compute 2.36", expect=404, said=True)
        self.ask("os-networks gone", "GET", self.compute("/os-networks"), version="compute 2.36", expect=404)
        images = self.ask("glance", "GET", self.image("/images?name=cirros-peer"), expect=200)
        self._ids["image"] = images["images"][0]["id"]
        self.ask("glance image", "GET", self.image(f"/images/{self._ids['image']}"), expect=200)
        self.ask("glance 404", "GET", self.image(f"/images/{NOWHERE}"), expect=404)
        self.ask("glance badly", "GET", self.image("/images?sort=colour:up"), expect=400)
        self.ask("image", "GET", self.compute(f"/images/{self._ids['image']}"), expect=200)
        self.ask("image 404", "GET", self.compute(f"/images/{NOWHERE}"), expect=404, said=True)
        self._key_pairs()

    def _key_pairs(self) -> None:
        keys = self.compute("/os-keypairs")
        old_keys = self.compute("/os-keypairs", legacy=True)
        made, imported = self.name("made"), self.name("imported")
        for name in (made, imported):
            self.leave_no(f"{keys}/{name}")
        guide = {"keypair": {"type": "ssh", "name": made, "user_id": "fake"}}
        self.ask("key made as the guide does", "POST", old_keys, guide, expect=200)
        self.ask("key with unknown property", "POST", keys, guide, expect=400)
        self.ask("key again", "POST", keys, {"keypair": {"name": made}}, expect=409, said=True)
        mine = {"keypair": {"name": imported, "public_key": PUBLIC_KEY, "type": "ssh"}}
        self.ask("key imported", "POST", keys, mine, version="compute 2.2", expect=201)
        bad = {"keypair": {"name": self.name("bad"), "public_key": "nope"}}
        self.ask("key that is none", "POST", keys, bad, expect=400, said=True)
        self.ask("key badly named", "POST", keys, {"keypair": {"name": "a.b"}}, expect=400, said=True)
        wrong = {"keypair": {"name": self.name("bad"), "type": "dsa"}}
        self.ask("key of no type", "POST", keys, wrong, version="compute 2.2", expect=400, said=True)
        alien = {"keypair": {"name": self.name("bad"), "user_id": "x"}}
        self.ask("key of another", "POST", keys, alien, version="compute 2.10", expect=403, said=True)
        self.ask("keys", "GET", keys, expect=200)
        self.ask("key", "GET", f"{keys}/{imported}", expect=200)
        self.ask("key 2.10", "GET", f"{keys}/{imported}", version="compute 2.10", expect=200)
        self.ask("key deleted", "DELETE", f"{keys}/{made}", expect=202)
        self.ask("key gone", "GET", f"{keys}/{made}", expect=404, said=False)
        self.ask("key deleted twice", "DELETE", f"{keys}/{made}", expect=404)

    def chapter_7_networks(self) -> None:
        """A network, a subnet, a port."""
        network = self.ask(
            "network made",
            "POST",
            self.network("/networks"),
            {"network": {"shared": False, "name": self.name("net"), "admin_state_up": True}},
            expect=201,
        )["network"]
        self.leave_no(self.network(f"/networks/{network['id']}"))
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
        made = self.ask("subnet made", "POST", self.network("/subnets"), {"subnet": subnet}, expect=201)["subnet"]
        wanted = {
            "admin_state_up": True,
            "fixed_ips": [{"subnet_id": made["id"]}],
            "name": self.name("port"),
            "network_id": network["id"],
        }
        port = self.ask("port made", "POST", self.network("/ports"), {"port": wanted}, expect=201)["port"]
        self.leave_no(self.network(f"/ports/{port['id']}"))
        self._ids |= {"network": network["id"], "subnet": made["id"], "port": port["id"]}

    def _server(self, what: str, /, **fields: Json) -> dict[str, Json]:
        """The guide's create: booted from an image into a volume."""
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
        """A server with a key, booted into a volume, on the port."""
        body = self._server(
            "web",
            networks=[{"port": self._ids["port"]}],
            key_name=self.name("imported"),
            availability_zone="nova",
            metadata={"role": "web"},
            user_data=USER_DATA,
            security_groups=[{"name": "default"}],
        )
        made = self.ask("server made", "POST", self.compute("/servers", legacy=True), body, expect=202)
        server = made["server"]["id"]
        self._ids["server"] = server
        url = self.compute(f"/servers/{server}")
        self.leave_no(url)
        self.ask("server at once", "GET", url, expect=200)
        self.server_settles("build", server, "ACTIVE")
        self.ask("server v2.1", "GET", url, expect=200)
        self.ask("server v2", "GET", self.compute(f"/servers/{server}", legacy=True), expect=200)
        for version in ("2.3", "2.9", "2.19", "2.26", "2.47", "2.63", "2.73", "2.79", "2.93"):
            self.ask(f"server {version}", "GET", url, version=f"compute {version}", expect=200)
        self.ask("servers", "GET", self.compute(f"/servers?name={self.prefix}-web"), expect=200)
        page = self.compute(f"/servers/detail?name={self.prefix}-web&limit=1")
        found = self.ask("servers, a page", "GET", page, expect=200)
        assert [each["id"] for each in found["servers"]] == [server]
        for label, query in (
            ("status", "status=ACTIVE"),
            ("flavor", f"flavor={self._ids['flavor s1.small']}"),
            ("changes", "changes-since=2020-01-01T00:00:00Z"),
            ("address", "ip=10.77.10."),
        ):
            listed = self.compute(f"/servers?name={self.prefix}-web&{query}")
            hits = self.ask(f"servers by {label}", "GET", listed, expect=200)["servers"]
            assert [each["id"] for each in hits] == [server], label
        for label, query in (
            ("status", "status=SHUTOFF"),
            ("image", f"image={self._ids['image']}"),
            ("flavor", "flavor=nope"),
            ("changes", "changes-since=2099-01-01T00:00:00Z"),
            ("reservation", "reservation_id=r-nope"),
        ):
            listed = self.compute(f"/servers?name={self.prefix}-web&{query}")
            assert not self.ask(f"no servers by {label}", "GET", listed, expect=200)["servers"], label
        for label, query, expect in (
            ("marker", "marker=nope", 400),
            ("limit", "limit=-1", 400),
            ("date", "changes-since=yesterday", 400),
            ("tenants", "all_tenants=1", 403),
        ):
            self.ask(f"servers, bad {label}", "GET", self.compute(f"/servers?{query}"), expect=expect, said=True)
        self.ask("addresses", "GET", f"{url}/ips", expect=200)
        disks = self.ask("first disk", "GET", f"{url}/os-volume_attachments", expect=200)
        self._ids["root"] = disks["volumeAttachments"][0]["volumeId"]
        self.ask("root volume", "GET", self.volume(f"/volumes/{self._ids['root']}"), expect=200)
        self.ask("first interface", "GET", f"{url}/os-interface", expect=200)
        self.ask("renamed", "PUT", url, {"server": {"name": self.name("web")}}, expect=200)
        described = {"server": {"description": "of the story"}}
        self.ask("described", "PUT", url, described, version="compute 2.19", expect=200)
        self.ask("described in full", "PUT", url, described, version="compute 2.79", expect=200)
        self.ask("described too early", "PUT", url, described, expect=400)
        self.ask("history", "GET", f"{url}/os-instance-actions", expect=200)
        self.ask("newer history", "GET", f"{url}/os-instance-actions", version="compute 2.58", expect=200)

    def chapter_4_refusals(self) -> None:
        """Servers that cannot be made."""
        image = {"imageRef": self._ids["image"]}
        disk = self._server("x")["server"]["block_device_mapping_v2"][0]
        networks = [{"uuid": NOWHERE}]
        cases: dict[str, tuple[int, dict[str, Json]]] = {
            "flavor": (400, {"flavorRef": "no-such"}),
            "network": (400, {"networks": networks}),
            "port": (400, {"networks": [{"port": NOWHERE}]}),
            "port in use": (409, {"networks": [{"port": self._ids["port"]}]}),
            "network's id": (400, {"networks": [{"uuid": "no-uuid"}]}),
            "image of a disk": (400, {"block_device_mapping_v2": [disk | {"uuid": NOWHERE}]}),
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
                        {"uuid": NOWHERE, "source_type": "volume", "destination_type": "volume", "boot_index": 0}
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
            "image": (400, {"block_device_mapping_v2": [], "imageRef": NOWHERE}),
            "image's id": (400, {"block_device_mapping_v2": [], "imageRef": "no-uuid"}),
            "key": (400, {"key_name": "no-such"}),
            "zone": (400, {"availability_zone": "no-such"}),
            "group": (400, {"security_groups": [{"name": "no-such"}]}),
            "name": (400, {"name": ""}),
            "quota": (403, {"flavorRef": self._ids["flavor x1.huge"]}),
            "user data": (400, {"user_data": "not base 64"}),
            "group of servers": (202, {}),
        }
        del cases["group of servers"]
        for label, (expect, fields) in cases.items():
            body = self._server("refused", **fields)
            # The words differ in what is in use, and in how a whole server is printed.
            said = label not in ("quota", "volume in use")
            self.ask(f"refused: {label}", "POST", self.compute("/servers"), body, expect=expect, said=said)
            if label != "name":
                old = self.compute("/servers", legacy=True)
                self.ask(f"refused by v2: {label}", "POST", old, body, expect=expect, said=said)
        self.ask("refused: no name", "POST", self.compute("/servers"), {"server": image}, expect=400)
        self.ask("refused: wrong root", "POST", self.compute("/servers"), {"servers": {}}, expect=400, said=True)
        unknown = self._server("refused", colour="red")
        self.ask("refused: unknown property", "POST", self.compute("/servers"), unknown, expect=400)
        bare = self._server("refused")
        del bare["server"]["networks"]
        self.ask("refused: networks", "POST", self.compute("/servers"), bare, expect=409, said=True)
        typed = self._server("refused", block_device_mapping_v2=[disk | {"volume_type": "SATA"}])
        self.ask("refused: volume type too early", "POST", self.compute("/servers"), typed, expect=400)
        for version in ("2.37", "2.93"):
            label = f"refused: networks missing, {version}"
            self.ask(label, "POST", self.compute("/servers"), bare, version=f"compute {version}", expect=400)
        for method, path, sent, expect in (
            ("GET", "", None, 404),
            ("DELETE", "", None, 404),
            ("POST", "/action", {"os-stop": None}, 404),
            ("GET", "/os-interface", None, 404),
            ("GET", "/os-volume_attachments", None, 404),
        ):
            url = self.compute(f"/servers/{NOWHERE}{path}")
            self.ask(f"nobody: {method} {path}", method, url, sent, expect=expect, said=True)

    def act(self, label: str, body: Json, *, expect: int = 202, said: bool = False) -> Json:
        """An action on the server."""
        url = self.compute(f"/servers/{self._ids['server']}/action")
        return self.ask(label, "POST", url, body, expect=expect, said=said)

    def stop_and_start(self) -> None:
        """Power, pause, suspend, lock."""
        server = self._ids["server"]
        self.act("start of what runs", {"os-start": None}, expect=409, said=True)
        self.act("unknown action", {"no-such-action": None}, expect=400, said=True)
        self.act("forbidden action", {"os-resetState": {"state": "error"}}, expect=403, said=True)
        self.act("reboot badly", {"reboot": {"type": "slowly"}}, expect=400, said=True)
        self.act("reboot", {"reboot": {"type": "HARD"}})
        self.server_settles("rebooted", server, "ACTIVE")
        self.act("pause", {"pause": None})
        self.server_settles("paused", server, "PAUSED")
        self.act("stop of what is paused", {"os-stop": None}, expect=409, said=True)
        self.act("unpause", {"unpause": None})
        self.server_settles("unpaused", server, "ACTIVE")
        self.act("lock", {"lock": None})
        self.act("unlock", {"unlock": None})
        self.act("stop", {"os-stop": None})
        self.server_settles("stopped", server, "SHUTOFF")
        self.act("stop again", {"os-stop": None}, expect=409, said=True)
        self.act("soft reboot", {"reboot": {"type": "SOFT"}}, expect=409, said=True)

    def chapter_5_resize(self) -> None:
        """Stopped, resized, confirmed, started; and what is refused meanwhile."""
        server = self._ids["server"]
        self.act("confirm nothing", {"confirmResize": None}, expect=409, said=True)
        self.act("revert nothing", {"revertResize": None}, expect=409, said=True)
        small, medium = self._ids["flavor s1.small"], self._ids["flavor s1.medium"]
        self.act("resize to the same", {"resize": {"flavorRef": small}}, expect=400, said=True)
        self.act("resize to nothing", {"resize": {"flavorRef": "no-such"}}, expect=400, said=True)
        self.act("resize without flavor", {"resize": {}}, expect=400, said=True)
        huge = {"resize": {"flavorRef": self._ids["flavor x1.huge"]}}
        self.act("resize over the quota", huge, expect=403)
        self.act("resize to where nothing fits", {"resize": {"flavorRef": self._ids["flavor x1.nohost"]}})
        self.server_settles("resize fell back", server, "SHUTOFF")
        actions = self.compute(f"/servers/{server}/os-instance-actions")
        newest = self.session.get(actions, timeout=60).json()["instanceActions"][0]
        assert (newest["action"], newest["message"]) == ("resize", "Error")
        self.act("resize", {"resize": {"flavorRef": medium}})
        self.act("resize at once again", {"resize": {"flavorRef": small}}, expect=409)
        self.server_settles("resized", server, "VERIFY_RESIZE")
        self.ask("server resized", "GET", self.compute(f"/servers/{server}"), expect=200)
        self.act("resize when resized", {"resize": {"flavorRef": small}}, expect=409, said=True)
        self.act("stop when resized", {"os-stop": None}, expect=409, said=True)
        self.act("confirm", {"confirmResize": None}, expect=204)
        self.server_settles("confirmed", server, "SHUTOFF")
        self.act("resize back", {"resize": {"flavorRef": small}})
        self.server_settles("resized back", server, "VERIFY_RESIZE")
        self.act("revert", {"revertResize": None})
        self.server_settles("reverted", server, "SHUTOFF")
        state = self.session.get(self.compute(f"/servers/{server}"), timeout=60).json()["server"]
        assert state["flavor"]["id"] == medium
        self.act("start", {"os-start": None})
        self.server_settles("started", server, "ACTIVE")

    def chapter_6_disks(self) -> None:
        """A volume made, attached, detached."""
        wanted = {
            "name": self.name("data"),
            "availability_zone": "nova",
            "description": "create for api test",
            "volume_type": "SATA",
            "size": 1,
        }
        made = self.ask("volume made", "POST", self.volume("/volumes"), {"volume": wanted}, expect=202)
        volume = made["volume"]["id"]
        url = self.volume(f"/volumes/{volume}")
        self.leave_no(url)

        def until(label: str, status: str) -> None:
            self.watch(label, url, "volume", lambda state: state["status"] == status, "status")

        until("volume available", "available")
        disks = self.compute(f"/servers/{self._ids['server']}/os-volume_attachments")
        body = {"volumeAttachment": {"volumeId": volume, "device": "/dev/sdb"}}
        attached = self.ask("attach", "POST", disks, body, expect=200)
        assert attached["volumeAttachment"]["device"] == "/dev/sdb"
        until("volume in use", "in-use")
        self.ask("volume when in use", "GET", url, expect=200)
        self.ask("disks", "GET", disks, expect=200)
        for version in ("2.1", "2.70", "2.79", "2.89"):
            self.ask(f"disk {version}", "GET", f"{disks}/{volume}", version=f"compute {version}", expect=200)
        self.ask("attach again", "POST", disks, body, expect=400, said=True)
        nothing = {"volumeAttachment": {"volumeId": NOWHERE}}
        self.ask("attach nothing", "POST", disks, nothing, expect=404, said=True)
        no_id = {"volumeAttachment": {"volumeId": "no-uuid"}}
        self.ask("attach no id", "POST", disks, no_id, expect=400, said=True)
        self.ask("detach the root", "DELETE", f"{disks}/{self._ids['root']}", expect=400, said=True)
        self.ask("swap", "PUT", f"{disks}/{volume}", {"volumeAttachment": {"volumeId": NOWHERE}}, expect=403)
        keep = {"volumeAttachment": {"volumeId": volume, "delete_on_termination": True}}
        self.ask("keep no more", "PUT", f"{disks}/{volume}", keep, version="compute 2.85", expect=202)
        self.ask("detach", "DELETE", f"{disks}/{volume}", expect=202)
        self.ask("detach again", "DELETE", f"{disks}/{volume}", expect=400)
        until("volume available again", "available")
        # Nova forgets it a moment after Cinder has it back.
        listed = f"{disks}/{volume}"
        self.watch("disk gone", listed, "volumeAttachment", lambda it: it["id"] == "gone", "id", note=False)
        self.ask("no such disk", "GET", f"{disks}/{volume}", expect=404, said=True)
        self.ask("detach what is not attached", "DELETE", f"{disks}/{volume}", expect=404, said=True)
        self.ask("volume deleted", "DELETE", url, expect=202)
        self.watch("volume gone", url, "volume", lambda state: state["status"] == "gone", "status")

    def chapter_7_interfaces(self) -> None:
        """A second interface by network, by address, and what is refused."""
        url = self.compute(f"/servers/{self._ids['server']}/os-interface")
        network = {"net_id": self._ids["network"]}
        made = self.ask("plug in", "POST", url, {"interfaceAttachment": network}, expect=200)
        port = made["interfaceAttachment"]["port_id"]
        self.ask("interface", "GET", f"{url}/{port}", expect=200)
        self.ask("interface 2.70", "GET", f"{url}/{port}", version="compute 2.70", expect=200)
        for label, expect, body in (
            ("a port in use", 409, {"port_id": self._ids["port"]}),
            ("no port", 404, {"port_id": NOWHERE}),
            ("no network", 500, {"net_id": NOWHERE}),
            ("both", 400, {"port_id": self._ids["port"], **network}),
            ("address alone", 400, {"fixed_ips": [{"ip_address": "10.77.10.77"}]}),
            ("no id", 400, {"port_id": "no-uuid"}),
        ):
            self.ask(f"plug in {label}", "POST", url, {"interfaceAttachment": body}, expect=expect, said=True)
        fixed = {"interfaceAttachment": network | {"fixed_ips": [{"ip_address": "10.77.10.77"}]}}
        fixed_port = self.ask("plug in an address", "POST", url, fixed, expect=200)["interfaceAttachment"]["port_id"]
        self.ask("plug in the address again", "POST", url, fixed, expect=409, said=True)
        for each in (port, fixed_port):
            self.ask(f"unplug {'by network' if each == port else 'by address'}", "DELETE", f"{url}/{each}", expect=202)
            self.watch(
                "unplugged",
                f"{url}/{each}",
                "interfaceAttachment",
                lambda state: state["port_state"] == "gone",
                "port_state",
                note=False,
            )
        self.ask("unplug again", "DELETE", f"{url}/{port}", expect=202)
        self.ask("port went too", "GET", self.network(f"/ports/{port}"), expect=404)
        self.ask("no such interface", "GET", f"{url}/{port}", expect=404, said=True)

    def labels(self) -> None:
        """Metadata and tags."""
        url = self.compute(f"/servers/{self._ids['server']}")
        self.ask("metadata", "GET", f"{url}/metadata", expect=200)
        self.ask("metadata merged", "POST", f"{url}/metadata", {"metadata": {"tier": "1"}}, expect=200)
        self.ask("metadata replaced", "PUT", f"{url}/metadata", {"metadata": {"tier": "2"}}, expect=200)
        self.ask("metadata item", "GET", f"{url}/metadata/tier", expect=200)
        self.ask("metadata item set", "PUT", f"{url}/metadata/tier", {"meta": {"tier": "3"}}, expect=200)
        wrong = {"meta": {"other": "3"}}
        self.ask("metadata item mismatched", "PUT", f"{url}/metadata/tier", wrong, expect=400, said=True)
        number = {"metadata": {"tier": 1}}
        self.ask("metadata of another type", "POST", f"{url}/metadata", number, expect=400, said=True)
        self.ask("metadata item deleted", "DELETE", f"{url}/metadata/tier", expect=204)
        self.ask("metadata item gone", "DELETE", f"{url}/metadata/tier", expect=404, said=True)
        version = "compute 2.26"
        self.ask("tags too early", "GET", f"{url}/tags", expect=404)
        self.ask("tags", "PUT", f"{url}/tags", {"tags": ["a", "b"]}, version=version, expect=200)
        self.ask("tag added", "PUT", f"{url}/tags/c", version=version, expect=201)
        self.ask("tag added again", "PUT", f"{url}/tags/c", version=version, expect=204)
        self.ask("tag there", "GET", f"{url}/tags/c", version=version, expect=204)
        self.ask("tag not there", "GET", f"{url}/tags/z", version=version, expect=404, said=True)
        self.ask("tag deleted", "DELETE", f"{url}/tags/c", version=version, expect=204)
        for query, hits in (("tags=a,b", 1), ("not-tags=a", 0), ("tags-any=a,z", 1), ("tags=z", 0)):
            listed = self.compute(f"/servers?name={self.prefix}-web&{query}")
            found = self.ask(f"servers by {query}", "GET", listed, version=version, expect=200)
            assert len(found["servers"]) == hits, query
        self.ask("tags deleted", "DELETE", f"{url}/tags", version=version, expect=204)
        groups = self.compute("/os-server-groups")
        wanted = {"server_group": {"name": self.name("group"), "policies": ["anti-affinity"]}}
        group = self.ask("server group", "POST", groups, wanted, expect=200)["server_group"]["id"]
        self.leave_no(f"{groups}/{group}")
        self.ask("server group 2.64", "GET", f"{groups}/{group}", version="compute 2.64", expect=200)
        self.ask("server group deleted", "DELETE", f"{groups}/{group}", expect=204)
        self.ask("server group gone", "GET", f"{groups}/{group}", expect=404, said=True)

    def local_disks(self) -> None:
        """A second server, on a local disk, and what such disks may not be."""
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
            self.ask(f"refused: {label}", "POST", self.compute("/servers"), body, expect=400, said=True)
        server = self.ask("local server made", "POST", self.compute("/servers"), local, expect=202)["server"]["id"]
        url = self.compute(f"/servers/{server}")
        self.leave_no(url)
        self.server_settles("local build", server, "ACTIVE")
        self.ask("local server", "GET", url, expect=200)
        self.ask("local server's disks", "GET", f"{url}/os-volume_attachments", expect=200)
        self._ids["local"] = server

    def act_on_local(self, label: str, body: Json, status: str = "", *, expect: int = 202, version: str = "") -> None:
        """An action on the second server, until it has the status."""
        url = self.compute(f"/servers/{self._ids['local']}/action")
        self.ask(label, "POST", url, body, expect=expect, said=expect >= 400, version=version or None)
        if status:
            self.server_settles(f"{label}, settled", self._ids["local"], status)

    def other_actions(self) -> None:
        """The second server rebuilt, suspended, rescued, its password changed."""
        act = self.act_on_local
        image = {"imageRef": self._ids["image"]}
        act("rebuild", {"rebuild": image}, "ACTIVE")
        act("rebuild 2.90", {"rebuild": image | {"name": self.name("local")}}, "ACTIVE", version="compute 2.90")
        act("rebuild from nothing", {"rebuild": {"imageRef": NOWHERE}}, expect=400)
        act("rebuild without image", {"rebuild": {}}, expect=400)
        act("suspend", {"suspend": None}, "SUSPENDED")
        act("suspend again", {"suspend": None}, expect=409)
        act("resume", {"resume": None}, "ACTIVE")
        act("rescue", {"rescue": None}, "RESCUE", expect=200)
        act("rescue again", {"rescue": None}, expect=409)
        act("unrescue", {"unrescue": None}, "ACTIVE")
        act("password", {"changePassword": {"adminPass": "secret-word"}}, "ACTIVE")
        act("no password", {"changePassword": {}}, expect=400)
        act("console", {"os-getConsoleOutput": {"length": 5}}, expect=200)

    def groups_and_locks(self) -> None:
        """The second server in and out of a security group, locked, shelved, deleted by force."""
        act = self.act_on_local
        url = self.compute(f"/servers/{self._ids['local']}")
        act("group gone", {"addSecurityGroup": {"name": "no-such"}}, expect=404)
        group = {"security_group": {"name": self.name("extra")}}
        made = self.ask("group made", "POST", self.network("/security-groups"), group, expect=201)
        self.leave_no(self.network(f"/security-groups/{made['security_group']['id']}"))
        act("group added", {"addSecurityGroup": {"name": self.name("extra")}})
        self.ask("server's groups", "GET", f"{url}/os-security-groups", expect=200)
        act("group removed", {"removeSecurityGroup": {"name": self.name("extra")}})
        act("group removed again", {"removeSecurityGroup": {"name": self.name("extra")}}, expect=404)
        act("reboot softly", {"reboot": {"type": "SOFT"}}, "ACTIVE")
        act("lock with a reason", {"lock": {"locked_reason": "story"}}, version="compute 2.73")
        self.ask("server locked", "GET", url, version="compute 2.73", expect=200)
        act("unlock it", {"unlock": None})
        act("shelve", {"shelve": None}, "SHELVED_OFFLOADED")
        self.ask("server shelved", "GET", url, expect=200)
        act("start of what is shelved", {"os-start": None}, expect=409)
        act("unshelve", {"unshelve": None}, "ACTIVE")
        act("confirm it", {"confirmResize": None}, expect=409)
        act("shelve offload", {"shelveOffload": None}, expect=403)
        self.ask("forced delete", "POST", f"{url}/action", {"forceDelete": None}, expect=202)
        self.watch("local gone", url, "server", lambda state: state["status"] == "gone", "status", note=False)

    def limits_of_volumes(self) -> None:
        """What a server on a volume cannot do, and keys that are certificates."""
        image = {"imageRef": self._ids["image"]}
        boot = self.compute(f"/servers/{self._ids['server']}/action")
        other = self.ask("glance's other", "GET", self.image("/images?name=debian-peer"), expect=200)["images"][0]["id"]
        self.ask("rebuild of a volume", "POST", boot, {"rebuild": {"imageRef": other}}, expect=400, said=True)
        self.ask("rescue of a volume", "POST", boot, {"rescue": None}, expect=400, said=True)
        self.ask("rebuild of a volume alike", "POST", boot, {"rebuild": image}, expect=202)
        self.server_settles("rebuilt alike", self._ids["server"], "ACTIVE")
        certificate = {"keypair": {"name": self.name("cert"), "type": "x509"}}
        keys = self.compute("/os-keypairs")
        self.leave_no(f"{keys}/{self.name('cert')}")
        self.ask("certificate", "POST", keys, certificate, version="compute 2.2", expect=201)
        bad = {"keypair": {"name": self.name("bad"), "type": "x509", "public_key": PUBLIC_KEY}}
        self.ask("no certificate", "POST", keys, bad, version="compute 2.2", expect=400)

    def failures(self) -> None:
        """Servers that end in ERROR: one never placed, one that the hypervisor refuses."""
        for label, body in (
            ("no host", self._server("nohost", flavorRef=self._ids["flavor x1.nohost"])),
            ("no spawn", self._server("peer-fail-spawn")),
        ):
            made = self.ask(f"server made with {label}", "POST", self.compute("/servers"), body, expect=202)
            server = made["server"]["id"]
            url = self.compute(f"/servers/{server}")
            self.leave_no(url)
            self.server_settles(f"{label}: build", server, "ERROR")
            self.ask(f"{label}: server", "GET", url, expect=200, but=UNSETTLED)
            start = {"os-start": None}
            self.ask(f"{label}: start", "POST", f"{url}/action", start, expect=409, said=True)
            self.ask(f"{label}: deleted", "DELETE", url, expect=204)
            self.watch(f"{label}: gone", url, "server", lambda state: state["status"] == "gone", "status", note=False)

    def farewell(self) -> None:
        """The server goes; the port stays, and all else follows."""
        url = self.compute(f"/servers/{self._ids['server']}")
        self.ask("server deleted", "DELETE", url, expect=204)
        self.ask("server deleted at once again", "DELETE", url, expect=204)
        self.watch("server gone", url, "server", lambda state: state["status"] == "gone", "status", note=False)
        self.ask("server deleted late", "DELETE", url, expect=404, said=True)
        since = self.compute(f"/servers/detail?name={self.prefix}-web&changes-since=2020-01-01T00:00:00Z")
        deleted = self.ask("servers deleted", "GET", since, expect=200)["servers"]
        assert [each["status"] for each in deleted] == ["DELETED"]
        self.ask("port stays", "GET", self.network(f"/ports/{self._ids['port']}"), expect=200)
        self.ask("port deleted", "DELETE", self.network(f"/ports/{self._ids['port']}"), expect=204)
        self.ask("network deleted", "DELETE", self.network(f"/networks/{self._ids['network']}"), expect=204)

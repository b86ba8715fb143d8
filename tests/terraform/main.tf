# The configuration behind landscape.tfstate: all types that ecs_pulumi covers, with count, for_each and modules.

terraform {
  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
    }
  }
}

variable "flavor" { type = string }
variable "image" { type = string }
variable "external" { type = string }
variable "external_network" { type = string }
variable "public_key" { type = string }

variable "shared" {
  type    = string
  default = "tf-data"
}

locals {
  zones = { blue = "10.81.0.0/24", green = "10.82.0.0/24" }
}

data "openstack_images_image_v2" "image" {
  name        = var.image
  most_recent = true
}

# An object of the project that another configuration manages.
data "openstack_networking_network_v2" "backup" {
  name = var.shared
}

resource "openstack_compute_keypair_v2" "deploy" {
  name       = "tf-deploy"
  public_key = var.public_key
}

resource "openstack_compute_keypair_v2" "generated" {
  name = "tf-generated"
}

resource "openstack_compute_servergroup_v2" "web" {
  name     = "tf-web"
  policies = ["soft-anti-affinity"]
}

module "zone" {
  source   = "./zone"
  for_each = local.zones
  name     = "tf-${each.key}"
  cidr     = each.value
  router   = openstack_networking_router_v2.main.id
  units    = 3
}

resource "openstack_networking_network_v2" "main" {
  name        = "tf-main"
  description = "front"
  tags        = ["shop", "tf"]
}

resource "openstack_networking_subnet_v2" "main" {
  name            = "tf-main"
  network_id      = openstack_networking_network_v2.main.id
  cidr            = "10.80.0.0/24"
  dns_nameservers = ["9.9.9.9", "1.1.1.1"]
  allocation_pool {
    start = "10.80.0.10"
    end   = "10.80.0.200"
  }
}

resource "openstack_networking_subnet_v2" "v6" {
  network_id        = openstack_networking_network_v2.main.id
  cidr              = "fd00:80::/64"
  ip_version        = 6
  ipv6_address_mode = "slaac"
  ipv6_ra_mode      = "slaac"
}

resource "openstack_networking_router_v2" "main" {
  name                = "tf-main"
  external_network_id = var.external_network
}

resource "openstack_networking_router_interface_v2" "main" {
  router_id = openstack_networking_router_v2.main.id
  subnet_id = openstack_networking_subnet_v2.main.id
}

resource "openstack_networking_router_interface_v2" "v6" {
  router_id = openstack_networking_router_v2.main.id
  subnet_id = openstack_networking_subnet_v2.v6.id
}

# An interface with a port of its own.
resource "openstack_networking_subnet_v2" "transit" {
  network_id = openstack_networking_network_v2.transit.id
  cidr       = "10.83.0.0/24"
}

resource "openstack_networking_network_v2" "transit" {
  name = "tf-transit"
}

resource "openstack_networking_port_v2" "transit" {
  network_id = openstack_networking_network_v2.transit.id
  fixed_ip {
    subnet_id  = openstack_networking_subnet_v2.transit.id
    ip_address = "10.83.0.77"
  }
}

resource "openstack_networking_router_interface_v2" "transit" {
  router_id = openstack_networking_router_v2.main.id
  port_id   = openstack_networking_port_v2.transit.id
}

resource "openstack_networking_router_route_v2" "office" {
  count            = 3
  router_id        = openstack_networking_router_v2.main.id
  destination_cidr = "192.168.${count.index}.0/24"
  next_hop         = "10.80.0.9"
  depends_on       = [openstack_networking_router_interface_v2.main]
}

resource "openstack_networking_secgroup_v2" "web" {
  name                 = "tf-web"
  description          = "web servers"
  delete_default_rules = true
}

resource "openstack_networking_secgroup_v2" "db" {
  name = "tf-db"
}

resource "openstack_networking_secgroup_rule_v2" "web" {
  for_each          = toset(["22", "80", "443", "8080"])
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = tonumber(each.key)
  port_range_max    = tonumber(each.key)
  remote_ip_prefix  = "0.0.0.0/0"
  security_group_id = openstack_networking_secgroup_v2.web.id
}

resource "openstack_networking_secgroup_rule_v2" "db" {
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 5432
  port_range_max    = 5432
  remote_group_id   = openstack_networking_secgroup_v2.web.id
  security_group_id = openstack_networking_secgroup_v2.db.id
  description       = "from the web servers"
}

resource "openstack_networking_port_v2" "web" {
  count              = 3
  name               = "tf-web-${count.index}"
  network_id         = openstack_networking_network_v2.main.id
  security_group_ids = [openstack_networking_secgroup_v2.web.id]
  fixed_ip {
    subnet_id  = openstack_networking_subnet_v2.main.id
    ip_address = "10.80.0.${20 + count.index}"
  }
}

# Ports without a name look like those that Nova creates.
resource "openstack_networking_port_v2" "nic" {
  count      = 2
  network_id = data.openstack_networking_network_v2.backup.id
}

resource "openstack_compute_instance_v2" "web" {
  count               = 3
  name                = "tf-web-${count.index}"
  flavor_name         = var.flavor
  image_id            = data.openstack_images_image_v2.image.id
  key_pair            = openstack_compute_keypair_v2.deploy.name
  user_data           = "#cloud-config\npackages: [nginx]\n"
  metadata            = { role = "web" }
  tags                = ["shop"]
  stop_before_destroy = true
  network {
    port           = openstack_networking_port_v2.web[count.index].id
    access_network = true
  }
  scheduler_hints {
    group = openstack_compute_servergroup_v2.web.id
  }
}

resource "openstack_compute_interface_attach_v2" "nic" {
  count       = 2
  instance_id = openstack_compute_instance_v2.web[count.index].id
  port_id     = openstack_networking_port_v2.nic[count.index].id
}

resource "openstack_compute_interface_attach_v2" "direct" {
  instance_id = openstack_compute_instance_v2.web[2].id
  network_id  = openstack_networking_network_v2.main.id
  depends_on  = [openstack_networking_subnet_v2.main]
}

resource "openstack_blockstorage_volume_v3" "data" {
  count    = 3
  size     = 1
  metadata = { used_by = "web" }
}

resource "openstack_compute_volume_attach_v2" "data" {
  count       = 3
  instance_id = openstack_compute_instance_v2.web[count.index].id
  volume_id   = openstack_blockstorage_volume_v3.data[count.index].id
}

# Boots from a volume that Nova creates, on a NIC that Nova creates.
resource "openstack_compute_instance_v2" "db" {
  name            = "tf-db"
  flavor_name     = var.flavor
  key_pair        = openstack_compute_keypair_v2.deploy.name
  admin_pass      = "sentinel-admin-pass"
  security_groups = [openstack_networking_secgroup_v2.db.name]
  network {
    uuid = openstack_networking_network_v2.main.id
  }
  block_device {
    uuid                  = data.openstack_images_image_v2.image.id
    source_type           = "image"
    destination_type      = "volume"
    boot_index            = 0
    volume_size           = 2
    delete_on_termination = true
  }
  depends_on = [openstack_networking_subnet_v2.main]
}

# Boots from a volume of the configuration.
resource "openstack_blockstorage_volume_v3" "root" {
  name     = "tf-root"
  size     = 2
  image_id = data.openstack_images_image_v2.image.id
}

resource "openstack_compute_instance_v2" "batch" {
  name        = "tf-batch"
  flavor_name = var.flavor
  power_state = "shutoff"
  network {
    uuid = module.zone["blue"].network
  }
  block_device {
    uuid             = openstack_blockstorage_volume_v3.root.id
    source_type      = "volume"
    destination_type = "volume"
    boot_index       = 0
  }
  depends_on = [module.zone]
}

resource "openstack_networking_floatingip_v2" "web" {
  for_each = toset(["blue", "green"])
  pool     = var.external
  tags     = ["shop"]
}

resource "openstack_networking_floatingip_associate_v2" "web" {
  for_each    = { blue = 0, green = 1 }
  floating_ip = openstack_networking_floatingip_v2.web[each.key].address
  port_id     = openstack_networking_port_v2.web[each.value].id
  depends_on  = [openstack_networking_router_interface_v2.main]
}

resource "openstack_networking_floatingip_v2" "fixed" {
  pool       = var.external
  port_id    = openstack_networking_port_v2.web[2].id
  depends_on = [openstack_networking_router_interface_v2.main]
}

# Types that ecs_pulumi does not cover.
resource "openstack_networking_subnetpool_v2" "pool" {
  name     = "tf-pool"
  prefixes = ["10.90.0.0/16"]
}

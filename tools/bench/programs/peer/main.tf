# The same units as in ../units, for Terraform's OpenStack provider.

terraform {
  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
    }
  }
}

variable "units" {
  type = number
}

variable "flavor" {
  type = string
}

variable "image" {
  type = string
}

data "openstack_images_image_v2" "image" {
  name        = var.image
  most_recent = true
}

resource "openstack_compute_keypair_v2" "key" {
  name = "bench-peer"
}

resource "openstack_networking_network_v2" "network" {
  name = "bench-peer"
}

resource "openstack_networking_subnet_v2" "subnet" {
  network_id = openstack_networking_network_v2.network.id
  cidr       = "10.89.0.0/20"
}

resource "openstack_networking_port_v2" "port" {
  count      = var.units
  network_id = openstack_networking_network_v2.network.id
  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.subnet.id
  }
}

resource "openstack_networking_port_v2" "nic" {
  count      = var.units
  network_id = openstack_networking_network_v2.network.id
  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.subnet.id
  }
}

resource "openstack_compute_instance_v2" "server" {
  count       = var.units
  name        = "bench-peer-${count.index}"
  flavor_name = var.flavor
  image_id    = data.openstack_images_image_v2.image.id
  key_pair    = openstack_compute_keypair_v2.key.name
  network {
    port = openstack_networking_port_v2.port[count.index].id
  }
}

resource "openstack_compute_interface_attach_v2" "nic" {
  count       = var.units
  instance_id = openstack_compute_instance_v2.server[count.index].id
  port_id     = openstack_networking_port_v2.nic[count.index].id
}

resource "openstack_blockstorage_volume_v3" "volume" {
  count = var.units
  size  = 1
}

resource "openstack_compute_volume_attach_v2" "volume" {
  count       = var.units
  instance_id = openstack_compute_instance_v2.server[count.index].id
  volume_id   = openstack_blockstorage_volume_v3.volume[count.index].id
}

# A network with its ports, for each zone.

terraform {
  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
    }
  }
}

variable "name" { type = string }
variable "cidr" { type = string }
variable "router" { type = string }
variable "units" { type = number }

resource "openstack_networking_network_v2" "this" {
  name = var.name
}

resource "openstack_networking_subnet_v2" "this" {
  network_id = openstack_networking_network_v2.this.id
  cidr       = var.cidr
}

resource "openstack_networking_router_interface_v2" "this" {
  router_id = var.router
  subnet_id = openstack_networking_subnet_v2.this.id
}

resource "openstack_networking_port_v2" "this" {
  count      = var.units
  name       = "${var.name}-${count.index}"
  network_id = openstack_networking_network_v2.this.id
  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.this.id
  }
}

output "network" {
  value = openstack_networking_network_v2.this.id
}

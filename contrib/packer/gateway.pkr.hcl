# An image of Debian 13 with everything a gateway needs, but no identity: each machine made from it installs
# itself at its first boot, with user data such as contrib/cloud-init/gateway.yaml.

packer {
  required_version = ">= 1.9"
  required_plugins {
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.1.0"
    }
  }
}

variable "image_url" {
  type        = string
  description = "Cloud image of Debian 13 (qcow2)."
}

variable "image_checksum" {
  type        = string
  description = "Its checksum, such as sha512:…"
}

variable "program" {
  type        = string
  description = "The self-contained program, dist/mstunnel-setup."
}

variable "images" {
  type        = string
  description = "The archive of container images of the same release, dist/mstunnel-images-VERSION-amd64.tar."
}

variable "ssh_public_key" {
  type        = string
  description = "Public key (one line) of a key pair for the build alone."
}

variable "ssh_private_key_file" {
  type        = string
  description = "The file with its private key."
}

source "qemu" "gateway" {
  iso_url              = var.image_url
  iso_checksum         = var.image_checksum
  disk_image           = true
  disk_size            = "16G"
  format               = "qcow2"
  headless             = true
  memory               = 2048
  output_directory     = "build"
  vm_name              = "gateway.qcow2"
  ssh_username         = "packer"
  ssh_private_key_file = var.ssh_private_key_file
  ssh_timeout          = "10m"
  # The account of the build goes with its last command, and so does what cloud-init let it do with sudo.
  shutdown_command = "sudo sh -c 'rm /etc/sudoers.d/90-cloud-init-users; userdel --force --remove packer; shutdown --poweroff now'"

  cd_label = "cidata"
  cd_content = {
    "meta-data" = ""
    "user-data" = <<-EOT
      #cloud-config
      users:
        - name: packer
          sudo: ALL=(ALL) NOPASSWD:ALL
          ssh_authorized_keys: ["${var.ssh_public_key}"]
    EOT
  }
}

build {
  sources = ["source.qemu.gateway"]

  provisioner "file" {
    source      = var.program
    destination = "/tmp/mstunnel-setup"
  }

  provisioner "file" {
    source      = var.images
    destination = "/tmp/${basename(var.images)}"
  }

  provisioner "shell" {
    execute_command = "sudo sh -eu '{{ .Path }}'"
    inline = [
      "cloud-init status --wait",
      "apt-get update",
      "apt-get install --yes --no-install-recommends ca-certificates nftables podman",
      "install -D --mode=0755 /tmp/mstunnel-setup /usr/local/sbin/mstunnel-setup",
      # Keep the file name: the program looks for it under that name.
      "install -D --mode=0644 --target-directory=/var/lib/mstunnel/images /tmp/mstunnel-images-*.tar",
      "/usr/local/sbin/mstunnel-setup --version",
      # Machines made from the image must not share the keys, machine id or account of this one.
      "rm -f /tmp/mstunnel-setup /tmp/mstunnel-images-*.tar /etc/ssh/ssh_host_*",
      "cloud-init clean --logs --machine-id --seed",
    ]
  }
}

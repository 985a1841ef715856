"""The steps of the installation, one file each, in the order of `steps.ORDER`."""

"""The steps of an installation, one file each, named as the administrator knows them."""

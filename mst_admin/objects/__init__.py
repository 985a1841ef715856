"""The objects of declarations: for each its declared form, its Graph form and its rules."""

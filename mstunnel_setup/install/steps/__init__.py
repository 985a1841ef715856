"""The steps of an installation; `step_list` has their names and order."""

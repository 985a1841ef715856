"""What holds for every test."""

from hypothesis import settings

# A machine that is busy with other tests is no failure.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

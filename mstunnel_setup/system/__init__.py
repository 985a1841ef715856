"""Changes of the operating system itself: modules, kernel settings, drop-ins of units, SELinux ports."""

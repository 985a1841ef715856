"""Real parts on one machine: servers, clients and networks in namespaces of their own.

Used by the demonstration and by the end-to-end tests. By hand: `python -m tests.testbed images|up`.
"""

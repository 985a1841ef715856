"""The tenant as code: its objects declared, judged, compared and applied, and shown by commands.

`objects` has what declarations say, its form in Graph and its rules. `kinds` has one class for each kind of
object, over which `declarations`, `apply`, `carry_out` and the command line loop. `cloud_app` adds
the application to which Conditional Access policies apply.
"""

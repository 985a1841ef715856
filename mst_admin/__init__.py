"""The tenant as code: parse, validate, compare, apply and show the objects of a tenant.

`objects` has the models of declared objects, their form in Graph and their rules. `kinds` has one class for
each kind of object; `apply`, `carry_out` and the command line loop over them. `cloud_app` adds the
application to which Conditional Access policies apply.
"""

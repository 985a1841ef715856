"""The kinds of actions in journals."""

from mstunnel_setup.actions import (
    agent_sign_in,
    certificates,
    containers,
    files,
    firewall,
    gateway_configuration,
    kernel,
    renewal_hooks,
    service_account,
    store_answer,
    tenant_objects,
    tunnel_device,
    units,
    uplink,
    vendor_gateway,
)
from mstunnel_setup.containers import choice
from mstunnel_setup.transaction.action import Action, Codec

_MODULES = (
    *(
        service_account,
        agent_sign_in,
        certificates,
        choice,
        containers,
        files,
        firewall,
        gateway_configuration,
    ),
    *(
        kernel,
        renewal_hooks,
        service_account,
        store_answer,
        tenant_objects,
        tunnel_device,
        units,
        uplink,
        vendor_gateway,
    ),
)

CODEC = Codec(
    item
    for module in _MODULES
    for item in vars(module).values()
    # A class without a kind is a base of several kinds.
    if isinstance(item, type) and issubclass(item, Action) and "kind" in vars(item)
)

"""The setting `proxy_protocol_from`: whose word on the address of a device the gateway takes."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator

_MOST: Final = 64
# Anyone with an address of such a range can forge those of devices, in the log and for bans.
_SHORTEST: Final = {4: 16, 6: 48}


def _balancer(text: str) -> str:
    try:
        # A zone after % has no meaning on another machine.
        network = None if "%" in text else ip_network(text)
    except ValueError:
        network = None
    if network is None:
        raise ValueError(
            "must be an address or a network such as `192.0.2.10` or `2001:db8:7::/64`: correct it"
        )
    if network.prefixlen < _SHORTEST[network.version]:
        raise ValueError(
            f"must not be wider than /{_SHORTEST[network.version]}, as all of it can claim to be any device: "
            "name the balancers"
        )
    return _shown(network)


def _shown(network: IPv4Network | IPv6Network) -> str:
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address if single else network)


def _few(balancers: tuple[str, ...]) -> tuple[str, ...]:
    if len(balancers) > _MOST:
        raise ValueError(f"must have at most {_MOST} entries: name a network instead")
    return balancers


Balancers: TypeAlias = Annotated[
    tuple[Annotated[str, AfterValidator(_balancer)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    AfterValidator(_few),
]

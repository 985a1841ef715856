"""Microsoft's own client lists, creates, changes and deletes every tunnel entity of a lab, and prints it.

Run in an environment that has msgraph-beta-sdk and nothing of this project: `tour.py LAB_JSON TOKEN_FILE`.
The client is as it is published; only the address of Graph and the trusted authority are the lab's.
"""

import asyncio
import datetime as dt
import importlib
import json
import ssl
import sys
from pathlib import Path
from typing import Any

import httpx
from kiota_abstractions.api_error import APIError
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from msgraph_beta import GraphRequestAdapter, GraphServiceClient
from msgraph_beta.generated.models.key_value_pair import KeyValuePair
from msgraph_beta.generated.models.microsoft_tunnel_configuration import MicrosoftTunnelConfiguration
from msgraph_beta.generated.models.microsoft_tunnel_deployment_mode import MicrosoftTunnelDeploymentMode
from msgraph_beta.generated.models.microsoft_tunnel_health_threshold import MicrosoftTunnelHealthThreshold
from msgraph_beta.generated.models.microsoft_tunnel_server import MicrosoftTunnelServer
from msgraph_beta.generated.models.microsoft_tunnel_server_log_collection_response import (
    MicrosoftTunnelServerLogCollectionResponse,
)
from msgraph_beta.generated.models.microsoft_tunnel_site import MicrosoftTunnelSite

SEEN: dict[str, Any] = {}
CONFIGURATION = (
    "display_name",
    "description",
    "network",
    "ipv6_network",
    "dns_servers",
    "default_domain_suffix",
    "route_includes",
    "routes_include",
    "route_excludes",
    "split_d_n_s",
    "listen_port",
    "disable_udp_connections",
    "role_scope_tag_ids",
)
SITE = (
    "display_name",
    "description",
    "public_address",
    "internal_network_probe_url",
    "upgrade_automatically",
    "upgrade_available",
    "upgrade_window_start_time",
    "upgrade_window_end_time",
    "upgrade_window_utc_offset_in_minutes",
)


class Token(AccessTokenProvider):
    """A token that was obtained elsewhere."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_authorization_token(self, uri: str, additional: Any = None) -> str:
        return self._token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator([])


def client(description: dict[str, Any], token: str) -> GraphServiceClient:
    context = ssl.create_default_context(cafile=description["ca_file"])
    base = f"{description['graph']}/beta"
    http = httpx.AsyncClient(verify=context, base_url=base, timeout=30)
    adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Token(token)), http)
    adapter.base_url = base
    return GraphServiceClient(request_adapter=adapter)


async def status_of(call: Any) -> int:
    """The status that a refused call came to; 0 when it was not refused."""
    try:
        await call
    except APIError as error:
        return int(error.response_status_code or -1)
    return 0


async def configurations(graph: GraphServiceClient) -> str:
    everything = graph.device_management.microsoft_tunnel_configurations
    made = await everything.post(
        MicrosoftTunnelConfiguration(
            display_name="Official",
            description="made by Microsoft's client",
            network="169.254.0.0/16",
            ipv6_network="fd00:1::/64",
            dns_servers=["10.1.0.53"],
            default_domain_suffix="corp.example",
            route_includes=["10.1.0.0/16"],
            route_excludes=["10.1.9.0/24"],
            split_d_n_s=["corp.example"],
            listen_port=443,
            disable_udp_connections=False,
            advanced_settings=[KeyValuePair(name="session-timeout", value="7200")],
            role_scope_tag_ids=["0"],
        )
    )
    one = everything.by_microsoft_tunnel_configuration_id(made.id)
    await one.patch(MicrosoftTunnelConfiguration(listen_port=8443, route_includes=["10.2.0.0/16"]))
    read = await one.get()
    SEEN["configuration"] = {name: getattr(read, name) for name in CONFIGURATION}
    SEEN["configuration"]["settings"] = {item.name: item.value for item in read.advanced_settings}
    SEEN["configuration"]["updated"] = isinstance(read.last_update_date_time, dt.datetime)
    SEEN["configurations"] = [item.display_name for item in (await everything.get()).value]
    SEEN["configuration count"] = await everything.count.get()
    return str(made.id)


async def sites(graph: GraphServiceClient, configuration: str) -> str:
    everything = graph.device_management.microsoft_tunnel_sites
    made = await everything.post(
        MicrosoftTunnelSite(
            display_name="Official site",
            public_address="official.lab.example",
            internal_network_probe_url="http://10.1.0.1/",
            upgrade_automatically=True,
            upgrade_window_start_time=dt.time(22, 0),
            upgrade_window_end_time=dt.time(23, 30),
            upgrade_window_utc_offset_in_minutes=-300,
            microsoft_tunnel_configuration=MicrosoftTunnelConfiguration(id=configuration),
        )
    )
    one = everything.by_microsoft_tunnel_site_id(made.id)
    await one.patch(MicrosoftTunnelSite(description="changed", upgrade_automatically=False))
    await one.request_upgrade.post()
    read = await one.get()
    SEEN["site"] = {name: str(getattr(read, name)) for name in SITE}
    linked = await one.microsoft_tunnel_configuration.get()
    SEEN["site"]["configuration"] = linked.display_name
    found = await everything.get()
    names = [item.display_name for item in found.value]
    while found.odata_next_link:
        found = await everything.with_url(found.odata_next_link).get()
        names += [item.display_name for item in found.value]
    SEEN["sites"] = sorted(names)
    return str(made.id)


async def servers(description: dict[str, Any], graph: GraphServiceClient, site: str) -> str:
    everything = graph.device_management.microsoft_tunnel_sites.by_microsoft_tunnel_site_id(
        site
    ).microsoft_tunnel_servers
    made = await everything.post(
        MicrosoftTunnelServer(
            display_name="gw-official", deployment_mode=MicrosoftTunnelDeploymentMode.StandaloneRootless
        )
    )
    one = everything.by_microsoft_tunnel_server_id(made.id)
    await one.patch(MicrosoftTunnelServer(display_name="gw-renamed"))
    read = await one.get()
    SEEN["server"] = [read.display_name, str(read.deployment_mode), str(read.tunnel_server_health_status)]
    SEEN["servers"] = [item.display_name for item in (await everything.get()).value]
    await health_and_logs(description, graph, one, str(made.id))
    await one.delete()
    SEEN["server gone"] = await status_of(one.get())
    return str(made.id)


def body_of(action: str, **values: Any) -> Any:
    """The parameters of an action of servers, as the client's own model of them."""
    where = (
        "msgraph_beta.generated.device_management.microsoft_tunnel_sites.item.microsoft_tunnel_servers.item"
    )
    module = importlib.import_module(f"{where}.{action}.{action}_post_request_body")
    name = "".join(word.capitalize() for word in action.split("_")) + "PostRequestBody"
    return getattr(module, name)(**values)


def report(description: dict[str, Any], server: str, health: dict[str, Any]) -> None:
    """What the lab shows of a server's health: Graph has no way to write it."""
    control = description["control"]
    httpx.patch(
        f"{control['address']}/servers/{server}",
        json=health,
        headers={"Authorization": f"Bearer {control['key']}"},
        verify=ssl.create_default_context(cafile=description["ca_file"]),
    ).raise_for_status()


async def health_and_logs(
    description: dict[str, Any], graph: GraphServiceClient, one: Any, server: str
) -> None:
    end = dt.datetime.now(dt.UTC)
    begin = end - dt.timedelta(hours=8)
    report(description, server, {"status": "healthy", "metrics": {"cpu-usage": 42}})
    found = await one.get_health_metrics.post(body_of("get_health_metrics", metric_names=["cpuUsage"]))
    SEEN["metrics"] = [[item.name, item.value] for item in found.value]
    span = {"start_date_time": begin, "end_date_time": end}
    wish = body_of("get_health_metric_time_series", metric_name="cpuUsage", **span)
    SEEN["series"] = len((await one.get_health_metric_time_series.post(wish)).value)
    action = "create_server_log_collection_request"
    made = await one.create_server_log_collection_request.post(body_of(action, **span))
    logs = graph.device_management.microsoft_tunnel_server_log_collection_responses
    log = logs.by_microsoft_tunnel_server_log_collection_response_id(made.id)
    await log.patch(MicrosoftTunnelServerLogCollectionResponse(size_in_bytes=12))
    read = await log.get()
    SEEN["logs"] = [
        read.server_id == server,
        str(read.status),
        read.size_in_bytes,
        len((await logs.get()).value),
    ]
    created = await logs.post(MicrosoftTunnelServerLogCollectionResponse(server_id=server))
    await logs.by_microsoft_tunnel_server_log_collection_response_id(created.id).delete()
    SEEN["download before the end"] = await status_of(log.create_download_url.post())
    await log.delete()
    SEEN["log gone"] = await status_of(log.get())


async def thresholds(graph: GraphServiceClient) -> None:
    everything = graph.device_management.microsoft_tunnel_health_thresholds
    await everything.by_microsoft_tunnel_health_threshold_id("latency").delete()
    made = await everything.post(
        MicrosoftTunnelHealthThreshold(id="latency", healthy_threshold=1, unhealthy_threshold=5)
    )
    one = everything.by_microsoft_tunnel_health_threshold_id(made.id)
    await one.patch(MicrosoftTunnelHealthThreshold(unhealthy_threshold=9))
    read = await one.get()
    SEEN["threshold"] = [read.id, read.healthy_threshold, read.unhealthy_threshold]
    await one.delete()
    SEEN["threshold gone"] = await status_of(one.get())


async def main(description: dict[str, Any], token: str) -> None:
    graph = client(description, token)
    configuration = await configurations(graph)
    site = await sites(graph, configuration)
    await servers(description, graph, site)
    await thresholds(graph)
    one_site = graph.device_management.microsoft_tunnel_sites.by_microsoft_tunnel_site_id(site)
    one = graph.device_management.microsoft_tunnel_configurations.by_microsoft_tunnel_configuration_id(
        configuration
    )
    SEEN["configuration in use"] = await status_of(one.delete())
    await one_site.delete()
    await one.delete()
    SEEN["gone"] = [await status_of(one_site.get()), await status_of(one.get())]
    print(json.dumps(SEEN))


asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]).read_text()))

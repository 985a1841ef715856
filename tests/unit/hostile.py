"""Values that a generated file must not take apart, and a container that has them everywhere."""

from mstunnel_setup.containers.container_spec import ContainerSpec, HealthCheck, Volume

# Whatever a quoting rule has to deal with.
HOSTILE = '50% %h of $HOME ${X} "q" `id` ; # \\é'
# What no text file can hold in one of its lines.
BREAKS = ("a\nb", "a\r", "\0", "\x1b[1m", "a\udc80")
SPEC = ContainerSpec(
    name="gateway",
    image="registry.example:5000/tunnel/server@sha256:" + "0a" * 32,
    description='50% of "$HOME"',
    labels={"text": HOSTILE},
    volumes=(Volume(host=f"/{HOSTILE}", container="/b"),),
    health=HealthCheck(command=("test", HOSTILE)),
)

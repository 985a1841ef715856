#!/bin/sh
# Before the package is removed: rpm passes 0 (1: a newer version is installed), dpkg passes `remove`.
case "$1" in
0 | remove) ;;
*) exit 0 ;;
esac
if [ -e /var/lib/mstunnel/receipt.json ]; then
    echo "mstunnel-setup: a gateway is installed on this server, and nothing will look after it." >&2
    echo "Install the package again, run \`mst-cli uninstall\`, then remove the package." >&2
fi

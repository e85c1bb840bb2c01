"""Where a request comes from, as far as limits need to know."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's IP address; IPv6 as its /64, since one household holds that many. Empty when there is none (a Unix socket).

    Behind INSYN_PROXIES own proxies the address is the one that the outermost of them wrote: counted from the right of
    X-Forwarded-For, because everything to the left of it is the client's own claim.
    """
    claimed = request.META.get("REMOTE_ADDR", "")
    if settings.INSYN_PROXIES:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        if len(hops) >= settings.INSYN_PROXIES:
            claimed = hops[-settings.INSYN_PROXIES]
    try:
        address = ip_address(claimed)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False).network_address)
    return str(address)

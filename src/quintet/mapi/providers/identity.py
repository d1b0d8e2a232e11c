"""Who the person is, where only an address is known (`base.Opened.identity`)."""

from __future__ import annotations

import getpass
import socket

from quintet.mapi import pr
from quintet.mapi.bag import Bag


def of(address: str, name: str = "") -> Bag:
    """By an address, or by the login and the host where there is none."""
    if not address:
        address = f"{getpass.getuser()}@{socket.getfqdn()}"
    return {
        pr.DISPLAY_NAME: name or address,
        pr.ADDRTYPE: "SMTP",
        pr.EMAIL_ADDRESS: address,
        pr.SMTP_ADDRESS: address,
    }

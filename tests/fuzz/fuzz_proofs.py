"""Proofs of where mail is from: records, fields and bodies of any bytes are values or refusals."""

import asyncio

from quintet.policy import dkim, dkimverify, dmarc, spf

KEY = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
SEEDS: list[bytes] = [
    b"",
    b"v=spf1 +mx a:colo.example.com/28//64 include:%{d2r-}.x.example exists:%{ir}.%{v}._spf.%{d} x=y",
    b"v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ?ptr:example.com exp=why.example ~all",
    b"v=DMARC1; p=reject; sp=none; adkim=s; pct=0; t=y; psd=n",
    KEY,
    (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/simple;\r\n"
        b" d=football.example.com; s=brisbane;\r\n"
        b" t=1528637909; x=1628637909; l=3; h=from : to : from;\r\n"
        b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=/gCrinpcQOoIfuHNQIbq\r\n"
        b"From: Joe <joe@football.example.com>\r\n\r\nHi.\r\n\r\n"
    ),
]


class _Keys:
    """A name service whose every record is the same."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    async def txt(self, name: str) -> list[bytes]:
        return [self.text]


def target(data: bytes) -> None:
    """Nothing is believed that was not signed, and a body has one hash however it comes."""
    dmarc.record(data)
    try:
        spf.parse(data.decode("latin-1"))
    except spf._Permanent:
        pass
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dkim.cut(head)
    found = dkimverify.signatures(fields, 1_600_000_000)
    for one in found:
        for at in range(0, len(body), 3):
            one.body.feed(body[at : at + 3])
    for text in (KEY, data):
        for result in asyncio.run(dkimverify.verify(found, fields, _Keys(text))):
            if result.result == "pass":
                raise AssertionError("nobody signed this")
    whole, pieces = dkim.BodyHash(), dkim.BodyHash()
    whole.feed(body)
    for at in range(0, len(body), 5):
        pieces.feed(body[at : at + 5])
    if whole.finish() != pieces.finish():
        raise AssertionError("another hash in pieces")

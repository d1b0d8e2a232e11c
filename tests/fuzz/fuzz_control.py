"""Any bytes as a control message: its order, its lists, its signature, a notice, a rules file."""

from quintet.delivery.control import ctl, groupchanges, nocem, orders, signed
from quintet.message.scan import scan

SEEDS = [
    b"Control: newgroup a.b moderated\r\nX-PGP-Sig: 1 Subject\r\n\tabcd\r\n\t=abcd\r\n\r\na.b\tx\r\n",
    b"Control: checkgroups a !a.b #1\r\n\r\na.b\tx (Moderated)\r\n",
    b"Supersedes: <a@b>\r\nCancel-Key: sha256:x\r\n\r\nFor your newsgroups file:\r\na.b y\r\n",
    (
        b"-----BEGIN PGP SIGNED MESSAGE-----\n\n@@BEGIN NCM HEADERS\nVersion: 0.93\nIssuer: a@b\n"
        b"Type: spam\nAction: hide\nNotice-ID: 1\n@@BEGIN NCM BODY\n<a@b>\ta.b\n\tc.d\n@@END NCM BODY\n"
        b"-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n"
    ),
    b"newgroup:*@x|y:a.*|b.?[c]:verify-k=mail\n/encoding/:*:*:cp1252\n/maxdocheckgroups/:*:*:3\n",
]
HERE = {"a.b": groupchanges.Here("y", ""), "a.c": groupchanges.Here("m", "c")}


def target(data: bytes) -> None:
    """See the module."""
    digest = scan(data)
    order = orders.read(digest, ("a.b",))
    arguments = order.arguments if order is not None else ()
    for kind in ("news-groupinfo", "news-checkgroups"):
        listed = groupchanges.lines_of(digest, data, kind, lambda _: "koi8-r")
        of = groupchanges.scope(arguments, listed)
        for change in (
            *groupchanges.checkgroups(listed, HERE, of),
            *groupchanges.newgroup(arguments, listed, HERE),
            *groupchanges.rmgroup(arguments, HERE),
        ):
            assert groupchanges.is_name(change.group)
            assert "\n" not in str(change)
    header, _, body = data.partition(b"\r\n\r\n")
    signed.detached(header, body)
    parts = signed.cleartext(data)
    for text in (data, parts[0] if parts is not None else b""):
        notice = nocem.parse(text)
        if notice is not None:
            assert all(name.startswith("<") and groups for name, groups in notice.articles)
    try:
        rules = ctl.parse(data.decode("utf-8", "replace"))
    except ctl.BadRule:
        return
    rules.action("newgroup", "x@y", "a.b")
    rules.charset("a.b")

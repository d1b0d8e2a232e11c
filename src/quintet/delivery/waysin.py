"""The way in, made of the configuration: for the server, for commands, for programs that open the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quintet.delivery.directory import Directory
from quintet.delivery.inbound import Inbound
from quintet.errors import Reason, TryLater

if TYPE_CHECKING:
    from quintet.clock import Clock
    from quintet.config.root import Config
    from quintet.delivery.checks import Check, Filter
    from quintet.delivery.milters import Milters
    from quintet.delivery.proving import Proving
    from quintet.delivery.rewriting import Canonical, Generic
    from quintet.delivery.rules import Rules
    from quintet.delivery.signing import Signer
    from quintet.store.store import Store


def inbound(config: Config, store: Store, clock: Clock, rules: Rules | None = None) -> Inbound:
    """The way in; one a process.  Raises TryLater where ``rules`` must be made and cannot."""
    if rules is None:
        rules = rules_of(config, store, clock)  # a server has them already
    from quintet.delivery.bounces import Bounces  # as above

    filters, copies, proofs = _filters(config), _copies(config), _proofs(config, clock)
    tables, asked, acting = _acting(config, clock)
    made = Inbound(
        store,
        config.smtp,
        hostname=config.hostname,
        clock=clock,
        expire_s=config.queue.expire_s,
        expire_report_s=config.queue.expire_report_s,
        reports=config.reports,
        policy=config.policy,
        checks=[
            *proofs,  # before the hooks, which may want to know
            *tables,  # which may say who is welcome
            *rules.checks,
            *_asking(config, store, clock),
            *_greylisting(config, store, clock),
            Bounces(store, config.queue),
            *asked,
            *filters,
            *copies,
        ],
        filters=[*acting, *rules.filters, *(one.filter for one in filters), *(one.filter for one in proofs)],
        canonical=canonical(config, Directory(store, clock, config=config.smtp), clock),
    )
    if (signs := signer(config, clock)) is not None:
        made.steps = signs.joined(made.steps)
        made.reports.signer = signs
    made.directory.gateways = {one.address.lower(): one for one in config.gateway}
    return made


def signer(config: Config, clock: Clock) -> Signer | None:
    """What signs our mail, loaded where there is a key."""
    if not config.dkim:
        return None
    from quintet.delivery.signing import Signer

    return Signer(config.dkim, clock)


def canonical(config: Config, directory: Directory, clock: Clock) -> Canonical | None:
    """What renames in mail that comes, loaded where something is to be renamed."""
    if not config.rewrite.coming:
        return None
    from quintet.delivery.rewriting import Canonical

    return Canonical(config.rewrite, clock=clock, ours=directory.is_local)


def generic(config: Config, directory: Directory, clock: Clock) -> Generic | None:
    """The same for mail that leaves."""
    if not config.rewrite.leaving:
        return None
    from quintet.delivery.rewriting import Generic

    return Generic(config.rewrite, clock=clock, ours=directory.is_local)


def _filters(config: Config) -> list[Milters]:
    """The mail filters, loaded where there is one."""
    if not config.milter:
        return []
    from quintet.delivery.milters import Milters

    return [Milters(config.milter, hostname=config.hostname)]


def _acting(config: Config, clock: Clock) -> tuple[list[Check], list[Check], list[Filter]]:
    """Tables of who may what; policy services and checks of content; the filter that does what they say."""
    policy, trusted = config.policy, config.smtp.relay_networks
    if not (policy.access or policy.service or policy.content.any):
        return [], [], []
    from quintet.delivery.accesschecks import AccessChecks
    from quintet.delivery.acting import Acting
    from quintet.delivery.clientname import ClientNames
    from quintet.net.dns import Resolver

    acts = Acting()
    tables: list[Check] = []
    asked: list[Check] = []
    names = ClientNames(Resolver(config.dns, clock=clock), timeout_s=config.relay.check_timeout_s)
    if policy.access:
        tables.append(AccessChecks(policy.access, trusted, names, clock))
    if policy.service:
        from quintet.delivery.delegating import Delegating

        asked.append(Delegating(policy.service, trusted, names))
    if policy.content.any:
        from quintet.delivery.contentchecks import ContentChecks

        asked.append(ContentChecks(policy.content, clock))
    return tables, [*asked, acts], [acts.filter]


def _proofs(config: Config, clock: Clock) -> list[Proving]:
    """SPF, DKIM and DMARC, where they are wanted."""
    if not config.policy.verify.enabled:
        return []
    from quintet.delivery.proving import Proving

    return [Proving(config.policy.verify, config.smtp.relay_networks, config.dns, clock=clock)]


def _greylisting(config: Config, store: Store, clock: Clock) -> list[Check]:
    if not config.policy.greylist.enabled:
        return []
    from quintet.delivery.greylisting import Greylisting

    return [Greylisting(config.policy.greylist, config.smtp.relay_networks, store.data / "run", clock)]


def _copies(config: Config) -> list[Check]:
    if not config.copy:
        return []
    from quintet.delivery.copies import Copies

    return [Copies(config.copy)]


def _asking(config: Config, store: Store, clock: Clock) -> list[Check]:
    """Checks that ask the name service, which is loaded where one is wanted."""
    lists = config.policy.dns_lists
    if config.smtp.sender_domain == "take" and not lists:
        return []
    from quintet.delivery.clientname import ClientNames
    from quintet.delivery.dnslists import DnsLists
    from quintet.delivery.sender_domain import SenderDomain
    from quintet.net.dns import Resolver

    resolver, wait_s = Resolver(config.dns, clock=clock), config.relay.check_timeout_s
    found: list[Check] = []
    if lists:
        names = ClientNames(resolver, timeout_s=wait_s)
        found.append(DnsLists(lists, config.smtp, resolver, names, timeout_s=wait_s))
    if config.smtp.sender_domain != "take":
        found.append(SenderDomain(config.smtp, Directory(store, clock), resolver, timeout_s=wait_s))
    return found


def rules_of(config: Config, store: Store, clock: Clock) -> Rules:
    """Checks, filters and hooks.  Raises TryLater where the hooks cannot be used."""
    from quintet.delivery.rules import Rules
    from quintet.policy.hooks import BadHooks

    try:
        return Rules(config.policy, store, clock)
    except BadHooks as error:
        raise TryLater(Reason.BUSY, str(error)) from error
